"""Carriers behind one port. The adapters are pure functions; the calls module of the providers uses the network."""

from collections.abc import Mapping

from workers.carriers.port import CarrierAdapter
from workers.providers.calls import Caller


class _Process:
    adapters: Mapping[str, CarrierAdapter] = {}
    callers: Mapping[str, Caller] = {}


def configure(adapters: Mapping[str, CarrierAdapter], timeout_seconds: float = 5.0) -> None:
    """Set the carriers that this process calls, and the most seconds that one call may take."""
    _Process.adapters = dict(adapters)
    _Process.callers = {name: Caller(adapter, timeout_seconds) for name, adapter in adapters.items()}


def adapter(name: str) -> CarrierAdapter | None:
    """The adapter of a carrier, or None if this process does not call it."""
    return _Process.adapters.get(name)


def caller(name: str) -> Caller:
    """The caller of a carrier. Raises KeyError if this process does not call it."""
    return _Process.callers[name]


async def close() -> None:
    """Close every connection to a carrier."""
    for one in _Process.callers.values():
        await one.close()
