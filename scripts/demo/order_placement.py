"""Sends commands for buyers, some twice by accident, and checks every answer against the shop's rules."""

import asyncio
import random
from collections import Counter
from collections.abc import Set

from scripts.amqp_client import AmqpClient, OutgoingMessage, ReceivedMessage
from scripts.demo.background_tasks import BackgroundTasks
from scripts.demo.command_outcomes import CommandOutcomes
from scripts.demo.purchase import Purchase

SHORT, LIMITED = "INVENTORY_INSUFFICIENT", "RISK_RATE_LIMITED"
AGREED = "costs what the checkout computes"
CHANCES = {"orders twice by a second click": 0.01, "orders twice by the network": 0.01}


class OrderPlacement:
    """An answer that the shop's rules do not allow goes to `unexpected_answers`, which must stay empty."""

    def __init__(self, link: AmqpClient, outcomes: CommandOutcomes, tasks: BackgroundTasks, reply_queue: str) -> None:
        self.did: Counter[str] = Counter()
        self.unexpected_answers: list[str] = []
        self.repeats_owed: set[str] = set()
        self._link, self._outcomes, self.tasks, self._reply_queue = link, outcomes, tasks, reply_queue

    async def place(self, wanted: Purchase, request_id: str, price_cents: int) -> ReceivedMessage:
        """Place an order, sometimes twice by accident, and return its outcome."""
        return await self._send(wanted.order_create(request_id, expected_pay_amount=price_cents), carelessly=True)

    async def place_wrongly(self, message: OutgoingMessage, codes: Set[str]) -> None:
        """Place a wrong order. One of these codes must refuse it."""
        received = await self._send(message)
        if received.body.get("code") not in codes | {LIMITED}:
            self.report_unexpected(f"{message.body!r} came to {received.type} {received.body}")

    def check_created(
        self, wanted: Purchase, received: ReceivedMessage, codes: Set[str] = frozenset({SHORT})
    ) -> str | None:
        """Return the order's id, or None if one of these codes refused it. Its amounts must be the checkout's."""
        is_created = received.type == "order.created.v1"
        if is_created and received.body["amounts"] == wanted.amounts:
            self.did[AGREED] += 1
        elif received.body.get("code") not in codes:
            self.report_unexpected(
                f"basket {wanted.basket.basket_id} at {wanted.amounts} came to {received.type} {received.body}"
            )
        return str(received.body["order_id"]) if is_created else None

    def report_unexpected(self, what: str) -> None:
        """Record something that must not happen."""
        self.unexpected_answers.append(what)

    def receive_reply(self, received: ReceivedMessage) -> None:
        """Handle the reply with the stored outcome of a repeated request."""
        self.repeats_owed.discard(received.correlation_id)
        self.did["got a stored outcome again"] += 1

    async def send(self, message: OutgoingMessage) -> ReceivedMessage:
        """Send any other command and return its outcome."""
        return await self._send(message)

    async def _send(self, message: OutgoingMessage, *, carelessly: bool = False) -> ReceivedMessage:
        sent = self._outcomes.remember(message)
        await self._link.send(message)
        if carelessly and self._by_chance("orders twice by the network"):
            await self._link.send(message)
        if carelessly and self._by_chance("orders twice by a second click"):
            self.tasks.start(self._click_again(message))
        return await sent.outcome()

    async def _click_again(self, first: OutgoingMessage) -> None:
        """Send the same request with a new message id and a reply_to: the answer comes to our reply queue only."""
        await asyncio.sleep(random.uniform(0, 3))
        again = OutgoingMessage(first.type, first.body, correlation_id=first.message_id, reply_to=self._reply_queue)
        self.repeats_owed.add(first.message_id)
        await self._link.send(again)

    def _by_chance(self, what: str) -> bool:
        """Decide by chance whether the buyer does this, and count it."""
        chosen = random.random() < CHANCES[what]
        self.did[what] += chosen
        return chosen
