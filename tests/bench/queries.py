"""Measures queries about orders through real workers, alone and beside a steady rate of new orders.

Clients put one query after the other, each as the buyer of an order that is chosen at random. New orders come when
they are due, whether or not those before are answered, and are whole creations. Both go through the broker to the same
workers. One kind of query after the other is measured alone and beside new orders, the next round the other way
round.
"""

import asyncio
import contextlib
import itertools
import random
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiormq
import orjson
from aiormq.abc import DeliveredMessage

from outbox.publisher import Publisher
from scripts.servers.find import Servers
from tests.bench import load
from tests.bench.contenders import Contender
from tests.bench.life import Upstreams, upstreams
from tests.bench.stage import Stage, open_stage

ANSWERS = "client.storefront.bench.answers"
ANSWER_SECONDS = 30.0
REFUSED = "query.rejected.v1"
KNOWN_ORDERS = 1_000
"""So many orders are there before the first query, and the queries are about these and the newer ones."""
PAUSE_SECONDS = 1.0
KINDS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "order.get": lambda order_id, _: {"order": order_id},
    "order.track": lambda order_id, _: {"order": order_id},
    "order.history": lambda order_id, _: {"order": order_id},
    "order.list": lambda _, user: {"user_id": user, "limit": 20},
}


@dataclass(frozen=True)
class QueryRun:
    """One kind of query for some seconds. `orders` are the new orders beside it, and what they waited."""

    kind: str
    writes_per_second: float
    questions_per_second: float
    p50_ms: float
    p99_ms: float
    orders: int = 0
    order_p50_ms: float = 0.0
    order_p99_ms: float = 0.0


@dataclass
class Questioner:
    """Sends queries as the shop's site, and receives the answers in a queue of its own."""

    stage: Stage
    publisher: Publisher
    _waiting: dict[str, asyncio.Future[DeliveredMessage]] = field(default_factory=dict)

    async def put(self, kind: str, order_id: str, user: str) -> float:
        """Put one query. Returns the seconds until its answer was received. Raises RuntimeError if it is refused."""
        body = KINDS[kind](order_id, user) | {"actor": {"type": "user", "id": user}}
        properties, encoded = load.message(self.stage.urls["storefront"], orjson.dumps(body), f"{kind}.v1")
        properties.reply_to = ANSWERS
        answer: asyncio.Future[DeliveredMessage] = asyncio.get_running_loop().create_future()
        self._waiting[str(properties.correlation_id)] = answer
        began = time.perf_counter()
        await self.publisher.publish(self.stage.names.queries, kind, properties, encoded, True)
        async with asyncio.timeout(ANSWER_SECONDS):
            found = await answer
        if found.header.properties.message_type == REFUSED:
            raise RuntimeError(f"{kind} was refused: {found.body!r}")
        return time.perf_counter() - began

    def receive(self, message: DeliveredMessage) -> None:
        """Take an answer."""
        answer = self._waiting.pop(str(message.header.properties.correlation_id), None)
        if answer is not None and not answer.done():
            answer.set_result(message)


@contextlib.asynccontextmanager
async def questioner(stage: Stage) -> AsyncIterator[Questioner]:
    """Connect until the block ends."""
    connection = await aiormq.connect(stage.urls["admin"])
    try:
        channel = await connection.channel()
        await channel.queue_declare(ANSWERS, durable=True, arguments={"x-queue-type": "quorum"})
        async with Publisher(stage.urls["storefront"], name="bench queries") as publisher:
            await publisher.ready()
            made = Questioner(stage, publisher)

            async def take(message: DeliveredMessage) -> None:
                made.receive(message)

            await channel.basic_consume(ANSWERS, take, no_ack=True)
            yield made
    finally:
        await connection.close()


@dataclass
class Reading:
    """The orders that are there, and the bodies of those that are still to come."""

    shop: Upstreams
    site: Questioner
    bodies: Iterator[bytes]
    known: list[tuple[str, str]] = field(default_factory=list)

    async def create(self, due: float | None = None) -> float:
        """Place an order. Returns the seconds from its due time until it was created."""
        late = 0.0 if due is None else max(0.0, time.perf_counter() - due)
        seconds, event = await self.shop.create(next(self.bodies))
        self.known.append((str(event["order_id"]), str(event["user_id"])))
        return late + seconds

    async def run(self, kind: str, writes_per_second: float, seconds: float, clients: int) -> QueryRun:
        """Measure one kind of query, alone or beside new orders."""
        ends_at = time.perf_counter() + seconds
        writing = asyncio.create_task(self._write(writes_per_second, ends_at))
        found = await asyncio.gather(*(self._read(kind, ends_at) for _ in range(clients)))
        written, waits = await writing, [one for times in found for one in times]
        p50_ms, p99_ms = cuts(waits)
        return QueryRun(kind, writes_per_second, len(waits) / seconds, p50_ms, p99_ms, len(written), *(cuts(written)))

    async def _read(self, kind: str, ends_at: float) -> list[float]:
        waits = []
        while time.perf_counter() < ends_at:
            waits.append(await self.site.put(kind, *random.choice(self.known)))
        return waits

    async def _write(self, per_second: float, ends_at: float) -> list[float]:
        orders, began = list[asyncio.Task[float]](), time.perf_counter()
        for number in itertools.count() if per_second else ():
            due = began + number / per_second
            if due >= ends_at:
                break
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            orders.append(asyncio.create_task(self.create(due)))
        return await asyncio.gather(*orders)


async def measure(
    servers: Servers,
    contender: Contender,
    *,
    writes_per_second: float,
    seconds: float,
    rounds: int,
    clients: int,
    show: Callable[[QueryRun], None],
) -> list[QueryRun]:
    """Measure all kinds of queries, each alone and beside new orders, in so many rounds."""
    needed = KNOWN_ORDERS + rounds * len(KINDS) * (int(writes_per_second * seconds) + 2)
    given, found = load.baskets(needed), list[QueryRun]()
    async with open_stage(servers, given) as stage:
        contender.start(stage)
        await stage.until_consuming(contender.consumers, contender.queue)
        async with upstreams(stage) as shop, questioner(stage) as site:
            reading = Reading(shop, site, iter(given.bodies))
            await asyncio.gather(*(reading.create() for _ in range(KNOWN_ORDERS)))
            await asyncio.sleep(contender.settle_seconds)
            for number in range(rounds):
                for kind in KINDS:
                    for rate in (0.0, writes_per_second)[:: -1 if number % 2 else 1]:
                        found.append(await reading.run(kind, rate, seconds, clients))
                        show(found[-1])
                        await asyncio.sleep(PAUSE_SECONDS)
    return found


def cuts(waits: Sequence[float]) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds, 0 without waits."""
    if len(waits) < 2:
        return 0.0, 0.0
    found = statistics.quantiles(waits, n=100, method="inclusive")
    return 1000 * found[49], 1000 * found[98]


def medians(runs: Sequence[QueryRun]) -> dict[tuple[str, bool], QueryRun]:
    """(kind, beside new orders) -> the medians of its runs."""
    groups: dict[tuple[str, bool], list[QueryRun]] = {}
    for run in runs:
        groups.setdefault((run.kind, run.writes_per_second > 0), []).append(run)
    middle = statistics.median
    return {
        key: QueryRun(
            key[0],
            some[0].writes_per_second,
            middle(one.questions_per_second for one in some),
            middle(one.p50_ms for one in some),
            middle(one.p99_ms for one in some),
            sum(one.orders for one in some),
            middle(one.order_p50_ms for one in some),
            middle(one.order_p99_ms for one in some),
        )
        for key, some in groups.items()
    }
