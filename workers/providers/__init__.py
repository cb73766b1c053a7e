"""Providers behind one port: signing, verifying and reading are pure; only `calls` talks to the outside."""

from collections.abc import Mapping

from workers.providers.calls import Caller
from workers.providers.port import Provider


class _Process:
    providers: Mapping[str, Provider] = {}
    callers: Mapping[str, Caller] = {}


def configure(providers: Mapping[str, Provider], timeout_seconds: float = 10.0) -> None:
    """Set the providers of this process, and how long a call may take."""
    _Process.providers = dict(providers)
    _Process.callers = {name: Caller(provider, timeout_seconds) for name, provider in providers.items()}


def caller(name: str) -> Caller:
    """Who calls this provider."""
    return _Process.callers[name]


async def close() -> None:
    """End every connection to a provider."""
    for one in _Process.callers.values():
        await one.close()


def configured() -> Mapping[str, Provider]:
    """Provider name -> provider, of those that this process speaks with."""
    return _Process.providers
