"""One sitting: all that tests/bench/README.md shows, measured in alternating rounds, within a given time."""

import asyncio
import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from scripts.servers.find import Servers, private_servers
from tests.bench import cost, counting, latency, load, measure, whole_life
from tests.bench.contenders import Contender
from tests.bench.figures import LISTS, Figures, rate_row
from tests.bench.stage import StalledError

LIVING = ("deployed", "one-worker")
"""Contenders that know a whole life."""
STEADY = ("deployed", "one-worker", "faststream", "celery", "dramatiq")
ONE_BY_ONE = ("bare-packed",)
"""Contenders that are measured one by one only: with more at a time they take batches of all that waits."""
FAULTS = (StalledError, RuntimeError, TimeoutError, OSError, AssertionError)
"""What ends one measurement and not the sitting."""


@dataclass(frozen=True)
class Plan:
    """What is measured: `at` are orders per second, each for so many `seconds`, and `parts` names the benchmarks."""

    rounds: int
    minutes: float
    at: Sequence[float]
    seconds: float
    orders: int
    lives: int
    singles: int
    batches: int
    size: int
    parts: Sequence[str]


@dataclass(frozen=True)
class Step:
    """One measurement. `seconds` is what it is expected to take, before it was done once."""

    name: str
    seconds: float
    measure: Callable[[], None]


@dataclass
class Sitting:
    """Measures into `results`. `show` gets a line of progress, and `save` the results after each measurement."""

    plan: Plan
    contenders: Mapping[str, Contender]
    show: Callable[[str], None]
    save: Callable[[Mapping[str, Any]], None]
    results: dict[str, Any] = field(default_factory=lambda: {name: [] for name in LISTS})
    _took: dict[str, float] = field(default_factory=dict)
    _left: list[Step] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)
    _servers: Servers | None = None

    def run(self) -> None:
        """Measure everything, as far as the time goes."""
        self.results["about"] = about() | {"plan": asdict(self.plan)}
        rounds = [step for number in range(self.plan.rounds) for step in self.round(number)]
        costs = self._costs()
        self._left = [*costs, *rounds]
        if costs:  # pg_stat_statements costs time, so the rounds get servers without it
            self._take(costs, counting.prepare)
        self._take(rounds)
        self.results["about"]["minutes"] = (time.monotonic() - self._started) / 60
        self.save(self.results)

    def _take(self, steps: Sequence[Step], prepare: Callable[[Servers], None] = lambda _: None) -> None:
        with private_servers(durable=True) as servers:
            self._servers = servers
            prepare(servers)
            for step in steps:
                self._show_time(step)
                self.attempt(step)
                self._left.remove(step)
                self.save(self.results)

    def _show_time(self, step: Step) -> None:
        gone = time.monotonic() - self._started
        left = sum(self._expected(one) for one in self._left)
        self.show(f"{gone / 60:4.1f} min gone, about {left / 60:.1f} left in {len(self._left)} steps: {step.name}")

    def attempt(self, step: Step) -> None:
        """Take one measurement, if there is time for it. Its failure is written down and ends no more than itself."""
        started = time.monotonic()
        if started - self._started + self._expected(step) > 60 * self.plan.minutes:
            self._fail(f"{step.name} was left out, because the time of the sitting was over")
            return
        try:
            step.measure()
        except FAULTS as error:
            lines = str(error).splitlines() or [repr(error)]
            self._fail(f"{step.name} failed: {' '.join(dict.fromkeys((lines[0], lines[-1])))}")
        self._took[step.name] = time.monotonic() - started

    def _fail(self, text: str) -> None:
        self.results["failed"].append(text)
        self.show(text)

    def _expected(self, step: Step) -> float:
        return self._took.get(step.name, step.seconds)

    def _costs(self) -> list[Step]:
        plan = self.plan
        sizes = [(1, plan.singles), (plan.size, plan.batches)] if "cost" in plan.parts else []
        return [Step(f"cost of batches of {size}", 60, partial(self._cost, size, n)) for size, n in sizes if n]

    def round(self, number: int) -> list[Step]:
        """The steps of one round. Every second one goes the other way round, so that a drift evens out."""
        plan, known = self.plan, list(self.contenders)
        if number % 2:
            known.reverse()
        rates = [Step(f"rate of {name}", 14, partial(self._rate, name)) for name in known]
        lives = [Step(f"whole lives of {name}", 25, partial(self._life, name)) for name in known if name in LIVING]
        steady = [
            Step(f"latency of {name}", 30 + 11.0 * len(plan.at) * (name in STEADY), partial(self._latency, name))
            for name in known
            if name in (*STEADY, *ONE_BY_ONE)
        ]
        chosen = {"rates": rates, "life": lives, "latency": steady}
        return [step for part, steps in chosen.items() if part in plan.parts for step in steps]

    def _cost(self, size: int, count: int) -> None:
        given = load.baskets(cost.WARM_ORDERS + 2 + size * count)
        found = asyncio.run(cost.measure(self.servers, given, size, count, "on"))
        self.results["cost"] += [asdict(one) for one in found]

    def _rate(self, name: str) -> None:
        contender = self.contenders[name]
        result = asyncio.run(measure.run(self.servers, contender, load.baskets(self.plan.orders)))
        self.results["rates"].append(rate_row(name, contender.about, result))
        self.show(f"  {result.rate:.0f} orders/s")

    def _life(self, name: str) -> None:
        given = load.baskets(self.plan.lives + whole_life.WARM_ORDERS)
        result = asyncio.run(whole_life.run(self.servers, name, self.contenders[name], given))
        self.results["life"].append(asdict(result))
        self.show(f"  {result.rates[whole_life.WHOLE]:.0f} whole lives/s")

    def _latency(self, name: str) -> None:
        rates = self._steady_rates() if name in STEADY else []
        measured = latency.measure(
            self.servers, name, self.contenders[name], rates=rates, seconds=self.plan.seconds, local_dispatch="on"
        )
        for one in asyncio.run(measured):
            self.results["latency"].append(asdict(one))
            self.show(f"  at {one.rate:.0f}/s: p50 {one.p50_ms:.0f}, p99 {one.p99_ms:.0f} ms")

    def _steady_rates(self) -> list[float]:
        """The rates of the plan and half of the peak of the first round, rising."""
        if "half_of_peak" not in self.results and (peak := Figures(self.results).peak("deployed")):
            self.results["half_of_peak"] = float(round(peak / 2))
        half = self.results.get("half_of_peak")
        return sorted({*self.plan.at, *([half] if half else [])})

    @property
    def servers(self) -> Servers:
        """The servers of the steps that run."""
        assert self._servers is not None
        return self._servers


def about() -> dict[str, Any]:
    """When and on what it is measured."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": _commit(),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gib": round(memory),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
