"""`oms outbox` shows what waits in the outbox, has held messages tried again, and holds others."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from db.statements import SQL
from outbox.announcement import MUST_ROUTE
from outbox.outcome import PublishOutcome
from scripts.commands import command_app
from scripts.commands.connections import connected, person, run
from scripts.commands.decisions import DryRun, Yes
from scripts.commands.durations import seconds_in
from scripts.commands.health_checks import lasting
from scripts.commands.interventions import Reason, agreed, done_by
from scripts.commands.output import Format, Output, counted, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from scripts.commands.recorded_reasons import reason_to_record, short_enough
from workers.store import interventions
from workers.store.interventions import Intervention

app = command_app("Show what waits in the outbox, retry messages that the broker does not take, and hold others.")

BY_HAND = "by_hand"
REASONS = sorted([*(outcome for outcome in PublishOutcome if outcome.concerns_message), BY_HAND])
HOLD_MAX_SECONDS = 7 * 86_400
Ids = Annotated[list[int], typer.Argument(help="The ids that `oms outbox list` shows.")]


@app.command("status")
def status(
    *,
    max_age: Annotated[
        str | None, typer.Option(metavar="TIME", help="Exit with 3 if the oldest message waits for longer: 30s, 5m.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Show how much waits, for how long, what is held, and which relays publish.

    \b
    Examples:
      oms outbox status
      oms outbox status --max-age 60s
      oms outbox status -o json | jq .oldest_age_seconds
    """
    limit_seconds = None if max_age is None else seconds_in(max_age, hint="oms outbox status --max-age 60s")

    async def work() -> dict[str, Any]:
        async with connected() as tx, tx.transaction(readonly=True):
            found = dict(await tx.fetchrow(SQL["outbox.backlog"]) or {}) | {"held": {}, "live_relays": []}
            found["held"] = {row["destination"]: row["held"] for row in await tx.fetch(SQL["outbox.held_rows"])}
            found["live_relays"] = [
                dict(row) for row in await tx.fetch(SQL["outbox.relays"]) if row["live_seconds"] > 0
            ]
            return found

    found = run(work())
    age = found["oldest_age_seconds"]
    if output is Format.JSON:
        write_json(found)
    else:
        oldest = lasting(age) if found["pending"] else "-"
        write_table([{"waiting": found["pending"], "oldest": oldest, "held_streams": found["held_streams"]}])
        write_table([{"held for": name, "messages": held} for name, held in found["held"].items()], title="\nheld")
        relays = [row | {"live_seconds": round(row["live_seconds"], 1)} for row in found["live_relays"]]
        write_table(relays, title="\nrelays")
    if not found["relays"]:
        say("no relay is alive, so nothing leaves\n  next: oms relay")
    if found["held_streams"]:
        say("  next: oms outbox list")
    if limit_seconds is not None and age > limit_seconds:
        say(f"the oldest message waits for {lasting(age)}, longer than {max_age}")
        raise typer.Exit(Code.DIFFERENT)


@app.command("list")
def list_(
    *,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Those that are not held, in place of those that are.")
    ] = False,
    destination: Annotated[str | None, typer.Option(help=f"Only for this one: {', '.join(MUST_ROUTE)}.")] = None,
    reason: Annotated[str | None, typer.Option(help=f"Only with this reason: {', '.join(REASONS)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show at most so many.")] = 50,
    output: Output = Format.TABLE,
) -> None:
    """List the messages that are held, the oldest first, without their bodies.

    `behind` is the number of messages of the same order that wait for this one. `refused` and `error` stand for
    messages that fail whenever they are sent, and `by_hand` for those that a person holds; the others go out as soon as
    their queue or exchange takes them. `--waiting` lists what no relay has published yet.

    \b
    Examples:
      oms outbox list
      oms outbox list --waiting --limit 5
      oms outbox list --reason refused
      oms outbox list --destination reply -o json | jq '.[].routing_key'
    """
    _refuse_unknown("destination", destination, list(MUST_ROUTE))
    _refuse_unknown("reason", reason, REASONS)

    async def work() -> tuple[list[dict[str, Any]], int]:
        async with connected() as tx:
            if waiting:
                rows = await tx.fetch(SQL["outbox.list_waiting"], destination, limit)
                return [dict(row) for row in rows], len(rows)
            rows = await tx.fetch(SQL["outbox.list_held"], destination, reason, limit)
            return [dict(row) for row in rows], await tx.fetchval(SQL["outbox.count_held"], destination, reason)

    rows, total = run(work())
    write_json(rows) if output is Format.JSON else write_table(rows)
    if waiting:
        say(counted(total, "waiting message") + ("; there may be more: add --limit" if total == limit else ""))
        return
    hidden = f", of which the oldest {len(rows)} are shown; --limit shows more" if total > len(rows) else ""
    say(counted(total, "held message") + hidden)
    if rows and output is Format.TABLE:
        by_hand = "; oms interventions says who holds it, and why" if rows[0]["reason"].startswith("by_hand") else ""
        say(f"  next: oms outbox retry {rows[0]['id']}, once the reason is gone{by_hand}")


