"""The buyers: they place real baskets as orders, and some change their minds."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass

from scripts.demo.baskets import Basket
from scripts.demo.crowd import Crowd
from scripts.demo.outcomes import Outcomes
from scripts.demo.shelves import CURRENCY, Shelves
from scripts.demo.wire import Heard, Letter, Link, new_id

EVENTS = ("order.*", "orders.deleted", "command.rejected", "sku.*", "stock.received")
FINAL = {"cancelled", "completed", "rejected"}

CHANCES = {
    "cancels at once": 0.03,
    "cancels when paid": 0.02,
    "moves house": 0.03,
    "confirms receipt": 0.4,
    "confirms too early": 0.005,
    "meddles with another's order": 0.005,
    "deletes when done": 0.02,
    "expects another price": 0.005,
    "wants what is not sold": 0.003,
    "orders twice by a second click": 0.01,
    "orders twice by the network": 0.01,
}


@dataclass
class Placed:
    """An order that has not ended yet."""

    user: str
    state: str
    version: int


class Buyers:
    """Publishes order commands and follows what becomes of them."""

    def __init__(self, link: Link, outcomes: Outcomes, shelves: Shelves, crowd: Crowd, shipping_fee_cents: int) -> None:
        self.live: dict[str, Placed] = {}
        self.ended: Counter[str] = Counter()
        self.did: Counter[str] = Counter()
        self.ordered = 0
        self.repeats_owed: set[str] = set()
        self.reply_queue = ""
        self._link, self._outcomes, self._shelves, self._crowd = link, outcomes, shelves, crowd
        self._shipping_fee_cents = shipping_fee_cents

    # ------------------------------------------------------------ placing

    async def order(self, basket: Basket) -> None:
        """Place one basket, perhaps wrongly or more than once."""
        letter = self._create(basket)
        self.ordered += 1
        self._outcomes.note(letter)
        await self._link.send(letter)
        if self._dares("orders twice by the network"):
            await self._link.send(letter)
        if self._dares("orders twice by a second click"):
            self._crowd.tell(self._click_again(letter))

    def _create(self, basket: Basket) -> Letter:
        lines = [{"sku_id": sku_id, "qty": units} for sku_id, units in basket.lines]
        total = sum(self._shelves.prices[sku_id] * units for sku_id, units in basket.lines)
        if self._dares("expects another price"):
            total -= 1
        if self._dares("wants what is not sold"):
            lines.append({"sku_id": "unicorn", "qty": 1})
        user = f"household-{basket.household}-week-{basket.week}"
        body = {
            "request_id": f"basket-{basket.basket_id}",
            "actor": {"type": "user", "id": user},
            "user_id": user,
            "channel": random.choice(["pc", "mobile", "api"]),
            "source": "cart",
            "currency": CURRENCY,
            "items": lines,
            "address": address(basket.household),
            "expected_pay_amount": total + self._shipping_fee_cents,
        }
        return Letter("order.create.v1", body)

    async def _click_again(self, first: Letter) -> None:
        """The same request under a new message id, in the same conversation: its answer comes to us alone."""
        await asyncio.sleep(random.uniform(0, 3))
        again = Letter(first.type, first.body, correlation_id=first.message_id, reply_to=self.reply_queue)
        self.repeats_owed.add(first.message_id)
        await self._link.send(again)

    def hear_reply(self, heard: Heard) -> None:
        """The stored outcome of a repeated request."""
        self.repeats_owed.discard(heard.correlation_id)
        self.did["heard a stored outcome again"] += 1

    # ------------------------------------------------------------ following

    def hear(self, heard: Heard) -> None:
        """An event of the order system."""
        self._outcomes.hear(heard)
        if heard.type.startswith("order."):
            self._follow(heard.type, heard.body)

    def _follow(self, type_: str, body: dict[str, object]) -> None:
        order_id, state, version = str(body["order_id"]), str(body["state"]), int(str(body["version"]))
        known = self.live.get(order_id)
        if known is not None and version <= known.version:
            return
        if state in FINAL:
            if type_ != "order.deleted.v1":
                self.live.pop(order_id, None)
                self.ended[state] += 1
        else:
            self.live[order_id] = Placed(str(body["user_id"]), state, version)
        self._react(type_, order_id, str(body["user_id"]))

    def _react(self, type_: str, order_id: str, user: str) -> None:
        if type_ == "order.created.v1":
            self._maybe("cancels at once", "order.cancel.v1", order_id, user, reason="changed my mind")
            self._maybe("confirms too early", "order.confirm_receipt.v1", order_id, user)
            self._maybe("meddles with another's order", "order.cancel.v1", order_id, "household-0", reason="mischief")
        elif type_ == "order.paid.v1":
            self._maybe("cancels when paid", "order.cancel.v1", order_id, user, reason="found it cheaper")
            self._maybe("moves house", "order.change_address.v1", order_id, user, address=address("moved"))
        elif type_ == "order.delivered.v1":
            self._maybe("confirms receipt", "order.confirm_receipt.v1", order_id, user)
        elif type_ == "order.completed.v1" and self._dares("deletes when done"):
            self._say("order.delete.v1", user, order_ids=[order_id])

    def _maybe(self, what: str, type_: str, order_id: str, user: str, **fields: object) -> None:
        if self._dares(what):
            self._say(type_, user, order_id=order_id, **fields)

    def _say(self, type_: str, user: str, **fields: object) -> None:
        letter = Letter(type_, {"request_id": new_id(), "actor": {"type": "user", "id": user}, **fields})
        self._crowd.tell(self._after_a_while(letter))

    async def _after_a_while(self, letter: Letter) -> None:
        await asyncio.sleep(random.uniform(0, 1.5))
        self._outcomes.note(letter)
        await self._link.send(letter)

    def _dares(self, what: str) -> bool:
        dares = random.random() < CHANCES[what]
        self.did[what] += dares
        return dares


class Pace:
    """So many a second, evenly. A rate of 0 is as fast as possible."""

    def __init__(self, per_second: float) -> None:
        self._step = 1 / per_second if per_second > 0 else 0.0
        self._next = time.monotonic()

    async def wait(self) -> None:
        """Until the next may go; a pause is not caught up with."""
        self._next = max(self._next + self._step, time.monotonic() - 1)
        await asyncio.sleep(max(0.0, self._next - time.monotonic()))


def address(household: str) -> dict[str, str]:
    """An address that nobody lives at."""
    return {
        "receiver": f"Household {household}",
        "phone": f"+1 555 010 {hash(household) % 10_000:04d}",
        "country": "US",
        "province": "OH",
        "city": "Cincinnati",
        "detail": f"{household} Example Street",
        "postcode": "45202",
    }
