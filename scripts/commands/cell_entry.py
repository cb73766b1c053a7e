"""Declares the entry of a shop with several cells (messages/cell_topology.py), once every cell has its queues."""

from collections.abc import Mapping

from aio_pika import exceptions
from aio_pika.abc import AbstractChannel

from messages.cell_topology import HASH_TYPE, CellEntry, ExchangeBinding, entry
from messages.topology import QUEUES, Names
from outbox.declare import REFUSED, declare_part, opened

HASH_PLUGIN = "rabbitmq_consistent_hash_exchange"
ENABLE = f"rabbitmq-plugins enable {HASH_PLUGIN}"


async def can_hash(url: str, shop: str) -> bool:
    """True if the broker offers HASH_TYPE. The probe has a connection of its own: 3.10 closes one that asks in vain."""
    try:
        async with opened(url) as channel:
            name = f"{shop}.probe.{id(channel):x}"
            await channel.declare_exchange(name, HASH_TYPE, auto_delete=True)
            await channel.exchange_delete(name)
    except REFUSED:
        raise
    except (exceptions.AMQPError, RuntimeError):
        return False
    return True


async def declare_entry(url: str, shop: str, cells: Mapping[str, frozenset[int]]) -> CellEntry | None:
    """Declare the exchanges and bindings that lead into the cells, then take away those of an earlier division.

    While a cell has no queues its messages would be lost, so nothing is changed and None is returned. Raises
    TopologyError.
    """
    if not await _all_declared(url, shop, cells):
        return None
    wanted = entry(shop, cells, hashing=await can_hash(url, shop))
    async with opened(url) as channel:
        for exchange in wanted.exchanges:
            await declare_part(channel, exchange)
        for binding in wanted.bindings:
            await _bind(channel, binding)
        for binding in wanted.stale:
            await _unbind(channel, binding)
    return wanted


async def _all_declared(url: str, shop: str, cells: Mapping[str, frozenset[int]]) -> bool:
    for cell in cells:
        names = Names(shop).of_cell(cell)
        try:
            async with opened(url) as channel:  # a refusal closes the channel
                for queue in QUEUES:
                    await channel.declare_queue(names.queue(queue), passive=True)
        except exceptions.ChannelNotFoundEntity:
            return False
    return True


async def _bind(channel: AbstractChannel, binding: ExchangeBinding) -> None:
    destination = await channel.get_exchange(binding.destination, ensure=False)
    await destination.bind(binding.source, binding.routing_key, arguments=binding.arguments)


async def _unbind(channel: AbstractChannel, binding: ExchangeBinding) -> None:
    destination = await channel.get_exchange(binding.destination, ensure=False)
    await destination.unbind(binding.source, binding.routing_key, arguments=binding.arguments)
