"""Declares the topology on the broker (once, as a user with that right), and checks it (each worker, at its start)."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aio_pika import exceptions
from aio_pika.abc import AbstractChannel

from db.errors import OmsError
from messages.topology import Exchange, Names, Queue, Topology, topology
from outbox import amqp, wire

DELAYED_TYPE = "x-delayed-message"
ADVICE = "run `oms topology declare` as a user that may configure"

REFUSED = (*wire.LOGIN_REFUSED, amqp.ChannelAccessRefused)


class TopologyError(OmsError):
    """The broker lacks or refuses a part of the topology. The text says what to do."""


async def declare(
    url: str, names: Names, tiers: tuple[int, ...], *, delay_plugin: bool = False, **chosen: Any
) -> Topology:
    """Declare every exchange, queue and binding, also what a shop has `chosen`: arguments of `topology`.

    Equal ones that exist stay as they are. Raises TopologyError."""
    if delay_plugin:
        await probe_delay_plugin(url, names)
    wanted = topology(names, tiers, delay_plugin=delay_plugin, **chosen)
    async with opened(url) as channel:
        parts: tuple[Exchange | Queue, ...] = (*wanted.exchanges, *wanted.queues)
        for one in parts:
            await declare_part(channel, one)
        for binding in wanted.bindings:
            target = await channel.get_queue(binding.queue, ensure=False)
            await target.bind(binding.exchange, binding.routing_key)
    return wanted


async def verify(url: str, *, exchanges: Iterable[str], queues: Iterable[str]) -> None:
    """Check that these exist, without changing anything. Raises TopologyError naming the first that is missing."""
    async with opened(url) as channel:
        try:
            for name in exchanges:
                await channel.declare_exchange(name, passive=True)
            for name in queues:
                await channel.declare_queue(name, passive=True)
        except exceptions.ChannelNotFoundEntity as error:
            raise TopologyError(f"the broker does not have {name}: {ADVICE}") from error


async def probe_delay_plugin(url: str, names: Names) -> None:
    """Check that the broker offers the exchange type. Raises TopologyError if not.

    The probe has a connection of its own, because RabbitMQ 3.10 closes the connection when it refuses the type.
    """
    try:
        async with opened(url) as channel:
            name = f"{names.prefix}.probe.{id(channel):x}"
            await channel.declare_exchange(name, DELAYED_TYPE, auto_delete=True, arguments={"x-delayed-type": "topic"})
            await channel.exchange_delete(name)
    except REFUSED:
        raise
    except (exceptions.AMQPError, RuntimeError) as error:
        raise TopologyError(
            f"this broker does not offer {DELAYED_TYPE} ({error}). Install the plugin "
            "rabbitmq_delayed_message_exchange (RabbitMQ up to 4.2), or set OMS_DELAY=ladder, which works everywhere"
        ) from error


async def declare_part(channel: AbstractChannel, one: Exchange | Queue) -> None:
    """Declare one exchange or queue.

    If it exists with other arguments, the error quotes the broker, which names the argument that differs.
    """
    try:
        if isinstance(one, Exchange):
            await channel.declare_exchange(one.name, one.type, durable=True, arguments=one.arguments)
        else:
            await channel.declare_queue(one.name, durable=True, arguments=one.arguments)
    except exceptions.ChannelPreconditionFailed as error:
        what = f"{type(one).__name__.lower()} {one.name} exists with other arguments"
        raise TopologyError(f"{what}: {error}. Delete it once it is empty, then {ADVICE}") from error


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[AbstractChannel]:
    """A channel on a connection of its own."""
    connection = await wire.connect(url, name="oms topology")
    try:
        yield await connection.channel(publisher_confirms=False)
    finally:
        await wire.close(connection)
