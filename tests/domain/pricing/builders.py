"""SKUs, promotions, coupons and whole price cases, for the tests of prices.

`priced(lines)` is the quote of a case that is accepted, `refused(lines)` the reason of one that is not. `price_cases`
draws any case with Hypothesis: up to 200 lines of up to 10**12, 10**15 in all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from workers.domain.pricing.coupons import Coupon
from workers.domain.pricing.promotions import Promotion
from workers.domain.pricing.quote import Buyer, PriceRequest, Quote, RequestedLine, Rules, Sku, quote
from workers.domain.refusal import Refusal
from workers.domain.shop import Shop

AT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)
PLENTY = 10**18
SHOP = Shop()


def sku(sku_id: str = "tea", price: int = 1000, **more: Any) -> Sku:
    """One SKU of the SPU `spu`, on sale for CNY."""
    fields: dict[str, Any] = {
        "sku_id": sku_id,
        "spu_id": "spu",
        "name": sku_id,
        "on_sale": True,
        "price": price,
        "currency": "CNY",
        "product_type": "normal",
        "seller_id": None,
    }
    return Sku(**(fields | more))


def promotion(kind: str, **more: Any) -> Promotion:
    """One promotion of the SPU `spu`, valid from a day before `AT` to a day after."""
    fields: dict[str, Any] = {
        "promo_id": "p1",
        "revision": 1,
        "name": kind,
        "kind": kind,
        "scope": "spu",
        "scope_id": "spu",
        "currency": "CNY",
        "starts_at": AT - DAY,
        "ends_at": AT + DAY,
    }
    return Promotion(**(fields | more))


def coupon(amount: int, **more: Any) -> Coupon:
    """Ada's coupon for everything, valid from a day before `AT` to a day after."""
    fields: dict[str, Any] = {
        "coupon_id": "c1",
        "user_id": "ada",
        "state": "issued",
        "order_id": None,
        "name": "welcome",
        "amount": amount,
        "currency": "CNY",
        "min_amount": 0,
        "scope": "all",
        "scope_ids": frozenset(),
        "channels": frozenset(),
        "member_levels": frozenset(),
        "valid_from": AT - DAY,
        "valid_to": AT + DAY,
    }
    return Coupon(**(fields | more))


@dataclass(frozen=True)
class PriceCase:
    """All that a price depends on."""

    request: PriceRequest
    rules: Rules
    buyer: Buyer
    shop: Shop = SHOP

    @property
    def result(self) -> Quote | Refusal:
        """The quote, or the reason why there is none."""
        return quote(self.request, self.rules, self.buyer, self.shop, AT)

    def with_request(self, **changes: Any) -> "PriceCase":
        """The same case with another request."""
        return replace(self, request=replace(self.request, **changes))


def price_case(
    *lines: tuple[Sku, int], promotions: Sequence[Promotion] = (), shop: Shop = SHOP, **more: Any
) -> PriceCase:
    """Ada buys so many units of each SKU. `coupon` is hers, `points` are used, she has `available`."""
    mine, points = more.pop("coupon", None), more.pop("points", 0)
    wanted = tuple(RequestedLine(item.sku_id, qty, "main") for item, qty in lines)
    request = PriceRequest(
        wanted,
        lines[0][0].currency,
        "pc",
        more.pop("country", "CN"),
        mine.coupon_id if mine else None,
        points,
        more.pop("expected", None),
    )
    buyer = Buyer("ada", more.pop("level", None), more.pop("available", PLENTY), mine, more.pop("bought", {}))
    rules = Rules({item.sku_id: item for item, _ in lines}, promotions, more.pop("left", {}))
    assert not more, f"unknown arguments: {more}"
    return PriceCase(request, rules, buyer, shop)


def priced(*lines: tuple[Sku, int], **more: Any) -> Quote:
    """The quote of a case that is accepted."""
    made = price_case(*lines, **more).result
    assert isinstance(made, Quote), made
    return made


def refused(*lines: tuple[Sku, int], **more: Any) -> Refusal:
    """The reason why a case is refused."""
    made = price_case(*lines, **more).result
    assert isinstance(made, Refusal), made
    return made


# ------------------------------------------------------------ any sale: up to 200 lines of 10**12, 10**15 in all

prices = st.one_of(st.integers(0, 300), st.integers(0, 10**9))
line_parts = st.tuples(
    prices,
    st.one_of(st.integers(1, 3), st.integers(1, 1000)),
    st.sampled_from(["s1", "s2", "s3"]),
    st.sampled_from(["c1", "c2", None]),
    st.sampled_from([None, "reduced", "books"]),
    st.sampled_from([None, None, 0, 7, 1000]),
    st.sampled_from([("normal", None), ("virtual", None), ("normal", "shop")]),
)
amounts = st.one_of(st.integers(1, 500), st.integers(1, 10**15))


