"""Handlers on a real database, without a broker.

`handle` gives messages to the handler of their queue as one batch, then `relay` takes rows from the outbox until it is
empty: events to `events`, replies to `replies`, delayed messages to `delayed`, calls of providers to `provider_calls`,
instructions for warehouses to `instructions`, all others as JSON to the handler of their queue.
`events_of("order.paid")` are the events of one type.
The `place_...` methods place orders and return their ids; `place_order` awaits payment, `place_paid_order` is paid.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

import outbox
from db import cipher
from db.pool import Pool, Transaction
from messages.base import Message
from messages.envelope import Envelope
from messages.orders import OrderCreate
from messages.payments import ProgressMark
from messages.registry import MODELS
from messages.roles import Role
from messages.topology import BUYER_NOTIFICATIONS, BUYERS_NOTIFIED, QUEUES, TO_CARRIERS, TO_MEDIA
from outbox.insertion import AAD
from tests.handlers.builders import book, captured, create, receive, sku, update
from workers import shop
from workers.domain.shop import Policy, Shop
from workers.handlers import timeouts
from workers.routes import ROUTES, signing, with_media
from workers.runtime.batch import Batch

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
QUEUE_OF = {model.TYPE: queue for queue, models in QUEUES.items() for model in models}
QUEUE_OF |= {model.TYPE: "carrier-calls.sf" for model in TO_CARRIERS}
QUEUE_OF |= {model.TYPE: BUYER_NOTIFICATIONS for model in BUYERS_NOTIFIED}
QUEUE_OF |= {model.TYPE: "notification-calls.email" for model in TO_MEDIA}
HANDLERS = {route.queue: route.handler for route in signing(with_media(ROUTES, ["email"]))}


@dataclass
class HandlerHarness:
    """Runs handlers and keeps what they announce."""

    pool: Pool
    events: list[dict[str, Any]] = field(default_factory=list)
    conversations: list[str | None] = field(default_factory=list)
    """What each event names as its conversation, in the same order."""
    replies: list[dict[str, Any]] = field(default_factory=list)
    delayed: list[Message] = field(default_factory=list)
    provider_calls: list[tuple[str, Message]] = field(default_factory=list)
    instructions: list[Message] = field(default_factory=list)
    carrier_calls: list[Message] = field(default_factory=list)
    notification_calls: list[Message] = field(default_factory=list)
    count: int = 0

    def envelope(
        self,
        body: Message,
        *,
        trusted: bool = False,
        reply_to: str | None = None,
        roles: frozenset[Role] | None = None,
    ) -> Envelope[Any]:
        """The message of a sender who has the roles that it needs; that of operators only if `trusted`."""
        self.count += 1
        needed: frozenset[Role] = getattr(body, "SENDERS", frozenset()) - ({Role.OPERATOR} if not trusted else set())
        name = f"m{self.count}"
        return Envelope(
            body=body,
            message_id=name,
            correlation_id=f"c{self.count}",
            occurred_at=datetime.now(UTC),
            roles=(has := needed if roles is None else roles),
            reply_to=reply_to,
            user="oms-operator" if trusted else None if has else "oms-client",
        )

    async def handle_batch(self, items: Sequence[Envelope[Any]]) -> Batch[Any]:
        with outbox.noting_shards():
            async with self.pool.acquire() as tx, tx.transaction():
                return await self.run_handler(tx, items)

    async def run_handler(self, tx: Transaction, items: Sequence[Envelope[Any]]) -> Batch[Any]:
        """Run the handler of the queue that takes these messages. One queue is one batch, so they must share it."""
        queues = sorted({QUEUE_OF[item.body.TYPE] for item in items})
        assert len(queues) == 1, f"no batch holds messages of several queues: handle those of {queues} one by one"
        batch = Batch[Any](items, await tx.fetchval("SELECT clock_timestamp()"))
        await HANDLERS[queues[0]](tx, batch)
        return batch

    async def handle(
        self,
        *bodies: Message,
        trusted: bool = False,
        reply_to: str | None = None,
        roles: frozenset[Role] | None = None,
    ) -> Batch[Any]:
        about: dict[str, Any] = {"trusted": trusted, "reply_to": reply_to, "roles": roles}
        batch = await self.handle_batch([self.envelope(body, **about) for body in bodies])
        await self.relay()
        return batch

    async def handle_overlapping(self, *batches: Sequence[Message], trusted: bool = False) -> None:
        """Handle each batch with its own worker: each in turn works or waits for a lock, then all commit."""
        worked, commit = 0, asyncio.Event()

        async def worker(bodies: Sequence[Message]) -> None:
            nonlocal worked
            async with self.pool.acquire() as tx, tx.transaction():
                await self.run_handler(tx, [self.envelope(body, trusted=trusted) for body in bodies])
                worked += 1
                await commit.wait()

        workers: list[asyncio.Task[None]] = []
        for bodies in batches:
            workers.append(asyncio.create_task(worker(bodies)))
            while worked + await self.pool.fetchval(WAITING) < len(workers) and not any(w.done() for w in workers):
                await asyncio.sleep(0.002)
        commit.set()
        await asyncio.wait(workers)
        for ended in workers:
            ended.result()
        await self.relay()

    async def handle_concurrently(self, *batches: Sequence[Message]) -> None:
        """Handle each batch with its own worker, all at the same time."""
        await asyncio.gather(*(self.handle_batch([self.envelope(body) for body in bodies]) for bodies in batches))
        await self.relay()

    async def relay(self) -> None:
        while True:
            rows = await self.pool.fetch("DELETE FROM outbox RETURNING *")
            if not rows:
                return
            for row in sorted(rows, key=lambda row: row["id"]):
                await self.relay_row(row)

    def numbers_about(self, *order_ids: int) -> dict[str, tuple[list[int], set[str | None]]]:
        """Of each type of event about these orders: its numbers in the stream, and the conversations it names."""
        found: dict[str, tuple[list[int], set[str | None]]] = {}
        for event, conversation in zip(self.events, self.conversations[-len(self.events) :], strict=True):
            if event.get("order_id") in {str(order_id) for order_id in order_ids}:
                numbers, named = found.setdefault(event["type"], ([], set()))
                numbers += [event["seq"]] if event["seq"] is not None else []
                named.add(conversation)
        return found

    async def relay_row(self, row: Any) -> None:
        stored = row["body"] if row["key_id"] is None else cipher.current().decrypt(row["key_id"], row["body"], AAD)
        body, headers = orjson.loads(stored), orjson.loads(row["headers"])
        model = MODELS[row["type"]]
        parts = [part["body"] for part in body["items"]] if model.PACKABLE else [body]
        if row["destination"] == "events":
            about = {"type": row["type"], "stream": headers.get("stream"), "seq": headers.get("seq")}
            self.events.append(body | about)
            self.conversations.append(headers.get("conversation-id"))
        elif row["destination"] == "reply":
            about = {"type": row["type"], "to": row["routing_key"], "correlation_id": row["correlation_id"]}
            self.replies.append(body | about)
        else:
            messages = [model.model_validate_json(orjson.dumps(part)) for part in parts]
            if row["destination"] == "delay":
                self.delayed += messages
            elif row["routing_key"].startswith("warehouse."):
                assert row["key_id"] is not None, "an instruction is stored encrypted"
                self.instructions += messages
            elif row["routing_key"].startswith("carrier-calls."):
                self.carrier_calls += messages
            elif row["routing_key"].startswith("notification-calls."):
                self.notification_calls += messages
            elif row["destination"] == "queue" and row["routing_key"].startswith("provider-calls."):
                self.provider_calls += [(row["routing_key"].partition(".")[2], message) for message in messages]
            else:
                batch = await self.handle_batch([self.envelope(message) for message in messages])
                assert not batch.verdicts, batch.verdicts

    def events_of(self, type_: str) -> list[dict[str, Any]]:
        """The events of a type, without its version."""
        return [event for event in self.events if event["type"].rsplit(".", 1)[0] == type_]

    def rejections(self) -> list[tuple[str, dict[str, Any]]]:
        """(code, details) of every command.rejected."""
        return [(event["code"], event["details"]) for event in self.events_of("command.rejected")]

    async def states(self) -> list[str]:
        return [row["state"] for row in await self.pool.fetch("SELECT state FROM orders ORDER BY id")]

    async def state(self, order_id: int) -> str:
        state: str = await self.pool.fetchval("SELECT state FROM orders WHERE id = $1", order_id)
        return state

    async def children(self, order_id: int) -> list[int]:
        """The children of a split order, in order of their first lines."""
        rows = await self.pool.fetch(
            "SELECT o.id FROM orders o JOIN order_items i ON i.order_id = o.id WHERE o.parent_id = $1 GROUP BY o.id"
            " ORDER BY min(i.line_no)",
            order_id,
        )
        return [row["id"] for row in rows]

    async def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.pool.fetch(query, *arguments)]

    async def stock(self, sku: str = "s1", warehouse: str = "main") -> tuple[int, int]:
        row = await self.pool.fetchrow(
            "SELECT on_hand, locked FROM stock WHERE sku_id = $1 AND warehouse = $2", sku, warehouse
        )
        assert row is not None
        return tuple(row)

    # messages of other systems

    async def fill_stock(self, qty: int = 10, price: int = 500, skus: Sequence[str] = ("s1", "s2")) -> None:
        await self.handle(*(sku(name, price=price) for name in skus))
        await self.handle(*(receive(name, qty) for name in skus))
        self.events.clear()

    async def place_order(self, *lines: tuple[str, int], user_id: str = "u1", price: int = 500) -> int:
        """Place an order that awaits payment."""
        self.count += 1
        body = create(*(lines or (("s1", 2),)), request_id=f"r{self.count}", user_id=user_id, price=price)
        await self.handle(body)
        created = self.events_of("order.created")
        assert created, self.events
        return int(created[-1]["order_id"])

    async def create_order(self, body: OrderCreate) -> int:
        """Place this order and return its id; of an order that is split, the id of the parent."""
        await self.handle(body)
        mine = [
            e for e in self.events_of("order.created") if (e["request_id"], e["parent_id"]) == (body.request_id, None)
        ]
        assert mine, self.events[-1:]
        return int(mine[-1]["order_id"])

    async def pay(self, order_id: int) -> None:
        """Capture the payable amount, under a trade number of its own."""
        await self.handle(captured(order_id, await self.payable(order_id), f"t-{order_id}"), trusted=True)

    async def deliver(self, order_id: int) -> None:
        """Deliver all of a paid order in one parcel."""
        number = f"T-{order_id}"
        await self.handle(book(order_id, number))
        await self.handle(update(order_id, number, "outbound"), update(order_id, number, "delivered"))

    async def sweep(self, kind: str) -> None:
        """Make every timer of a kind due and let the sweeper fire it."""
        await self.make_timers_due(kind)
        await self.mark_progress()
        async with self.pool.acquire() as tx, tx.transaction():
            await timeouts.sweep(tx)
        await self.relay()

    async def place_paid_order(self, *lines: tuple[str, int]) -> int:
        """Place an order and pay it."""
        order_id = await self.place_order(*lines)
        await self.handle(captured(order_id, await self.payable(order_id)), trusted=True)
        return order_id

    async def place_another_paid_order(self, *lines: tuple[str, int]) -> int:
        """Place another order and pay it under a trade number of its own."""
        order_id = await self.place_order(*lines)
        await self.handle(captured(order_id, await self.payable(order_id), f"t-{order_id}"), trusted=True)
        return order_id

    async def payable(self, order_id: int) -> int:
        amount: int = await self.pool.fetchval("SELECT payable_amount FROM orders WHERE id = $1", order_id)
        return amount

    async def place_shipped_order(self, *parcels: Sequence[tuple[str, int]], lines: Sequence[tuple[str, int]]) -> int:
        """Place an order, pay it, and let its parcels T1, T2 ... leave the warehouse."""
        order_id = await self.place_paid_order(*lines)
        for number, parcel in enumerate(parcels, start=1):
            await self.handle(book(order_id, f"T{number}", *parcel))
        for number, _ in enumerate(parcels, start=1):
            await self.handle(update(order_id, f"T{number}", "outbound"))
        return order_id

    async def make_timers_due(self, kind: str) -> None:
        """Make every timer of a kind due."""
        await self.pool.execute(
            "UPDATE timers SET due_at = now() - interval '1 s', wake_at = now() WHERE kind = $1", kind
        )

    async def mark_progress(self) -> None:
        """Mark payment results as handled up to now, as a progress mark does."""
        await self.handle(ProgressMark(at=datetime.now(UTC) + timedelta(seconds=1)))


def open_harness(pool: Pool) -> HandlerHarness:
    """A harness with the test keys and a shop without a rate limit."""
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    shop.configure(Shop(policy=Policy(rate_limit_orders=0)))
    return HandlerHarness(pool)
