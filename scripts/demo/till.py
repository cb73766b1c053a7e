"""Where orders are placed: sends them, now and then twice, and judges every answer by the shop's rules."""

import asyncio
import random
from collections import Counter
from collections.abc import Set

from scripts.demo.crowd import Crowd
from scripts.demo.outcomes import Outcomes
from scripts.demo.purchase import Purchase
from scripts.demo.wire import Heard, Letter, Link

SHORT, LIMITED = "INVENTORY_INSUFFICIENT", "RISK_RATE_LIMITED"
AGREED = "costs what the checkout says"
CHANCES = {"orders twice by a second click": 0.01, "orders twice by the network": 0.01}


class Till:
    """An answer that the shop's rules do not foresee is a surprise, and there must be none."""

    def __init__(self, link: Link, outcomes: Outcomes, crowd: Crowd, reply_queue: str) -> None:
        self.did: Counter[str] = Counter()
        self.surprises: list[str] = []
        self.repeats_owed: set[str] = set()
        self._link, self._outcomes, self.crowd, self._reply_queue = link, outcomes, crowd, reply_queue

    async def place(self, wanted: Purchase, request_id: str, price_cents: int) -> Heard:
        """Order it, perhaps more than once by accident; the answer."""
        return await self._send(wanted.letter(request_id, expected_pay_amount=price_cents), carelessly=True)

    async def mistake(self, letter: Letter, codes: Set[str]) -> None:
        """Order something wrongly. It must be refused for one of these reasons."""
        heard = await self._send(letter)
        if heard.body.get("code") not in codes | {LIMITED}:
            self.surprise(f"{letter.body!r} came to {heard.type} {heard.body}")

    def created(self, wanted: Purchase, heard: Heard, codes: Set[str] = frozenset({SHORT})) -> str | None:
        """The order's id; its amounts must be the checkout's, term by term. None where it was refused, for a reason."""
        is_created = heard.type == "order.created.v1"
        if is_created and heard.body["amounts"] == wanted.amounts:
            self.did[AGREED] += 1
        elif heard.body.get("code") not in codes:
            self.surprise(f"basket {wanted.basket.basket_id} at {wanted.amounts} came to {heard.type} {heard.body}")
        return str(heard.body["order_id"]) if is_created else None

    def surprise(self, what: str) -> None:
        """Something that must not happen has happened."""
        self.surprises.append(what)

    def hear_reply(self, heard: Heard) -> None:
        """The stored outcome of a repeated request."""
        self.repeats_owed.discard(heard.correlation_id)
        self.did["heard a stored outcome again"] += 1

    async def say(self, letter: Letter) -> Heard:
        """Any other command; its outcome."""
        return await self._send(letter)

    async def _send(self, letter: Letter, *, carelessly: bool = False) -> Heard:
        sent = self._outcomes.note(letter)
        await self._link.send(letter)
        if carelessly and self._dares("orders twice by the network"):
            await self._link.send(letter)
        if carelessly and self._dares("orders twice by a second click"):
            self.crowd.tell(self._click_again(letter))
        return await sent.outcome()

    async def _click_again(self, first: Letter) -> None:
        """The same request under a new message id, in the same conversation: its answer comes to us alone."""
        await asyncio.sleep(random.uniform(0, 3))
        again = Letter(first.type, first.body, correlation_id=first.message_id, reply_to=self._reply_queue)
        self.repeats_owed.add(first.message_id)
        await self._link.send(again)

    def _dares(self, what: str) -> bool:
        dares = random.random() < CHANCES[what]
        self.did[what] += dares
        return dares
