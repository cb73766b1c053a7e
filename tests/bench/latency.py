"""Measures latency and CPU at steady rates, as the systems around us see them: from order.create to order.created.

Arrivals are an open loop: orders are published at their time, whether or not the ones before are answered, and the
wait of each counts from the time at which it was due.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiormq
import asyncpg

from outbox.publisher import Publisher
from scripts.servers.find import Servers
from tests.bench import load
from tests.bench.contenders import Contender
from tests.bench.life import Upstreams, upstreams
from tests.bench.stage import Stage, open_stage
from tests.bench.usage import Usage, used

WARM_ORDERS = 60
IDLE_ORDERS = 60
IDLE_PAUSE_SECONDS = 0.1
WARM_SECONDS = 1.0
RAW_ROUNDS = 100
SATURATED_MS = 2000.0  # a contender that answers this late is not measured at higher rates


@dataclass(frozen=True)
class Seconds:
    """Measured seconds; printed as median, 99th percentile and maximum."""

    values: Sequence[float]

    def __str__(self) -> str:
        cuts = statistics.quantiles(self.values, n=100)
        shown = (f"{name} {1000 * value:.0f} ms" for name, value in (("p50", cuts[49]), ("p99", cuts[98])))
        return f"{', '.join(shown)}, max {1000 * max(self.values):.0f} ms of {len(self.values)} orders"


@dataclass(frozen=True)
class RateLatency:
    """One contender at one rate; 0 orders/s means one by one on an idle system.

    `cpu_ms` is CPU per order of each part. `raw_ms` is a raw round trip of the same sitting: publish with confirm,
    commit of one row, publish with confirm. It is measured for idle systems only. `answered` is below 1 if the
    contender had not answered all orders within a minute; then its latencies are those of the answered ones.
    """

    contender: str
    rate: float
    orders: int
    p50_ms: float
    p99_ms: float
    cpu_ms: dict[str, float] = field(default_factory=dict)
    idle_percent: float = 0.0
    raw_ms: float = 0.0
    answered: float = 1.0


async def measure(
    servers: Servers, name: str, contender: Contender, *, rates: Sequence[float], seconds: float, local_dispatch: str
) -> list[RateLatency]:
    """Measure one by one on the idle system, then at each rate for so many seconds, after a warm-up."""
    orders = WARM_ORDERS + IDLE_ORDERS + sum(int(rate * (seconds + WARM_SECONDS)) for rate in rates)
    given = load.baskets(max(1, orders))
    bodies = list(given.bodies)
    async with open_stage(servers, given) as stage:
        stage.variables["OMS_LOCAL_DISPATCH"] = local_dispatch
        await contender.prepare(stage)
        contender.start(stage)
        await stage.until_consuming(contender.consumers, contender.queue)
        async with upstreams(stage, encode=contender.encode) as shop:
            await asyncio.gather(*(shop.create(bodies.pop()) for _ in range(WARM_ORDERS)))
            await asyncio.sleep(contender.settle_seconds)
            found = [await _idle(stage, shop, name, [bodies.pop() for _ in range(IDLE_ORDERS)])]
            for rate in rates:
                await _arrive(shop, [bodies.pop() for _ in range(int(rate * WARM_SECONDS))], rate)
                found.append(await _steady(stage, shop, name, rate, [bodies.pop() for _ in range(int(rate * seconds))]))
                if found[-1].answered < 1 or found[-1].p99_ms > SATURATED_MS:
                    break  # it would begin the next rate with a backlog
        return found


async def waits_in(
    servers: Servers, contender: Contender, given: load.Load, rate: float, grown_url: str | None
) -> tuple[Seconds, Seconds]:
    """What orders wait at a steady rate, and one by one before it. `grown_url` names a database filled already."""
    bodies = list(given.bodies)
    async with open_stage(servers, given, grown_url) as stage:
        contender.start(stage)
        await stage.until_consuming(contender.consumers, contender.queue)
        async with upstreams(stage) as shop:
            await asyncio.gather(*(shop.create(bodies.pop()) for _ in range(WARM_ORDERS)))
            await asyncio.sleep(contender.settle_seconds)
            idle = await _one_by_one(shop, [bodies.pop() for _ in range(IDLE_ORDERS)])
            return Seconds(await _arrive(shop, bodies, rate)), Seconds(idle)


async def _one_by_one(shop: Upstreams, bodies: Sequence[bytes]) -> list[float]:
    found = []
    for body in bodies:
        await asyncio.sleep(IDLE_PAUSE_SECONDS)
        seconds, _ = await shop.create(body)
        found.append(seconds)
    return found


async def _idle(stage: Stage, shop: Upstreams, name: str, bodies: Sequence[bytes]) -> RateLatency:
    raw_ms = await raw_round_trip(stage)
    before = used(stage)
    waits = await _one_by_one(shop, bodies)
    return _result(stage, name, rate=0.0, before=before, waits=waits, orders=len(bodies), raw_ms=raw_ms)


async def _steady(stage: Stage, shop: Upstreams, name: str, rate: float, bodies: Sequence[bytes]) -> RateLatency:
    before = used(stage)
    waits = await _arrive(shop, bodies, rate)
    return _result(stage, name, rate=rate, before=before, waits=waits, orders=len(bodies))


async def _arrive(shop: Upstreams, bodies: Sequence[bytes], rate: float) -> list[float]:
    """Place orders at a steady rate. Returns the seconds from each order's due time until it was created."""
    started = time.perf_counter()

    async def place(body: bytes, due: float) -> float:
        late = max(0.0, time.perf_counter() - due)
        seconds, _ = await shop.create(body)
        return late + seconds

    orders = []
    for number, body in enumerate(bodies):
        due = started + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        orders.append(asyncio.create_task(place(body, due)))
    answers = await asyncio.gather(*orders, return_exceptions=True)
    return [answer for answer in answers if isinstance(answer, float)]


