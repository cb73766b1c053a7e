"""Buyers place real baskets as orders, some with mistakes first, and know to the cent what each must cost."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Set
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

from scripts.amqp_client import OutgoingMessage
from scripts.demo.baskets import Basket
from scripts.demo.buyer_benefits import BuyerBenefits
from scripts.demo.checkout import Rules, eligible_cents
from scripts.demo.group_orders import NO_SEAT
from scripts.demo.order_placement import LIMITED, SHORT, OrderPlacement
from scripts.demo.purchase import Purchase, purchase
from scripts.demo.queries import Queries
from scripts.demo.stocked_products import StockedProducts

MISMATCH = "ORDER_PRICE_MISMATCH"
COUPON_REFUSALS = frozenset({"COUPON_NOT_FOUND", "COUPON_NOT_USABLE", "COUPON_ALREADY_LOCKED", MISMATCH})
"""How an order with a useless coupon may be refused.

A coupon that a cancelled order gave back is useful again: the price is then too low, hence the mismatch.
"""
CHANCES = {
    "asks for a preview first": 0.15,
    "tries the coupon of another user": 0.012,
    "tries an expired coupon": 0.006,
    "tries a coupon again": 0.5,
    "expects a wrong price": 0.005,
    "orders an unknown product": 0.003,
}
BeforeSending = Callable[[str], None]
"""Called with each request id before it is sent."""
Mistake = tuple[OutgoingMessage, Set[str]]
"""A wrong order.create, and the codes that may refuse it."""


class Buyers:
    """Places each basket until it is an order, unless something is sold out."""

    def __init__(
        self,
        placement: OrderPlacement,
        stocked_products: StockedProducts,
        buyer_benefits: BuyerBenefits,
        queries: Queries,
        *,
        rules: Rules,
    ) -> None:
        self.did: Counter[str] = Counter()
        self.cents: Counter[str] = Counter()
        self.ordered = 0
        self._placement, self._stocked_products = placement, stocked_products
        self._buyer_benefits, self._queries, self._rules = buyer_benefits, queries, rules

    async def order(self, basket: Basket, before_sending: BeforeSending = lambda _: None) -> str | None:
        """Place one basket, perhaps with mistakes first. Returns the order's id, or None if something was sold out."""
        self.ordered += 1
        wanted = await self._wanted(basket)
        for message, codes in await self._mistakes(wanted):
            await self._placement.place_wrongly(message, codes)
        price_cents = await self._price(wanted)
        for attempt in count():
            request_id = f"basket-{basket.basket_id}-{attempt}"
            before_sending(request_id)
            received = await self._placement.place(wanted, request_id, price_cents)
            if received.body.get("code") != LIMITED:
                break
            await asyncio.sleep(seconds_until(received.body["details"]["retry_at"]))
        order_id = self._placement.check_created(wanted, received, {SHORT} | refusals_of(basket))
        if order_id is not None:
            self._remember(wanted)
        return order_id

    async def order_too_often(self, basket: Basket, orders: int) -> None:
        """Place many orders of a basket's first product at once, more than the rate limit allows."""
        buyer = replace(basket, household="in-a-hurry", week=0)
        wanted = purchase(buyer, [(self._stocked_products.lines_of(basket)[0][0], 1)], self._rules, None, 0)
        places = (self._placement.place(wanted, f"hasty-{number}", wanted.due.payable) for number in range(orders))
        for received in await asyncio.gather(*places):
            self._placement.check_created(wanted, received, {SHORT, LIMITED})

    async def _wanted(self, basket: Basket) -> Purchase:
        """Return the purchase of a basket, after its coupon and the points of its household are given to the buyer."""
        lines, coupon, coupon_id = self._stocked_products.lines_of(basket), basket.coupon, None
        if coupon is not None and eligible_cents(lines, coupon) > 0:
            coupon_id = await self._buyer_benefits.issue_coupon(coupon, f"basket-{basket.basket_id}", basket.user)
        points = await self._buyer_benefits.grant_points(basket.household, basket.user)
        return purchase(basket, lines, self._rules, coupon_id, points)

    async def _mistakes(self, wanted: Purchase) -> list[Mistake]:
        """Choose the mistakes that this buyer makes first."""
        found, request_id = list[Mistake](), f"basket-{wanted.basket.basket_id}-wrong"
        if (coupon_id := await self._useless_coupon(wanted)) is not None:
            plain = wanted.without_benefits(self._rules, coupon_id)
            found.append((plain.order_create(f"{request_id}-coupon"), COUPON_REFUSALS))
        if self._by_chance("expects a wrong price"):
            message = wanted.order_create(f"{request_id}-price", expected_pay_amount=wanted.due.payable - 1)
            found.append((message, {MISMATCH}))
        if self._by_chance("orders an unknown product"):
            items = [*wanted.items, {"sku_id": "unicorn", "qty": 1}]
            found.append((wanted.order_create(f"{request_id}-thing", items=items), {"PRODUCT_NOT_FOUND"}))
        return found

    async def _useless_coupon(self, wanted: Purchase) -> str | None:
        used_before = self._buyer_benefits.coupon_used_before(wanted.user)
        of_another = self._buyer_benefits.coupon_of_another(wanted.user)
        if used_before is not None and self._by_chance("tries a coupon again"):
            return used_before
        if of_another is not None and self._by_chance("tries the coupon of another user"):
            return of_another
        if self._by_chance("tries an expired coupon"):
            return await self._buyer_benefits.issue_expired_coupon(wanted.lines[0][0], wanted.user)
        return None

    async def _price(self, wanted: Purchase) -> int:
        """Return the price: from a preview if the buyer asks for one, else from the checkout."""
        if not self._by_chance("asks for a preview first"):
            return wanted.due.payable
        preview = (await self._queries.request("order.preview.v1", wanted.order_preview())).body
        if preview.get("refusal") and preview["refusal"]["code"] in refusals_of(wanted.basket):
            return wanted.due.payable
        if preview.get("amounts") != wanted.amounts:
            self._placement.report_unexpected(
                f"preview of basket {wanted.basket.basket_id} at {wanted.amounts}: {preview}"
            )
            return wanted.due.payable
        self.did["gets the checkout's price in a preview"] += 1
        return int(preview["amounts"]["payable"])

    def _remember(self, wanted: Purchase) -> None:
        basket, due = wanted.basket, wanted.due
        self.cents.update(
            promotions=due.promotion,
            coupons=due.coupon,
            points=due.points_amount,
            promotions_then=basket.retail_off_cents,
            coupons_then=basket.coupons_off_cents,
        )
        if wanted.coupon_id is not None:
            self._buyer_benefits.remember_used(wanted.coupon_id, wanted.user)

    def _by_chance(self, what: str) -> bool:
        """Decide by chance whether the buyer does this, and count it."""
        chosen = random.random() < CHANCES[what]
        self.did[what] += chosen
        return chosen


def refusals_of(basket: Basket) -> Set[str]:
    """Return the codes that refuse an order which comes too late for a seat of its group."""
    return NO_SEAT if basket.group_id is not None else frozenset()


def seconds_until(moment: str) -> float:
    """Return the seconds until this moment, 0 if it has passed."""
    return max(0.0, (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds())


class Pace:
    """Lets so many pass per second, evenly. A rate of 0 is as fast as possible."""

    def __init__(self, per_second: float) -> None:
        self._step = 1 / per_second if per_second > 0 else 0.0
        self._next = time.monotonic()

    async def wait(self) -> None:
        """Wait for the next turn. Turns that a pause missed are not made up for."""
        self._next = max(self._next + self._step, time.monotonic() - 1)
        await asyncio.sleep(max(0.0, self._next - time.monotonic()))
