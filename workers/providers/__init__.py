"""Payment providers behind one port. The adapters are pure functions; only the calls module uses the network.

Every adapter package has the same modules: settings, signing, mapping (translates the provider's fields into the types
of the port), provider (the adapter itself) and statement (reads the provider's day statements).
"""

from collections.abc import Mapping

from workers.providers.calls import Caller
from workers.providers.port import Provider


class _Process:
    providers: Mapping[str, Provider] = {}
    callers: Mapping[str, Caller] = {}


def configure(providers: Mapping[str, Provider], timeout_seconds: float = 10.0) -> None:
    """Set the providers of this process, and the most seconds that one call may take."""
    _Process.providers = dict(providers)
    _Process.callers = {name: Caller(provider, timeout_seconds) for name, provider in providers.items()}


def caller(name: str) -> Caller:
    """The caller of a provider. Raises KeyError if the provider has no settings in this process."""
    return _Process.callers[name]


async def close() -> None:
    """Close every connection to a provider."""
    for one in _Process.callers.values():
        await one.close()


def configured() -> Mapping[str, Provider]:
    """Name -> provider, for each provider that has settings in this process."""
    return _Process.providers
