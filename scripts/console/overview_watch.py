"""The parts of the overview, each of which may fail by itself: queues, tables, and what waits too long."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from messages.stuck_waits import StuckCount
from scripts.commands.problems import CommandError
from scripts.commands.stuck import ask_stuck
from scripts.console.overview_tables import OverviewReader
from scripts.console.part_watch import PartReading, PartWatch
from scripts.console.queue_depths import QueueWatch

LOOK_AT_DATABASE = 'pg_isready -d "$OMS_DATABASE_URL"; oms doctor'
LOOK_AT_BROKER = "rabbitmq-diagnostics listeners, where it runs; oms doctor"
STUCK_KEPT_SECONDS = 30.0
SHARED_SECONDS = 1.0
"""Several pages that are open look at the servers together."""
OLD_SECONDS = 15.0
"""From then on the page says how old its figures are."""
STUCK = "what waits too long"


@dataclass(frozen=True)
class OverviewProblem:
    """One thing that is wrong, and the parts that are not known because of it."""

    parts: Sequence[str]
    error: CommandError


@dataclass(frozen=True)
class OverviewReading:
    """The parts by name, without those that failed: these have problems. `old` are the seconds of parts that are."""

    parts: Mapping[str, Any]
    problems: Sequence[OverviewProblem]
    old: Mapping[str, float]


class OverviewWatch:
    """What the overviews of one console show."""

    def __init__(self) -> None:
        depths, tables = QueueWatch(), OverviewReader()
        self._queues = PartWatch("the broker", depths.read, SHARED_SECONDS, LOOK_AT_BROKER)
        self._tables = PartWatch("the database", tables.read, SHARED_SECONDS, LOOK_AT_DATABASE)
        self._stuck = PartWatch("the database", _stuck, STUCK_KEPT_SECONDS, LOOK_AT_DATABASE)

    async def read(self) -> OverviewReading:
        """Return how everything stands, as far as it is known."""
        queues, tables, stuck = await asyncio.gather(
            self._queues.reading(), self._tables.reading(), self._stuck.reading()
        )
        parts: dict[str, Any] = {"queues": queues.value, STUCK: stuck.value}
        problems = {"queues": queues.problem, STUCK: stuck.problem}
        if tables.value is None:
            problems = {"everything that the database holds": tables.problem} | problems
        else:
            parts |= tables.value.parts
            problems = {**tables.value.problems, **problems}
        return OverviewReading(
            {name: value for name, value in parts.items() if value is not None},
            _together({name: one for name, one in problems.items() if one is not None}),
            {name: one.age_seconds for name, one in (("queues", queues), ("tables", tables)) if _is_old(one)},
        )

    async def close(self) -> None:
        """End what is being read."""
        for one in (self._queues, self._tables, self._stuck):
            await one.close()


async def _stuck() -> Sequence[StuckCount]:
    found, _ = await ask_stuck([], None, 1, None)
    return found.counts


def _together(problems: Mapping[str, CommandError]) -> list[OverviewProblem]:
    """Return each problem once, with the parts that have it."""
    named: dict[str, list[str]] = {}
    for name, error in problems.items():
        named.setdefault(error.text, []).append(name)
    return [OverviewProblem(names, problems[names[0]]) for names in named.values()]


def _is_old(one: PartReading[Any]) -> bool:
    return one.problem is None and one.age_seconds > OLD_SECONDS