def _result(
    stage: Stage, name: str, *, rate: float, before: Usage, waits: Sequence[float], orders: int, raw_ms: float = 0.0
) -> RateLatency:
    cpu_ms, idle = used(stage).since(before, max(1, len(waits)))
    cuts = statistics.quantiles(waits, n=100, method="inclusive") if len(waits) > 1 else [float("inf")] * 99
    answered = len(waits) / orders
    return RateLatency(name, rate, orders, 1000 * cuts[49], 1000 * cuts[98], cpu_ms, idle, raw_ms, answered)


async def raw_round_trip(stage: Stage) -> float:
    """The median milliseconds of publish with confirm, commit of one row, publish with confirm: what no design avoids.

    The queue is a durable quorum queue and the commit waits for the disk, as everywhere in the bench.
    """
    admin = await aiormq.connect(stage.urls["admin"])
    channel = await admin.channel()
    await channel.queue_declare("bench-raw", durable=True, arguments={"x-queue-type": "quorum"})
    database = await asyncpg.connect(stage.database_url)
    await database.execute("CREATE TABLE bench_raw (n int)")
    times = []
    async with Publisher(stage.urls["admin"], name="bench raw") as publisher:
        await publisher.ready()
        for _ in range(RAW_ROUNDS):
            started = time.perf_counter()
            for part in range(3):
                if part == 1:
                    await database.execute("INSERT INTO bench_raw VALUES (1)")
                else:
                    about, body = load.message(stage.urls["admin"], b"{}")
                    await publisher.publish("", "bench-raw", about, body, True)
            times.append(1000 * (time.perf_counter() - started))
    await database.execute("DROP TABLE bench_raw")
    await database.close()
    await channel.queue_delete("bench-raw")
    await admin.close()
    return statistics.median(times)


def median(runs: Sequence[RateLatency]) -> RateLatency:
    """The medians of several runs of one contender at one rate."""
    first, middle = runs[0], statistics.median
    return RateLatency(
        first.contender,
        first.rate,
        first.orders,
        middle(run.p50_ms for run in runs),
        middle(run.p99_ms for run in runs),
        {part: middle(run.cpu_ms[part] for run in runs) for part in first.cpu_ms},
        middle(run.idle_percent for run in runs),
        middle(run.raw_ms for run in runs),
        min(run.answered for run in runs),
    )
