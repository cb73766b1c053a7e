"""Measures the memory of a worker and a relay over many messages: each is a sku.upsert, and each announces an event."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import aiormq
import orjson
from aiormq.abc import DeliveredMessage

from outbox.outcome import PublishOutcome
from outbox.publisher import Publisher
from scripts.servers.find import Servers
from tests.bench import load
from tests.bench.contenders import Contender
from tests.bench.measure import MIB
from tests.bench.stage import QUEUE, STALL_SECONDS, Stage, StalledError, open_stage

SKUS = 10_000
GROUP_MESSAGES = 500  # published together, and confirmed before the next
IN_FLIGHT_MESSAGES = 5_000  # published and not yet announced; more would only wait in the broker
POINTS = 20  # how many times the memory is looked at
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Sample:
    """After how many announced messages, and seconds, the worker and the relay use this much memory."""

    messages: int
    seconds: float
    worker_mib: float
    relay_mib: float


def bodies() -> Iterator[bytes]:
    """Revisions of SKUs, each above the one before, without an end."""
    for number in itertools.count():
        sku = f"sku-{number % SKUS}"
        fields = {
            "sku_id": sku,
            "revision": 1 + number // SKUS,
            "spu_id": sku,
            "name": f"Product {sku} in its revision {number // SKUS}",
            "status": "on_sale",
            "price": 1 + number % 9_999,
            "currency": load.CURRENCY,
        }
        yield orjson.dumps(fields)


async def measure(
    servers: Servers, contender: Contender, messages: int, show: Callable[[Sample], None]
) -> list[Sample]:
    """Publish messages as fast as they are handled, and look at the memory in equal steps. Raises StalledError."""
    async with open_stage(servers, load.baskets(20)) as stage, _announced(stage) as announced:
        contender.start(stage)
        await stage.until_consuming(contender.consumers)
        samples: list[Sample] = []
        started, given = time.monotonic(), bodies()
        async with Publisher(stage.urls["catalogue"], name="bench") as publisher:
            await publisher.ready()
            published = 0
            while published < messages:
                published += await _publish(publisher, stage, list(itertools.islice(given, GROUP_MESSAGES)))
                await _until(partial(_reached, announced, published - IN_FLIGHT_MESSAGES), stage)
                if announced[0] >= len(samples) * messages / POINTS:
                    samples.append(_sample(stage, announced[0], started))
                    show(samples[-1])
            await _until(partial(_reached, announced, published), stage)
            samples.append(_sample(stage, announced[0], started))
            show(samples[-1])
        return samples


async def _publish(publisher: Publisher, stage: Stage, group: list[bytes]) -> int:
    url, exchange = stage.urls["catalogue"], stage.names.commands
    messages = [load.message(url, body, "sku.upsert.v1") for body in group]
    sends = (publisher.publish(exchange, "sku.upsert", about, body, True) for about, body in messages)
    if set(await asyncio.gather(*sends)) != {PublishOutcome.CONFIRMED}:
        raise RuntimeError("the broker did not take the messages")
    return len(group)


def _reached(announced: list[int], level: int) -> bool:
    return announced[0] >= level


async def _until(true: Callable[[], bool], stage: Stage) -> None:
    waited = time.monotonic()
    while not true():
        if time.monotonic() - waited > STALL_SECONDS:
            raise StalledError(f"nothing is announced any more; the processes printed:\n{stage.output()[-2000:]}")
        await asyncio.sleep(POLL_SECONDS)


def _sample(stage: Stage, messages: int, started: float) -> Sample:
    worker, relay = (process.memory_info().rss / MIB for process in stage.processes())
    return Sample(messages, time.monotonic() - started, worker, relay)


@asynccontextmanager
async def _announced(stage: Stage) -> AsyncIterator[list[int]]:
    """Yield a list of one number: how many events about SKUs a subscriber has received so far."""
    connection = await aiormq.connect(stage.urls["admin"])
    channel = await connection.channel()
    await channel.basic_qos(prefetch_count=GROUP_MESSAGES)
    await channel.queue_bind(QUEUE, stage.names.events, "sku.*")
    seen = [0]

    async def take(message: DeliveredMessage) -> None:
        seen[0] += 1
        if seen[0] % (GROUP_MESSAGES // 5) == 0:
            await channel.basic_ack(message.delivery_tag or 0, multiple=True, wait=False)

    await channel.basic_consume(QUEUE, take)
    try:
        yield seen
    finally:
        await connection.close()
