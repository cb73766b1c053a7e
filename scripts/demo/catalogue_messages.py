"""The messages that put products, promotions, coupons and points into the order system."""

from datetime import datetime
from typing import Any

from scripts.amqp_client import OutgoingMessage
from scripts.demo.baskets import Product
from scripts.demo.coupons import Coupon
from scripts.demo.product_promotions import WHOLE, ProductPromotion

TRUSTING = "seckill"
"""The business type of orders whose exchanges ship at their approval; those of all others wait for an inspection."""
IN_GROUPS = "group_buy"
"""The business type of orders that are bought in groups."""


def sell_to_groups(size: int, window_seconds: int) -> OutgoingMessage:
    """Return the message that has orders of groups wait until so many are paid, for so long."""
    rules = {"business_type": IN_GROUPS, "revision": 1, "group_size": size, "group_window_seconds": window_seconds}
    return OutgoingMessage("settings.set.v1", rules)


def trust_buyers() -> OutgoingMessage:
    """Return the message that lets the other goods of an exchange go out at its approval."""
    rules = {"business_type": TRUSTING, "revision": 1, "after_sale": {"exchange_ships": "at_approval"}}
    return OutgoingMessage("settings.set.v1", rules)


def promotion_upsert(product: Product, starts_at: datetime, ends_at: datetime) -> OutgoingMessage | None:
    """Return the message that announces the product's promotion, if it has one."""
    promotion = product.promotion
    if promotion is None:
        return None
    body = {
        "promo_id": f"deal-{product.sku_id}",
        "revision": 1,
        "name": _name(promotion),
        "kind": promotion.kind,
        "scope": "spu",
        "scope_id": product.sku_id,
        "currency": product.currency,
        "starts_at": starts_at.isoformat(),
        "ends_at": ends_at.isoformat(),
    }
    return OutgoingMessage("promotion.upsert.v1", body | _terms(product, promotion))


def _terms(product: Product, promotion: ProductPromotion) -> dict[str, Any]:
    if promotion.kind == "single":
        return {"prices": {product.sku_id: promotion.price_cents}}
    names = ("count", "pay_basis_points") if promotion.kind == "ladder" else ("full", "reduce")
    return {"steps": [dict(zip(names, step, strict=True)) for step in promotion.steps]}


def _name(promotion: ProductPromotion) -> str:
    if promotion.kind == "full_reduction":
        return "buy one, get one free"
    if promotion.kind == "single":
        return f"card price {promotion.price_cents / 100:.2f}"
    units, paid = promotion.steps[0]
    return f"{(WHOLE - paid) / 100:g} % off from {units} on"


def coupon_template_upsert(coupon: Coupon, valid_from: datetime, valid_to: datetime) -> OutgoingMessage:
    """Return the template with the terms of such coupons."""
    body = {
        "template_id": coupon.template_id,
        "revision": 1,
        "name": coupon.name,
        "amount": coupon.face_cents,
        "currency": coupon.currency,
        "scope": "sku",
        "scope_ids": coupon.scope,
        "valid_from": valid_from.isoformat(),
        "valid_to": valid_to.isoformat(),
    }
    return OutgoingMessage("coupon_template.upsert.v1", body)


def coupon_issue(template_id: str, coupon_id: str, user: str) -> OutgoingMessage:
    """Return the message that issues one coupon to a user."""
    return OutgoingMessage("coupon.issue.v1", {"coupon_id": coupon_id, "template_id": template_id, "user_id": user})


def points_grant(user: str, points: int) -> OutgoingMessage:
    """Return the message that grants a user's points. The fixed request id grants them once."""
    body = {"request_id": "collected", "user_id": user, "points": points, "reason": "collected at the till"}
    return OutgoingMessage("points.grant.v1", body)
