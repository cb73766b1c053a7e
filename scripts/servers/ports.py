"""Free loopback ports below the range that the kernel uses for outgoing connections.

A client could take a port from bind(0) while a killed server is being started on it again.
"""

import errno
import fcntl
import os
import random
import socket
import tempfile
from functools import cache
from pathlib import Path

_RANGE = range(20000, 32000)


def free_ports(count: int) -> list[int]:
    """Return so many different ports of 127.0.0.1 on which nothing listens now, and that no other process was given.

    Servers take seconds until they listen, and several test runs may start theirs at once.
    """
    found: list[int] = []
    while len(found) < count:
        port = random.choice(_RANGE)
        if port not in _given and _reserve(port) and _free(port):
            _given.add(port)
            found.append(port)
    return found


_given: set[int] = set()
"""The ports that this process was given."""


def _reserve(port: int) -> bool:
    """Lock the byte of this port in a file that all processes share, until this process ends."""
    descriptor = _reservations()
    if descriptor is None:
        return True
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError as error:
        return error.errno not in {errno.EAGAIN, errno.EACCES}  # a file system without locks reserves nothing
    return True


@cache
def _reservations() -> int | None:
    """The descriptor of this user's file, or None. It stays open: a lock ends with any descriptor of its file."""
    path = Path(tempfile.gettempdir()) / f"oms-ports-{os.geteuid()}"
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return None


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
