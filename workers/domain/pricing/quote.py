"""Computes what an order costs, as a pure function. No number that a client sent enters the computation (R-06).

The stages run in this order (R-01), and each works on what the earlier ones left: check the lines, promotions, coupon,
points, shipping, tax, compare with the prices that the client expects.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from workers.domain.codes import Code
from workers.domain.money import share
from workers.domain.pricing import coupons, points
from workers.domain.pricing.allocation import allocate
from workers.domain.pricing.discounts import NOTHING, LineDiscount, PromotedLine, Sale, UsedRule, promote
from workers.domain.pricing.types import Buyer, PricedLine, PriceRequest, Quote, RequestedLine, Rules, Sku
from workers.domain.refusal import Refusal
from workers.domain.shop import Shop

__all__ = [
    "AMOUNT_MAX",
    "QUANTITY_MAX",
    "Buyer",
    "PriceRequest",
    "PricedLine",
    "Quote",
    "RequestedLine",
    "Rules",
    "Sku",
    "quote",
]

QUANTITY_MAX = 1_000_000  # units per line; stock counters (32 bit) can hold many times as many
AMOUNT_MAX = 10**15  # minor units per order, before and after discounts: sums stay far inside 64 bits
TOO_LARGE = Refusal(Code.ORDER_PARAM_INVALID, "the order is too large", {"field": "items"})


class _Basket(NamedTuple):
    """The lines to be priced: the request, the SKU of each line, and each line's amount before discounts."""

    request: PriceRequest
    skus: Sequence[Sku]
    origins: Sequence[int]


class _Discounts(NamedTuple):
    """The discounts of each line, and its amount after them (`nets`). An empty column takes nothing off any line."""

    nets: Sequence[int]
    given: Sequence[LineDiscount] = ()
    coupon: Sequence[int] = ()
    points: Sequence[int] = ()
    points_used: int = 0
    rules: Sequence[UsedRule] = ()


def quote(request: PriceRequest, rules: Rules, buyer: Buyer, shop: Shop, at: datetime) -> Quote | Refusal:
    """Price the lines as of `at`, or refuse. A refusal because of one line names that line."""
    skus = _find_skus(request, rules.skus)
    if isinstance(skus, Refusal):
        return skus
    origins = [sku.price * line.qty for sku, line in zip(skus, request.wanted, strict=True)]
    if sum(origins) > AMOUNT_MAX:
        return TOO_LARGE
    basket, taken = _Basket(request, skus, origins), _Discounts(origins)
    if rules.promotions or request.coupon_id is not None or request.use_points:
        found = _discounts(basket, rules, buyer, shop, at)
        if isinstance(found, Refusal):
            return found
        taken = found
    fee = _shipping_fee(request, shop, sum(origins) - sum(rule.amount for rule in taken.rules))
    if isinstance(fee, Refusal):
        return fee
    result = _build_quote(basket, taken, fee, shop)
    refusal = _compare_prices(request, result)
    return result if refusal is None else refusal


def _find_skus(request: PriceRequest, skus: Mapping[str, Sku]) -> list[Sku] | Refusal:
    if not request.wanted:
        return Refusal(Code.ORDER_ITEMS_EMPTY, "an order has at least one line", {"field": "items"})
    found: list[Sku] = []
    for line in request.wanted:
        sku = skus.get(line.sku_id)
        if sku is None or not sku.on_sale or sku.currency != request.currency or not 1 <= line.qty <= QUANTITY_MAX:
            return _refuse_line(len(found) + 1, line, sku)
        found.append(sku)
    return found


def _refuse_line(number: int, line: RequestedLine, sku: Sku | None) -> Refusal:
    where = {"line_no": number, "sku_id": line.sku_id}
    if not 1 <= line.qty <= QUANTITY_MAX:
        details = {"field": f"items[{number - 1}].qty", **where}
        return Refusal(Code.ORDER_PARAM_INVALID, f"line {number}: the quantity is 1 to {QUANTITY_MAX}", details)
    if sku is None:
        return Refusal(Code.PRODUCT_NOT_FOUND, f"line {number}: there is no such SKU", where)
    if not sku.on_sale:
        return Refusal(Code.PRODUCT_NOT_ON_SALE, f"line {number}: the SKU is not on sale", where)
    details = {"field": "currency", "sku_currency": sku.currency, **where}
    return Refusal(Code.ORDER_PARAM_INVALID, f"line {number}: the SKU is sold in {sku.currency}", details)


def _discounts(basket: _Basket, rules: Rules, buyer: Buyer, shop: Shop, at: datetime) -> _Discounts | Refusal:
    request = basket.request
    given, used = _promote(basket, rules, buyer, shop, at)
    rest = _minus(basket.origins, [gift.amount for gift in given])
    taken = _Discounts(rest, given, rules=used)
    if request.coupon_id is not None:
        parts = _redeem(basket, rest, buyer, at)
        if isinstance(parts, Refusal):
            return parts
        taken = taken._replace(nets=_minus(rest, parts), coupon=parts)
    return _pay_with_points(basket, taken, buyer, shop) if request.use_points else taken


def _promote(
    basket: _Basket, rules: Rules, buyer: Buyer, shop: Shop, at: datetime
) -> tuple[Sequence[LineDiscount], Sequence[UsedRule]]:
    parts = [
        PromotedLine(sku.sku_id, sku.spu_id, sku.category_id, sku.price, line.qty)
        for sku, line in zip(basket.skus, basket.request.wanted, strict=True)
    ]
    level, bought, left = buyer.member_level, buyer.quota_used, rules.quota_left
    sale = Sale(basket.request.currency, at, level, bought, left, shop.discount_rounding)
    return promote(parts, rules.index, sale)


