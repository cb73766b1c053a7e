"""Payment channels behind one port: signing, verifying and reading are pure; only `calls` talks to the outside."""

from collections.abc import Mapping

from workers.providers.calls import Caller
from workers.providers.port import Channel


class _Process:
    channels: Mapping[str, Channel] = {}
    callers: Mapping[str, Caller] = {}


def configure(channels: Mapping[str, Channel], timeout_seconds: float = 10.0) -> None:
    """Set the channels of this process, and how long a call may take."""
    _Process.channels = dict(channels)
    _Process.callers = {name: Caller(channel, timeout_seconds) for name, channel in channels.items()}


def caller(name: str) -> Caller:
    """Who calls this channel."""
    return _Process.callers[name]


async def close() -> None:
    """End every connection to a channel."""
    for one in _Process.callers.values():
        await one.close()


def configured() -> Mapping[str, Channel]:
    """Channel name -> channel, of those that this process speaks with."""
    return _Process.channels
