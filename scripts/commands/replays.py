"""`oms replays`: the replays of dead letters, which can be watched, paused, resumed and cancelled."""

import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from messages.dead_letters import DeadLetterAction
from scripts.commands import command_app
from scripts.commands.connections import connected, person, run
from scripts.commands.listings import ListFormat, ListOutput, write_list
from scripts.commands.output import Format, Output, counted, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from scripts.commands.recorded_reasons import short_enough
from scripts.commands.replay_runner import carry_out, finish, outcome, progress, unknown_run, write_outcomes
from scripts.screens.layout import Column
from workers.services import replay_runs as runs
from workers.services.replay_runs import ReplayState
from workers.store import replay_runs

app = command_app("List replays of dead letters, watch, pause, resume and cancel them.")

RunId = Annotated[int, typer.Argument(metavar="RUN", help="The number that `oms dead-letters replay` printed.")]
Why = Annotated[str | None, typer.Option("--reason", help="Why. It is recorded.")]
WATCH_SECONDS = 2.0
COUNTS = ("total", "unsent", "under_way", "worked", "refused", "died_again", "handled_before", "left_out")
COLUMNS = (
    *(Column(name) for name in ("id", "state", *COUNTS)),
    *(Column(name, least=16, extra=True) for name in ("why", "reason", "at", "selection", "note", "actor")),
)
"""The columns of a list, the most important first: a narrow terminal leaves out the last."""


@app.command("list")
def list_(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Show at most so many.")] = 20,
    output: ListOutput = ListFormat.TABLE,
) -> None:
    """List replays, the newest first.

    \b
    Examples:
      oms replays list
    """

    async def work() -> list[dict[str, Any]]:
        async with connected() as tx:
            return [await line_of(tx, one) for one in await replay_runs.newest(tx, limit)]

    rows = run(work())
    write_list(rows, output, _with_counts_that_say_something, columns=COLUMNS)
    say(counted(len(rows), "replay"))
    for one in rows:
        _say_unsent(one["id"], one["state"], one["unsent"])


async def line_of(tx: Any, one: Mapping[str, Any]) -> dict[str, Any]:
    """Return a replay with its counts, for a list."""
    counts = await replay_runs.counts(tx, one["id"])
    shown = {name: one[name] for name in ("id", "state", "at", "actor", "note", "reason", "selection", "why")}
    return shown | {name: getattr(counts, name) for name in COUNTS}


def _with_counts_that_say_something(one: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if name in COUNTS and not value else value for name, value in one.items()}


@app.command("show")
def show(run_id: RunId, *, output: Output = Format.TABLE) -> None:
    """Show a replay: what became of its letters by now. JSON has each letter.

    \b
    Examples:
      oms replays show 3
      oms replays show 3 -o json | jq '.letters[] | select(.outcome == "died_again") | .id'
    """

    async def work() -> tuple[ReplayState, list[dict[str, Any]], list[dict[str, Any]]]:
        async with connected() as tx:
            await note_outcomes(tx, run_id)
            return *await outcome(tx, run_id), await replay_runs.letters(tx, run_id)

    found, outcomes, letters = run(work())
    if output is Format.JSON:
        write_json({**found.run, "counts": vars(found.counts), "outcomes": outcomes, "letters": letters})
        return
    write_table([{"field": name, "value": value} for name, value in found.run.items()])
    typer.echo()
    write_outcomes(found, outcomes, output)
    say(progress(found.counts))
    _say_unsent(run_id, found.state, found.counts.unsent)


def _say_unsent(run_id: int, state: str, unsent: int) -> None:
    """Say what to type about a replay that is not over: its state does not say whether its process lives."""
    if state == runs.RUNNING and unsent:
        say(f"  next: oms replays watch {run_id}; if nothing moves, its process has ended: oms replays resume {run_id}")


@app.command("watch")
def watch(run_id: RunId, *, output: Output = Format.TABLE) -> None:
    """Show the progress of a replay that another process sends, until it is over or everything is sent and settled.

    \b
    Examples:
      oms replays watch 3
    """

    async def work() -> tuple[ReplayState, list[dict[str, Any]]]:
        async with connected() as tx:
            await note_outcomes(tx, run_id)
            return await outcome(tx, run_id)

    found, outcomes = run(work())
    while found.state == runs.RUNNING:
        say(progress(found.counts))
        time.sleep(WATCH_SECONDS)
        found, outcomes = run(work())
    write_outcomes(found, outcomes, output)
    say(progress(found.counts))
    finish(found)


@app.command("pause")
def pause(run_id: RunId, *, reason: Why = None, output: Output = Format.TABLE) -> None:
    """Pause a replay: nothing more is sent until it is resumed. What was sent is handled.

    \b
    Examples:
      oms replays pause 3 --reason "the warehouse is slow"
    """
    _change(run_id, "pause", reason, output)


@app.command("cancel")
def cancel(run_id: RunId, *, reason: Why = None, output: Output = Format.TABLE) -> None:
    """End a replay. What was sent stays sent; the other letters stay as they are.

    \b
    Examples:
      oms replays cancel 3 --reason "wrong group"
    """
    _change(run_id, "cancel", reason, output)


@app.command("resume")
def resume(
    run_id: RunId,
    *,
    wait_seconds: Annotated[int, typer.Option("--wait", min=0, help="Wait so long for outcomes, seconds.")] = 60,
    output: Output = Format.TABLE,
) -> None:
    """Go on with a replay that was paused, that stopped, or whose process has ended. No letter is sent twice.

    One that stopped begins with a canary again.

    \b
    Examples:
      oms replays resume 3
    """
    _change(run_id, "resume", None, Format.TABLE)
    carry_out(run_id, wait_seconds=wait_seconds, output=output)


def _change(run_id: int, action: DeadLetterAction, why: str | None, output: Format) -> None:
    given = None if why is None else short_enough(why, f"oms replays {action} {run_id} --reason '...'")
    before = run(change(run_id, action, given, note=person()))
    state = runs.STATE_AFTER[action]
    if output is Format.JSON:
        write_json({"id": run_id, "state": state, "before": before})
    say(f"replay {run_id} is {state}")


async def change(run_id: int, action: DeadLetterAction, why: str | None, *, note: str) -> str:
    """Pause, cancel or resume a replay, and return its former state. Raises CommandError if it is over, or unknown."""
    async with connected() as tx, tx.transaction():
        before = await runs.change(tx, run_id, action, why, note=note)
    if before is None:
        raise unknown_run(run_id)
    if before in (runs.CANCELLED, runs.FINISHED):
        raise CommandError(Code.REFUSED, f"replay {run_id} is {before}", hint=f"oms replays show {run_id}")
    return before


async def note_outcomes(tx: Any, run_id: int) -> None:
    """Note what is known by now of the letters of a replay. Raises CommandError if there is none of this id."""
    async with tx.transaction():
        if await runs.settled(tx, run_id) is None:
            raise unknown_run(run_id)
