"""Handlers at the same time: several workers take batches from any queue, in random order.

`publish` puts messages into their queues, some of them twice; `actions` run one by one while the workers work; `run`
works until all queues are empty. Every event goes to `on_event`. `outcomes` counts how deliveries ended, by queue.
The workers process batches as the runtime does, each on a connection of its own.
"""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson

from db.pool import Pool
from messages.base import Internal, Message
from messages.roles import EVERY_ROLE
from messages.topology import Names
from messages.user_roles import Trust
from tests.handlers.harness import QUEUE_OF
from tests.runtime.builders import delivery
from workers.routes import ROUTES
from workers.runtime.decode import Decoder, Work
from workers.runtime.policy import Kind
from workers.runtime.process import QueueContext, process

NAMES = Names("oms")
TRUST = Trust(own=frozenset({"relay"}), roles={"payments": EVERY_ROLE})
ROUTE = {route.queue: route for route in ROUTES}
WORKERS, BATCH_MAX = 6, 12


@dataclass
class ConcurrentHarness:
    """Queues in memory and the workers that empty them."""

    pool: Pool
    rng: random.Random
    on_event: Callable[[str, dict[str, Any]], None]
    actions: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    queues: dict[str, list[Work]] = field(default_factory=lambda: defaultdict(list))
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    busy: int = 0

    def publish(self, *bodies: Message) -> None:
        """Put messages into their queues, as other systems or our own relay would."""
        for body in bodies:
            parts = orjson.loads(body.model_dump_json())
            if body.PACKABLE:
                now = datetime.now(UTC).isoformat()
                parts = {"items": [{"correlation_id": "c", "causation_id": None, "occurred_at": now, "body": parts}]}
            user = "relay" if isinstance(body, Internal) else "payments"
            exchange = "" if isinstance(body, Internal) else NAMES.exchange_of(body.KIND)
            self.enqueue(QUEUE_OF[body.TYPE], delivery(body.TYPE, parts, exchange=exchange, user_id=user))

    def enqueue(self, queue: str, arrived: Any) -> None:
        work = Decoder(queue, NAMES, TRUST)(arrived)
        assert work.failure is None, work.failure
        self.queues[queue] += [work] * self.rng.choice([1, 1, 1, 2])

    async def relay(self) -> None:
        """Move the rows of the outbox to their queues; a delayed message does not wait."""
        for row in await self.pool.fetch("DELETE FROM outbox RETURNING *"):
            destination, key = row["destination"], row["routing_key"]
            assert destination != "dead", row["headers"]
            if destination == "events":
                self.on_event(row["type"], orjson.loads(row["body"]))
            elif destination != "reply":
                queue = {"queue": key, "delay": key.partition(".")[2]}.get(destination, QUEUE_OF[row["type"]])
                about = {"message_id": row["message_id"], "correlation_id": row["correlation_id"], "user_id": "relay"}
                self.enqueue(queue, delivery(row["type"], bytes(row["body"]), exchange="", **about))

    async def run(self) -> None:
        """Work until no message and no action is left."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(WORKERS):
                workers.create_task(self._worker())

    async def _worker(self) -> None:
        while True:
            self.busy += 1
            if self.actions:
                await self.actions.pop(0)()
            await self.relay()
            queue = self.rng.choice([name for name, waiting in self.queues.items() if waiting] or [""])
            if queue:
                await self._work(queue)
            self.busy -= 1
            if not (queue or self.busy or self.actions):
                return
            await asyncio.sleep(0 if queue or self.actions else 0.001)

    async def _work(self, queue: str) -> None:
        waiting = self.queues[queue]
        self.rng.shuffle(waiting)
        works = [waiting.pop() for _ in range(min(len(waiting), self.rng.randint(1, BATCH_MAX)))]
        for outcome in await process(QueueContext(ROUTE[queue], self.pool), works):
            self.outcomes[queue, outcome.kind.value] += 1
            assert outcome.kind in (Kind.ACKED, Kind.DUPLICATE, Kind.RETRIED), outcome.failure
            if outcome.kind is Kind.RETRIED:
                waiting.append(retried(outcome.work))


def retried(work: Work) -> Work:
    """The same message at its next attempt."""
    count = work.attempt + 1
    envelopes = tuple(replace(envelope, attempt=count) for envelope in work.envelopes)
    return replace(work, attempt=count, envelopes=envelopes)


def unique() -> str:
    return uuid4().hex
