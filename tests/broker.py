"""The virtual host of a test: its URL for each user, and the names of its exchanges and queues.

Broker["worker"] is the AMQP URL of the user `oms-worker`; Broker.names carries the prefix of the test.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from messages.topology import QUEUES, Names, tiers_seconds, topology
from outbox import wire
from scripts.servers.find import Servers
from scripts.servers.roles import Permission

TIERS_SECONDS = tiers_seconds(2)


def upstream(prefix: str) -> Permission:
    """A user of a shop's own making, with wide permissions: what it may send is for us alone to decide."""
    mine = r"client\.(upstream|storefront)\..*|amq\.gen.*"
    return Permission(rf"^({mine})$", rf"^({prefix}\.(commands|queries)|{mine})$", rf"^({prefix}\.events|{mine})$")


async def declare_some(broker: "Broker", tiers_seconds: tuple[int, ...], *queues: str) -> None:
    """Declare all exchanges, but of the queues only these, with their dead letters, and the tiers.

    Most tests use two or three of the queues, and declaring all of them takes longer than such a test.
    """
    wanted = topology(broker.names, tiers_seconds)
    named = {name(queue) for queue in queues for name in (broker.names.queue, broker.names.dlq)}
    work = {name(queue) for queue in QUEUES for name in (broker.names.queue, broker.names.dlq)}
    kept = [queue for queue in wanted.queues if queue.name in named or queue.name not in work]
    names = {queue.name for queue in kept}
    connection = await wire.connect(broker["topology"], name="test")
    try:
        channel = await connection.channel(publisher_confirms=False)
        for exchange in wanted.exchanges:
            await channel.declare_exchange(exchange.name, exchange.type, durable=True, arguments=exchange.arguments)
        for queue in kept:
            await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)
        for binding in wanted.bindings:
            if binding.queue in names:
                target = await channel.get_queue(binding.queue, ensure=False)
                await target.bind(binding.exchange, binding.routing_key)
    finally:
        await wire.close(connection)


def new_broker(servers: Servers, vhost: str, prefix: str, cells: Iterable[str] = ()) -> "Broker":
    """A fresh virtual host with every user of ours, and the user `upstream`."""
    urls = servers.broker.new_vhost(vhost, prefix, {"upstream": upstream(prefix)}, cells)
    return Broker(urls, Names(prefix), vhost, servers.broker.own)


@dataclass(frozen=True)
class Broker:
    """The test's own virtual host: a URL for each user, and the names with its prefix."""

    urls: dict[str, str]
    names: Names
    vhost: str
    has_roles: bool

    def __getitem__(self, role: str) -> str:
        """The AMQP URL of a user of scripts/servers/roles.py, of `upstream` or of `admin`."""
        return self.urls[role]
