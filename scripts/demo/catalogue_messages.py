"""What buyers are offered: deals as promotions, coupons by template, points; each as the message that announces it."""

from datetime import datetime
from typing import Any

from scripts.amqp_client import OutgoingMessage
from scripts.demo.baskets import Product
from scripts.demo.coupons import Coupon
from scripts.demo.product_promotions import WHOLE, ProductPromotion


def promotion(product: Product, starts_at: datetime, ends_at: datetime) -> OutgoingMessage | None:
    """The product's deal, if it has one."""
    deal = product.deal
    if deal is None:
        return None
    body = {
        "promo_id": f"deal-{product.sku_id}",
        "revision": 1,
        "name": _name(deal),
        "kind": deal.kind,
        "scope": "spu",
        "scope_id": product.sku_id,
        "currency": product.currency,
        "starts_at": starts_at.isoformat(),
        "ends_at": ends_at.isoformat(),
    }
    return OutgoingMessage("promotion.upsert.v1", body | _terms(product, deal))


def _terms(product: Product, deal: ProductPromotion) -> dict[str, Any]:
    if deal.kind == "single":
        return {"prices": {product.sku_id: deal.price_cents}}
    names = ("count", "pay_basis_points") if deal.kind == "ladder" else ("full", "reduce")
    return {"steps": [dict(zip(names, step, strict=True)) for step in deal.steps]}


def _name(deal: ProductPromotion) -> str:
    if deal.kind == "full_reduction":
        return "buy one, get one free"
    if deal.kind == "single":
        return f"card price {deal.price_cents / 100:.2f}"
    units, paid = deal.steps[0]
    return f"{(WHOLE - paid) / 100:g} % off from {units} on"


def coupon_template(coupon: Coupon, valid_from: datetime, valid_to: datetime) -> OutgoingMessage:
    """The terms that such coupons are issued under."""
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
    """One coupon for this user."""
    return OutgoingMessage("coupon.issue.v1", {"coupon_id": coupon_id, "template_id": template_id, "user_id": user})


def points_grant(user: str, points: int) -> OutgoingMessage:
    """What the user has collected elsewhere; once."""
    body = {"request_id": "collected", "user_id": user, "points": points, "reason": "collected at the placement"}
    return OutgoingMessage("points.grant.v1", body)
