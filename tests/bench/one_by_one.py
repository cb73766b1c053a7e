"""`python -m tests.bench.one_by_one`: FastStream in one process, one message at a time, the same rows and messages."""

import asyncio
import os
from typing import Any

import uvloop
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage, RabbitQueue

from db import cipher
from db.pool import Pool, open_pool
from tests.bench.bare_work import PREFIX, STEPS

PREFETCH = int(os.environ.get("OMS_BENCH_PREFETCH", "10"))


def serve(broker: RabbitBroker, pool: Pool, queue: str) -> None:
    """Subscribe as FastStream's documentation does, with acknowledgement after the publishes."""

    async def handle(message: RabbitMessage) -> None:
        for out in await STEPS[queue](pool, [message.body], packed=False):
            await broker.publish(
                out.body,
                exchange=out.exchange,
                routing_key=out.routing_key,
                persist=True,
                mandatory=False,
                message_type=out.type,
                headers=out.headers,
                content_type="application/json",
            )

    declared = RabbitQueue(f"{PREFIX}.{queue}", declare=False)
    channel = Channel(prefetch_count=PREFETCH)
    subscribe: Any = broker.subscriber(declared, channel=channel, ack_policy=AckPolicy.REJECT_ON_ERROR, no_reply=True)
    subscribe(handle)


async def main() -> None:
    """Subscribe to the three queues and run."""
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    pool = await open_pool(os.environ["OMS_DATABASE_URL"], application_name="one by one", max_size=4)
    broker = RabbitBroker(os.environ["OMS_BENCH_ADMIN_URL"], logger=None)
    for queue in STEPS:
        serve(broker, pool, queue)
    await broker.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