@app.command("retry")
def retry(ids: Ids, *, reason: Reason = "", output: Output = Format.TABLE) -> None:
    """Try held messages again at once. It does no harm: one that is refused again is held again.

    This also ends what `oms outbox hold` began. It is recorded.

    \b
    Examples:
      oms outbox retry 4711
      oms outbox retry $(oms outbox list --reason nacked -o json | jq '.[].id')
    """
    wanted = sorted(set(ids))
    given = short_enough(reason, f"oms outbox retry {wanted[0]} --reason '...'")

    async def work() -> list[int]:
        async with connected() as tx, tx.transaction():
            freed = [row["id"] for row in await tx.fetch(SQL["outbox.retry"], wanted)]
            if missing := sorted(set(wanted) - set(freed)):
                named = ", ".join(map(str, missing[:5]))
                raise CommandError(
                    Code.NOTHING, f"no held message {named}", why="nothing was done", hint="oms outbox list"
                )
            about = given or "to be tried again"
            await interventions.record(tx, Intervention.RETRY_MESSAGE, map(str, freed), person(), about)
        return freed

    freed = run(work())
    if output is Format.JSON:
        write_json([{"id": id} for id in freed])
    say(f"{counted(len(freed), 'message')} will be tried again at once")


@app.command("hold")
def hold(
    ids: Annotated[list[int], typer.Argument(help="The ids that `oms outbox list --waiting` shows.")],
    *,
    reason: Reason = "",
    lasts: Annotated[
        str, typer.Option("--for", metavar="TIME", help="Then they leave by themselves: 30m, 2h, 7d.")
    ] = "1h",
    dry_run: DryRun = False,
    yes: Yes = False,
    output: Output = Format.TABLE,
) -> None:
    """Keep messages from leaving for a time, each with all that follows in its stream.

    Events of one order are one stream, so all of its events wait. Other orders go on. What a relay has read already may
    leave still. `oms outbox retry` lets a message go before its time.

    \b
    Examples:
      oms outbox hold 4711 --reason "the subscriber is being mended" --for 2h --dry-run
      oms outbox hold 4711 --reason "the subscriber is being mended" --for 2h --yes
    """
    hint = f"oms outbox hold {ids[0]} --for 2h --reason '...'"
    given, seconds = reason if dry_run else reason_to_record(reason, hint), seconds_in(lasts, hint=hint)
    if seconds > HOLD_MAX_SECONDS:
        raise CommandError(Code.REFUSED, f"{lasts} is too long", why="a hold lasts at most 7 days", hint=hint)

    async def work(*, act: bool) -> list[dict[str, Any]]:
        async with connected() as tx, tx.transaction():
            rows = [dict(row) for row in await tx.fetch(SQL["outbox.streams_of"], sorted(set(ids)))]
            if missing := sorted(set(ids) - {row["id"] for row in rows}):
                named = ", ".join(map(str, missing[:5]))
                why = "nothing was done; a message that left cannot be held"
                raise CommandError(Code.NOTHING, f"no message {named}", why=why, hint="oms outbox list --waiting")
            if act:
                streams = list({row["stream"]: row for row in rows}.values())
                columns = ([row[name] for row in streams] for name in ("stream", "shard", "destination", "routing_key"))
                await tx.execute(SQL["outbox.hold_by_hand"], *columns, seconds)
                about = [str(row["id"]) for row in rows]
                await interventions.record(tx, Intervention.HOLD_MESSAGE, about, person(), given)
            return rows

    rows = run(work(act=False))
    write_json(rows) if output is Format.JSON else write_table(rows)
    if agreed(f"hold {counted(len(rows), 'message')} for {lasts}?", dry_run=dry_run, yes=yes):
        run(work(act=True))
        say(
            f"held {counted(len(rows), 'message')} for {lasts} as {done_by()}\n  next: oms outbox retry {rows[0]['id']}"
        )


def _refuse_unknown(name: str, value: str | None, known: Sequence[str]) -> None:
    if value is not None and value not in known:
        why = f"the {name}s are: {', '.join(known)}"
        raise CommandError(Code.FAILED, f"there is no {name} {value}", why=why, hint=f"oms outbox list --{name} ...")
