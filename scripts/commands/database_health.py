"""Reads from the database what `oms doctor` judges, and judges it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
from pydantic import SecretStr

from db.pool import Transaction
from db.settings import DatabaseSettings
from db.statements import SQL
from scripts.commands.connections import connected, database_url
from scripts.commands.explanations import database_unusable
from scripts.commands.health_checks import HealthCheck, Observation, lasting, named, unseen, well, wrong
from scripts.commands.output import counted
from workers.watch_settings import WatchSettings

if TYPE_CHECKING:
    from db.migrate import SchemaStatus

SKEW_MAX_SECONDS = 2.0  # machines that keep their time differ by some ms
PARTITIONS_LEFT_MIN = timedelta(days=14)  # a migration makes four weeks at least, a worker three months
OUTBOX_AGE_MAX_SECONDS = 60.0  # as the alerts of scripts/README.md
TIMER_LAG_MAX_SECONDS = 30.0
TABLES = "tables"
UNMIGRATED = unseen("the tables are not those of this version", next="oms migrate, then oms doctor again")


class DoctorSettings(WatchSettings):
    """The settings of the workers that `oms doctor` needs, without the broker."""

    amqp_url: SecretStr = SecretStr("")


@dataclass(frozen=True)
class LetterAges:
    """The open dead letters, the age of the oldest, and the age from which one is old."""

    open: int = 0
    oldest_age_seconds: float = 0.0
    old_seconds: int = 86_400


@dataclass(frozen=True)
class DatabaseReadings:
    """What was read from the database. Without the tables of this version, what is in them is `unread`."""

    schema: "SchemaStatus"
    lock_slots_min: int
    lock_slots: int
    standby: bool
    skew_seconds: float
    """How far the server's clock is ahead of ours, beyond what the round trip explains."""
    now: datetime
    partitions_until: datetime | None = None
    outbox: Mapping[str, Any] = field(default_factory=dict)
    timers: Mapping[str, Any] = field(default_factory=dict)
    letters: LetterAges = LetterAges()
    pauses: Sequence[Mapping[str, Any]] = ()
    unread: Mapping[str, Observation] = field(default_factory=dict)


async def read_database() -> DatabaseReadings:
    """Read it, and change nothing. Raises what connecting and reading raise."""
    url = database_url(DatabaseSettings())
    async with connected() as tx:  # first, because it has a time limit
        server, skew_seconds = await _server(tx)
        schema, slots_min = await asyncio.to_thread(_schema, url)
        read: dict[str, Any] = {"unread": {TABLES: UNMIGRATED}}
        try:
            async with tx.transaction(readonly=True):
                read = await _tables(tx)
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError):
            if not schema.pending:
                raise
    return DatabaseReadings(schema=schema, lock_slots_min=slots_min, skew_seconds=skew_seconds, **server, **read)


async def _server(tx: Transaction) -> tuple[dict[str, Any], float]:
    before = datetime.now(UTC)
    row = await tx.fetchrow(SQL["doctor.server"])
    after = datetime.now(UTC)
    assert row is not None, "the statement returns one row"
    return dict(row), skew_seconds(before, row["now"], after)


def skew_seconds(before: datetime, theirs: datetime, after: datetime) -> float:
    """Return how far their clock is ahead of ours at least; 0 if it may show the same time."""
    if theirs > after:
        return (theirs - after).total_seconds()
    return min((theirs - before).total_seconds(), 0.0)


def _schema(url: str) -> "tuple[SchemaStatus, int]":
    import psycopg  # noqa: PLC0415 (only `oms migrate` and this need what migrations need)

    from db import migrate  # noqa: PLC0415

    try:
        return migrate.status(url), migrate.LOCK_SLOTS_MIN
    except psycopg.Error as error:
        raise database_unusable(error) from error


async def _tables(tx: Transaction) -> dict[str, Any]:
    letters = await tx.fetch(SQL["dead_letters.open_counts"])
    return {
        "partitions_until": await tx.fetchval(SQL["order_partitions.last"]),
        "outbox": dict(await tx.fetchrow(SQL["outbox.backlog"]) or {}),
        "pauses": await tx.fetch(SQL["consumer_pauses.list"]),
        "timers": dict(await tx.fetchrow(SQL["timers.backlog"]) or {}),
        "letters": LetterAges(
            sum(row["open"] for row in letters),
            max((row["oldest_age_seconds"] for row in letters), default=0.0),
            DoctorSettings().dead_letters_old_seconds,
        ),
    }


def _answers(read: DatabaseReadings) -> Observation:
    return wrong("it is a standby, which takes no writes") if read.standby else well("it answers, and takes writes")


def _migrations(read: DatabaseReadings) -> Observation:
    at, newest = read.schema.revision, read.schema.newest
    if pending := read.schema.pending:
        numbers = named(number for number, _ in pending)
        return wrong(f"{counted(len(pending), 'migration')} missing: {numbers}; the schema is at {at or 'nothing'}")
    if at != newest:
        hint = "oms --version; then run the version that migrated it"
        return wrong(f"the schema is at {at}, newer than {newest}, the newest that this version knows", hint)
    return well(f"the schema is at {at}, the newest")


