"""What the catalogue says besides products: promotions, coupons, points, members, rules. Valid today, if not told."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from db.pool import Transaction
from messages.base import Message
from messages.benefits import CouponIssue, CouponTemplateUpsert, MemberUpsert, PointsGrant
from messages.catalogue import SettingsSet
from messages.promotions import PromotionUpsert
from tests.handlers.harness import Floor
from workers.handlers import catalogue
from workers.runtime.batch import Batch

DAY = timedelta(days=1)
NOW = datetime.now(UTC)


def promotion(promo_id: str = "p1", *, revision: int = 1, **changes: Any) -> PromotionUpsert:
    """s1 for 400 instead of 500."""
    fields: dict[str, Any] = {
        "promo_id": promo_id,
        "revision": revision,
        "name": f"Promotion {promo_id}",
        "kind": "single",
        "scope": "spu",
        "scope_id": "spu-s1",
        "currency": "CNY",
        "starts_at": NOW - DAY,
        "ends_at": NOW + DAY,
    }
    fields |= changes
    if fields["kind"] in ("single", "flash"):
        fields.setdefault("prices", {"s1": 400})
    return PromotionUpsert(**fields)


def template(template_id: str = "t1", *, revision: int = 1, **changes: Any) -> CouponTemplateUpsert:
    """100 off anything."""
    fields: dict[str, Any] = {
        "template_id": template_id,
        "revision": revision,
        "name": f"Template {template_id}",
        "amount": 100,
        "currency": "CNY",
        "scope": "all",
        "valid_from": NOW - DAY,
        "valid_to": NOW + DAY,
    }
    return CouponTemplateUpsert(**fields | changes)


def coupon(coupon_id: str = "c1", user_id: str = "u1", template_id: str = "t1") -> CouponIssue:
    return CouponIssue(coupon_id=coupon_id, template_id=template_id, user_id=user_id)


def grant(points: int = 1000, user_id: str = "u1", request_id: str = "g1") -> PointsGrant:
    return PointsGrant(request_id=request_id, user_id=user_id, points=points, reason="welcome")


def member(level: str = "gold", user_id: str = "u1", revision: int = 1) -> MemberUpsert:
    return MemberUpsert(user_id=user_id, revision=revision, level=level)


def settings(business_type: str = "normal", *, revision: int = 1, **policy: Any) -> SettingsSet:
    return SettingsSet(business_type=business_type, revision=revision, **policy)


def refused(floor: Floor) -> list[tuple[str, dict[str, Any]]]:
    """(code, details) of everything refused."""
    return [(event["code"], event["details"]) for event in floor.heard("command.rejected")]


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def side_by_side(floor: Floor, first: Message, second: Message) -> None:
    """Two workers handle one message each; the second begins while the first has not committed, and has to wait."""

    async def handle(tx: Transaction, body: Message) -> None:
        batch = Batch[Any]([floor.wrap(body, trusted=True)], await tx.fetchval("SELECT clock_timestamp()"))
        await catalogue.change_catalogue(tx, batch)

    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(floor.pool.acquire()) for _ in range(2)]
        begun, other = one.transaction(), two.transaction()
        await begun.start()
        await other.start()
        await handle(one, first)
        waiting = asyncio.create_task(handle(two, second))
        while not waiting.done() and not await floor.pool.fetchval(WAITING):
            await asyncio.sleep(0.01)
        await begun.commit()
        await waiting
        await other.commit()
    await floor.pump()
