"""Reads from the broker what `oms doctor` judges: over AMQP, and from its management interface where that is known."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import quote

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity
from yarl import URL

from messages.topology import Names, Topology
from outbox import amqp, wire
from scripts.commands.connections import BrokerSettings, broker_url
from scripts.commands.health_checks import Observation, unseen, wrong
from scripts.commands.topology import wanted_topology
from scripts.servers.management import Management

PATHS = {
    "overview": "/overview",
    "flags": "/feature-flags",
    "nodes": "/nodes",
    "connections": "/vhosts/{vhost}/connections",
    "exchanges": "/exchanges/{vhost}",
    "queues": "/queues/{vhost}?columns=name,type,arguments,messages,consumers",
    "bindings": "/bindings/{vhost}",
    "permissions": "/permissions/{vhost}/{user}",
}
"""What we ask the management interface for, each with its path."""
SET_URL = (
    "export OMS_MANAGEMENT_URL=http://user:password@host:15672, of a user with the tag monitoring or administrator"
)

Found = TypeVar("Found")


@dataclass(frozen=True)
class QueueCount:
    """How many messages wait in a queue, and how many consumers it has."""

    messages: int
    consumers: int


@dataclass(frozen=True)
class BrokerReadings:
    """What was read from the broker: what there should be, and what there is. `answers` are those of its interface.

    `paused` are the queues that a person has paused, if the database was read before. `hidden` are exchanges and queues
    that RabbitMQ 4.3 does not show to this user, who has no right to them, and neither does its interface.
    """

    names: Names
    shop_prefix: str
    cells: tuple[str, ...]
    user: str
    wanted: Topology
    blocked: bool
    exchanges: frozenset[str]
    queues: Mapping[str, QueueCount]
    paused: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    answers: Mapping[str, Any] = field(default_factory=dict)
    unread: Mapping[str, Observation] = field(default_factory=dict)


async def read_broker() -> BrokerReadings:
    """Read it, and change nothing. Raises what connecting raises."""
    settings = BrokerSettings()
    settings.require_cell()
    url, wanted = broker_url(settings), wanted_topology(settings)
    connection = await wire.connect(url, name="oms doctor")
    try:
        exchanges, no_exchanges = await _look(connection, [one.name for one in wanted.exchanges], _declare_exchange)
        queues, no_queues = await _look(connection, [one.name for one in wanted.queues], _count)
        blocked = amqp.is_blocked(connection)
    finally:
        await wire.close(connection)
    place, management = URL(url), settings.management_url.get_secret_value()
    user = place.user or "guest"
    answers, unread = await asyncio.to_thread(_ask, management, place.path.removeprefix("/") or "/", user)
    listed = {
        one["name"]: QueueCount(one.get("messages", 0), one.get("consumers", 0)) for one in answers.get("queues", ())
    }
    hidden = (no_queues if "queues" in unread else set()) | (no_exchanges if "exchanges" in unread else set())
    named = {one["name"] for one in answers.get("exchanges", ())}
    return BrokerReadings(
        names=settings.names,
        shop_prefix=settings.prefix,
        cells=tuple(settings.cells),
        user=user,
        wanted=wanted,
        blocked=blocked,
        exchanges=frozenset(exchanges.keys() | no_exchanges & named),
        queues=queues | {name: listed[name] for name in no_queues & listed.keys()},
        hidden=frozenset(hidden),
        answers=answers,
        unread=unread,
    )


async def queue_counts(connection: AbstractConnection, names: Iterable[str]) -> dict[str, QueueCount]:
    """Return those that exist and that this user may look at."""
    return (await _look(connection, names, _count))[0]


async def _look(
    connection: AbstractConnection, names: Iterable[str], declare: Callable[[AbstractChannel, str], Awaitable[Found]]
) -> tuple[dict[str, Found], set[str]]:
    """Return what `declare` says of those that exist, and which ones this user may not look at."""
    channel, found, hidden = await connection.channel(publisher_confirms=False), dict[str, Found](), set[str]()
    for name in names:
        try:
            found[name] = await declare(channel, name)
        except (ChannelNotFoundEntity, amqp.ChannelAccessRefused) as error:  # it has closed the channel
            if isinstance(error, amqp.ChannelAccessRefused):
                hidden.add(name)
            channel = await connection.channel(publisher_confirms=False)
    return found, hidden


async def _declare_exchange(channel: AbstractChannel, name: str) -> str:
    return (await channel.declare_exchange(name, passive=True)).name


async def _count(channel: AbstractChannel, name: str) -> QueueCount:
    counted = (await channel.declare_queue(name, passive=True)).declaration_result
    return QueueCount(counted.message_count or 0, counted.consumer_count or 0)


def _ask(url: str, vhost: str, user: str) -> tuple[dict[str, Any], dict[str, Observation]]:
    """Return what the management interface answers, and for the rest why it does not."""
    if not url:
        return {}, dict.fromkeys((*PATHS, "version"), unseen("OMS_MANAGEMENT_URL is not set", SET_URL))
    answers, refusals, gone = dict[str, Any](), dict[str, str](), ""
    place = {"vhost": quote(vhost, safe=""), "user": quote(user, safe="")}
    try:
        management = Management(url)
        for name, path in PATHS.items():
            try:
                answers[name] = management.call("GET", path.format(**place))
            except HTTPError as error:
                refusals[name] = f"the management interface does not say it to this user (HTTP {error.code})"
    except (OSError, ValueError, HTTPException) as error:
        # Only the kind: the text of such an error can hold parts of the URL, and so of its password.
        gone = f"the management interface does not answer ({type(error).__name__})"
    unread = {name: unseen(refusals.get(name, gone), SET_URL) for name in PATHS if name not in answers}
    if first := unread.get("overview"):
        unread |= {"version": first, "overview": wrong(first.found, SET_URL)}
    return answers, unread
