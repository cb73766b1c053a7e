"""What other frameworks need at the broker: their own form of the first message, and their own queue."""

import time
from typing import Any
from uuid import uuid4

import aiormq
import orjson

from tests.bench.stage import Stage

DRAMATIQ_QUEUE = "bench-order-creation"


def celery_message(body: bytes, message_id: str) -> tuple[bytes, dict[str, Any]]:
    """A call of the Celery task `step`."""
    arguments = [["order-creation", body.decode()], {}, {"callbacks": None, "errbacks": None, "chain": None}]
    return orjson.dumps(arguments), {"task": "step", "id": message_id, "lang": "py"}


def dramatiq_message(body: bytes, message_id: str) -> tuple[bytes, dict[str, Any]]:
    """A call of the Dramatiq actor `order-creation`."""
    call = {
        "queue_name": DRAMATIQ_QUEUE,
        "actor_name": "order-creation",
        "args": ["order-creation", body.decode()],
        "kwargs": {},
        "options": {},
        "message_id": str(uuid4()),
        "message_timestamp": int(1000 * time.time()),
    }
    return orjson.dumps(call), {}


async def declare_for_dramatiq(stage: Stage) -> None:
    """Bind Dramatiq's queue, with the arguments that Dramatiq itself declares, in the place of the product's."""
    connection = await aiormq.connect(stage.urls["admin"])
    channel = await connection.channel()
    dead: dict[str, Any] = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{DRAMATIQ_QUEUE}.XQ"}
    await channel.queue_declare(DRAMATIQ_QUEUE, durable=True, arguments=dead | {"x-queue-type": "quorum"})
    await channel.queue_bind(DRAMATIQ_QUEUE, stage.names.commands, "order.create")
    await channel.queue_unbind(stage.names.queue("order-creation"), stage.names.commands, "order.create")
    await connection.close()
