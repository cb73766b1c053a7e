"""Builders of the catalogue besides SKUs: promotions, coupons, points, members and settings.

Their defaults are valid today: promotion p1 sells s1 for 400 instead of 500, coupon c1 of user u1 takes 100 off.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from messages.base import Actor
from messages.benefits import CouponIssue, CouponTemplateUpsert, MemberUpsert, PointsAdjust, PointsGrant
from messages.catalogue import RevisionReset, SettingsSet, WarehousesSet
from messages.promotions import PromotionUpsert
from messages.warehouse_hours import WarehouseHoursSet
from tests.handlers.builders import OPERATOR

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
    """A coupon of 100 for any goods."""
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


def correction(points: int, request_id: str = "a1", actor: Actor = OPERATOR) -> PointsAdjust:
    """Points that an operator adds to u1, or deducts."""
    return PointsAdjust(
        request_id=request_id, actor=actor, user_id="u1", points=points, reason_code="MISTAKE", reason="ask Wang Fang"
    )


def grant(points: int = 1000, user_id: str = "u1", request_id: str = "g1") -> PointsGrant:
    return PointsGrant(request_id=request_id, user_id=user_id, points=points, reason="welcome")


def member(level: str = "gold", user_id: str = "u1", revision: int = 1, *, blocked: bool = False) -> MemberUpsert:
    return MemberUpsert(user_id=user_id, revision=revision, level=level, blocked=blocked)


def settings(business_type: str = "normal", *, revision: int = 1, **policy: Any) -> SettingsSet:
    return SettingsSet(business_type=business_type, revision=revision, **policy)


def revision_reset(entry: str, revision: int, *, kind: str = "sku", request_id: str = "reset-1") -> RevisionReset:
    fields = {"request_id": request_id, "kind": kind, "id": entry, "revision": revision, "reason": "typed too much"}
    return RevisionReset.model_validate(fields)


def hours(*days: str, revision: int = 1, **fields: Any) -> WarehouseHoursSet:
    """The warehouse main works on these days, in UTC."""
    values = {"warehouse": "main", "revision": revision, "time_zone": "UTC", "working_days": days} | fields
    return WarehouseHoursSet.model_validate(values)


def warehouses(*names: str, revision: int = 1, **of: str) -> WarehousesSet:
    """These warehouses, the best first: `of` a SKU, a country and a province, or of all."""
    return WarehousesSet(warehouses=names, revision=revision, **of)
