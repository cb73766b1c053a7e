"""Follows every placed order to its end, and has buyers change, cancel and confirm some of them."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass

from scripts.amqp_client import AmqpClient, OutgoingMessage, ReceivedMessage, new_id
from scripts.demo.background_tasks import BackgroundTasks
from scripts.demo.command_outcomes import CommandOutcomes
from scripts.demo.purchase import MOVED, address
from scripts.demo.split_orders import SplitOrders

EVENTS = (
    "order.*",
    "orders.*",
    "command.rejected",
    "payment.started",
    "sku.*",
    "stock.received",
    "warehouses.*",
    "settings.*",
    "promotion.*",
    "coupon_template.*",
    "coupon.*",
    "points.*",
)
FINAL = {"cancelled", "completed", "rejected", "split"}
CHANCES = {
    "cancels at once": 0.03,
    "cancels when paid": 0.02,
    "cancels while the warehouse works": 0.04,
    "cancels a split order": 0.1,
    "cancels a part of an order": 0.06,
    "changes the address": 0.03,
    "confirms receipt": 0.4,
    "confirms too early": 0.005,
    "tries to cancel the order of another user": 0.005,
    "deletes a completed order": 0.02,
    "answers to a shortage": 0.7,
    "cancels the rest after a shortage": 0.6,
    "cancels it whether or not the order is in question": 0.6,
}


@dataclass
class PlacedOrder:
    """An order that has not ended yet."""

    user: str
    state: str
    version: int


class PlacedOrders:
    """Follows every order to its end, parts of split orders too, and sends what buyers want to change."""

    def __init__(self, link: AmqpClient, outcomes: CommandOutcomes, tasks: BackgroundTasks) -> None:
        self.live: dict[str, PlacedOrder] = {}
        self.ended: Counter[str] = Counter()
        self.did: Counter[str] = Counter()
        self.split_orders = SplitOrders()
        self._link, self._outcomes, self._tasks = link, outcomes, tasks

    def receive(self, received: ReceivedMessage) -> None:
        """Handle an event of an order."""
        type_, body = received.type, received.body
        order_id, state, version = str(body["order_id"]), str(body["state"]), int(str(body["version"]))
        known = self.live.get(order_id)
        if known is not None and version <= known.version:
            return
        if type_ == "order.created.v1":
            self.split_orders.receive(body)
        if state in FINAL:
            if type_ != "order.deleted.v1":
                self.live.pop(order_id, None)
                self.ended[state] += 1
        else:
            self.live[order_id] = PlacedOrder(str(body["user_id"]), state, version)
        self._react(type_, order_id, str(body["user_id"]), is_part=body["parent_id"] is not None)

    def _react(self, type_: str, order_id: str, user: str, *, is_part: bool) -> None:
        match type_:
            case "order.created.v1" if not is_part:
                self._maybe(
                    "cancels at once",
                    "order.cancel.v1",
                    order_id,
                    user,
                    reason="changed my mind",
                    reason_code="CHANGED_MIND",
                )
                self._maybe("confirms too early", "order.confirm_receipt.v1", order_id, user)
                stranger = "household-0"
                self._maybe(
                    "tries to cancel the order of another user",
                    "order.cancel.v1",
                    order_id,
                    stranger,
                    reason="mischief",
                )
            case "order.paid.v1":
                what = "cancels a part of an order" if is_part else "cancels when paid"
                self._maybe(
                    what, "order.cancel.v1", order_id, user, reason="found it cheaper", reason_code="FOUND_CHEAPER"
                )
                self._maybe("changes the address", "order.change_address.v1", order_id, user, address=address(MOVED))
            case "order.split.v1":
                self._maybe(
                    "cancels a split order",
                    "order.cancel.v1",
                    order_id,
                    user,
                    reason="changed my mind",
                    reason_code="CHANGED_MIND",
                )
                self._maybe("changes the address", "order.change_address.v1", order_id, user, address=address(MOVED))
            case "order.shortage_recorded.v1" if self._by_chance("answers to a shortage"):
                self._answer_shortage(order_id, user)
            case "order.fulfilling.v1":
                self._maybe("cancels while the warehouse works", "order.cancel.v1", order_id, user, reason="too late")
            case "order.delivered.v1":
                self._maybe("confirms receipt", "order.confirm_receipt.v1", order_id, user)
            case "order.completed.v1" if self._by_chance("deletes a completed order"):
                self._send_later("order.delete.v1", user, order_ids=[order_id])

    def _answer_shortage(self, order_id: str, user: str) -> None:
        """Answer to a shortage. Some buyers cancel the rest instead; if nothing has left, that is refused."""
        cancels = self._by_chance("cancels the rest after a shortage")
        if cancels and self._by_chance("cancels it whether or not the order is in question"):
            self._send_later("order.cancel_rest.v1", user, order_id=order_id)
            return
        decision = "cancel_rest" if cancels else "ship_rest"
        self._send_later("order.shortage.decide.v1", user, order_id=order_id, decision=decision)

    def _maybe(self, what: str, type_: str, order_id: str, user: str, **fields: object) -> None:
        if self._by_chance(what):
            self._send_later(type_, user, order_id=order_id, **fields)

    def _send_later(self, type_: str, user: str, **fields: object) -> None:
        message = OutgoingMessage(type_, {"request_id": new_id(), "actor": {"type": "user", "id": user}, **fields})
        self._tasks.start(self._after_a_while(message))

    async def _after_a_while(self, message: OutgoingMessage) -> None:
        await asyncio.sleep(random.uniform(0, 1.5))
        self._outcomes.remember(message)
        await self._link.send(message)

    def _by_chance(self, what: str) -> bool:
        """Decide by chance whether the buyer does this, and count it."""
        chosen = random.random() < CHANCES[what]
        self.did[what] += chosen
        return chosen
