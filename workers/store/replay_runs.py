"""Runs that replay a frozen selection of dead letters, and what became of each letter."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from db.pool import Transaction
from db.statements import SQL, columns
from workers.domain.replay_rules import ReplayCounts, ReplayPlan

RUN_ID_MAX = 2**31 - 1  # the advisory lock takes an integer


@dataclass(frozen=True)
class RunLetter:
    """A letter of a plan: its place, where it is sent, and how it was when it was planned.

    `scope` and `request_id` are those of its command.
    """

    place: int
    id: int
    queue: str
    state: str
    repeats: int
    message_id: str
    scope: str | None = None
    request_id: str | None = None


async def create(tx: Transaction, plan: ReplayPlan, *, selection: str, reason: str, note: str) -> int:
    """Create a run without letters and return its id."""
    return int(await tx.fetchval(SQL["replay_runs.create"], selection, *astuple(plan), reason, note))


async def add(tx: Transaction, run_id: int, letters: Sequence[RunLetter]) -> set[int]:
    """Add letters to a run. Returns the ids of those that are as planned; others are not added."""
    rows = await tx.fetch(SQL["replay_runs.add"], run_id, *columns(map(astuple, letters), 8))
    return {row["dead_letter_id"] for row in rows}


async def newest(tx: Transaction, limit: int) -> list[dict[str, Any]]:
    """Return the newest runs."""
    return [dict(row) for row in await tx.fetch(SQL["replay_runs.list"], limit)]


async def read(tx: Transaction, run_id: int) -> dict[str, Any] | None:
    """Return a run, or None."""
    row = await tx.fetchrow(SQL["replay_runs.read"], run_id) if run_id <= RUN_ID_MAX else None
    return None if row is None else dict(row)


async def lock(tx: Transaction, run_id: int) -> dict[str, Any] | None:
    """Return a run and lock it, or None."""
    row = await tx.fetchrow(SQL["replay_runs.lock"], run_id) if run_id <= RUN_ID_MAX else None
    return None if row is None else dict(row)


async def own(tx: Transaction, run_id: int) -> bool:
    """True if this session may send the run until it ends. It may not while another process sends it."""
    return bool(await tx.fetchval(SQL["replay_runs.own"], run_id))


async def disown(tx: Transaction, run_id: int) -> None:
    """Let others send a run that this session owns."""
    await tx.fetchval(SQL["replay_runs.disown"], run_id)


async def set_state(tx: Transaction, run_id: int, state: str, why: str | None) -> None:
    """Change the state of a locked run."""
    await tx.execute(SQL["replay_runs.set_state"], run_id, state, why)


async def pass_canary(tx: Transaction, run_id: int) -> None:
    """Note that the first letters of a locked run went well."""
    await tx.execute(SQL["replay_runs.pass_canary"], run_id)


async def begin_canary(tx: Transaction, run_id: int) -> None:
    """Judge the next letters of a locked run by themselves."""
    await tx.execute(SQL["replay_runs.begin_canary"], run_id)


async def next_letters(tx: Transaction, run_id: int, limit: int, per_order: int) -> list[Any]:
    """Return the places and letters to send now."""
    return await tx.fetch(SQL["replay_runs.next"], run_id, limit, per_order)


async def mark_sent(tx: Transaction, run_id: int, sent: Sequence[tuple[int, str]]) -> None:
    """Note places that are sent, with their message ids."""
    if sent:
        await tx.execute(SQL["replay_runs.mark_sent"], run_id, *columns(sent))


async def leave_out(tx: Transaction, run_id: int, left: Sequence[tuple[int, str]]) -> None:
    """Note places that are not sent, and why."""
    if left:
        await tx.execute(SQL["replay_runs.leave_out"], run_id, *columns(left))


async def unsent(tx: Transaction, run_id: int) -> list[int]:
    """Return the letters that a run has not sent yet, in order."""
    return [row["dead_letter_id"] for row in await tx.fetch(SQL["replay_runs.unsent"], run_id)]


async def settle(tx: Transaction, run_id: int) -> None:
    """Note what became of letters that were sent, as far as it is known."""
    await tx.execute(SQL["replay_runs.settle"], run_id)


async def counts(tx: Transaction, run_id: int) -> ReplayCounts:
    """Count the letters of a run by what became of them."""
    row = await tx.fetchrow(SQL["replay_runs.counts"], run_id)
    assert row is not None, "the run exists"
    return ReplayCounts(**dict(row))


async def outcomes(tx: Transaction, run_id: int) -> list[dict[str, Any]]:
    """Return what became of the letters of a run, grouped."""
    return [dict(row) for row in await tx.fetch(SQL["replay_runs.outcomes"], run_id)]


async def letters(tx: Transaction, run_id: int, limit: int | None = None) -> list[dict[str, Any]]:
    """Return the letters of a run with their outcomes: all, or the first so many."""
    return [dict(row) for row in await tx.fetch(SQL["replay_runs.letters"], run_id, limit)]


async def of_letter(tx: Transaction, letter_id: int) -> list[dict[str, Any]]:
    """Return the runs that replayed a letter, with its outcome in each."""
    return [dict(row) for row in await tx.fetch(SQL["replay_runs.of_letter"], letter_id)]
