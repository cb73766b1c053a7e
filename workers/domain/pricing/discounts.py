"""Computes what promotions take off an order's lines (R-02, S4-16 to S4-20).

    kind             takes off
    ---------------  -------------------------------------------------------------------------------------------------
    single           price - the SKU's price in the promotion, for each unit; never less than nothing
    member           the same with the price for the buyer's level
    flash            the same
    ladder           a part of the group's amount, by the group's units; rounded once, as the shop says
    full_reduction   an amount, once the group's amount reaches another one exactly

A group is all lines of an order under one promotion: those of one SPU, of one category, or all lines. If a promotion
is limited, the first units in line order get its price while any are left, and the others cost the normal price. A
group that is discounted as a whole (ladder, full_reduction) stays within the limit or gets nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from workers.domain.money import WHOLE, Rounding, render, share
from workers.domain.pricing.allocation import allocate
from workers.domain.pricing.promotions import Index, Promotion, PromotionKind, pick


class PromotedLine(NamedTuple):
    """The fields of a line that promotions look at. `price` is minor units per unit."""

    sku_id: str
    spu_id: str
    category_id: str | None
    price: int
    qty: int


class LineDiscount(NamedTuple):
    """The minor units that a promotion takes off one line. `quota_units` of its units count against the limits."""

    amount: int = 0
    promotion_id: str | None = None
    revision: int | None = None
    text: str | None = None
    quota_units: int = 0


class UsedRule(NamedTuple):
    """A rule that took `amount` minor units off an order. S4-20 gives the wording of `text`."""

    promo_id: str
    revision: int
    kind: PromotionKind
    text: str
    amount: int


class Sale(NamedTuple):
    """The circumstances of a sale.

    `bought` maps a promotion to the units that this buyer bought before, `left` to the units that are left for all.
    """

    currency: str
    at: datetime
    level: str | None
    bought: Mapping[str, int]
    left: Mapping[str, int]
    rounding: Rounding


class Reduction(NamedTuple):
    """The minor units that a promotion takes off each line of a group, and how many of the line's units got it."""

    text: str
    amounts: Sequence[int]
    units: Sequence[int]


NOTHING = LineDiscount()
WORDS = {PromotionKind.SINGLE: "单品促销", PromotionKind.MEMBER: "会员价", PromotionKind.FLASH: "限时购"}


def promote(parts: Sequence[PromotedLine], rules: Index, sale: Sale) -> tuple[list[LineDiscount], list[UsedRule]]:
    """(the discount of each line, the rules that gave the discounts)"""
    given, used = [NOTHING] * len(parts), []
    for promotion, numbers in _groups(parts, rules, sale):
        effect = _effect(promotion, [parts[number] for number in numbers], sale)
        if effect is None or not any(effect.amounts):
            continue
        rule = (promotion.promo_id, promotion.revision)
        used.append(UsedRule(*rule, promotion.kind, effect.text, sum(effect.amounts)))
        for number, amount, units in zip(numbers, effect.amounts, effect.units, strict=True):
            if units:
                given[number] = LineDiscount(amount, *rule, effect.text, units if promotion.counted else 0)
    return given, used


def _groups(parts: Sequence[PromotedLine], rules: Index, sale: Sale) -> Iterable[tuple[Promotion, list[int]]]:
    groups: dict[str, tuple[Promotion, list[int]]] = {}
    for number, part in enumerate(parts):
        promotion = pick(rules, part.spu_id, part.category_id, sale.currency, sale.at)
        if promotion is not None:
            groups.setdefault(promotion.promo_id, (promotion, []))[1].append(number)
    return groups.values()


def _left(promotion: Promotion, sale: Sale) -> int | None:
    """Units left for this buyer, or None if unlimited. A promotion with a quantity but no counter row has 0 left."""
    left = []
    if promotion.per_user_limit is not None:
        left.append(promotion.per_user_limit - sale.bought.get(promotion.promo_id, 0))
    if promotion.quantity is not None or promotion.promo_id in sale.left:
        left.append(sale.left.get(promotion.promo_id, 0))
    return max(0, min(left)) if left else None


def _effect(promotion: Promotion, parts: Sequence[PromotedLine], sale: Sale) -> Reduction | None:
    left = _left(promotion, sale)
    match promotion.kind:
        case PromotionKind.SINGLE | PromotionKind.FLASH:
            return _cheaper(promotion, promotion.prices, parts, left)
        case PromotionKind.MEMBER:
            return _cheaper(promotion, promotion.member_prices.get(sale.level or "", {}), parts, left)
        case kind:
            assert kind is not PromotionKind.NONE, "an ended promotion takes nothing off"
            if left is not None and sum(part.qty for part in parts) > left:
                return None
            return (
                _ladder(promotion, parts, sale.rounding)
                if kind == PromotionKind.LADDER
                else _full_reduction(promotion, parts)
            )


def _cheaper(
    promotion: Promotion, prices: Mapping[str, int], parts: Sequence[PromotedLine], left: int | None
) -> Reduction:
    """Sell each unit at the promotion's price. Units that get no cheaper do not count against the limit."""
    amounts, units = [], []
    for part in parts:
        saved = max(0, part.price - prices.get(part.sku_id, part.price))
        count = 0 if not saved else part.qty if left is None else min(part.qty, left)
        left = None if left is None else left - count
        amounts.append(saved * count)
        units.append(count)
    return Reduction(WORDS[promotion.kind], amounts, units)


def _ladder(promotion: Promotion, parts: Sequence[PromotedLine], rounding: Rounding) -> Reduction | None:
    """打折优惠: the more units the group has, the less each of them costs."""
    step = _highest(promotion, sum(part.qty for part in parts))
    if step is None:
        return None
    count, paid = step
    tenths = f"{paid // 1000}.{paid % 1000:03}".rstrip("0").rstrip(".")
    off = share(_origin(parts), WHOLE - paid, rounding)
    return _shared(f"打折优惠：满{count}件，打{tenths}折", off, parts)


def _full_reduction(promotion: Promotion, parts: Sequence[PromotedLine]) -> Reduction | None:
    """满减优惠: the group's amount has to reach the step to the last minor unit."""
    step = _highest(promotion, _origin(parts))
    if step is None:
        return None
    full, reduce = (_words(amount, promotion.currency) for amount in step)
    return _shared(f"满减优惠：满{full}，减{reduce}", min(step[1], _origin(parts)), parts)


def _origin(parts: Sequence[PromotedLine]) -> int:
    return sum(part.price * part.qty for part in parts)


def _shared(text: str, amount: int, parts: Sequence[PromotedLine]) -> Reduction:
    amounts = allocate(amount, [part.price * part.qty for part in parts])
    return Reduction(text, amounts, [part.qty for part in parts])


def _highest(promotion: Promotion, reached: int) -> tuple[int, int] | None:
    return max((step for step in promotion.steps if step[0] <= reached), default=None)


def _words(amount: int, currency: str) -> str:
    return render(amount, currency) + ("元" if currency == "CNY" else f" {currency}")
