"""Compares new orders in a database that has years of orders with new orders in an empty one, in turn."""

import asyncio
import secrets
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import asyncpg

from db.statements import SQL
from scripts.servers.find import Servers
from tests.bench import growth_history, latency, measure
from tests.bench.contenders import Contender
from tests.bench.load import Load
from tests.bench.measure import Result
from tests.bench.stage import open_stage, publish

EMPTY, GROWN = "empty", "grown"
LATENCY_SECONDS = 8.0
DRAIN_SECONDS = 20.0
SHARDS = list(range(64))
ROWS_PER_SHARD = 62  # what a relay with all shards asks for
READ_ROUNDS = 15


@dataclass
class Compared:
    """The figures of both databases, by name: a Result for each round, and the seconds of all orders of all rounds."""

    rates: dict[str, list[Result]] = field(default_factory=lambda: {EMPTY: [], GROWN: []})
    idle: dict[str, list[float]] = field(default_factory=lambda: {EMPTY: [], GROWN: []})
    steady: dict[str, list[float]] = field(default_factory=lambda: {EMPTY: [], GROWN: []})

    def ratio(self) -> float:
        """The median rate of the grown database, as a part of that of the empty one."""
        return measure.middle(self.rates[GROWN]) / measure.middle(self.rates[EMPTY])


class Bodies:
    """Gives each run orders that no run had before, not even one of an earlier process in the same database."""

    def __init__(self, given: Load) -> None:
        mark = b'"%s-' % secrets.token_hex(4).encode()
        self._given = replace(given, bodies=tuple(one.replace(b'"basket-', mark, 1) for one in given.bodies))
        self._next = 0

    def take(self, orders: int) -> Load:
        """The next `orders` orders."""
        self._next += orders
        return replace(self._given, bodies=self._given.bodies[self._next - orders : self._next])


async def compare(  # noqa: PLR0917 (what is compared, and how much of it)
    servers: Servers,
    contender: Contender,
    bodies: Bodies,
    grown_url: str,
    orders: int,
    rounds: int,
    rate: float,
    show: Callable[[str], None],
) -> Compared:
    """Measure rates and latencies in turn; each round begins with the other database."""
    compared = Compared()
    for number in range(rounds):
        pair = [(EMPTY, None), (GROWN, grown_url)]
        for name, url in pair if number % 2 == 0 else reversed(pair):
            result = await measure.run(servers, contender, bodies.take(orders), grown_url=url)
            steady, idle = await latency.waits_in(servers, contender, bodies.take(latency_orders(rate)), rate, url)
            compared.rates[name].append(result)
            compared.steady[name] += steady.values
            compared.idle[name] += idle.values
            show(f"{name}: {result.rate:.0f} orders/s; at {rate:.0f} orders/s {steady}; idle {idle}")
    return compared


def latency_orders(rate: float) -> int:
    """How many orders a measurement of latencies takes."""
    return int(rate * LATENCY_SECONDS) + latency.IDLE_ORDERS + latency.WARM_ORDERS


@dataclass(frozen=True)
class Backlog:
    """What a backlog of the outbox costs: milliseconds of a read without and with it, and rows drained per second."""

    rows: int
    read_ms: tuple[float, float]
    measured_ms: tuple[float, float]
    drained_per_second: float
    created_per_second: float


async def backlog(servers: Servers, contender: Contender, given: Load, grown_url: str, rows: int) -> Backlog:
    """Fill the outbox, read it, then let relays drain it while orders arrive."""
    connection = await asyncpg.connect(grown_url)
    without = await _reads(connection)
    await connection.execute(growth_history.BACKLOG, rows, timeout=600)
    await connection.execute("ANALYZE outbox")
    behind = await _reads(connection)
    async with open_stage(servers, given, grown_url) as stage:
        await publish(stage, given.bodies)
        contender.start(stage)
        await stage.until_consuming(contender.consumers)
        started, orders, seconds = time.monotonic(), 0, 0.0
        while time.monotonic() - started < DRAIN_SECONDS:
            await asyncio.sleep(0.2)
            if orders < len(given.bodies):
                orders, seconds = await stage.created_in()
        left = await connection.fetchval("SELECT count(*) FROM outbox WHERE routing_key = 'bench.backlog'")
        drained = (rows - left) / (time.monotonic() - started)
    await connection.execute("TRUNCATE outbox")  # the next run in this database begins without it
    await connection.close()
    return Backlog(rows, (without[0], behind[0]), (without[1], behind[1]), drained, orders / max(seconds, 0.001))


async def _reads(connection: "asyncpg.Connection[asyncpg.Record]") -> tuple[float, float]:
    """Milliseconds of a relay's read, and of its measuring of the backlog."""
    found = []
    for name, arguments in (("outbox.read", (SHARDS, ROWS_PER_SHARD, 1 << 20, [])), ("outbox.backlog", ())):
        times = []
        for _ in range(READ_ROUNDS):
            started = time.perf_counter()
            await connection.fetch(SQL[name], *arguments)
            times.append(1000 * (time.perf_counter() - started))
        found.append(statistics.median(times))
    return found[0], found[1]
