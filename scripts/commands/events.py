"""`oms events` reads the kept events, sends them to a new consumer, and compares them with the database."""

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Any

import orjson
import typer

from messages.event_history import EVENT_HISTORY
from scripts.commands import command_app
from scripts.commands.connections import BrokerSettings, connected, run
from scripts.commands.event_reading import KeptEvent, Start, end_of, kept, opened
from scripts.commands.event_sending import EventSender, refuse_own
from scripts.commands.event_verification import Comparison, compare
from scripts.commands.output import Format, Output, counted, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from scripts.screens.order_search import moment_of
from workers.domain.order_folding import AnnouncedFact, OrderFolding, step_number

app = command_app("Read kept events, give them to a new consumer, compare them with the database.")
PROGRESS_EVENTS = 50_000
GRACE_SECONDS = 60.0
REPLAY = "oms events replay"


class EventFormat(StrEnum):
    """The formats of events: one JSON document a line as they are read, or one document or table at the end."""

    NDJSON = "ndjson"
    JSON = "json"
    TABLE = "table"


@dataclass(frozen=True)
class EventFilter:
    """Which events a person wants. Times are those at which the events happened."""

    since: datetime | None = None
    until: datetime | None = None
    order: str | None = None
    type: str = "*"
    user: str | None = None

    def takes(self, event: KeptEvent) -> bool:
        """True for an event that fits everything that was given."""
        body = event.body
        about = (body.get("order_id"), body.get("parent_id"), *body.get("order_ids", ()))
        return (
            (self.since is None or event.occurred_at >= self.since)
            and (self.until is None or event.occurred_at < self.until)
            and (self.order is None or self.order in map(str, about))
            and (self.user is None or body.get("user_id") == self.user)
            and any(fnmatchcase(name, self.type) for name in (event.type, event.type.rsplit(".", 1)[0]))
        )


@dataclass
class Reading:
    """How far a reading has come."""

    end: int | None = None
    read: int = 0
    taken: int = 0
    offset: int = -1


@app.command("replay")
def replay(
    *,
    start: Annotated[str, typer.Option("--from", help="first, an offset, a time, or so long ago: 3d, 2h, 30m.")],
    until: Annotated[str | None, typer.Option("--to", help="Only events from before this time.")] = None,
    order: Annotated[str | None, typer.Option(help="Only events about the order with this id.")] = None,
    type: Annotated[str, typer.Option(help="Only of this type, such as order.paid or order.*.")] = "*",
    user: Annotated[str | None, typer.Option(help="Only events that name this user.")] = None,
    queue: Annotated[
        str | None, typer.Option(help="Send them to this queue of a consumer, in place of printing.")
    ] = None,
    output: Annotated[
        EventFormat, typer.Option("--output", "-o", help="Write lines of JSON, one JSON, or a table.")
    ] = (EventFormat.NDJSON),
) -> None:
    """Print kept events in the order in which they were published, up to the newest at the start.

    With --queue they go to that queue instead, and to no other: each keeps its message id, by which a consumer drops
    those that it had before. At the end the command prints the offset from which a later one goes on. Reading takes
    nothing out of the stream; the broker users oms-oncall and oms-worker may, and oms-worker may send.

    \b
    Examples:
      oms events replay --from first --order 379226153377300480 -o table
      oms events replay --from 2h --type 'order.*' | jq .body.state
      oms events replay --from 120000 --queue client.ledger.orders
    """
    now = datetime.now(UTC)
    place = _place(start, now)
    if queue is not None:
        refuse_own(queue, BrokerSettings(amqp_url="amqp://").names)
    wanted = EventFilter(
        since=place if isinstance(place, datetime) else None,
        until=None if until is None else moment_of(until, "--from first --to", now, REPLAY),
        order=order,
        type=type,
        user=user,
    )
    reading = Reading()
    run(forward(place, wanted, queue, reading) if queue else _print(place, wanted, output, reading))
    if reading.end is None:
        say("the event history is empty")
        return
    does = f"sent to {queue}" if queue else "printed"
    say(f"read {counted(reading.read, 'event')}, of which {reading.taken} {does}")
    say(f"  next: --from {max(reading.offset, reading.end) + 1} goes on with those that come later")


