"""The status of the order system, read from PostgreSQL and RabbitMQ once a second."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import aio_pika
import asyncpg
from aio_pika.abc import AbstractConnection

from scripts.amqp_client import CONNECTION_LOST
from scripts.demo.own_orders import CROWD

STATES_SQL = "SELECT state, count(*) FROM orders WHERE user_id LIKE $1 GROUP BY state"
DEAD_SQL = "SELECT reason, count(*) FROM dead_letters WHERE state = 'open' GROUP BY reason ORDER BY reason"
COUNTS_SQL = """
WITH own AS MATERIALIZED (SELECT id FROM orders WHERE user_id NOT LIKE $1)
SELECT (SELECT count(*) FROM own)                                             AS own_orders,
       (SELECT count(*) FROM unpublished)                                     AS outbox_pending,
       (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8
        FROM unpublished)                                                     AS outbox_age,
       (SELECT count(*) FROM commands WHERE outcome_type IS NULL)             AS undecided,
       (SELECT count(*) FROM timers WHERE key NOT IN (SELECT id FROM own))    AS timers,
       (SELECT count(*) FROM refunds WHERE state IN ('requested', 'submitted', 'unknown')
                                       AND order_id NOT IN (SELECT id FROM own)) AS refunds_open,
       (SELECT count(*) FROM payment_attempts WHERE state NOT IN ('captured', 'failed', 'closed')
                                                AND order_id NOT IN (SELECT id FROM own)) AS attempts_open,
       (SELECT count(*) FROM buyer_notifications WHERE state = 'pending' AND wake_at = expires_at) AS mails_open
"""
"""$1 is the pattern of the crowd's users. Nobody here moves a person's own orders, so nothing waits for them."""
UNDER_WAY = ("outbox_pending", "undecided", "timers", "refunds_open", "attempts_open", "mails_open")
FINAL = frozenset({"completed", "cancelled", "rejected", "split"})
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class SystemStatus:
    """One reading. `counts` or `queues` is None if its server did not answer."""

    states: dict[str, int] = field(default_factory=dict)
    dead: dict[str, int] = field(default_factory=dict)
    counts: dict[str, float] | None = None
    queues: dict[str, int] | None = None

    @property
    def own_orders(self) -> int:
        """The number of orders that a person at a terminal has placed beside the crowd."""
        return int((self.counts or {}).get("own_orders", 0))

    @property
    def is_idle(self) -> bool:
        """True if nothing is under way: no message, timer, open attempt or refund, and no order that has not ended."""
        if self.counts is None or self.queues is None:
            return False
        under_way = [count for state, count in self.states.items() if state not in FINAL]
        waiting = [self.counts[name] for name in UNDER_WAY]
        return not any([*under_way, *waiting, *self.queues.values()])

    def in_progress(self) -> list[str]:
        """Return what is under way, as text."""
        if self.counts is None or self.queues is None:
            return ["PostgreSQL does not answer" if self.counts is None else "RabbitMQ does not answer"]
        states = {f"orders {state}": count for state, count in self.states.items() if state not in FINAL}
        counts = {name: self.counts[name] for name in UNDER_WAY}
        queues = {f"messages in {name}": count for name, count in self.queues.items()}
        return [f"{name}: {count:g}" for name, count in (states | counts | queues).items() if count]


class StatusReader:
    """Reads the status with connections of its own, and opens new ones when they are lost."""

    def __init__(self, database_url: str, amqp_url: str, queues: Sequence[str]) -> None:
        self._database_url, self._amqp_url, self._queues = database_url, amqp_url, queues
        self._session: asyncpg.Connection[asyncpg.Record] | None = None
        self._connection: AbstractConnection | None = None

    async def read(self) -> SystemStatus:
        """Read the status. What cannot be read is None."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                states, dead, counts = await self._rows()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            self._session, states, dead, counts = None, {}, {}, None
        return SystemStatus(states, dead, counts, await self._depths())

    async def close(self) -> None:
        """Close both connections."""
        with contextlib.suppress(*CONNECTION_LOST, asyncpg.PostgresError, asyncpg.InterfaceError):
            if self._session is not None:
                await self._session.close(timeout=5)
            if self._connection is not None:
                await self._connection.close()

    async def _rows(self) -> tuple[dict[str, int], dict[str, int], dict[str, float]]:
        if self._session is None or self._session.is_closed():
            self._session = await asyncpg.connect(self._database_url, timeout=5)
        states = {str(row[0]): int(row[1]) for row in await self._session.fetch(STATES_SQL, f"{CROWD}%")}
        dead = {str(row[0]): int(row[1]) for row in await self._session.fetch(DEAD_SQL)}
        counts = await self._session.fetchrow(COUNTS_SQL, f"{CROWD}%")
        assert counts is not None
        return states, dead, {name: float(value) for name, value in counts.items()}

    async def _depths(self) -> dict[str, int] | None:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                if self._connection is None or self._connection.is_closed:
                    self._connection = await aio_pika.connect(self._amqp_url, timeout=5)
                async with self._connection.channel(publisher_confirms=False) as channel:
                    return {name: await self._depth(channel, name) for name in self._queues}
        except CONNECTION_LOST:
            lost, self._connection = self._connection, None
            if lost is not None:
                with contextlib.suppress(*CONNECTION_LOST):
                    await asyncio.wait_for(lost.close(), 1)
            return None

    @staticmethod
    async def _depth(channel: aio_pika.abc.AbstractChannel, name: str) -> int:
        queue = await channel.declare_queue(name, passive=True)
        return queue.declaration_result.message_count or 0
