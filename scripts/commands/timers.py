"""`oms timers` shows the timers, has those that are due woken at once, and ends those that nobody needs."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from db.pool import Transaction
from db.statements import SQL
from scripts.commands import command_app
from scripts.commands.connections import connected, person, run
from scripts.commands.decisions import DryRun, Yes
from scripts.commands.durations import seconds_in
from scripts.commands.health_checks import lasting
from scripts.commands.interventions import Reason, agreed, done_by
from scripts.commands.listings import ListFormat, ListOutput, write_list
from scripts.commands.output import Format, Output, counted, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from scripts.commands.recorded_reasons import reason_to_record
from workers.store import interventions
from workers.store.interventions import Intervention
from workers.store.timers import TimerKind

app = command_app("List timers, have some woken at once, and cancel some.")
HINT = "oms timers list --kind payment --within 2h"
ENDS_WITHOUT = {
    TimerKind.SAGA: "an order that stays placing is not rejected",
    TimerKind.PAYMENT: "an order that nobody pays is not cancelled",
    TimerKind.RECEIPT: "the order is completed only when its buyer confirms the receipt",
    TimerKind.ATTEMPT: "the provider is not polled for the payment any more",
    TimerKind.REFUND: "the provider is not polled for the refund any more",
    TimerKind.SHORTAGE: "nobody decides about the shortage if the buyer does not",
    TimerKind.CANCELLING: "nobody is alerted that a warehouse has not answered",
    TimerKind.WAYBILL: "the carrier is not polled or called for the parcel any more",
}
"""Kind -> what follows from its end. `oms repair` starts these again, so cancelling one loses nothing."""
Kind = Annotated[str, typer.Argument(metavar="KIND", help=f"One of {', '.join(TimerKind)}.")]
Keys = Annotated[list[int], typer.Argument(metavar="KEY...", help="The keys that `oms timers list` shows.")]


@app.command("list")
def list_(
    *,
    kind: Annotated[list[str] | None, typer.Option(help=f"Only these, of {', '.join(TimerKind)}.")] = None,
    within: Annotated[
        str, typer.Option(metavar="TIME", help="Those that are woken within this time; 0s: those that are late.")
    ] = "1h",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show at most so many.")] = 50,
    output: ListOutput = ListFormat.TABLE,
) -> None:
    """List the timers that will be woken soon, or should have been, the next first.

    `key` is the id of what waits: an order, a payment attempt, a refund, a waybill, a case, a dispute or a group of
    buyers. `wakes` counts how often timer.due was sent for it in a row, and `next_wake` is when it will be sent again.
    If that was often, no worker handles timer.due, or the timer waits for what `oms order explain ID` names.

    \b
    Examples:
      oms timers list
      oms timers list --within 0s
      oms timers list --kind payment --kind receipt --within 1d -o json
    """
    for name in kind or ():
        _kind(name)
    seconds = seconds_in(within, hint=HINT)

    async def work() -> list[dict[str, object]]:
        async with connected() as tx:
            return [dict(row) for row in await tx.fetch(SQL["doctor.timers"], kind or None, seconds, limit + 1)]

    rows = run(work())
    shown = rows[:limit]
    write_list(shown, output, key="key")
    say(counted(len(shown), "timer") + ("; there are more: add --limit" if len(rows) > limit else ""))


def _intervention(
    name: str, what: Intervention
) -> Callable[[Callable[[TimerKind, Sequence[int]], None]], Callable[..., None]]:
    """Make a command of a function that has its help, and that raises CommandError for timers that must be let be."""

    def made(check: Callable[[TimerKind, Sequence[int]], None]) -> Callable[..., None]:
        def command(
            kind: Kind,
            keys: Keys,
            *,
            reason: Reason = "",
            dry_run: DryRun = False,
            yes: Yes = False,
            output: Output = Format.TABLE,
        ) -> None:
            named = _kind(kind)
            check(named, keys)
            _intervene(what, named, keys, reason, dry_run=dry_run, yes=yes, output=output)

        command.__doc__ = check.__doc__
        return app.command(name)(command)

    return made


@_intervention("fire", Intervention.FIRE_TIMER)
def fire(kind: TimerKind, keys: Sequence[int]) -> None:
    """Have timers that are due woken at once, in place of when they are woken again: a provider is polled now.

    A timer never acts early, so one that is not due is refused. A worker of `timeouts` has to run.

    \b
    Examples:
      oms timers fire refund 379226153377300480 --reason "the provider is back" --dry-run
      oms timers fire attempt $(oms timers list --kind attempt -o ids) --reason "the provider is back" --yes
    """


@_intervention("cancel", Intervention.CANCEL_TIMER)
def cancel(kind: TimerKind, keys: Sequence[int]) -> None:
    """End timers that nobody needs, such as one that keeps waking a handler that fails.

    The plan says what does not happen then. `oms repair` starts a timer again while its order still waits; until then
    `oms stuck` and the audit name orders that lack one. Kinds of which `oms repair` knows nothing are refused.

    \b
    Examples:
      oms timers cancel waybill 379226153377300480 --reason "carrier closed, OPS-12" --dry-run
      oms timers cancel waybill 379226153377300480 --reason "carrier closed, OPS-12" --yes
    """
    if kind not in ENDS_WITHOUT:
        why = "nothing would start it again, and what it watches would wait for ever"
        hint = f"oms timers fire {kind} {keys[0]} --reason '...'"
        raise CommandError(Code.REFUSED, f"a timer of kind {kind} is not cancelled by hand", why=why, hint=hint)


def _intervene(
    what: Intervention, kind: TimerKind, keys: Sequence[int], reason: str, *, dry_run: bool, yes: bool, output: Format
) -> None:
    """Show the plan, ask, then do it. Who did it, and why, is recorded in the same transaction."""
    firing, wanted = what is Intervention.FIRE_TIMER, sorted(set(keys))
    verb = "fire" if firing else "cancel"
    given = reason if dry_run else reason_to_record(reason, f"oms timers {verb} {kind} {wanted[0]} --reason '...'")

    async def work(*, act: bool) -> list[dict[str, Any]]:
        async with connected() as tx, tx.transaction():
            rows = await _chosen(tx, kind, wanted)
            plans = [_planned(kind, row, firing=firing) for row in rows]
            if act and not any(plan["plan"].startswith("refused") for plan in plans):
                await tx.execute(SQL["timers.fire" if firing else "timers.cancel"], kind, wanted)
                await interventions.record(tx, what, [f"{kind} {key}" for key in wanted], person(), given)
            return plans

    plans = run(work(act=False))
    write_json(plans) if output is Format.JSON else write_table(plans)
    _refuse(plans, verb)
    if agreed(f"{verb} {counted(len(plans), 'timer')}?", dry_run=dry_run, yes=yes):
        _refuse(run(work(act=True)), verb)
        undo = "" if firing else "\n  next: oms repair, which starts them again while their orders wait"
        say(f"{'fired' if firing else 'cancelled'} {counted(len(plans), 'timer')} as {done_by()}{undo}")


async def _chosen(tx: Transaction, kind: TimerKind, keys: Sequence[int]) -> Sequence[Mapping[str, Any]]:
    """Lock the timers and return them. Raises CommandError if one does not run."""
    rows = await tx.fetch(SQL["timers.chosen"], kind, keys)
    if missing := sorted(set(keys) - {row["key"] for row in rows}):
        named = ", ".join(map(str, missing[:5]))
        raise CommandError(Code.NOTHING, f"no {kind} timer {named} runs", why="nothing was done", hint=HINT)
    return [dict(row) for row in rows]


def _planned(kind: TimerKind, row: Mapping[str, Any], *, firing: bool) -> dict[str, Any]:
    left: datetime = row["due_at"]
    plan = "woken at once" if firing else f"ended; {ENDS_WITHOUT[kind]}"
    if firing and not row["due"]:
        plan = f"refused: it is due in {lasting((left - row['now']).total_seconds())}, and a timer never acts early"
    return {"kind": str(kind), **{name: row[name] for name in ("key", "due_at", "wakes", "next_wake")}, "plan": plan}


def _refuse(plans: Sequence[Mapping[str, Any]], verb: str) -> None:
    refused = [plan for plan in plans if plan["plan"].startswith("refused: ")]
    if refused:
        first = refused[0]
        raise CommandError(
            Code.REFUSED,
            f"cannot {verb} {len(refused)} of {counted(len(plans), 'timer')}; nothing was done",
            why=f"{first['key']}: {first['plan'].removeprefix('refused: ')}",
            hint=f"oms timers list --kind {first['kind']} --within 0s",
        )


def _kind(name: str) -> TimerKind:
    if name not in set(TimerKind):
        why = f"the kinds are: {', '.join(TimerKind)}"
        raise CommandError(Code.FAILED, f"there is no kind of timer {name}", why=why, hint=HINT)
    return TimerKind(name)
