"""Free loopback ports below the range that the kernel uses for outgoing connections.

A client could take a port from bind(0) while a killed server is being started on it again.
"""

import random
import socket

_RANGE = range(20000, 32000)


def free_ports(count: int) -> list[int]:
    """Return so many different ports of 127.0.0.1 on which nothing listens now."""
    found: set[int] = set()
    while len(found) < count:
        port = random.choice(_RANGE)
        if _free(port):
            found.add(port)
    return list(found)


def listening(port: int) -> bool:
    """Tell whether a server accepts connections on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
