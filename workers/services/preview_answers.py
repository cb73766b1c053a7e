"""Answers order.preview: the price that order.create would find, or why it would be rejected.

The function that prices orders makes the price. Limited things (a coupon, points, units at a limited price) are read
without a lock, so another order may take them between this answer and the order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from db.pool import Transaction
from messages.base import Reply
from messages.envelope import Envelope
from messages.orders import LINES_MAX, Amounts
from messages.queries import (
    OrderPreview,
    OrderPreviewed,
    PreviewCoupon,
    PreviewLine,
    PreviewRefusal,
    PreviewUser,
)
from workers import shop
from workers.domain.buying_groups import (
    BuyingGroup,
    GroupOrder,
    GroupStanding,
    Seats,
    standing,
    unjoinable,
    users_of,
    wrong_group,
)
from workers.domain.codes import Code
from workers.domain.order_validation import against_policy, unknown_words, wrong_user
from workers.domain.pricing import coupons
from workers.domain.pricing.coupons import Coupon
from workers.domain.pricing.quote import Buyer, PricedLine, PriceRequest, Quote, RequestedLine, quote
from workers.domain.pricing.splitting import split
from workers.domain.pricing.totals import totals
from workers.domain.refusal import Refusal
from workers.domain.shop import Policy, Shop
from workers.services import answer_parts
from workers.store import preview
from workers.store.preview import PreviewContext


async def answer_previews(tx: Transaction, items: Sequence[Envelope[OrderPreview]], now: datetime) -> list[Reply]:
    """Answer each order.preview, in order."""
    known = await preview.read(tx, [item.body for item in items], now)
    return [previewed(item.body, known, decide(item.body, known, shop.current(), now)) for item in items]


@dataclass(frozen=True)
class Preview:
    """The findings of a preview. `coupons` are the buyer's, each with the reason why it cannot be used, or None.

    `price` is the order's price; if the order is rejected, its price without coupon and points; None if it has no
    price. `group` is the group of buyers without this order.
    """

    price: Quote | None
    refusal: Refusal | None
    points_usable: int
    coupons: Sequence[tuple[Coupon, Refusal | None]]
    group: GroupStanding | None


def decide(body: OrderPreview, known: PreviewContext, rules: Shop, now: datetime) -> Preview:
    """Find out what order.create would answer, and what else the buyer could use. No I/O."""
    terms, buyer = order_terms(body, known, rules), known.buyer(body.user_id, body.coupon_id)
    refusal = malformed(body, terms) or unknown_words(body.channel, "buy_now", body.business_type, None, None)
    policy = Policy() if refusal else rules.policy_of(body.business_type, known.policies.get(body.business_type, {}))
    wanted, coupon = [(line.sku_id, line.qty) for line in terms.wanted], body.coupon_id is not None
    member = known.members[body.user_id]
    refusal = refusal or wrong_user(member.level, member.blocked, rules)
    refusal = refusal or against_policy(wanted, coupon, body.use_points, policy) or wrong_group(body.group_id, policy)
    group, joined = group_of(body, known, policy, now)
    price = refusal or quote(terms, known.rules, buyer, rules, now)
    if isinstance(price, Quote) and group is not None:
        price = without_seat(Seats(group, users_of(joined)), body, price, rules, now) or price
    if isinstance(price, Refusal):
        refusal, terms = price, replace(terms, coupon_id=None, use_points=0)
        price = quote(terms, known.rules, buyer, rules, now)
    usable = points_usable(terms, known, buyer, rules, now) if policy.allow_points else 0
    never = against_policy((), True, 0, policy)
    held = [(one, never or unusable(one, terms, price, buyer, now)) for one in known.coupons.get(body.user_id, ())]
    shown = None if group is None else standing(group, [order.state for order in joined])
    return Preview(price if isinstance(price, Quote) else None, refusal, usable, held, shown)


def group_of(
    body: OrderPreview, known: PreviewContext, policy: Policy, now: datetime
) -> tuple[BuyingGroup | None, Sequence[GroupOrder]]:
    """Return the group of buyers that the order would join, and its orders: a new one if there is none of this id."""
    if body.group_id is None or not policy.group_size:
        return None, ()
    deadline = now + timedelta(seconds=policy.group_window_seconds)
    return known.groups.get(body.group_id, (BuyingGroup(0, body.group_id, policy.group_size, deadline), ()))


def without_seat(seats: Seats, body: OrderPreview, price: Quote, rules: Shop, now: datetime) -> Refusal | None:
    """Return why the order gets no seat of its group, or None."""
    spu_ids = {line.sku.spu_id for line in price.lines}
    return unjoinable(seats, body.user_id, spu_ids, len(split(price, rules.split_by)), now)


def order_terms(body: OrderPreview, known: PreviewContext, rules: Shop) -> PriceRequest:
    """Return the request that pricing takes: lines, currency, country, coupon and points."""
    lines = [(line.sku_id, line.qty, line.warehouse, line.expected_unit_price) for line in body.items]
    if body.from_cart:
        lines += [(sku_id, qty, None, None) for sku_id, qty in known.carts[body.user_id]]
    wanted = [
        RequestedLine(sku, qty, warehouse or rules.default_warehouse, price) for sku, qty, warehouse, price in lines
    ]
    return PriceRequest(wanted, body.currency, body.channel, body.country, body.coupon_id, body.use_points)


def malformed(body: OrderPreview, terms: PriceRequest) -> Refusal | None:
    """Reject what no order.create can contain."""
    if body.from_cart and body.items:
        return Refusal(Code.ORDER_PARAM_INVALID, "either items or from_cart", {"field": "items"})
    if len(terms.wanted) > LINES_MAX:
        return Refusal(Code.ORDER_PARAM_INVALID, f"an order has at most {LINES_MAX} lines", {"field": "items"})
    return None


def points_usable(terms: PriceRequest, known: PreviewContext, buyer: Buyer, rules: Shop, now: datetime) -> int:
    """Return how many of the buyer's points the order would take if it took as many as it may."""
    if not buyer.points_available:
        return 0
    price = quote(replace(terms, use_points=buyer.points_available), known.rules, buyer, rules, now)
    return price.points_used if isinstance(price, Quote) else 0


