"""What buyers have in their pockets when they come: a coupon for the basket, points, and coupons that are no use."""

import asyncio
import random
from collections import deque
from datetime import UTC, datetime, timedelta

from scripts.amqp_client import AmqpClient, OutgoingMessage, new_id
from scripts.demo.baskets import Product
from scripts.demo.catalogue_messages import coupon_issue, coupon_template, points_grant
from scripts.demo.checkout import points_collected
from scripts.demo.command_outcomes import REFUSED, CommandOutcomes, PendingCommand
from scripts.demo.coupons import Coupon

EXPIRES_SECONDS = 6.0
REMEMBERED_MAX = 1_000


class BuyerBenefits:
    """Has coupons and points given to buyers, each before the order that it is for."""

    def __init__(self, link: AmqpClient, outcomes: CommandOutcomes) -> None:
        self._link, self._outcomes = link, outcomes
        self._templates: dict[str, PendingCommand] = {}
        self._collected: set[str] = set()
        self._spent: deque[tuple[str, str]] = deque(maxlen=REMEMBERED_MAX)
        now = datetime.now(UTC)
        self._valid_from, self._valid_to = now - timedelta(days=1), now + timedelta(days=1)

    async def coupon(self, coupon: Coupon, coupon_id: str, user: str) -> str:
        """A coupon for this user; its terms are announced before the first of its kind."""
        if coupon.template_id not in self._templates:
            message = coupon_template(coupon, self._valid_from, self._valid_to)
            self._templates[coupon.template_id] = self._outcomes.note(message)
            await self._link.send(message)
        await self._templates[coupon.template_id].outcome()
        await self._said(coupon_issue(coupon.template_id, coupon_id, user))
        return coupon_id

    async def points(self, household: str, user: str) -> int:
        """What the household has collected, given to the user the first time that it comes; later nothing."""
        points = points_collected(household)
        if not points or user in self._collected:
            return 0
        self._collected.add(user)
        await self._said(points_grant(user, points))
        return points

    def spent(self, coupon_id: str, user: str) -> None:
        """Remember whose coupon went into an order."""
        self._spent.append((coupon_id, user))

    def foreign(self, user: str) -> str | None:
        """A coupon that somebody else has."""
        others = [coupon_id for coupon_id, owner in self._spent if owner != user]
        return random.choice(others) if others else None

    def former(self, user: str) -> str | None:
        """A coupon that the user has put into an order before."""
        return next((coupon_id for coupon_id, owner in self._spent if owner == user), None)

    async def expired(self, product: Product, user: str) -> str | None:
        """A coupon for this product that is out of date when this returns; None when it was so before it was issued."""
        until = datetime.now(UTC) + timedelta(seconds=EXPIRES_SECONDS)
        short = Coupon(f"short-{new_id()}", "1.00 off, for a moment", 100, (product.sku_id,), product.currency)
        await self._said(coupon_template(short, self._valid_from, until))
        issued = await self._said(coupon_issue(short.template_id, short.template_id, user))
        await asyncio.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()) + 0.5)
        return short.template_id if issued else None

    async def _said(self, message: OutgoingMessage) -> bool:
        """Whether it was done."""
        sent = self._outcomes.note(message)
        await self._link.send(message)
        return (await sent.outcome()).type != REFUSED
