"""The operations of every server, wherever it runs: start, stop, kill, restart."""

import abc
import sys
import time
from collections.abc import Callable


class ServersUnavailableError(Exception):
    """No server can be had. The message says what happened and what to type next."""


class NotSupportedError(Exception):
    """The server belongs to others, so we may not stop or kill it."""


class Lifecycle(abc.ABC):
    """Starts and stops one server.

    `start` returns when the server answers; ports and data outlive `stop` and `kill`.
    """

    @abc.abstractmethod
    def start(self) -> None:
        """Start and wait until the server answers. Raises ServersUnavailableError with the end of its log."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Shut down and wait for the end. A server that does not run is left alone."""

    @abc.abstractmethod
    def kill(self) -> None:
        """End it with SIGKILL, as a power cut would, and wait for the end."""

    def restart(self) -> None:
        """Shut down, then start."""
        self.stop()
        self.start()


class Given(Lifecycle):
    """A server that is known by its URL only."""

    def start(self) -> None:
        """Do nothing: the server runs already."""

    def stop(self) -> None:
        """Raise NotSupportedError."""
        raise NotSupportedError("this server was given by URL, so it is not ours to stop")

    def kill(self) -> None:
        """Raise NotSupportedError."""
        raise NotSupportedError("this server was given by URL, so it is not ours to kill")


def say(line: str) -> None:
    """Write one line of progress to standard error."""
    print(line, file=sys.stderr, flush=True)


def wait_until(ready: Callable[[], bool], alive: Callable[[], bool], timeout_seconds: float) -> bool:
    """Call `ready` ten times a second. Returns False when time is up or the server is no longer `alive`."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if ready():
            return True
        if not alive():
            return False
        time.sleep(0.1)
    return False