def unusable(
    coupon: Coupon, terms: PriceRequest, price: Quote | Refusal, buyer: Buyer, now: datetime
) -> Refusal | None:
    """Return why the buyer cannot use this coupon for these lines, or None."""
    refusal = coupons.unusable(coupon, buyer, terms.currency, terms.channel, now)
    return refusal or (price if isinstance(price, Refusal) else nothing_off(coupon, price.lines))


def nothing_off(coupon: Coupon, lines: Sequence[PricedLine]) -> Refusal | None:
    """Return why the coupon would take nothing off these lines, or None."""
    rest = [line.origin_amount - line.promotion_amount for line in lines]
    taken = coupons.take_off(coupon, rest, [coupon.covers(line.sku.sku_id, line.sku.category_id) for line in lines])
    return taken if isinstance(taken, Refusal) else None


def previewed(body: OrderPreview, known: PreviewContext, found: Preview) -> OrderPreviewed:
    """Build order.previewed: everything that a page to confirm the order shows."""
    member, price, refusal = known.members[body.user_id], found.price, found.refusal
    amounts = None
    if price is not None and refusal is None:
        amounts = Amounts(currency=price.currency, **totals(price.lines).amounts())
    return OrderPreviewed(
        user=PreviewUser(user_id=body.user_id, member_level=member.level, points_available=member.points),
        items=tuple(_line(line) for line in price.lines) if price else (),
        addresses=tuple(known.addresses.get(body.user_id, ())),
        coupons=tuple(_coupon(coupon, refusal) for coupon, refusal in found.coupons),
        amounts=amounts,
        points_used=price.points_used if price else 0,
        points_usable=found.points_usable,
        refusal=_refusal(refusal) if refusal else None,
        group=answer_parts.group(found.group),
    )


def _line(line: PricedLine) -> PreviewLine:
    return PreviewLine(
        line_no=line.line_no,
        sku_id=line.sku.sku_id,
        name=line.sku.name,
        warehouse=line.warehouse,
        qty=line.qty,
        unit_price=line.sku.price,
        origin=line.origin_amount,
        promotion=line.promotion_amount,
        coupon=line.coupon_amount,
        points=line.points_amount,
        tax=line.tax_amount,
        shipping_share=line.shipping_share,
        payable=line.payable_amount,
        promotion_id=line.promotion_id,
        promotion_text=line.promotion_text,
    )


def _coupon(coupon: Coupon, refusal: Refusal | None) -> PreviewCoupon:
    return PreviewCoupon(
        coupon_id=coupon.coupon_id,
        name=coupon.name,
        amount=coupon.amount,
        currency=coupon.currency,
        usable=refusal is None,
        why=None if refusal is None else str(refusal.details.get("why", refusal.code)),
    )


def _refusal(refusal: Refusal) -> PreviewRefusal:
    return PreviewRefusal(code=refusal.code, message=refusal.message, details=dict(refusal.details))
