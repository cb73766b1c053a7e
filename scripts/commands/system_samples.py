"""Reads what `oms top` shows: queues from the broker, the rest from the database. What does not answer is left out."""

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from db.pool import Transaction
from db.statements import SQL
from scripts.commands.connections import connected
from scripts.commands.consumers import ConsumerSettings, known_queues, pauses_of
from scripts.commands.explanations import explain
from scripts.commands.queue_readings import QueueFilling, QueueReading, oldest_wait, read_queues

LETTERS_COUNTED_MAX = 100_000  # of each queue, as the rows of the outbox and the timers are


@dataclass
class SystemSample:
    """One reading. `unread` says of a server that did not answer why; then its parts are empty."""

    at: datetime
    queues: list[dict[str, Any]] = field(default_factory=list)
    outbox: dict[str, Any] = field(default_factory=dict)
    timers: dict[str, Any] = field(default_factory=dict)
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    orders_per_minute: dict[str, int] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


async def take_sample(settings: ConsumerSettings, filling: QueueFilling) -> SystemSample:
    """Read both servers, and change nothing. `filling` remembers queues from one reading to the next."""
    sample = SystemSample(datetime.now(UTC))
    paused: set[str] = set()
    try:
        async with connected() as tx, tx.transaction(readonly=True):
            paused = {row["queue"] for row in await pauses_of(tx)}
            await _read_tables(tx, sample)
    except Exception as error:
        sample.unread["database"] = _why(error)
    names = {settings.names.queue(queue): queue for queue in known_queues(settings)}
    names |= {settings.names.unrouted: "unrouted"}
    try:
        readings = await read_queues(settings, names)
    except Exception as error:
        sample.unread["broker"] = _why(error)
        return sample
    filled = filling.seconds({name: one.messages for name, one in readings.items()})
    sample.queues = [
        {
            "queue": queue,
            **asdict(readings[name]),
            **_oldest(readings[name], filled.get(name, 0.0)),
            "paused": queue in paused,
        }
        for name, queue in names.items()
        if name in readings
    ]
    return sample


def _oldest(reading: QueueReading, filled_seconds: float) -> dict[str, Any]:
    """Return the age of the oldest message and how exact it is; both are null if nothing is known of it."""
    seconds, exactness = oldest_wait(reading.messages, reading.out_per_second or 0.0, filled_seconds)
    known = seconds if exactness and seconds else None
    return {"oldest_age_seconds": known, "oldest_age_is": None if known is None else exactness}


async def _read_tables(tx: Transaction, sample: SystemSample) -> None:
    sample.outbox = dict(await tx.fetchrow(SQL["outbox.backlog"]) or {})
    sample.timers = dict(await tx.fetchrow(SQL["timers.backlog"]) or {})
    sample.dead_letters = [dict(row) for row in await tx.fetch(SQL["overview.letters"], LETTERS_COUNTED_MAX)]
    sample.orders_per_minute = {row["state"]: row["orders"] for row in await tx.fetch(SQL["top.orders"])}


def _why(error: Exception) -> str:
    problem = explain(error)
    if problem is None:
        raise error
    return f"{problem}: {problem.why}" if problem.why else str(problem)
