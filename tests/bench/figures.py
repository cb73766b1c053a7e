"""The figures of a sitting, as JSON keeps them: medians of their rounds, by contender and rate."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from tests.bench import latency, whole_life
from tests.bench.cost import StepCost
from tests.bench.latency import RateLatency
from tests.bench.life import STEPS
from tests.bench.measure import Result
from tests.bench.whole_life import LifeRates

IDLE = 0.0
"""The rate of orders that are placed one by one."""
LISTS = ("rates", "life", "latency", "cost", "failed")
"""The parts of a sitting that grow while it lasts."""


def keeps_up(one: RateLatency) -> bool:
    """Whether a contender answered all orders, and none of them so late that its backlog was growing."""
    return one.answered == 1 and one.p99_ms <= latency.SATURATED_MS


def group(stage: str) -> str:
    """The group of a stage of `cost`."""
    for known in ("decode", "commit", "acknowledge"):
        if stage == known:
            return known
    if stage.startswith("python"):
        return "python"
    if stage.startswith("relay: "):
        return "relay: publish" if "publish" in stage else "relay: statements"
    return "statements"


def shares(one: StepCost) -> dict[str, float]:
    """Microseconds per order of each group of stages, the largest first."""
    found: dict[str, float] = {}
    for stage, micros in one.stages.items():
        found[group(stage)] = found.get(group(stage), 0.0) + micros / one.batch
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def rate_row(name: str, about: str, result: Result) -> dict[str, Any]:
    """One run of `rates`, for JSON."""
    row = asdict(result) | {"contender": name, "about": about}
    row.pop("statements")
    return row


def write(path: Path, results: Mapping[str, Any]) -> None:
    """Write results as JSON, in lines that a diff shows well."""
    path.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2, default=float) + b"\n")


def read(paths: Iterable[Path]) -> dict[str, Any]:
    """The results of several files in one: those of `page`, `rates`, `latency`, `cost`, `growth` or `memory`."""
    merged: dict[str, Any] = {name: [] for name in LISTS}
    for path in paths:
        found = orjson.loads(path.read_bytes())
        if isinstance(found, list):
            found = {"cost": found}  # older versions of `cost` wrote a list
        if "bytes_per_order" in found:
            found = {"growth": found}
        if "medians" in found:
            found = {"latency": found["runs"]}
        for name, value in found.items():
            merged[name] = merged[name] + value if name in LISTS else value
    return merged


class Figures:
    """Medians of what a sitting measured. What it did not measure is None."""

    def __init__(self, results: Mapping[str, Any]) -> None:
        self.results = results
        self.rate_runs: Sequence[Mapping[str, Any]] = results.get("rates", [])
        self.latency_runs = [RateLatency(**run) for run in results.get("latency", [])]
        self.life_runs = [LifeRates(**run) for run in results.get("life", [])]
        self.costs = [StepCost(**run) for run in results.get("cost", [])]

    @property
    def half(self) -> float | None:
        """Half of the peak of `deployed`, in orders per second, at which latencies were measured."""
        return self.results.get("half_of_peak")

    def contenders(self) -> list[str]:
        """The contenders whose latency was measured at some rate, in the order of their first runs."""
        return list(dict.fromkeys(run.contender for run in self.latency_runs if run.rate != IDLE))

    def raced(self) -> list[str]:
        """The contenders whose peak was measured, in the order of their first runs."""
        return list(dict.fromkeys(run["contender"] for run in self.rate_runs))

    def steady_rates(self) -> list[float]:
        """The rates at which latencies were measured, rising."""
        return sorted({run.rate for run in self.latency_runs} - {IDLE})

    def latency(self, contender: str, rate: float) -> RateLatency | None:
        """The medians of a contender at a rate. `answered` is below 1 where any round did not answer all orders."""
        runs = [run for run in self.latency_runs if (run.contender, run.rate) == (contender, rate)]
        return latency.median(runs) if runs else None

    def peaks(self, contender: str) -> list[float]:
        """Orders per second of each round at full load."""
        return [run["orders"] / run["seconds"] for run in self.rate_runs if run["contender"] == contender]

    def peak(self, contender: str) -> float | None:
        """The median rate at full load."""
        runs = self.peaks(contender)
        return statistics.median(runs) if runs else None

    def peak_cpu(self, contender: str) -> dict[str, float]:
        """The median CPU milliseconds per order of each part at full load."""
        runs = [run["cpu_ms"] for run in self.rate_runs if run["contender"] == contender]
        return {part: statistics.median(run[part] for run in runs) for part in runs[0]} if runs else {}

    def life(self, contender: str) -> LifeRates | None:
        """The medians of whole lives."""
        runs = [run for run in self.life_runs if run.contender == contender]
        return whole_life.median(runs) if runs else None

    def cost(self, step: str, batch: int) -> StepCost | None:
        """What a batch of this size of a step costs."""
        return next((one for one in self.costs if (one.step, one.batch) == (step, batch)), None)

    def batches(self) -> list[int]:
        """The sizes of the batches whose every step was measured, rising."""
        sizes = sorted({one.batch for one in self.costs})
        return [size for size in sizes if all(self.cost(step, size) for step in STEPS)]
