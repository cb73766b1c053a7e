"""Payment channels behind one port: signing, verifying and reading are pure; only `calls` talks to the outside."""

from collections.abc import Mapping

from workers.channels.port import Channel


class _Process:
    channels: Mapping[str, Channel] = {}


def configure(channels: Mapping[str, Channel]) -> None:
    """Set the channels of this process."""
    _Process.channels = dict(channels)


def configured() -> Mapping[str, Channel]:
    """Channel name -> channel, of those that this process speaks with."""
    return _Process.channels
