"""One run of a contender: its rate, CPU and memory."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scripts.servers.find import Servers
from tests.bench import counting
from tests.bench.contenders import Contender
from tests.bench.counting import Counted
from tests.bench.load import Load
from tests.bench.profile import Profiler
from tests.bench.stage import open_stage, publish
from tests.bench.usage import used

MIB = 1024 * 1024


@dataclass(frozen=True)
class Result:
    """The figures of one run. `cpu_ms` are the CPU milliseconds per order of each part of `usage`."""

    orders: int
    seconds: float
    cpu_ms: Mapping[str, float]
    memory_mib: tuple[float, ...]
    statements: Sequence[Counted] = ()

    @property
    def rate(self) -> float:
        """Orders per second."""
        return self.orders / self.seconds


async def run(
    servers: Servers,
    contender: Contender,
    given: Load,
    *,
    profiler: Profiler | None = None,
    count_statements: bool = False,
    grown_url: str | None = None,
) -> Result:
    """Publish the whole load, start the contender, wait until every order is created and announced.

    `grown_url` names a filled database to do it in; else there is a fresh one.
    """
    bodies = given.bodies[: max(1, int(len(given.bodies) * contender.share))]
    async with open_stage(servers, given, grown_url) as stage:
        await contender.prepare(stage)
        await publish(stage, bodies, contender.encode)
        if count_statements:
            await counting.begin(stage.database_url)
        contender.start(stage)
        await stage.until_consuming(contender.consumers, contender.queue)
        before = used(stage)
        if profiler is not None:
            profiler.attach(stage)
        await stage.until_created(len(bodies))
        orders, seconds = await stage.created_in()
        assert orders == len(bodies), f"{orders} of {len(bodies)} orders await payment"
        cpu_ms, _ = used(stage).since(before, orders)
        memory = tuple(process.memory_info().rss / MIB for process in stage.processes())
        if profiler is not None:
            profiler.detach()
        statements = await counting.counted(stage.database_url) if count_statements else []
        return Result(orders, seconds, cpu_ms, memory, statements)


def middle(results: Sequence[Result]) -> float:
    """The median rate."""
    return statistics.median(result.rate for result in results)
