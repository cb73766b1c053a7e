"""Operators hold some orders, and release them a little later."""

import asyncio
import random
from collections import Counter
from typing import Any

from scripts.amqp_client import OutgoingMessage, ReceivedMessage, new_id
from scripts.demo.background_tasks import BackgroundTasks
from scripts.demo.command_outcomes import CommandOutcomes
from scripts.demo.role_links import RoleLinks

CHANCES = {"order.created.v1": 0.02, "order.paid.v1": 0.04, "order.fulfilling.v1": 0.03}
"""The share of orders that are held after each of these events."""
HELD_SECONDS = (0.5, 4.0)


class Operators:
    """Holds come before the payment, before the hand-over and during the work of the warehouse."""

    def __init__(self, link: RoleLinks, outcomes: CommandOutcomes, tasks: BackgroundTasks) -> None:
        self.did: Counter[str] = Counter()
        self._link, self._outcomes, self._tasks = link, outcomes, tasks
        self._split: set[str] = set()

    def receive(self, received: ReceivedMessage) -> None:
        """Handle an event of an order."""
        body, type_ = received.body, received.type
        if type_ == "order.created.v1" and body["children"]:
            self._split.add(body["order_id"])
        if type_ == "order.held.v1":
            self.did[f"holds, kind {body['kind']}"] += 1
            if body["kind"] == "operator":
                self._tasks.start(self._release(body["order_id"], body["hold_id"]))
        elif body["order_id"] not in self._split and random.random() < CHANCES.get(type_, 0.0):
            self._tasks.start(self._send("order.hold.v1", order_id=body["order_id"], reason_code="LOOK_AT_IT"))

    async def _release(self, order_id: str, hold_id: str) -> None:
        await asyncio.sleep(random.uniform(*HELD_SECONDS))
        await self._send("order.release.v1", order_id=order_id, hold_id=hold_id)

    async def _send(self, type_: str, **fields: Any) -> None:
        actor = {"type": "operator", "id": "on-duty"}
        message = OutgoingMessage(type_, {"request_id": new_id(), "actor": actor} | fields)
        self._outcomes.remember(message)
        await self._link.send(message)