@app.command("verify")
def verify(
    *,
    order: Annotated[str | None, typer.Option(help="Only the order with this id.")] = None,
    since: Annotated[str | None, typer.Option(help="Only events since this time, or so long ago: 3d, 2h, 30m.")] = None,
    grace_seconds: Annotated[
        float, typer.Option(min=0, help="Orders that changed so recently are left out: events may be under way.")
    ] = GRACE_SECONDS,
    output: Output = Format.TABLE,
) -> None:
    """Compare what the kept events say of orders with the database.

    The events of each order must have no gap and no jump, and lead to its state, version, amounts and refunds. Of an
    order whose first events are not kept any more, refunds are not compared. The command exits with 3 if something
    differs. It only reads.

    \b
    Examples:
      oms events verify
      oms events verify --since 1d
      oms events verify --order 379226153377300480 -o json
    """
    now = datetime.now(UTC)
    place: Start = "first" if since is None else moment_of(since, "--since", now, "oms events verify")
    compared, orders = run(_verify(place, order, grace_seconds, now))
    if not orders:
        why = "no event of such orders is kept"
        hint = "oms events replay --from first -o table"
        raise CommandError(Code.NOTHING, "there is nothing to compare", why=why, hint=hint)
    rows = [asdict(one) for one in compared.found]
    write_json(rows) if output is Format.JSON else write_table(rows)
    if compared.under_way:
        say(f"{counted(compared.under_way, 'order')} changed in the last {grace_seconds:g} s, and left out")
    if rows:
        wrong = counted(len({one.order for one in compared.found}), "order")
        say(f"oms: of {orders}, {wrong} differ\n  next: oms order show ID; oms outbox list shows events that are held")
        raise typer.Exit(Code.DIFFERENT)
    say(f"the events of {counted(orders, 'order')} agree with the database")


async def _verify(place: Start, order: str | None, grace_seconds: float, now: datetime) -> tuple[Comparison, int]:
    """Fold the events, then compare: the database is read after the stream, so it is never behind it."""
    folding = OrderFolding()
    async for event in chosen(place, EventFilter(order=order), Reading()):
        folding.take(AnnouncedFact(event.message_id, event.type, step_number(event.type, event.body), event.body))
    orders = {key: one for key, one in folding.orders.items() if order in (None, str(key))}
    async with connected() as tx:
        return await compare(tx, orders, now=now, grace_seconds=grace_seconds), len(orders)


def _place(text: str, now: datetime) -> Start:
    """Return where to begin. Raises CommandError for a time in the future, or a text that is no place."""
    if text == "first":
        return text
    if text.isdecimal():
        return int(text)
    at = moment_of(text, "--from", now, REPLAY)
    if at > now:
        raise CommandError(Code.FAILED, f"{text} is in the future", hint="oms events replay --from 2h")
    return at


async def _print(place: Start, wanted: EventFilter, output: EventFormat, reading: Reading) -> None:
    rows: list[KeptEvent] = []
    async for event in chosen(place, wanted, reading):
        if output is EventFormat.NDJSON:
            typer.echo(orjson.dumps(described(event)))
        else:
            rows.append(event)
    if output is EventFormat.JSON:
        write_json([described(event) for event in rows])
    elif output is EventFormat.TABLE:
        write_table([_short(event) for event in rows])


async def forward(place: Start, wanted: EventFilter, queue: str, reading: Reading) -> None:
    """Send the events that are wanted to a queue, in their order."""
    async with EventSender.opened(BrokerSettings(), queue) as sender:
        async for event in chosen(place, wanted, reading):
            await sender.send(event)


async def chosen(place: Start, wanted: EventFilter, reading: Reading) -> AsyncIterator[KeptEvent]:
    """Yield the events that are wanted, and count what is read. Long readings print how far they have come."""
    settings = BrokerSettings()
    stream = settings.names.queue(EVENT_HISTORY)
    async with opened(settings, name="oms events") as connection:
        reading.end = await end_of(connection, stream)
        if reading.end is None:
            return
        async for event in kept(connection, stream, place, reading.end):
            reading.read, reading.offset = reading.read + 1, event.offset
            if wanted.takes(event):
                reading.taken += 1
                yield event
            if reading.read % PROGRESS_EVENTS == 0:
                say(f"read {reading.read} events, at offset {event.offset} of {reading.end}")


def described(event: KeptEvent) -> dict[str, Any]:
    """Return the event as programs read it."""
    return {
        "offset": event.offset,
        "type": event.type,
        "message_id": event.message_id,
        "correlation_id": event.correlation_id,
        "occurred_at": event.occurred_at.isoformat(),
        "stream": event.stream,
        "seq": event.seq,
        "body": event.body,
    }


def _short(event: KeptEvent) -> dict[str, Any]:
    body = event.body
    return {
        "offset": event.offset,
        "occurred_at": event.occurred_at,
        "type": event.type,
        "order": body.get("order_id"),
        "seq": event.seq,
        "state": body.get("state"),
    }
