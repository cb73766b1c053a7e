"""Asks queries as the runtime does."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from db.pool import Transaction
from messages.base import Actor, Query, Reply
from messages.envelope import Envelope
from messages.roles import Role
from tests.handlers.harness import HandlerHarness
from workers.handlers import queries
from workers.runtime.batch import Batch

NOW = datetime(2026, 11, 28, tzinfo=UTC)


async def ask(
    harness: HandlerHarness,
    *bodies: Query,
    statements: list[str] | None = None,
    now: datetime = NOW,
    answering: Callable[[Transaction, Batch[Query]], Awaitable[list[Reply]]] = queries.answer,
) -> list[Reply]:
    """Answer the queries as the runtime does: what must be recorded first, then in a transaction that cannot write."""
    items: list[Envelope[Any]] = []
    for number, body in enumerate(bodies):
        actor: Actor = getattr(body, "actor")  # noqa: B009 (every query of this file has one)
        role = Role.OPERATOR if actor.type == "operator" else Role.STOREFRONT
        items.append(
            Envelope(body=body, message_id=str(number), correlation_id="c", occurred_at=NOW, roles=frozenset({role}))
        )
    recorded = await record(harness, items)
    async with harness.pool.acquire() as tx, tx.transaction(readonly=True, isolation="repeatable_read"):
        if statements is None:
            return await answering(tx, Batch(items, now, recorded))

        def note(record: Any) -> None:
            statements.append(record.query)

        tx.add_query_logger(note)
        replies = await answering(tx, Batch(items, now, recorded))
        tx.remove_query_logger(note)
        return replies


async def record(harness: HandlerHarness, items: Sequence[Envelope[Any]]) -> Mapping[Any, Any]:
    """Record those of the queries that show personal data, as the runtime does, and commit."""
    route = queries.ROUTE
    wanted = [item for item in items if route.is_recorded(item)]
    if not wanted or route.record is None:
        return {}
    async with harness.pool.acquire() as tx, tx.transaction():
        return await route.record(tx, wanted)
