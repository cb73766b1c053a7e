"""Measures the seconds from publishing order.create to receiving order.created, as an upstream system sees them."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import aiormq
import orjson
from aiormq.abc import DeliveredMessage

from outbox.publisher import Publisher
from scripts.servers.find import Servers
from tests.bench import load
from tests.bench.contenders import Contender
from tests.bench.measure import MIB
from tests.bench.stage import QUEUE, Stage, open_stage

IDLE_ORDERS = 120
WARM_ORDERS = 100
ANSWER_SECONDS = 60.0
SETTLE_SECONDS = 12.0  # just after their start, relays divide the outbox among them, and shards that change hands wait


@dataclass(frozen=True)
class Seconds:
    """Measured seconds; printed as median, 99th percentile and maximum."""

    values: Sequence[float]

    def __str__(self) -> str:
        cuts = statistics.quantiles(self.values, n=100)
        shown = (f"{name} {1000 * value:.0f} ms" for name, value in (("p50", cuts[49]), ("p99", cuts[98])))
        return f"{', '.join(shown)}, max {1000 * max(self.values):.0f} ms of {len(self.values)} orders"


class Shopper:
    """A client that publishes orders and receives events, on its own connections."""

    def __init__(self, stage: Stage, publisher: Publisher) -> None:
        self._stage = stage
        self._publisher = publisher
        self._waiting: dict[str, tuple[float, asyncio.Future[float]]] = {}

    def received(self, message: DeliveredMessage) -> None:
        """Take an order.created and end the wait of its order."""
        now = time.perf_counter()
        sent, answer = self._waiting.pop(orjson.loads(message.body)["request_id"])
        answer.set_result(now - sent)

    async def order(self, body: bytes) -> float:
        """Place one order. Return the seconds until it is created."""
        answer: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting[orjson.loads(body)["request_id"]] = (time.perf_counter(), answer)
        url, exchange = self._stage.urls["storefront"], self._stage.names.commands
        await self._publisher.publish(exchange, "order.create", load.properties(url), body, True)
        async with asyncio.timeout(ANSWER_SECONDS):
            return await answer


async def measure(
    servers: Servers, contender: Contender, given: load.Load, rate: float, grown_url: str | None = None
) -> tuple[Seconds, Seconds, tuple[float, ...]]:
    """Measure at a steady rate, then one by one on an idle system. Return both, and the processes' memory in MiB."""
    bodies = iter(given.bodies)
    async with (
        open_stage(servers, given, grown_url) as stage,
        Publisher(stage.urls["storefront"], name="bench") as publisher,
    ):
        contender.start(stage)
        await publisher.ready()
        shopper = Shopper(stage, publisher)
        connection = await aiormq.connect(stage.urls["admin"])
        channel = await connection.channel()
        await channel.basic_qos(prefetch_count=1000)

        async def take(message: DeliveredMessage) -> None:
            shopper.received(message)
            await channel.basic_ack(message.delivery_tag or 0, wait=False)

        await channel.basic_consume(QUEUE, take)
        await asyncio.gather(*(shopper.order(next(bodies)) for _ in range(WARM_ORDERS)))
        await asyncio.sleep(SETTLE_SECONDS)
        idle = [await _idle(shopper, next(bodies)) for _ in range(IDLE_ORDERS)]
        steady = await _steadily(shopper, list(bodies), rate)
        memory = tuple(process.memory_info().rss / MIB for process in stage.processes())
        await connection.close()
        return Seconds(steady), Seconds(idle), memory


async def _idle(shopper: Shopper, body: bytes) -> float:
    await asyncio.sleep(0.1)
    return await shopper.order(body)


async def _steadily(shopper: Shopper, bodies: Sequence[bytes], rate: float) -> list[float]:
    started, orders = time.perf_counter(), []
    for number, body in enumerate(bodies):
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        orders.append(asyncio.create_task(shopper.order(body)))
    return await asyncio.gather(*orders)