def _redeem(basket: _Basket, rest: Sequence[int], buyer: Buyer, at: datetime) -> list[int] | Refusal:
    request, coupon = basket.request, buyer.coupon
    refusal = coupons.unusable(coupon, buyer, request.currency, request.channel, at)
    if refusal is not None:
        return refusal
    assert coupon is not None
    assert coupon.coupon_id == request.coupon_id, "the buyer's coupon is not the requested one"
    return coupons.take_off(coupon, rest, [coupon.covers(sku.sku_id, sku.category_id) for sku in basket.skus])


def _pay_with_points(basket: _Basket, taken: _Discounts, buyer: Buyer, shop: Shop) -> _Discounts | Refusal:
    request = basket.request
    if request.coupon_id is not None and not shop.points_with_coupon:
        return points.refuse_by_rule("with_coupon", request.use_points)
    limits = [
        None if sku.points_limit is None else sku.points_limit * line.qty
        for sku, line in zip(basket.skus, request.wanted, strict=True)
    ]
    spent = points.spend(request.use_points, buyer.points_available, taken.nets, limits, shop, request.currency)
    if isinstance(spent, Refusal):
        return spent
    return taken._replace(nets=_minus(taken.nets, spent.amounts), points=spent.amounts, points_used=spent.points)


def _minus(amounts: Sequence[int], parts: Sequence[int]) -> list[int]:
    return [amount - part for amount, part in zip(amounts, parts, strict=True)]


def _build_quote(basket: _Basket, taken: _Discounts, fee: int, shop: Shop) -> Quote:
    request, origin, promoted = basket.request, sum(basket.origins), sum(rule.amount for rule in taken.rules)
    taxes = _taxes(basket.skus, taken.nets, shop, request.country)
    lines = _lines(basket, taken, taxes, allocate(fee, taken.nets) if fee else ())
    return Quote(
        request.currency,
        lines,
        origin,
        promoted,
        sum(taken.coupon),
        sum(taken.points),
        fee,
        sum(taxes),
        request.coupon_id,
        taken.points_used,
        tuple(taken.rules),
    )


def _lines(basket: _Basket, taken: _Discounts, taxes: Sequence[int], fees: Sequence[int]) -> tuple[PricedLine, ...]:
    """Each line with its part of every amount. An empty column adds or takes nothing."""
    lines = []
    for i, (wanted, sku, origin) in enumerate(zip(basket.request.wanted, basket.skus, basket.origins, strict=True)):
        given = taken.given[i] if taken.given else NOTHING
        lines.append(
            PricedLine(
                i + 1,
                sku,
                wanted.warehouse,
                wanted.qty,
                origin,
                given.amount,
                given.promotion_id,
                given.revision,
                given.text,
                given.quota_units,
                taken.coupon[i] if taken.coupon else 0,
                taken.points[i] if taken.points else 0,
                taxes[i] if taxes else 0,
                fees[i] if fees else 0,
            )
        )
    return tuple(lines)


def _shipping_fee(request: PriceRequest, shop: Shop, goods: int) -> int | Refusal:
    """The fee. `goods` comes from our own prices and promotions, never from a client.

    If the shop takes a fee for the country, but has none in the order's currency, the order is refused.
    """
    currency, country = request.currency, request.country or ""
    if goods >= shop.free_shipping_from_minor_units.get(currency, AMOUNT_MAX + 1):
        return 0
    fees = shop.shipping_fees_by_country.get(country, shop.shipping_fee_minor_units)
    if not fees or currency in fees:
        return fees.get(currency, 0)
    details = {"field": "currency", "why": "no_shipping_fee", "currency": currency, "country": country}
    return Refusal(Code.ORDER_PARAM_INVALID, f"shipping has no price in {currency}", details)


def _taxes(skus: Sequence[Sku], nets: Sequence[int], shop: Shop, country: str | None) -> Sequence[int]:
    if shop.tax_inclusive or not (shop.tax_rates_basis_points or shop.tax_rates_by_country_basis_points):
        return ()
    return [
        share(net, shop.tax_basis_points(sku.tax_class, country), shop.tax_rounding)
        for sku, net in zip(skus, nets, strict=True)
    ]


def _compare_prices(request: PriceRequest, result: Quote) -> Refusal | None:
    ours, theirs = result.payable_amount, request.expected
    if ours > AMOUNT_MAX:
        return TOO_LARGE
    for number, line in enumerate(request.wanted):
        if line.expected_unit_price is not None and line.expected_unit_price != result.lines[number].sku.price:
            return _refuse_unit_price(result.lines[number], line.expected_unit_price, request.currency)
    if theirs is None or theirs == ours:
        return None
    details = {"expected": ours, "got": theirs, "currency": request.currency}
    return Refusal(Code.ORDER_PRICE_MISMATCH, f"the order costs {ours}, not {theirs}", details)


def _refuse_unit_price(line: PricedLine, got: int, currency: str) -> Refusal:
    where = {"line": line.line_no, "sku_id": line.sku.sku_id}
    details = {**where, "expected": line.sku.price, "got": got, "currency": currency}
    return Refusal(Code.ORDER_PRICE_MISMATCH, f"line {line.line_no}: a unit costs {line.sku.price}, not {got}", details)
