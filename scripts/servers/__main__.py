"""`python -m scripts.servers` starts servers, prints what to export, and runs until Ctrl-C."""

import signal
import sys

from scripts.servers.find import Use, find_servers
from scripts.servers.lifecycle import ServersUnavailableError

HELP = """usage: python -m scripts.servers

Starts the servers that the tests use, prints the variables that point the tests at them, and runs until Ctrl-C.

  python -m scripts.servers > servers.env &      start them
  . ./servers.env; scripts/test tests/outbox     test against them, once servers.env has three lines
"""


def main() -> int:
    """Run until SIGINT or SIGTERM. Any argument prints the help instead."""
    if sys.argv[1:]:
        print(HELP)
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        servers = find_servers(Use.TESTS)
    except ServersUnavailableError as error:
        print(error, file=sys.stderr)
        return 1
    with servers:
        print(f"export OMS_TEST_DATABASE_URL={servers.postgres.admin_url}")
        print(f"export OMS_TEST_AMQP_URL={servers.broker.admin_url}")
        print(f"export OMS_TEST_MANAGEMENT_URL={servers.broker.management_url or ''}", flush=True)
        signal.sigwait(signals)
    return 0


if __name__ == "__main__":
    sys.exit(main())
