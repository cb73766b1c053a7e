"""Where orders are placed: sends them, now and then twice, and judges every answer by the shop's rules."""

import asyncio
import random
from collections import Counter
from collections.abc import Set

from scripts.amqp_client import AmqpClient, OutgoingMessage, ReceivedMessage
from scripts.demo.background_tasks import BackgroundTasks
from scripts.demo.command_outcomes import CommandOutcomes
from scripts.demo.purchase import Purchase

SHORT, LIMITED = "INVENTORY_INSUFFICIENT", "RISK_RATE_LIMITED"
AGREED = "costs what the checkout says"
CHANCES = {"orders twice by a second click": 0.01, "orders twice by the network": 0.01}


class OrderPlacement:
    """An answer that the shop's rules do not foresee is a surprise, and there must be none."""

    def __init__(self, link: AmqpClient, outcomes: CommandOutcomes, tasks: BackgroundTasks, reply_queue: str) -> None:
        self.did: Counter[str] = Counter()
        self.unexpected_answers: list[str] = []
        self.repeats_owed: set[str] = set()
        self._link, self._outcomes, self.tasks, self._reply_queue = link, outcomes, tasks, reply_queue

    async def place(self, wanted: Purchase, request_id: str, price_cents: int) -> ReceivedMessage:
        """Order it, perhaps more than once by accident; the answer."""
        return await self._send(wanted.message(request_id, expected_pay_amount=price_cents), carelessly=True)

    async def mistake(self, message: OutgoingMessage, codes: Set[str]) -> None:
        """Order something wrongly. It must be refused for one of these reasons."""
        received = await self._send(message)
        if received.body.get("code") not in codes | {LIMITED}:
            self.report_unexpected(f"{message.body!r} came to {received.type} {received.body}")

    def created(self, wanted: Purchase, received: ReceivedMessage, codes: Set[str] = frozenset({SHORT})) -> str | None:
        """The order's id; its amounts must be the checkout's, term by term. None where it was refused, for a reason."""
        is_created = received.type == "order.created.v1"
        if is_created and received.body["amounts"] == wanted.amounts:
            self.did[AGREED] += 1
        elif received.body.get("code") not in codes:
            self.report_unexpected(
                f"basket {wanted.basket.basket_id} at {wanted.amounts} came to {received.type} {received.body}"
            )
        return str(received.body["order_id"]) if is_created else None

    def report_unexpected(self, what: str) -> None:
        """Something that must not happen has happened."""
        self.unexpected_answers.append(what)

    def receive_reply(self, received: ReceivedMessage) -> None:
        """The stored outcome of a repeated request."""
        self.repeats_owed.discard(received.correlation_id)
        self.did["received a stored outcome again"] += 1

    async def send(self, message: OutgoingMessage) -> ReceivedMessage:
        """Any other command; its outcome."""
        return await self._send(message)

    async def _send(self, message: OutgoingMessage, *, carelessly: bool = False) -> ReceivedMessage:
        sent = self._outcomes.note(message)
        await self._link.send(message)
        if carelessly and self._dares("orders twice by the network"):
            await self._link.send(message)
        if carelessly and self._dares("orders twice by a second click"):
            self.tasks.start(self._click_again(message))
        return await sent.outcome()

    async def _click_again(self, first: OutgoingMessage) -> None:
        """The same request under a new message id, in the same conversation: its answer comes to us alone."""
        await asyncio.sleep(random.uniform(0, 3))
        again = OutgoingMessage(first.type, first.body, correlation_id=first.message_id, reply_to=self._reply_queue)
        self.repeats_owed.add(first.message_id)
        await self._link.send(again)

    def _dares(self, what: str) -> bool:
        dares = random.random() < CHANCES[what]
        self.did[what] += dares
        return dares
