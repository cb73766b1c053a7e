"""One run of a contender: its rate, CPU and memory."""

import operator
import os
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from scripts.servers.find import Servers
from tests.bench import counting
from tests.bench.contenders import Contender
from tests.bench.counting import Counted
from tests.bench.load import Load
from tests.bench.profile import Profiler
from tests.bench.stage import Stage, open_stage, publish

MIB = 1024 * 1024


@dataclass(frozen=True)
class Result:
    """The figures of one run. CPU is in milliseconds per order: the contender's, PostgreSQL's, the broker's."""

    orders: int
    seconds: float
    cpu_ms: tuple[float, float, float]
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
        await publish(stage, bodies)
        if count_statements:
            await counting.begin(stage.database_url)
        contender.start(stage)
        await stage.until_consuming(contender.processes)
        before = _cpu_seconds(stage)
        if profiler is not None:
            profiler.attach(stage)
        await stage.until_created(len(bodies))
        orders, seconds = await stage.created_in()
        assert orders == len(bodies), f"{orders} of {len(bodies)} orders await payment"
        own, postgres, broker = (1000 * n / orders for n in map(operator.sub, _cpu_seconds(stage), before))
        memory = tuple(process.memory_info().rss / MIB for process in stage.processes())
        if profiler is not None:
            profiler.detach()
        statements = await counting.counted(stage.database_url) if count_statements else []
        return Result(orders, seconds, (own, postgres, broker), memory, statements)


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _cpu_seconds(stage: Stage) -> list[float]:
    """The CPU seconds so far of the contender, PostgreSQL and the broker. The servers are children of this process."""
    own = sum(_seconds(process) for process in stage.processes())
    found = {"postgres": 0.0, "beam": 0.0}
    for process in psutil.Process(os.getpid()).children(recursive=True):
        try:
            times, name = process.cpu_times(), process.name()
        except psutil.NoSuchProcess:
            continue
        for word in found:
            if re.match(word, name):
                ended = times.children_user + times.children_system if word == "postgres" else 0.0
                found[word] += times.user + times.system + ended
    return [own, *found.values()]


def middle(results: Sequence[Result]) -> float:
    """The median rate."""
    return statistics.median(result.rate for result in results)
