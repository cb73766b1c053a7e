"""Sends a replay from this process until it ends, with progress for the person; another process can resume it."""

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

from db.pool import Transaction
from scripts.commands.connections import connected, person, run
from scripts.commands.output import Format, counted, say, write_json
from scripts.commands.problems import Code, CommandError
from scripts.screens.layout import Column, write_rows
from workers.domain.replay_rules import ReplayCounts
from workers.runtime.settings import RuntimeSettings
from workers.services import replay_runs as runs
from workers.services.replay_runs import ReplayState
from workers.store import replay_runs

STEP_SECONDS = 0.25
PROGRESS_SECONDS = 2.0
OUTCOME_COLUMNS = (
    Column("outcome"),
    Column("letters"),
    Column("code", least=17),
    Column("type", least=16),
    Column("first_ids", least=9),
    Column("queue", extra=True),
)


def carry_out(run_id: int, *, wait_seconds: int, output: Format) -> None:
    """Send a run until it is over, paused or cancelled; then show what became of each letter.

    What was sent may need long to be handled: `wait_seconds` after the last news the command ends without its outcome.
    Raises CommandError if the run stopped, or if some letters did not work.
    """
    say(f"replay {run_id} runs; `oms replays pause {run_id}` pauses it, `oms replays cancel {run_id}` ends it")
    try:
        found, rows = run(send(run_id, wait_seconds=wait_seconds, note=person(), tell=say))
    except KeyboardInterrupt:
        say(f"\nit has not ended\n  next: oms replays resume {run_id}")
        raise
    write_outcomes(found, rows, output)
    say(progress(found.counts))
    finish(found)


def _attempts_max() -> int:
    """Return the workers' OMS_ATTEMPTS_MAX, or its default: a letter that has failed so often has one try."""
    given = os.environ.get("OMS_ATTEMPTS_MAX", "")
    return int(given) if given.isdecimal() else int(RuntimeSettings.model_fields["attempts_max"].default)


def write_outcomes(found: ReplayState, rows: list[dict[str, Any]], output: Format) -> None:
    """Print what became of the letters of a replay."""
    if output is Format.JSON:
        write_json({**found.run, "counts": vars(found.counts), "outcomes": rows})
        return
    write_rows([{**row, "outcome": row["outcome"] or "under way"} for row in rows], OUTCOME_COLUMNS)


def finish(found: ReplayState) -> None:
    """Say how a replay ended. Raises CommandError if it stopped, or if some letters did not work."""
    run_id, counts = found.run["id"], found.counts
    if found.state == runs.STOPPED:
        hint = f"oms replays show {run_id}, then oms replays resume {run_id} or oms replays cancel {run_id}"
        raise CommandError(Code.DIFFERENT, f"replay {run_id} stopped", why=str(found.run["why"]), hint=hint)
    if found.state in (runs.PAUSED, runs.CANCELLED):
        say(f"replay {run_id} is {found.state}" + (f": {found.run['why']}" if found.run["why"] else ""))
        return
    if bad := counts.died_again + counts.refused + counts.left_out:
        hint = f"oms replays show {run_id} -o json"
        raise CommandError(Code.PARTLY, f"{bad} of {counted(counts.total, 'dead letter')} did not work", hint=hint)
    if counts.under_way:
        say(f"{counted(counts.under_way, 'letter')} have no outcome yet\n  next: oms replays show {run_id}")


def progress(counts: ReplayCounts) -> str:
    """Write one line about how far a replay is."""
    names = ("worked", "handled_before", "refused", "died_again", "left_out", "under_way", "unsent")
    parts = [f"{name.replace('_', ' ')} {getattr(counts, name)}" for name in names if getattr(counts, name)]
    return f"of {counted(counts.total, 'letter')}: {', '.join(parts) or 'none'}"


async def send(
    run_id: int, *, wait_seconds: int, note: str, tell: Callable[[str], None]
) -> tuple[ReplayState, list[dict[str, Any]]]:
    """Send a run as `carry_out` does; `tell` gets a line about its progress every few seconds.

    Returns how it stands then, and what became of its letters. Raises CommandError if another process sends it.
    """
    async with connected() as tx:
        if not await replay_runs.own(tx, run_id):
            hint = f"oms replays watch {run_id}"
            raise CommandError(Code.REFUSED, f"another process sends replay {run_id}", hint=hint)
        await _until_over(tx, run_id, wait_seconds, note, tell)
        # the server learns late that a session has ended, and who resumes a paused run may be earlier
        await replay_runs.disown(tx, run_id)
        return await outcome(tx, run_id)


async def outcome(tx: Transaction, run_id: int) -> tuple[ReplayState, list[dict[str, Any]]]:
    """Return how a run stands and what became of its letters, at one moment. It writes nothing.

    Raises CommandError if there is no such run.
    """
    async with tx.transaction(isolation="repeatable_read", readonly=True):
        found = await runs.seen(tx, run_id)
        if found is None:
            raise unknown_run(run_id)
        return found, await replay_runs.outcomes(tx, run_id)


def unknown_run(run_id: int) -> CommandError:
    """Return the error for a replay that nobody started."""
    return CommandError(Code.NOTHING, f"there is no replay {run_id}", hint="oms replays list")


async def _until_over(tx: Transaction, run_id: int, wait_seconds: int, note: str, tell: Callable[[str], None]) -> None:
    sent, owed, attempts_max = 0, 1.0, _attempts_max()
    before, news_at, shown_at = (-1, -1), time.monotonic(), time.monotonic()
    while True:
        started = time.monotonic()
        async with tx.transaction():
            found = await runs.advance(
                tx,
                run_id,
                letters_max=int(owed),
                waited_seconds=int(started - news_at),
                attempts_max=attempts_max,
                note=note,
            )
        sent += found.sent
        if (now := (sent, found.counts.settled)) != before:
            before, news_at = now, started
        if found.state != runs.RUNNING:
            return
        waits = found.run["canary_passed"] and not found.sent and found.counts.under_way
        if waits and started - news_at >= wait_seconds:
            await _left_alone(tx, found, note)
            return
        if started - shown_at >= PROGRESS_SECONDS:
            shown_at = started
            tell(progress(found.counts))
        await asyncio.sleep(STEP_SECONDS)
        per_second = found.run["rate_per_minute"] / 60
        owed = min(owed - found.sent + (time.monotonic() - started) * per_second, max(1.0, per_second))


async def _left_alone(tx: Transaction, found: ReplayState, note: str) -> None:
    """Leave letters to the workers that have no outcome. If others wait for these, the replay is paused."""
    if found.counts.unsent:
        why = f"{counted(found.counts.under_way, 'letter')} have no outcome, and others of their orders wait for these"
        async with tx.transaction():
            await runs.change(tx, found.run["id"], "pause", why, note=note)
