"""Reads from the database what the overview shows: each part by itself, so that a missing right hides no other."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from db.pool import Transaction
from db.statements import SQL
from scripts.commands.connections import connected, database_user
from scripts.commands.consumers import pauses_of
from scripts.commands.problems import Code, CommandError
from scripts.commands.replays import line_of
from scripts.console.replay_senders import problem_of
from workers.services.replay_runs import FINISHED
from workers.store import replay_runs

COUNTED_MAX = 10_000
"""Where counting stops: beyond it everybody knows that it is a lot, and the database has other things to do."""
STATEMENT_SECONDS = 5
REPLAYS_SHOWN = 3


@dataclass(frozen=True)
class OverviewTables:
    """The parts that could be read by name, and the problems of the others."""

    parts: Mapping[str, Any]
    problems: Mapping[str, CommandError]


class OverviewReader:
    """Reads the parts over one connection. The counts of finished replays change no more, so they are read once."""

    def __init__(self) -> None:
        self._finished: dict[int, Mapping[str, Any]] = {}
        self._reads: Mapping[str, Callable[[Transaction], Awaitable[Any]]] = {
            "dead letters": _letters,
            "outbox": _outbox,
            "timers": _timers,
            "replays": self._replays,
            "pauses": _pauses,
        }

    async def read(self) -> OverviewTables:
        """Return the parts. Raises what connecting raises."""
        parts, problems = dict[str, Any](), dict[str, CommandError]()
        async with connected(statement_timeout_seconds=STATEMENT_SECONDS) as tx:
            for name, read in self._reads.items():
                try:
                    parts[name] = await read(tx)
                except Exception as error:  # shown on the page
                    problems[name] = _explained(error)
        return OverviewTables(parts, problems)

    async def _replays(self, tx: Transaction) -> list[Mapping[str, Any]]:
        runs = await replay_runs.newest(tx, REPLAYS_SHOWN)
        lines = [self._finished.get(one["id"]) or await line_of(tx, one) for one in runs]
        self._finished = {line["id"]: line for line in lines if line["state"] == FINISHED}
        return lines


async def _letters(tx: Transaction) -> list[dict[str, Any]]:
    return [dict(row) for row in await tx.fetch(SQL["overview.letters"], COUNTED_MAX)]


async def _outbox(tx: Transaction) -> dict[str, Any]:
    return dict(await tx.fetchrow(SQL["overview.outbox"], COUNTED_MAX) or {})


async def _timers(tx: Transaction) -> dict[str, Any]:
    return dict(await tx.fetchrow(SQL["overview.timers"], COUNTED_MAX) or {})


async def _pauses(tx: Transaction) -> frozenset[str]:
    return frozenset(row["queue"] for row in await pauses_of(tx))


def _explained(error: Exception) -> CommandError:
    """Return what a page says of it. Who lacks a right learns how an administrator gives it."""
    problem = problem_of(error)
    if problem.code is not Code.REFUSED:
        return problem
    hint = f'GRANT oms_oncall TO "{database_user()}", as an administrator of the database; then oms migrate'
    return CommandError(problem.code, str(problem), why=problem.why, hint=hint)
