"""Decides whether a buyer may use a coupon, and how much it takes off each line (R-04, S4-05)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from workers.domain.codes import Code
from workers.domain.pricing.allocation import allocate
from workers.domain.refusal import Refusal


class CouponState(StrEnum):
    """The states of a coupon: issued, locked for an order, used by it, or ended unused."""

    ISSUED = "issued"
    LOCKED = "locked"
    USED = "used"
    EXPIRED = "expired"


class CouponScope(StrEnum):
    """The goods that a coupon covers: all, those of its categories, or its SKUs."""

    ALL = "all"
    CATEGORY = "category"
    SKU = "sku"


HELD = frozenset({CouponState.LOCKED, CouponState.USED})
"""A coupon in one of these states belongs to an order."""


@dataclass(frozen=True)
class Coupon:
    """One coupon with the terms under which it was issued. `amount` and `min_amount` are minor units.

    Without channels it is good in every channel, without levels for every level. It is valid from `valid_from` until
    before `valid_to`. `order_id` is the order that holds it, if it is locked or used.
    """

    coupon_id: str
    user_id: str
    state: CouponState
    order_id: int | None
    name: str
    amount: int
    currency: str
    min_amount: int
    scope: CouponScope
    scope_ids: frozenset[str]
    channels: frozenset[str]
    member_levels: frozenset[str]
    valid_from: datetime
    valid_to: datetime

    def covers(self, sku_id: str, category_id: str | None) -> bool:
        """True if this SKU counts towards the threshold and gets its part of the amount."""
        if self.scope == CouponScope.ALL:
            return True
        return (category_id if self.scope == CouponScope.CATEGORY else sku_id) in self.scope_ids


class CouponUser(Protocol):
    """The buyer who wants to use a coupon."""

    @property
    def user_id(self) -> str: ...
    @property
    def member_level(self) -> str | None: ...


def unusable(coupon: Coupon | None, buyer: CouponUser, currency: str, channel: str, at: datetime) -> Refusal | None:
    """Refuse a coupon that this buyer cannot use in any order now. Another user's coupon counts as unknown."""
    if coupon is None or coupon.user_id != buyer.user_id:
        return Refusal(Code.COUPON_NOT_FOUND, "the buyer has no such coupon")
    if coupon.state == CouponState.LOCKED:
        details = {"coupon_id": coupon.coupon_id, "order_id": str(coupon.order_id)}
        return Refusal(Code.COUPON_ALREADY_LOCKED, "another order holds the coupon", details)
    reasons = {
        "used": coupon.state == CouponState.USED,
        "expired": coupon.state == CouponState.EXPIRED or coupon.valid_to <= at,
        "not_yet_valid": at < coupon.valid_from,
        "channel": bool(coupon.channels) and channel not in coupon.channels,
        "member_level": bool(coupon.member_levels) and buyer.member_level not in coupon.member_levels,
        "currency": coupon.currency != currency,
    }
    why = next((why for why, holds in reasons.items() if holds), None)
    return None if why is None else _not_usable(coupon, why)


def take_off(coupon: Coupon, rest: Sequence[int], covered: Sequence[bool]) -> list[int] | Refusal:
    """Share the coupon's amount out to the lines that it covers, never more than they cost.

    `rest` is the amount of each line that is still to be paid. A coupon that would take off nothing is refused, so that
    it is not used up.
    """
    if not any(covered):
        return _not_usable(coupon, "scope")
    weights = [amount if eligible else 0 for amount, eligible in zip(rest, covered, strict=True)]
    base = sum(weights)
    if base < max(coupon.min_amount, 1):
        return _not_usable(coupon, "threshold", min_amount=coupon.min_amount, base=base)
    return allocate(min(coupon.amount, base), weights)


def _not_usable(coupon: Coupon, why: str, **numbers: int) -> Refusal:
    details = {"coupon_id": coupon.coupon_id, "why": why, **numbers}
    return Refusal(Code.COUPON_NOT_USABLE, f"the coupon cannot be used for this order: {why}", details)
