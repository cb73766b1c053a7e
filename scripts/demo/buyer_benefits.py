"""The coupons and points that buyers get before they order, useful and useless ones."""

import asyncio
import random
from collections import deque
from datetime import UTC, datetime, timedelta

from scripts.amqp_client import OutgoingMessage, new_id
from scripts.demo.baskets import Product
from scripts.demo.catalogue_messages import coupon_issue, coupon_template_upsert, points_grant
from scripts.demo.checkout import points_collected
from scripts.demo.command_outcomes import REFUSED, CommandOutcomes, PendingCommand
from scripts.demo.coupons import Coupon
from scripts.demo.role_links import RoleLinks

EXPIRES_SECONDS = 6.0
REMEMBERED_MAX = 1_000


class BuyerBenefits:
    """Issues coupons and grants points to buyers, each before the order that uses it."""

    def __init__(self, link: RoleLinks, outcomes: CommandOutcomes) -> None:
        self._link, self._outcomes = link, outcomes
        self._templates: dict[str, PendingCommand] = {}
        self._collected: set[str] = set()
        self._used: deque[tuple[str, str]] = deque(maxlen=REMEMBERED_MAX)
        now = datetime.now(UTC)
        self._valid_from, self._valid_to = now - timedelta(days=1), now + timedelta(days=1)

    async def issue_coupon(self, coupon: Coupon, coupon_id: str, user: str) -> str:
        """Issue a coupon to this user and return its id. The first coupon of a kind announces its template before."""
        if coupon.template_id not in self._templates:
            message = coupon_template_upsert(coupon, self._valid_from, self._valid_to)
            self._templates[coupon.template_id] = self._outcomes.remember(message)
            await self._link.send(message)
        await self._templates[coupon.template_id].outcome()
        await self._succeeds(coupon_issue(coupon.template_id, coupon_id, user))
        return coupon_id

    async def grant_points(self, household: str, user: str) -> int:
        """Grant the points of the household to this user and return them; 0 if the user got them before."""
        points = points_collected(household)
        if not points or user in self._collected:
            return 0
        self._collected.add(user)
        await self._succeeds(points_grant(user, points))
        return points

    def remember_used(self, coupon_id: str, user: str) -> None:
        """Remember whose coupon went into an order."""
        self._used.append((coupon_id, user))

    def coupon_of_another(self, user: str) -> str | None:
        """Return a coupon of another user, if there is one."""
        others = [coupon_id for coupon_id, owner in self._used if owner != user]
        return random.choice(others) if others else None

    def coupon_used_before(self, user: str) -> str | None:
        """Return a coupon that this user has already put into an order, if there is one."""
        return next((coupon_id for coupon_id, owner in self._used if owner == user), None)

    async def issue_expired_coupon(self, product: Product, user: str) -> str | None:
        """Issue a coupon and wait until it has expired. Returns None if it expired before it was issued."""
        until = datetime.now(UTC) + timedelta(seconds=EXPIRES_SECONDS)
        short = Coupon(f"short-{new_id()}", "1.00 off, for a moment", 100, (product.sku_id,), product.currency)
        await self._succeeds(coupon_template_upsert(short, self._valid_from, until))
        issued = await self._succeeds(coupon_issue(short.template_id, short.template_id, user))
        await asyncio.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()) + 0.5)
        return short.template_id if issued else None

    async def _succeeds(self, message: OutgoingMessage) -> bool:
        """Send a command and tell whether it succeeded."""
        sent = self._outcomes.remember(message)
        await self._link.send(message)
        return (await sent.outcome()).type != REFUSED
