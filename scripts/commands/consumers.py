"""`oms consumers` shows who takes the messages of each queue, and pauses and resumes queues."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from db.pool import Transaction
from db.statements import SQL
from scripts.commands import command_app
from scripts.commands.connections import BrokerSettings, connected, person, run
from scripts.commands.decisions import DryRun, Yes
from scripts.commands.explanations import explain
from scripts.commands.health_checks import lasting
from scripts.commands.interventions import Reason, agreed, done_by
from scripts.commands.listings import ListFormat, ListOutput, write_list
from scripts.commands.output import Format, Output, counted, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from scripts.commands.queue_readings import QueueReading, read_queues
from scripts.commands.recorded_reasons import reason_to_record
from workers.routes import ROUTES, STOCK_DATABASE, with_carriers, with_media
from workers.store import interventions
from workers.store.interventions import Intervention

app = command_app("Show who takes the messages of each queue, and pause and resume queues.")
Queues = Annotated[list[str], typer.Argument(metavar="QUEUE...", help="Queues, without the prefix: stock.")]
FOLLOWS = {
    "order-creation": "no order is placed, and buyers get no answer",
    "stock": "new orders stay placing; each is rejected after OMS_SAGA_DEADLINE_SECONDS",
    "stock-results": "new orders stay placing; each is rejected after OMS_SAGA_DEADLINE_SECONDS",
    "payment-results": "paid orders stay unpaid; payment timers wait for this queue, so none is cancelled for it",
    "timeouts": "no order is cancelled, completed or polled in time",
    "queries": "queries get no answer; each expires after 30 s",
}
"""Queue -> what follows while it is paused. Of the others the messages wait, and are handled late."""


class ConsumerSettings(BrokerSettings):
    """The settings of the workers that say which queues there are and where they keep their rows."""

    amqp_url: SecretStr = SecretStr("")
    stock_database_url: SecretStr | None = None


def known_queues(settings: BrokerSettings) -> list[str]:
    """Return the queues that workers serve, without the prefix."""
    return [one.queue for one in with_media(with_carriers(ROUTES, settings.carriers), settings.notifications)]


@app.command("list")
def list_(
    *,
    paused: Annotated[bool, typer.Option("--paused", help="Only those that a person has paused.")] = False,
    output: ListOutput = ListFormat.TABLE,
) -> None:
    """List the queues with their messages and consumers, and who has paused which, since when and why.

    Those that nobody consumes come first, then those in which the most messages wait.

    The numbers come from the broker: from OMS_MANAGEMENT_URL, else from OMS_AMQP_URL. Without both they are left out.

    \b
    Examples:
      oms consumers list
      oms consumers list --paused -o json
      oms consumers list -o json | jq '.[] | select(.state == "no consumer" and .messages > 0)'
    """
    settings = ConsumerSettings()
    pauses = {row["queue"]: row for url in _databases(settings) for row in run(_read_pauses(url))}
    names = {queue: settings.names.queue(queue) for queue in known_queues(settings) if not paused or queue in pauses}
    counts = _counts(settings, list(names.values()))
    rows = [_row(queue, pauses.get(queue), counts.get(name)) for queue, name in names.items()]
    write_list(urgent_first(rows), output, key="queue")
    say(f"{counted(len(rows), 'queue')}, {len(pauses)} paused")


def urgent_first(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the rows of queues that nobody consumes, then those of the others: where most messages wait first."""
    return sorted(rows, key=lambda row: (row["state"] == "consumed", -(row["messages"] or 0)))


@app.command("pause")
def pause(
    queues: Queues, *, reason: Reason = "", dry_run: DryRun = False, yes: Yes = False, output: Output = Format.TABLE
) -> None:
    """Have no worker take messages of these queues, until they are resumed: not even one that starts meanwhile.

    All workers obey within some seconds, and finish what they have. Messages wait at the broker, and none uses up a
    try. A worker whose queue is paused stays live and ready. `oms doctor`, `oms consumers list` and the metric
    oms_consumer_paused_by_hand show it.

    \b
    Examples:
      oms consumers pause shipping-updates --reason "the carrier sends wrong facts, OPS-7" --dry-run
      oms consumers pause shipping-updates --reason "the carrier sends wrong facts, OPS-7" --yes
    """
    _change(Intervention.PAUSE_CONSUMER, queues, reason, dry_run=dry_run, yes=yes, output=output)


@app.command("resume")
def resume(
    queues: Queues, *, reason: Reason = "", dry_run: DryRun = False, yes: Yes = False, output: Output = Format.TABLE
) -> None:
    """Have workers take the messages of these queues again.

    \b
    Examples:
      oms consumers resume shipping-updates --reason "mended" --yes
      oms consumers resume $(oms consumers list --paused -o ids) --reason "mended" --dry-run
    """
    _change(Intervention.RESUME_CONSUMER, queues, reason, dry_run=dry_run, yes=yes, output=output)


