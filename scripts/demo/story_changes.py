"""What one message changed, as PostgreSQL and RabbitMQ say themselves: tables, the outbox, events."""

import json
from dataclasses import dataclass, field
from typing import Any

import aio_pika
import asyncpg
from aio_pika.abc import AbstractIncomingMessage

OWN_TABLES = ("outbox%", "retention_horizons", "order_partitions", "progress", "consumer_pauses")
"""Tables that workers and relays write while nothing happens."""
TABLES_SQL = """
SELECT coalesce(i.inhparent::regclass, c.oid::regclass)::text AS shown, c.oid::regclass::text AS name
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT c.relname LIKE ANY ($1::text[])
ORDER BY 1
"""
OUTBOX_SQL = "SELECT type, destination, routing_key, headers FROM unpublished ORDER BY id"


@dataclass(frozen=True)
class TableChange:
    """Rows that are new, changed and gone in one table."""

    table: str
    new: int = 0
    changed: int = 0
    gone: int = 0

    def __str__(self) -> str:
        counts = [f"{number} {what}" for what, number in vars(self).items() if what != "table" and number]
        return f"{self.table} ({', '.join(counts)})"


@dataclass(frozen=True)
class SeenEvent:
    """An event as a subscriber gets it."""

    type: str
    body: dict[str, Any]
    headers: dict[str, Any]


class Tables:
    """Counts rows, and those that a transaction since the last mark has written: each row names its transaction."""

    def __init__(self, session: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._session = session
        self._marked = 0
        self._before: dict[str, int] = {}

    async def mark(self) -> None:
        """Remember how many rows there are now."""
        self._before = {name: count for name, (count, _) in (await self._count()).items()}
        self._marked = int(await self._session.fetchval("SELECT pg_current_xact_id()::text::bigint"))

    async def changes(self) -> list[TableChange]:
        """Return what has changed since the mark."""
        found = []
        for table, (count, written) in (await self._count()).items():
            more = count - self._before.get(table, 0)
            change = TableChange(table, max(more, 0), max(written - max(more, 0), 0), max(-more, 0))
            if change.new or change.changed or change.gone:
                found.append(change)
        return found

    async def unpublished(self) -> list[tuple[str, str, str, dict[str, Any]]]:
        """Return type, destination, routing key and headers of what waits in the outbox."""
        rows = await self._session.fetch(OUTBOX_SQL)
        return [(row["type"], row["destination"], row["routing_key"], json.loads(row["headers"])) for row in rows]

    async def _count(self) -> dict[str, tuple[int, int]]:
        tables = await self._session.fetch(TABLES_SQL, list(OWN_TABLES))
        parts = [
            f"SELECT '{row['shown']}', count(*), count(*) FILTER (WHERE xmin::text::bigint > {self._marked}) "  # noqa: S608
            f"FROM ONLY {row['name']}"
            for row in tables
        ]
        found: dict[str, tuple[int, int]] = {}
        for name, count, written in await self._session.fetch(" UNION ALL ".join(parts)):
            rows, new = found.get(name, (0, 0))
            found[name] = rows + count, new + written
        return found


@dataclass
class Subscriber:
    """A queue that gets every event of the shop, as any team could have one."""

    url: str
    exchange: str
    seen: list[SeenEvent] = field(default_factory=list)
    _connection: aio_pika.abc.AbstractConnection | None = None

    async def start(self) -> None:
        """Bind a queue of its own to all events."""
        self._connection = await aio_pika.connect(self.url, timeout=15)
        channel = await self._connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(self.exchange, "#")
        await queue.consume(self._receive, no_ack=True)

    async def _receive(self, message: AbstractIncomingMessage) -> None:
        self.seen.append(SeenEvent(message.type or "", json.loads(message.body), dict(message.headers)))

    async def close(self) -> None:
        """Close its connection, which deletes its queue."""
        if self._connection is not None:
            await self._connection.close()
