"""Handles in the same transaction what a handler announces to our own queues on the same database.

    the announcement                                      then
    ----------------------------------------------------  ---------------------------------------------------------
    goes to a queue of ours on this database              its handler gets it now, in a batch with others of its kind
    is answered with a verdict (retry, dead)              leaves by the broker, alone; its queue gives the verdict
    goes to a queue that a person has paused              leaves by the outbox, and waits at the broker
    makes its handler raise                               LocalDispatchError: the batch is done again by the broker
    an event, a reply, a delay, a call of a provider,     leaves by the outbox, once the whole chain is handled
    for another database or a route that is `by_broker`

Handlers do not know of it. Without inbox row, outbox row and broker, such a message takes effect exactly once, because
all of the chain commits or rolls back together. A chain takes its locks in the order that holds for one handler too:
commands, user, orders, coupons, points, stock, counters (db/README.md).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from uuid_utils import uuid7

import outbox
from db.pool import Transaction
from messages.base import Message, MessageKind
from messages.envelope import Envelope
from messages.topology import messages_of
from messages.trace_context import TRACEPARENT, TRACESTATE
from outbox import Announcement, paused_queues
from workers.runtime.batch import Batch
from workers.runtime.errors import LocalDispatchError
from workers.runtime.route import Route
from workers.telemetry import metrics

LocalRoutes: TypeAlias = Mapping[str, Route]
"""Message type -> the route whose handler takes it in the sender's transaction."""
LocalBatch: TypeAlias = tuple[Route, list[Announcement]]
"""A route, and announcements that it handles as one batch."""
STEPS_MAX = 8
"""The longest chain is three steps. What goes round in a circle leaves by the broker, where every step is seen."""


def sends_on(route: Route) -> bool:
    """True if what the route's handler announces may be handled in its transaction, and it in that of others.

    A CallRoute locks what the call was about before the order, against the order of locks; others say that they do so.
    """
    return type(route) is Route and not route.by_broker


def local_routes(routes: Sequence[Route], database: str) -> LocalRoutes:
    """Return the routes of one database that handle internal messages and need no call before their transaction."""
    return {
        model.TYPE: route
        for route in routes
        if sends_on(route) and route.database == database
        for model in messages_of(route.queue)
        if model.KIND is MessageKind.INTERNAL
    }


class Chain:
    """What one transaction handles: a batch of its own queue, and all that follows from it on local routes.

    What goes to a paused queue leaves, and waits there.
    """

    def __init__(self, local: LocalRoutes) -> None:
        paused = paused_queues.current()
        self.local = {name: one for name, one in local.items() if one.queue not in paused} if paused else local
        self._handled: Counter[tuple[str, str]] = Counter()

    async def handle(self, tx: Transaction, route: Route, batch: Batch[Any]) -> None:
        """Call the route's handler, then the handlers of all that it announces to local routes.

        What leaves is appended to the outbox in one statement. Raises LocalDispatchError.
        """
        if not self.local:
            await route.handler(tx, batch)
            return
        with outbox.collecting() as announced:
            await route.handler(tx, batch)
        leaving: list[Announcement] = []
        for _ in range(STEPS_MAX):
            parts, others = self._sort(announced)
            leaving += others
            announced = []
            for inner, part in parts:
                announced += await self._handle_part(tx, inner, part, batch.now)
            if not announced:
                break
        await outbox.append(tx, [*leaving, *announced])

    def count(self) -> None:
        """Count what was handled on local routes. Call it after the commit."""
        for (queue, message_type), items in self._handled.items():
            metrics.LOCAL.labels(queue, message_type).inc(items)

    def _sort(self, announced: Sequence[Announcement]) -> tuple[list[LocalBatch], list[Announcement]]:
        """Sort announcements into those that leave and parts for local routes, none larger than the route's batch."""
        others: list[Announcement] = []
        by_queue: dict[str, LocalBatch] = {}
        for one in announced:
            route = self.local.get(one.type) if one.destination == "internal" and one.message_id is None else None
            if route is None:
                others.append(one)
            else:
                by_queue.setdefault(route.queue, (route, []))[1].append(one)
        parts = [
            (route, everything[start : start + route.batch_max_items])
            for route, everything in by_queue.values()
            for start in range(0, len(everything), route.batch_max_items)
        ]
        return parts, others

    async def _handle_part(
        self, tx: Transaction, route: Route, part: Sequence[Announcement], now: datetime
    ) -> list[Announcement]:
        """Handle messages as one batch of their queue. Returns what the handler announces, and what it left undone."""
        batch = Batch([_envelope(one) for one in part], now)
        try:
            with outbox.collecting() as announced:
                await route.handler(tx, batch)
        except Exception as error:
            raise LocalDispatchError(f"{route.queue}: {type(error).__qualname__}") from error
        undone = [
            replace(one, message_id=item.id) for one, item in zip(part, batch, strict=True) if item.id in batch.verdicts
        ]
        self._handled.update((route.queue, item.body.TYPE) for item in batch.handled)
        return [*announced, *undone]


def _envelope(one: Announcement) -> Envelope[Any]:
    """Return the message as its handler would get it from the broker."""
    assert isinstance(one.body, Message), "what goes to a local route is made of a message"
    return Envelope(
        body=one.body,
        message_id=str(uuid7()),
        correlation_id=one.correlation_id,
        occurred_at=one.occurred_at or datetime.now(UTC),
        causation_id=one.causation_id,
        traceparent=one.headers.get(TRACEPARENT),
        tracestate=one.headers.get(TRACESTATE),
    )
