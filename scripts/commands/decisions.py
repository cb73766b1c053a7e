"""Decisions about dead letters: select them, show a plan, ask the person, then do exactly that plan or nothing."""

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from db.pool import Transaction
from scripts.commands.connections import connected, database_user, run
from scripts.commands.letter_filters import SELECTED_MAX_LETTERS, LetterOptions, refuse_unknown, typed_ids
from scripts.commands.output import Format, counted, say, write_json
from scripts.commands.problems import Code, CommandError
from scripts.commands.recorded_reasons import reason_to_record
from scripts.screens.layout import Column, write_rows
from workers.store import dead_letters

DeadLetter = Mapping[str, Any]
"""One row of table dead_letters."""
TOGETHER = 500
"""Letters that are read, or changed, at once: bodies may be large."""
SHOWN_ONE_BY_ONE = 20
"""Of more letters a plan shows a line for each group."""

_PLANNED = (
    Column("type", least=16),
    Column("to", least=14),
    Column("plan", least=30),
    *(Column(name, extra=True) for name in ("reason", "error", "queue")),
)
ONE_BY_ONE = (Column("id"), *_PLANNED)
GROUPED = (Column("group"), Column("letters"), Column("first"), *_PLANNED)
"""The columns of a plan, the most important first: a narrow terminal leaves out the last."""

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids, or - to read them from standard input.")]
All = Annotated[bool, typer.Option("--all", help="All letters, which are the open ones if no --state is given.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")]


@dataclass(frozen=True)
class LetterPlan:
    """What would become of a letter: where it goes, and the objection to that, empty if there is none.

    A `warning` is no objection. `details` are what the action needs.
    """

    row: Mapping[str, Any]
    to: str = "-"
    objection: str = ""
    warning: str = ""
    details: Any = None

    @property
    def id(self) -> int:
        """The letter's id."""
        return int(self.row["id"])

    @property
    def group(self) -> str:
        """The group of the letter, as `oms dead-letters groups` names it."""
        return str(self.row["fingerprint"] or self.row["reason"])


Planner = Callable[[Transaction, Sequence[DeadLetter]], Awaitable[list[LetterPlan]]]
Act = Callable[[Transaction, Sequence[DeadLetter]], Awaitable[None]]


@dataclass(frozen=True)
class Selection:
    """The letters that a command is about: ids, or filters, or all.

    A selection that was shown before is the same again with the time at which it was: ages count from it, and letters
    with ids after `last` came later.
    """

    words: Sequence[str]
    options: LetterOptions
    everything: bool = False
    state: str | None = dead_letters.OPEN
    at: datetime | None = None
    last: int | None = None

    @property
    def text(self) -> str:
        """The selection as it was typed."""
        return " ".join(self.words) or self.options.text or "--all"

    async def ids(self, tx: Transaction) -> list[int]:
        """Return the ids. Raises CommandError if nothing is named, or nothing fits."""
        if self.words and (self.options.text or self.everything):
            raise CommandError(Code.FAILED, "ids and filters exclude each other", hint="oms dead-letters list --help")
        if self.words:
            return sorted(typed_ids(self.words))
        if not self.options.text and not self.everything:
            why = "ids, filters such as --group, or --all select them"
            raise CommandError(Code.FAILED, "no letters are named", why=why, hint="oms dead-letters groups")
        found = await self.options.build(self.at or datetime.now(UTC), self.state).ids(tx)
        found = [id for id in found if self.last is None or id <= self.last]
        if not found:
            await refuse_unknown(tx, self.options)
            raise CommandError(Code.NOTHING, "no dead letter fits", hint=f"oms dead-letters list {self.options.text}")
        return found


async def read_plans(selection: Selection, planner: Planner) -> list[LetterPlan]:
    """Read the selected letters, a few at a time, and plan each. Raises CommandError if an id is unknown."""
    async with connected() as tx:
        ids = await selection.ids(tx)
        if len(ids) > SELECTED_MAX_LETTERS:
            raise CommandError(Code.REFUSED, f"more than {SELECTED_MAX_LETTERS:,} letters", hint="name fewer")
        plans: list[LetterPlan] = []
        for start in range(0, len(ids), TOGETHER):
            some = ids[start : start + TOGETHER]
            rows = {row["id"]: row for row in all_of(some, await dead_letters.read(tx, some))}
            plans += await planner(tx, [rows[id] for id in some])
        return plans


def planned(selection: Selection, planner: Planner) -> list[LetterPlan]:
    """Return what `read_plans` reads."""
    return run(read_plans(selection, planner))


def accepted(
    verb: str, plans: Sequence[LetterPlan], *, skip_refused: bool, dry_run: bool, yes: bool, output: Format
) -> list[LetterPlan]:
    """Show the plan and ask for confirmation. Returns the letters to act on: none after a dry run.

    As JSON the plan of a replay that is carried out is left out, because its outcomes are the one document. Raises
    CommandError if there is an objection to one of the letters, unless those are to be skipped.
    """
    left = [plan for plan in plans if not plan.objection]
    refusal = refusal_of(verb, plans, skip_refused=skip_refused)
    if output is not Format.JSON or verb != "replay" or dry_run or refusal:
        _show_plan(verb, plans, output)
    if refusal is not None:
        raise refusal
    for warning in warnings_of(left):
        say(f"warning: {warning}")
    if dry_run:
        say("dry run: nothing was changed")
        return []
    if not yes:
        confirm(f"{verb} {counted(len(left), 'dead letter')}?")
    return left


