"""`python -m tests.bench.bare [--packed]`: the bare loop, one process: take what waits, write, publish, acknowledge.

Per queue: up to 200 waiting messages (or one pack) -> one transaction -> its messages published persistent and
confirmed -> one multiple ack. Three loops on one connection. What it lacks is what the product adds; see bare_work.
"""

import asyncio
import os
import sys
from uuid import uuid4

import aiormq
import uvloop
from aiormq.abc import AbstractChannel, DeliveredMessage

from db import cipher
from db.pool import Pool, open_pool
from tests.bench.bare_work import PREFIX, STEPS, Out

BATCH_MESSAGES = {"order-creation": 200, "stock": 200, "stock-results": 200}


async def publish(channel: AbstractChannel, messages: list[Out]) -> None:
    """Publish all messages side by side, and wait until the broker has confirmed each."""
    await asyncio.gather(*(_publish(channel, one) for one in messages))


async def _publish(channel: AbstractChannel, one: Out) -> None:
    about = aiormq.spec.Basic.Properties(
        content_type="application/json",
        delivery_mode=2,
        message_id=uuid4().hex,
        message_type=one.type,
        correlation_id=uuid4().hex,
        app_id="oms",
        headers=one.headers,
    )
    confirmation = await channel.basic_publish(
        one.body, exchange=one.exchange, routing_key=one.routing_key, properties=about
    )
    assert isinstance(confirmation, aiormq.spec.Basic.Ack)


async def loop(channel: AbstractChannel, out: AbstractChannel, pool: Pool, queue: str, *, packed: bool) -> None:
    """Handle the messages of one queue, batch by batch, until the process is stopped."""
    waiting: asyncio.Queue[DeliveredMessage] = asyncio.Queue()
    most = 1 if packed and queue != "order-creation" else BATCH_MESSAGES[queue]
    await channel.basic_qos(prefetch_count=2 * most)
    await channel.basic_consume(f"{PREFIX}.{queue}", waiting.put)
    while True:
        batch = [await waiting.get()]
        while len(batch) < most and not waiting.empty():
            batch.append(waiting.get_nowait())
        await publish(out, await STEPS[queue](pool, [message.body for message in batch], packed=packed))
        await channel.basic_ack(batch[-1].delivery_tag or 0, multiple=True, wait=False)


async def main(*, packed: bool) -> None:
    """Run a loop for each of the three queues."""
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    pool = await open_pool(os.environ["OMS_DATABASE_URL"], application_name="bare", max_size=4)
    connection = await aiormq.connect(os.environ["OMS_BENCH_ADMIN_URL"])
    out = await connection.channel(publisher_confirms=True)
    async with asyncio.TaskGroup() as group:
        for queue in STEPS:
            channel = await connection.channel(publisher_confirms=False)
            group.create_task(loop(channel, out, pool, queue, packed=packed))


if __name__ == "__main__":
    uvloop.run(main(packed="--packed" in sys.argv))
