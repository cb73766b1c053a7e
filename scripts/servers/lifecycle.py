"""What every server offers, wherever it runs: start, stop, kill, restart."""

import abc
import sys
import time
from collections.abc import Callable


class ServersUnavailableError(Exception):
    """No server could be had. The message says what happened and what to type next."""


class NotSupportedError(Exception):
    """The server belongs to someone else, so it is not ours to stop or kill."""


class Lifecycle(abc.ABC):
    """The running of one server. `start` returns when the server answers; ports and data outlive `stop` and `kill`."""

    @abc.abstractmethod
    def start(self) -> None:
        """Start and wait until it answers. Raises ServersUnavailableError with the end of its log."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Stop in an orderly way and wait for the end. Nothing happens when it is not running."""

    @abc.abstractmethod
    def kill(self) -> None:
        """End it as a power cut would (SIGKILL) and wait for the end."""

    def restart(self) -> None:
        """Stop in an orderly way, then start."""
        self.stop()
        self.start()


class Given(Lifecycle):
    """A server known only by its URL."""

    def start(self) -> None:
        """It runs already."""

    def stop(self) -> None:
        """Refused: NotSupportedError."""
        raise NotSupportedError("this server was given by URL; it is not ours to stop")

    def kill(self) -> None:
        """Refused: NotSupportedError."""
        raise NotSupportedError("this server was given by URL; it is not ours to kill")


def say(line: str) -> None:
    """One line of progress on standard error."""
    print(line, file=sys.stderr, flush=True)


def wait_until(ready: Callable[[], bool], alive: Callable[[], bool], timeout_seconds: float) -> bool:
    """Ask `ready` ten times a second; False when time is up or the server is no longer `alive`."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        if ready():
            return True
        if not alive():
            return False
        time.sleep(0.1)
    return False