@st.composite
def goods(draw: st.DrawFn, currency: str, lines_max: int = 200) -> list[tuple[Sku, int]]:
    """Lines of an order; the same SPUs and categories again and again."""
    rows = draw(st.lists(line_parts, min_size=1, max_size=lines_max))
    return [
        (
            sku(
                str(number),
                price,
                currency=currency,
                spu_id=spu,
                category_id=category,
                tax_class=tax_class,
                points_limit=limit,
                product_type=type_,
                seller_id=seller,
            ),
            qty,
        )
        for number, (price, qty, spu, category, tax_class, limit, (type_, seller)) in enumerate(rows)
    ]


@st.composite
def any_promotion(draw: st.DrawFn, promo_id: str, currency: str, skus: Sequence[Sku]) -> Promotion:
    """A valid promotion; its prices are sometimes above the normal ones."""
    kind = draw(st.sampled_from(["single", "member", "flash", "ladder", "full_reduction"]))
    scope, scope_id = draw(st.sampled_from([("spu", "s1"), ("spu", "s2"), ("category", "c1"), ("all", None)]))
    terms: dict[str, Any] = {"scope": scope, "scope_id": scope_id, "currency": currency, "promo_id": promo_id}
    percent = draw(st.integers(0, 120))
    cheaper = {item.sku_id: item.price * percent // 100 for item in skus}
    if kind == "member":
        terms["member_prices"] = {"gold": cheaper}
    elif kind in ("single", "flash"):
        terms["prices"] = cheaper
    elif kind == "ladder":
        terms["steps"] = tuple(
            sorted(draw(st.dictionaries(st.integers(1, 50), st.integers(0, 10_000), min_size=1)).items())
        )
    else:
        steps = draw(st.dictionaries(amounts, st.integers(1, 100), min_size=1, max_size=3))
        terms["steps"] = tuple((full, max(1, full * part // 100)) for full, part in sorted(steps.items()))
    terms["per_user_limit"] = draw(st.sampled_from([None, None, 1, 5, 500]))
    terms["quantity"] = draw(st.sampled_from([None, 100])) if kind == "flash" else None
    return promotion(kind, **terms)


@st.composite
def any_coupon(draw: st.DrawFn, currency: str) -> Coupon:
    """A coupon for everything, a category or some SKUs."""
    scope, ids = draw(st.sampled_from([("all", ()), ("category", ("c1",)), ("sku", ("0", "2", "4"))]))
    least = draw(st.sampled_from([0, 0, 1000]))
    return coupon(draw(amounts), currency=currency, scope=scope, scope_ids=frozenset(ids), min_amount=least)


def one_of_amounts(draw: st.DrawFn, amounts: Sequence[int], currency: str) -> dict[str, int]:
    """One of these amounts in the currency and another one in USD, or no amount at all."""
    amount = draw(st.sampled_from([None, *amounts]))
    return {} if amount is None else {currency: amount, "USD": amount + 1}


@st.composite
def any_shop(draw: st.DrawFn, currency: str) -> Shop:
    """A shop with any fees, taxes and points."""
    return Shop(
        shipping_fee_minor_units=one_of_amounts(draw, [0, 1, 500], currency),
        shipping_fees_by_country=draw(st.sampled_from([{}, {"CN": {currency: 799, "USD": 1}}])),
        free_shipping_from_minor_units=one_of_amounts(draw, [4900], currency),
        tax_rates_basis_points=draw(st.sampled_from([{}, {"standard": 1300, "reduced": 725}, {"books": 10_000}])),
        tax_inclusive=draw(st.sampled_from([False, False, True])),
        points_unit=draw(st.sampled_from([1, 100, 500])),
        points_unit_minor_units=one_of_amounts(draw, [1, 100, 33], currency),
        points_max_percent=draw(st.sampled_from([50, 100, 33])),
    )


@st.composite
def price_cases(draw: st.DrawFn, lines_max: int = 200) -> PriceCase:
    """Any case, with any promotions, a coupon and points."""
    currency = draw(st.sampled_from(["JPY", "CNY", "KWD"]))
    lines = draw(goods(currency, lines_max))
    skus = [item for item, _ in lines]
    count = draw(st.integers(0, 3))
    valid = [draw(any_promotion(f"p{number}", currency, skus)) for number in range(count)]
    known = st.dictionaries(st.sampled_from(["p0", "p1", "p2"]), st.integers(0, 100))
    left = {p.promo_id: draw(st.integers(0, 50)) for p in valid if p.quantity is not None}
    points = draw(st.sampled_from([0, 0, 100, 12_345, 10**14]))
    return price_case(
        *lines,
        promotions=valid,
        shop=draw(any_shop(currency)),
        coupon=draw(st.none() | any_coupon(currency)),
        points=points,
        available=points,
        level=draw(st.sampled_from([None, "gold"])),
        bought=draw(known),
        left=left,
        country=draw(st.sampled_from([None, "CN", "DE"])),
    )
