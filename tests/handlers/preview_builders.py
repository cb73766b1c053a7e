"""A catalogue with every kind of promotion, and a buyer with coupons of every kind, points and a level."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from messages.base import Message
from messages.benefits import CouponIssue, CouponTemplateUpsert, MemberUpsert, PointsGrant
from messages.catalogue import SkuUpsert
from messages.promotions import LadderStep, PromotionUpsert, ReductionStep
from workers.domain.shop import Shop

FROM, TO = datetime(2020, 1, 1, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC)
SHOP = Shop(
    shipping_fee_minor_units={"CNY": 700},
    shipping_fees_by_country={"US": {"CNY": 2500}},
    free_shipping_from_minor_units={"CNY": 50_000},
    tax_rates_basis_points={"standard": 1300, "food": 900},
)


def sku(name: str, price: int, category: str = "drinks", **changes: Any) -> SkuUpsert:
    return SkuUpsert(
        sku_id=name,
        revision=1,
        spu_id=f"spu-{name}",
        name=f"Product {name}",
        status="on_sale",
        price=price,
        currency="CNY",
        category_id=category,
        **changes,
    )


def promotion(promo_id: str, kind: str, scope: str, scope_id: str | None, **terms: Any) -> PromotionUpsert:
    return PromotionUpsert(
        promo_id=promo_id,
        revision=1,
        name=f"Promotion {promo_id}",
        kind=kind,  # type: ignore[arg-type]
        scope=scope,  # type: ignore[arg-type]
        scope_id=scope_id,
        currency="CNY",
        starts_at=FROM,
        ends_at=TO,
        **terms,
    )


def template(template_id: str, amount: int, **changes: Any) -> CouponTemplateUpsert:
    fields: dict[str, Any] = {"scope": "all", "valid_from": FROM, "valid_to": TO, "min_amount": 0} | changes
    return CouponTemplateUpsert(
        template_id=template_id, revision=1, name=f"Coupon {template_id}", amount=amount, currency="CNY", **fields
    )


def issue(coupon_id: str, template_id: str, user_id: str = "u1") -> CouponIssue:
    return CouponIssue(coupon_id=coupon_id, template_id=template_id, user_id=user_id)


CATALOGUE: Sequence[Message] = (
    sku("tea", 3333, gift_points=5),
    sku("cake", 4999, "food", tax_class="food"),
    sku("cup", 10_001, "kitchen", points_limit=100),
    sku("pot", 20_000, "kitchen"),
    sku("plate", 777, "plain"),
    promotion("p-tea", "ladder", "spu", "spu-tea", steps=(LadderStep(count=2, pay_basis_points=8750),)),
    promotion("p-food", "full_reduction", "category", "food", steps=(ReductionStep(full=9000, reduce=1001),)),
    promotion("p-cup", "member", "spu", "spu-cup", member_prices={"gold": {"cup": 9000}}),
    promotion("p-pot", "flash", "spu", "spu-pot", prices={"pot": 15_000}, quantity=3, per_user_limit=2),
)
BENEFITS: Sequence[Message] = (
    MemberUpsert(user_id="u1", revision=1, level="gold", blocked=False),
    PointsGrant(request_id="g1", user_id="u1", points=5_050, reason="welcome"),
    template("t-all", 1_999, min_amount=3_000),
    template("t-food", 500, scope="category", scope_ids=("food",)),
    template("t-much", 9_000, min_amount=1_000_000),
    template("t-close", 10, min_amount=6_000),
    template("t-mobile", 100, channels=("mobile",)),
    template("t-old", 100, valid_to=datetime(2021, 1, 1, tzinfo=UTC)),
    *(issue(f"c-{name}", f"t-{name}") for name in ("all", "food", "much", "close", "mobile")),
    issue("c-theirs", "t-all", "u2"),
)