def _change(
    what: Intervention, queues: Sequence[str], reason: str, *, dry_run: bool, yes: bool, output: Format
) -> None:
    """Show the plan, ask, then do it. Who did it, and why, is recorded in the same transaction."""
    settings, wanted = ConsumerSettings(), list(dict.fromkeys(queues))
    pausing = what is Intervention.PAUSE_CONSUMER
    verb = "pause" if pausing else "resume"
    if unknown := sorted(set(wanted) - set(known_queues(settings))):
        close = get_close_matches(unknown[0].removeprefix(f"{settings.prefix}."), known_queues(settings))
        why = (f"near it are {', '.join(close)}; " if close else "") + "oms consumers list has all queues"
        hint = f"oms consumers {verb} {close[0]} --reason '...'" if close else "oms consumers list"
        raise CommandError(Code.FAILED, f"no worker serves {unknown[0]}", why=why, hint=hint)
    given = reason if dry_run else reason_to_record(reason, f"oms consumers {verb} {wanted[0]} --reason '...'")
    paused = {row["queue"] for url in _databases(settings) for row in run(_read_pauses(url))}
    plans = [{"queue": queue, "plan": _planned(queue, paused, pausing=pausing)} for queue in wanted]
    write_json(plans) if output is Format.JSON else write_table(plans)
    changed = [queue for queue in wanted if (queue in paused) is not pausing]
    if not changed:
        say(f"nothing to {verb}")
        return
    if agreed(f"{verb} {counted(len(changed), 'queue')}?", dry_run=dry_run, yes=yes):
        for queue in changed:
            run(_write(what, queue, given, _database_of(queue, settings)))
        say(f"{'paused' if pausing else 'resumed'} {', '.join(changed)} as {done_by()}; workers obey within 5 s")
        if pausing:
            say(f"  next: oms consumers resume {' '.join(changed)} --reason '...'")


def _planned(queue: str, paused: set[str], *, pausing: bool) -> str:
    if (queue in paused) is pausing:
        return "it is paused already" if pausing else "it is not paused"
    return FOLLOWS.get(queue, "its messages wait") if pausing else "its messages are taken again"


async def _write(what: Intervention, queue: str, reason: str, url: str | None) -> None:
    async with connected(url=url) as tx, tx.transaction():
        if what is Intervention.PAUSE_CONSUMER:
            await tx.execute(SQL["consumer_pauses.pause"], [queue], person(), reason)
        else:
            await tx.execute(SQL["consumer_pauses.resume"], [queue])
        await interventions.record(tx, what, [queue], person(), reason)


def say_pauses() -> None:
    """Name each queue that a person has paused, with who did it and why: what waits may wait for one of them."""
    settings = ConsumerSettings()
    try:
        pauses = [row for url in _databases(settings) for row in run(_read_pauses(url))]
    except Exception as error:
        problem = explain(error)
        if problem is None:
            raise
        say(problem.text)
        return
    for one in pauses:
        lasted = f"{lasting(one['lasted_seconds'])} by {_by(one)}: {one['reason']}"
        say(f"a person has paused the queue {one['queue']}, for {lasted}")
        say(f"  why:  {FOLLOWS.get(one['queue'], 'its messages wait')}")
        say(f"  next: oms consumers resume {one['queue']} --reason '...', once its reason is gone")


async def _read_pauses(url: str | None) -> list[dict[str, Any]]:
    async with connected(url=url) as tx:
        return await pauses_of(tx)


async def pauses_of(tx: Transaction) -> list[dict[str, Any]]:
    """Return the pauses of a database: the queue, who paused it, why, and for how long it has been so."""
    return [dict(row) for row in await tx.fetch(SQL["consumer_pauses.list"])]


def _databases(settings: ConsumerSettings) -> list[str | None]:
    return list(dict.fromkeys([None, _database_of(STOCK_DATABASE, settings)]))


def _database_of(queue: str, settings: ConsumerSettings) -> str | None:
    """The database of a queue; None is OMS_DATABASE_URL. Stock may have one of its own."""
    apart = settings.stock_database_url if queue == "stock" else None
    return apart.get_secret_value() if apart else None


def _counts(settings: BrokerSettings, names: Sequence[str]) -> Mapping[str, QueueReading]:
    """What the broker says of the queues; nothing, with a message, if it cannot be looked at."""
    if not (settings.management_url.get_secret_value() or settings.amqp_url.get_secret_value()):
        say("the broker was not looked at\n  next: export OMS_MANAGEMENT_URL=http://user:password@host:15672")
        return {}
    try:
        return run(read_queues(settings, names))
    except Exception as error:
        problem = explain(error)
        if problem is None:
            raise
        say(problem.text)
        return {}


def _row(queue: str, pause: Mapping[str, Any] | None, count: QueueReading | None) -> dict[str, Any]:
    state = "paused" if pause else "-" if count is None else "consumed" if count.consumers else "no consumer"
    return {
        "queue": queue,
        "messages": None if count is None else count.messages,
        "consumers": None if count is None else count.consumers,
        "state": state,
        "for": lasting(pause["lasted_seconds"]) if pause else None,
        "by": _by(pause) if pause else None,
        "reason": pause["reason"] if pause else None,
    }


def _by(pause: Mapping[str, Any]) -> str:
    return f"{pause['actor']} ({pause['note']})" if pause["note"] else str(pause["actor"])