def _lock_slots(read: DatabaseReadings) -> Observation:
    text = f"all transactions together can hold {read.lock_slots} locks"
    return well(text) if read.lock_slots >= read.lock_slots_min else wrong(f"{text}, fewer than {read.lock_slots_min}")


def _clock(read: DatabaseReadings) -> Observation:
    skew = read.skew_seconds
    if abs(skew) <= SKEW_MAX_SECONDS:
        return well("it shows the time of this machine")
    return wrong(f"it is {lasting(abs(skew))} {'ahead of' if skew > 0 else 'behind'} this machine")


def _partitions(read: DatabaseReadings) -> Observation:
    until = read.partitions_until
    if until is None:
        return wrong("orders have no partition")
    text = f"orders have partitions until {until:%Y-%m-%d}"
    return well(text) if until - read.now >= PARTITIONS_LEFT_MIN else wrong(text)


def _relays(read: DatabaseReadings) -> Observation:
    alive = read.outbox["relays"]
    return well(f"{counted(alive, 'relay')} alive") if alive else wrong("no relay is alive")


def _outbox_age(read: DatabaseReadings) -> Observation:
    pending, age = counted(read.outbox["pending"], "message"), read.outbox["oldest_age_seconds"]
    text = f"{pending} waiting, the oldest for {lasting(age)}" if read.outbox["pending"] else "nothing waits"
    return wrong(text) if age > OUTBOX_AGE_MAX_SECONDS else well(text)


def _holds(read: DatabaseReadings) -> Observation:
    held = read.outbox["held_streams"]
    text = f"{counted(held, 'stream')} held: the broker does not take the first message, or a person holds it"
    return wrong(text) if held else well("none")


def _timers(read: DatabaseReadings) -> Observation:
    lag = read.timers["lag_seconds"]
    text = f"{counted(read.timers['running'], 'timer')} running"
    return wrong(f"{text}; the next is late by {lasting(lag)}") if lag > TIMER_LAG_MAX_SECONDS else well(text)


def _pauses(read: DatabaseReadings) -> Observation:
    paused = [
        f"{one['queue']} for {lasting(one['lasted_seconds'])} by {one['actor']}: {one['reason']}" for one in read.pauses
    ]
    if not paused:
        return well("no queue is paused by a person")
    hint = f"oms consumers resume {read.pauses[0]['queue']} --reason '...', once its reason is gone"
    return wrong(f"paused by a person: {named(paused)}", hint)


def _letters(read: DatabaseReadings) -> Observation:
    letters = read.letters
    if not letters.open:
        return well("none is open")
    text = f"{letters.open} open, the oldest for {lasting(letters.oldest_age_seconds)}"
    return wrong(text) if letters.oldest_age_seconds > letters.old_seconds else well(text)


DATABASE_CHECKS: tuple[HealthCheck[DatabaseReadings], ...] = (
    HealthCheck(
        "database", _answers, "workers and relays need a database that takes writes",
        "export OMS_DATABASE_URL=... with the host of the primary",
    ),
    HealthCheck(
        "migrations", _migrations, "workers of this version fail at tables and columns that are missing", "oms migrate"
    ),
    HealthCheck(
        "locks", _lock_slots, "a transaction locks every partition that it may touch; without room for that it fails",
        "set max_locks_per_transaction to 256 in postgresql.conf, and restart the server at a quiet time",
    ),
    HealthCheck(
        "clock", _clock, "timers go by the database's clock, messages and signatures by that of the machine",
        "timedatectl status, on both machines: one does not keep its time",
    ),
    HealthCheck(
        "partitions", _partitions, "after the last partition no order can be placed",
        "oms worker --queues timeouts: it makes the partitions of three months, and logs why it cannot", TABLES,
    ),
    HealthCheck(
        "relays", _relays, "without one no event and no message between queues leaves the outbox", "oms relay", TABLES
    ),
    HealthCheck(
        "outbox", _outbox_age, "subscribers and our own queues learn of what happened too late",
        "oms relay, if none is alive; else oms outbox list, and the broker's alarms", TABLES,
    ),
    HealthCheck("holds", _holds, "what follows in the same stream waits, too", "oms outbox list", TABLES),
    HealthCheck(
        "timers", _timers, "unpaid orders stay open, and nothing is polled or completed in time",
        "oms worker --queues timeouts; oms timers list --within 0s lists the late ones", TABLES,
    ),
    HealthCheck(
        "pauses", _pauses, "no worker takes the messages of such a queue",
        "oms consumers list --paused", TABLES,
    ),
    HealthCheck(
        "dead letters", _letters, "nobody has decided about a message that failed, and its order may wait for it",
        "oms dead-letters status", TABLES,
    ),
)  # fmt: skip
"""The table of what is looked at in the database."""