def refusal_of(verb: str, plans: Sequence[LetterPlan], *, skip_refused: bool) -> CommandError | None:
    """Return why a plan is not carried out: letters to which there is an objection, unless those are to be skipped."""
    refused = [plan for plan in plans if plan.objection]
    left = len(plans) - len(refused)
    if not refused or (skip_refused and left):
        return None
    return CommandError(
        Code.REFUSED,
        f"cannot {verb} {len(refused)} of {counted(len(plans), 'dead letter')}; nothing was done",
        why="; ".join(f"{plan.id} {plan.objection}" for plan in refused[:5]),
        hint=f"oms dead-letters show {refused[0].id}" + ("; --skip-refused leaves these out" if left else ""),
    )


def warnings_of(plans: Sequence[LetterPlan]) -> list[str]:
    """Return what a person should know before a plan is carried out, each with how many letters it concerns."""
    found = list[str]()
    for warning in dict.fromkeys(plan.warning for plan in plans if plan.warning):
        alike = [plan.id for plan in plans if plan.warning == warning]
        found.append(f"{counted(len(alike), 'letter')} (such as {alike[0]}) {warning}")
    return found


def decide(verb: str, plans: Sequence[LetterPlan], act: Act) -> None:
    """Do what `act_on` does, and say so."""
    run(act_on(plans, act))
    done = {"discard": "discarded", "restore": "restored"}[verb]
    say(f"{done} {counted(len(plans), 'dead letter')} as {database_user()}")


async def act_on(plans: Sequence[LetterPlan], act: Act) -> None:
    """Act on letters, a few at a time, each in one transaction. They are locked and must be as planned.

    Raises CommandError if they are not, which says how many are done.
    """
    async with connected() as tx:
        for start in range(0, len(plans), TOGETHER):
            some = {plan.id: plan.row for plan in plans[start : start + TOGETHER]}
            async with tx.transaction():
                rows = all_of(list(some), await dead_letters.lock(tx, sorted(some)))
                kept = [(row["state"], row["repeats"]) for row in rows]
                if kept != [(some[row["id"]]["state"], some[row["id"]]["repeats"]) for row in rows]:
                    raise changed_meanwhile(start)
                await act(tx, rows)


def changed_meanwhile(done: int = 0) -> CommandError:
    """Return the error for letters that are not as they were planned."""
    what = f"{counted(done, 'letter')} are done, the others are not" if done else "nothing was done"
    hint = "oms dead-letters list --state any, and decide again"
    return CommandError(Code.REFUSED, f"the dead letters changed meanwhile; {what}", hint=hint)


def plan_table(verb: str, plans: Sequence[LetterPlan]) -> list[dict[str, Any]]:
    """Return what would happen to each letter; of many letters, what would happen to each group."""
    lines = _plan_lines(verb, plans)
    return lines if len(plans) <= SHOWN_ONE_BY_ONE else _grouped(plans, lines)


def _show_plan(verb: str, plans: Sequence[LetterPlan], output: Format) -> None:
    if output is Format.JSON:
        write_json(_plan_lines(verb, plans))
        return
    write_rows(plan_table(verb, plans), ONE_BY_ONE if len(plans) <= SHOWN_ONE_BY_ONE else GROUPED)


def _plan_lines(verb: str, plans: Sequence[LetterPlan]) -> list[dict[str, Any]]:
    return [
        summary(plan.row) | {"to": plan.to, "plan": f"refused: {plan.objection}" if plan.objection else verb}
        for plan in plans
    ]


def _grouped(plans: Sequence[LetterPlan], lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for plan, line in zip(plans, lines, strict=True):
        about = {"group": plan.group, **{name: line[name] for name in ("queue", "type", "reason", "error")}}
        about |= {"to": line["to"], "plan": line["plan"]}
        group = groups.setdefault(tuple(about.values()), about | {"letters": 0, "first": plan.id})
        group["letters"] += 1
    return sorted(groups.values(), key=lambda group: -int(group["letters"]))


def confirm(question: str) -> None:
    """Ask the person at the terminal. Raises CommandError if there is none, or if the answer is no."""
    if not sys.stdin.isatty():
        why = "standard input is not a terminal, so the plan cannot be confirmed"
        hint = "the same command with --yes, or with --dry-run"
        raise CommandError(Code.REFUSED, "nothing was done", why=why, hint=hint)
    if not typer.confirm(question, err=True):
        raise CommandError(Code.REFUSED, "nothing was done", why="the answer was no")


def reason_given(verb: str, words: Sequence[str], given: str) -> str:
    """Return the reason to record. Raises CommandError if it is blank or too long."""
    hint = f"oms dead-letters {verb} {' '.join(words[:1])} --reason '...'".replace("  ", " ")
    return reason_to_record(given, hint, why="it is recorded for the next person who looks at the dead letter")


def all_of(ids: Sequence[int], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows. Raises CommandError if one of the ids has no row."""
    missing = sorted(set(ids) - {row["id"] for row in rows})
    if missing:
        named = ", ".join(map(str, missing[:5]))
        hint = "oms dead-letters list --state any"
        raise CommandError(Code.NOTHING, f"no dead letter {named}", why="nothing was done", hint=hint)
    return rows


def summary(row: DeadLetter) -> dict[str, Any]:
    """Return the columns of one line of a list."""
    error = " ".join(str(row[name]) for name in ("error_type", "error_path") if row[name])
    return {
        "id": row["id"],
        "queue": row["queue"],
        "type": row["type"],
        "reason": row["reason"],
        "error": error or None,
        "attempts": row["attempts"],
        "repeats": row["repeats"],
        "state": row["state"],
        "age": age_of(row["died_at"]),
    }


def age_of(at: datetime) -> str:
    """Write how long ago a time was: 40s, 12m, 5h, 3d."""
    seconds = int((datetime.now(UTC) - at).total_seconds())
    for name, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{name}"
    return f"{max(seconds, 0)}s"
