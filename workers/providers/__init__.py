"""Payment providers behind one port. The adapters are pure; only the calls module talks to the outside.

Every adapter package has the same modules: settings, signing, mapping (their fields to the types of the port),
provider (the adapter itself) and statement (their day statements).
"""

from collections.abc import Mapping

from workers.providers.calls import Caller
from workers.providers.port import Provider


class _Process:
    providers: Mapping[str, Provider] = {}
    callers: Mapping[str, Caller] = {}


def configure(providers: Mapping[str, Provider], timeout_seconds: float = 10.0) -> None:
    """Set the providers of this process, and the time that one call may take."""
    _Process.providers = dict(providers)
    _Process.callers = {name: Caller(provider, timeout_seconds) for name, provider in providers.items()}


def caller(name: str) -> Caller:
    """The caller of a configured provider."""
    return _Process.callers[name]


async def close() -> None:
    """Close every connection to a provider."""
    for one in _Process.callers.values():
        await one.close()


def configured() -> Mapping[str, Provider]:
    """Name -> provider, of the providers that have settings in this process."""
    return _Process.providers
