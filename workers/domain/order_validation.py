"""Checks an order.create. Each kind of mistake has its own code (S3-09)."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from workers.domain.codes import Code
from workers.domain.pricing.quote import Quote
from workers.domain.refusal import Refusal
from workers.domain.shop import BUSINESS_TYPES, CHANNELS, Policy, Shop

AMOUNT_TYPES = ("origin", "promotion", "coupon", "points", "shipping", "tax", "real_pay")
METHODS = ("alipay", "wechat", "unionpay", "paypal", "stripe")
SOURCES = ("cart", "buy_now", "draft")


def unknown_words(
    channel: str,
    source: str,
    business_type: str,
    methods: Sequence[str] | None,
    amounts: Sequence[tuple[str, int]] | None,
) -> Refusal | None:
    """Refuse a value that is not in its field's list. `methods` and `amounts` are None if the client sent none."""
    if channel not in CHANNELS:
        return Refusal(Code.ORDER_CHANNEL_INVALID, f"the channel is one of {', '.join(CHANNELS)}", {"field": "channel"})
    if business_type not in BUSINESS_TYPES:
        known = ", ".join(sorted(BUSINESS_TYPES))
        return Refusal(Code.ORDER_BUSINESS_TYPE_INVALID, f"it is one of {known}", {"field": "business_type"})
    if source not in SOURCES:
        return Refusal(Code.ORDER_PARAM_INVALID, f"the source is one of {', '.join(SOURCES)}", {"field": "source"})
    if methods is not None and (not methods or any(method not in METHODS for method in methods)):
        known = f"at least one payment, each by one of {', '.join(METHODS)}"
        return Refusal(Code.ORDER_PAYMENT_LIST_INVALID, known, {"field": "payments"})
    if amounts is not None:
        types = [type_ for type_, _ in amounts]
        sound = "real_pay" in types and len(set(types)) == len(types) and all(amount >= 0 for _, amount in amounts)
        if not sound or any(type_ not in AMOUNT_TYPES for type_ in types):
            known = f"real_pay and any of {', '.join(AMOUNT_TYPES[:-1])}, each once and none negative"
            return Refusal(Code.ORDER_AMOUNT_LIST_INVALID, known, {"field": "amounts"})
    return None


def wrong_user(level: str | None, blocked: bool, rules: Shop) -> Refusal | None:
    """Refuse a user who is blocked, or who is no member of a shop that sells to members only (S2-03).

    `level` is None for one who is no member.
    """
    if blocked:
        return Refusal(Code.USER_INVALID, "this user may place no orders", {"field": "user_id", "why": "blocked"})
    if level is None and rules.members_only:
        return Refusal(Code.USER_INVALID, "the shop knows no such user", {"field": "user_id", "why": "unknown"})
    return None


def too_many_orders(accepted_at: Sequence[datetime], policy: Policy, now: datetime) -> Refusal | None:
    """Refuse an order above the limit of accepted orders in a sliding window (S1-49).

    `accepted_at` are the times of accepted orders, newest first.
    """
    limit, window = policy.rate_limit_orders, timedelta(seconds=policy.rate_limit_window_seconds)
    recent = [at for at in accepted_at if at > now - window]
    if not limit or len(recent) < limit:
        return None
    retry_at = recent[limit - 1] + window
    message = f"at most {limit} orders in {policy.rate_limit_window_seconds} s"
    return Refusal(Code.RISK_RATE_LIMITED, message, {"retry_at": retry_at.isoformat(), "limit": limit})


def against_policy(wanted: Sequence[tuple[str, int]], coupon: bool, points: int, policy: Policy) -> Refusal | None:
    """Refuse what the policy of the business type does not allow (S1-50).

    `wanted` is (SKU, units) of each line. The units of all lines with the same SKU count together.
    """
    units: dict[str, int] = {}
    for number, (sku_id, qty) in enumerate(wanted, start=1):
        units[sku_id] = units.get(sku_id, 0) + qty
        if units[sku_id] > policy.units_max_per_line:
            details = {"field": f"items[{number - 1}].qty", "line": number, "max": policy.units_max_per_line}
            message = f"line {number}: at most {policy.units_max_per_line} units of a SKU"
            return Refusal(Code.ORDER_PARAM_INVALID, message, details)
    if coupon and not policy.allow_coupon:
        details = {"field": "coupon_id", "why": "business_type"}
        return Refusal(Code.COUPON_NOT_USABLE, "orders of this business type take no coupon", details)
    if points and not policy.allow_points:
        return Refusal(Code.POINTS_RULE, "orders of this business type take no points", {"field": "use_points"})
    return None


def unexpected_amounts(amounts: Sequence[tuple[str, int]], quote: Quote) -> Refusal | None:
    """Refuse if an amount that the client expects differs from the price (S3-13)."""
    ours = {
        "origin": quote.origin_amount,
        "promotion": quote.promotion_amount,
        "coupon": quote.coupon_amount,
        "points": quote.points_amount,
        "shipping": quote.shipping_fee,
        "tax": quote.tax_amount,
        "real_pay": quote.payable_amount,
    }
    for type_, amount in amounts:
        if amount != ours[type_]:
            details = {"type": type_, "expected": ours[type_], "got": amount, "currency": quote.currency}
            return Refusal(Code.ORDER_PRICE_MISMATCH, f"{type_} is {ours[type_]}, not {amount}", details)
    return None


def wrong_order_number(
    order_no: str | None, issued: Mapping[str, tuple[str, int | None]], user_id: str
) -> Refusal | None:
    """Refuse an order number that was not issued to this user, or that an order already has.

    `issued` maps a number to (its user, the order that has it).
    """
    owner, used_by = issued.get(order_no or "", (None, None))
    if order_no is None or (owner == user_id and used_by is None):
        return None
    if owner == user_id:
        details = {"field": "order_no", "order_id": str(used_by)}
        return Refusal(Code.ORDER_PARAM_INVALID, f"order {used_by} has this number", details)
    return Refusal(Code.ORDER_PARAM_INVALID, "this number is not the user's to use", {"field": "order_no"})
