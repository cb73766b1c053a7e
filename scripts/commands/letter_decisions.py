"""`oms dead-letters replay`, `discard` and `restore`: what people decide about dead letters."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import typer

from db.cipher import ERASED
from db.pool import Transaction
from messages.reasons import Reason
from messages.topology import QUEUES, messages_of
from outbox.version import version
from scripts.commands.connections import connected, person, run
from scripts.commands.decisions import (
    Act,
    All,
    DeadLetter,
    DryRun,
    Ids,
    LetterPlan,
    Planner,
    Selection,
    Yes,
    accepted,
    changed_meanwhile,
    decide,
    planned,
    reason_given,
)
from scripts.commands.letter_filters import UNROUTED, LetterOptions, filtered, is_id
from scripts.commands.output import Format, Output
from scripts.commands.problems import Code, CommandError
from scripts.commands.replay_runner import carry_out
from workers.domain.replay_rules import ReplayPlan
from workers.services import dead_letters as decisions
from workers.services import replay_runs as runs
from workers.services.letter_readings import LetterReading, read_letter
from workers.store import dead_letters
from workers.store.replay_runs import RunLetter

CANARY_MIN_LETTERS = 10
"""Of fewer letters none goes first, unless --canary says so."""
CANARY = 5
STATE_OF = {"discard": dead_letters.OPEN, "restore": dead_letters.DISCARDED}
"""Verb -> the state of the letters for which it is."""
SkipRefused = Annotated[bool, typer.Option("--skip-refused", help="Leave out letters that it refuses, do the rest.")]


@filtered
def replay(
    ids: Ids = None,
    *,
    options: LetterOptions,
    reason: Annotated[str, typer.Option(help="Why it will work now. It is recorded.")],
    everything: All = False,
    to: Annotated[str | None, typer.Option(help="The queue for an unrouted message, without the prefix.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Replay also what was replayed before.")] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="Also what its schema refuses still.")] = False,
    skip_refused: SkipRefused = False,
    rate: Annotated[str, typer.Option(help="Letters a second, or a minute: 20/s, 30/m.")] = "20/s",
    canary: Annotated[
        int | None, typer.Option(min=0, help=f"So many go first, alone. Default: {CANARY} of more than 10; 0: none.")
    ] = None,
    canary_wait_seconds: Annotated[int, typer.Option(min=1, help="They must have outcomes by then.")] = 60,
    min_success: Annotated[int, typer.Option(min=0, max=100, help="Stop if a smaller share works, percent.")] = 95,
    per_order: Annotated[int, typer.Option(min=1, help="So many of one order under way at once.")] = 1,
    one_try: Annotated[bool, typer.Option("--one-try", help="What fails dies at once, as the canary does.")] = False,
    wait_seconds: Annotated[int, typer.Option("--wait", min=0, help="Wait so long for outcomes, seconds.")] = 60,
    dry_run: DryRun = False,
    yes: Yes = False,
    output: Output = Format.TABLE,
) -> None:
    """Send dead letters again, each to the queue where it failed, and show what became of each.

    The selection is frozen when it is confirmed. A few letters go first and have one try; if too few of them work, the
    replay stops. A message keeps its message id, so one that was handled after all is not handled twice. If this
    process ends, `oms replays resume` goes on. It exits with 3 if it stopped, with 4 if some letters did not work.

    \b
    Examples:
      oms dead-letters replay 17 18 --reason "catalogue repaired" --dry-run
      oms dead-letters replay --group 3f2a9c01d4e5b677 --reason "fixed in 1.4" --rate 50/s
      oms dead-letters list --user u1 -o ids | oms dead-letters replay - --reason "stock is back" -y
      oms dead-letters replay 21 --reason "the key was mistyped" --to order-creation --yes
    """
    refuse_unknown_queue(to)
    words = ids or []
    why_now = reason_given("replay", words, reason)
    per_minute = letters_per_minute(rate)

    selection = Selection(words, options, everything)
    plans = planned(selection, replay_planner(to, again=again, anyway=anyway))
    chosen = accepted("replay", plans, skip_refused=skip_refused, dry_run=dry_run, yes=yes, output=output)
    if not chosen:
        return
    first = canary_letters(len(chosen), canary)
    how = ReplayPlan(per_minute, first, canary_wait_seconds, min_success, per_order, one_try)
    started = start_run(how, chosen, selection=selection.text, reason=why_now, note=person())
    carry_out(run(started), wait_seconds=wait_seconds, output=output)


def refuse_unknown_queue(to: str | None) -> None:
    """Raise CommandError unless it is a queue of ours, or None."""
    if to is not None and to not in QUEUES:
        why = f"the queues are: {', '.join(QUEUES)}"
        raise CommandError(Code.FAILED, f"no queue {to}", why=why, hint="oms topology show")


def replay_planner(to: str | None, *, again: bool, anyway: bool) -> Planner:
    """Return what plans the replay of letters: `again` also of those that were replayed, `anyway` of those that would
    die again. Letters that no queue took go `to` this one.
    """

    async def plan(tx: Transaction, rows: Sequence[DeadLetter]) -> list[LetterPlan]:
        edits = await dead_letters.newest_edits(tx, [row["id"] for row in rows])
        return [_plan(row, edits.get(row["id"]), to, again=again, anyway=anyway) for row in rows]

    return plan


async def start_run(how: ReplayPlan, chosen: Sequence[LetterPlan], *, selection: str, reason: str, note: str) -> int:
    """Store a run of the planned letters, and return its id. Raises CommandError if they changed since."""
    letters = [
        RunLetter(
            place,
            plan.id,
            plan.to,
            plan.row["state"],
            plan.row["repeats"],
            plan.details.message_id,
            plan.details.scope,
            plan.details.request_id,
        )
        for place, plan in enumerate(chosen)
    ]
    async with connected() as tx, tx.transaction():
        try:
            return await runs.start(tx, how, letters, selection=selection, reason=reason, note=note)
        except runs.LettersChangedError:
            raise changed_meanwhile() from None


def canary_letters(letters: int, wanted: int | None) -> int:
    """Return how many letters go first: so many as are wanted, else a few if there are many."""
    return min(letters, wanted if wanted is not None else CANARY if letters > CANARY_MIN_LETTERS else 0)


def letters_per_minute(rate: str) -> int:
    """Read a rate such as 20/s or 30/m. Raises CommandError if it is none."""
    number, _, unit = rate.partition("/")
    if not is_id(number) or not 0 < int(number) <= 10_000 or unit not in ("", "s", "m"):
        raise CommandError(Code.FAILED, f"{rate} is no rate", why="a rate is such as 20/s or 30/m", hint="--rate 20/s")
    return int(number) * (1 if unit == "m" else 60)


def _plan(row: DeadLetter, edit: Mapping[str, Any] | None, to: str | None, *, again: bool, anyway: bool) -> LetterPlan:
    """Plan the replay of one letter. What is not needed to show the plan is forgotten: bodies may be large."""
    shown = {name: value for name, value in row.items() if name not in ("body", "headers")}
    target, reading = _target(row, to), LetterReading(decisions.message_id_of(row, edit))
    objection = _objection(row, to, again=again)
    if not objection:
        reading = read_letter(row, edit)
        objection = "" if anyway else _dies_again(row, reading, edited=edit is not None)
    warning = "" if objection or edit else _warning(row)
    return LetterPlan(shown, target, objection, warning, reading)


def _dies_again(row: DeadLetter, reading: LetterReading, *, edited: bool) -> str:
    """Say why an unchanged letter would die again; empty if nothing is known against it."""
    if row["reason"] == Reason.ID_REUSE and not edited:
        return "has the message id of another message, and would die again"
    if reading.faults:
        first = reading.faults[0]
        return f"would die again: {first.path} {first.error} (oms dead-letters diff {row['id']}; --anyway sends it)"
    return ""


def _warning(row: DeadLetter) -> str:
    if row["reason"] in (Reason.FAILED, Reason.IMPOSSIBLE) and row["worker_version"] == version():
        return f"died in version {version()}, which is also this one: is the cause mended?"
    if row["reason"] == Reason.UNTRUSTED_USER:
        return f"came from {row['origin_user']}, which needs a role in OMS_ROLES by now"
    if row["reason"] == Reason.WRONG_CELL:
        return "is handled by this cell if it names none: has its sender sent it to another since?"
    return ""


def _target(row: DeadLetter, to: str | None) -> str:
    return (to or "-") if row["queue"] == UNROUTED else str(row["queue"])


def _objection(row: DeadLetter, to: str | None, *, again: bool) -> str:
    """Return why a dead letter may not be replayed; empty if it may."""
    target, state, unrouted = _target(row, to), row["state"], row["queue"] == UNROUTED
    taken = {model.TYPE for model in messages_of(target)}
    objections = (
        (state == dead_letters.DISCARDED, "was discarded"),
        (row["key_id"] == ERASED, "is erased, because the user whom it names was: discard it"),
        (state == dead_letters.REPLAYED and not again, "was already replayed (--again replays it once more)"),
        (unrouted and to is None, "was published to a routing key that no queue takes: name its queue with --to"),
        (not unrouted and to not in (None, row["queue"]), f"failed in {row['queue']} and goes nowhere else"),
        (row["type"] is None, "has no type, so no queue takes it"),
        (row["type"] not in taken, f"is {row['type']}, which {target} does not take"),
    )
    return next((objection for holds, objection in objections if holds), "")


@filtered
def discard(
    ids: Ids = None,
    *,
    options: LetterOptions,
    reason: Annotated[str, typer.Option(help="Why nobody needs the message. It is recorded.")],
    everything: All = False,
    skip_refused: SkipRefused = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    output: Output = Format.TABLE,
) -> None:
    """Give dead letters up. `restore` opens them again, until their retention has passed.

    The rows stay, with who discarded them, when and why.

    \b
    Examples:
      oms dead-letters discard 17 --reason "test traffic of the checkout team"
      oms dead-letters discard --type order.create.v1 --reason-is invalid --until 7d --reason "old"
    """
    words = ids or []
    why_not = reason_given("discard", words, reason)
    plans = planned(Selection(words, options, everything), planner_of("discard"))
    if chosen := accepted("discard", plans, skip_refused=skip_refused, dry_run=dry_run, yes=yes, output=output):
        decide("discard", chosen, act_of("discard", note=person(), reason=why_not))


@filtered
def restore(
    ids: Ids = None,
    *,
    options: LetterOptions,
    reason: Annotated[str, typer.Option(help="Why it is needed after all. It is recorded.")],
    everything: All = False,
    skip_refused: SkipRefused = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    output: Output = Format.TABLE,
) -> None:
    """Open dead letters again that were discarded.

    \b
    Examples:
      oms dead-letters restore 17 --reason "it was no test traffic"
      oms dead-letters restore --group 3f2a9c01d4e5b677 --reason "discarded by mistake" --dry-run
    """
    words = ids or []
    why = reason_given("restore", words, reason)
    plans = planned(Selection(words, options, everything, state=STATE_OF["restore"]), planner_of("restore"))
    if chosen := accepted("restore", plans, skip_refused=skip_refused, dry_run=dry_run, yes=yes, output=output):
        decide("restore", chosen, act_of("restore", note=person(), reason=why))


def act_of(verb: str, *, note: str, reason: str) -> Act:
    """Return what `discard` or `restore` does to letters that are locked."""
    do = {"discard": decisions.discard, "restore": decisions.restore}[verb]
    return partial(do, note=note, reason=reason)


def planner_of(verb: str) -> Planner:
    """Return what plans to `discard` or to `restore` letters: those in the wrong state are refused."""
    state = STATE_OF[verb]

    async def plan(_: Transaction, rows: Sequence[DeadLetter]) -> list[LetterPlan]:
        return [
            LetterPlan(
                {name: value for name, value in row.items() if name not in ("body", "headers")},
                objection="" if row["state"] == state else f"is {row['state']}, not {state}",
            )
            for row in rows
        ]

    return plan
