"""One deployment for all tests of a module. A test may leave its processes running or stopped."""

import secrets
from collections.abc import AsyncIterator

import aio_pika
import pytest

from messages.topology import tiers_seconds
from outbox import declare
from scripts.servers.find import Servers
from tests.broker import new_broker
from tests.chaos.deployment import EVENTS_QUEUE, REPLIES_QUEUE, Deployment


@pytest.fixture(scope="module")
async def deployment(
    servers: Servers, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    """Servers with our topology and schema, and goods in stock; no process of ours runs yet."""
    name, prefix = f"chaos-{secrets.token_hex(6)}", f"oms{secrets.token_hex(3)}"
    database_url = servers.postgres.new_database(name, template=database_template)
    broker = new_broker(servers, name, prefix)
    await declare.declare(broker["topology"], broker.names, tiers_seconds(1800))
    made = Deployment(broker, database_url, tmp_path_factory.mktemp("deployment"))
    try:
        await listen(made)
        await made.fill_stock()
        yield made
    finally:
        made.kill()
        servers.broker.drop_vhost(name)
        servers.postgres.drop_database(name)


async def listen(deployment: Deployment) -> None:
    """Declare durable queues that keep every event and every reply."""
    async with await aio_pika.connect(deployment.broker["upstream"]) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(EVENTS_QUEUE, durable=True)
        await queue.bind(deployment.broker.names.events, "#")
        await channel.declare_queue(REPLIES_QUEUE, durable=True)
