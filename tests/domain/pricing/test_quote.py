"""The price of an order, stage by stage, and the reasons why one is refused (R-01, R-06, C-26)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.domain.pricing.builders import AT, SHOP, coupon, price_case, priced, promotion, refused, sku
from workers.domain.money import Rounding
from workers.domain.pricing.quote import (
    AMOUNT_MAX,
    QUANTITY_MAX,
    Buyer,
    PricedLine,
    PriceRequest,
    Quote,
    RequestedLine,
    Rules,
    Sku,
    quote,
)
from workers.domain.refusal import Refusal
from workers.domain.shop import Shop

TEA, CUP, GIFT = sku("tea", 500), sku("cup", 333), sku("gift", 0)
GONE, STEIN, DEAR = sku("gone", on_sale=False), sku("stein", currency="EUR"), sku("dear", AMOUNT_MAX)
SKUS = {item.sku_id: item for item in (TEA, CUP, GIFT, GONE, STEIN, DEAR)}
ALL = {"scope": "all", "scope_id": None}


def fee(amount: int) -> Shop:
    return Shop(shipping_fee_minor_units={"CNY": amount})


def quoted(*wanted: tuple[str, int], shop: Shop = SHOP, expected: int | None = None, **more: Any) -> Quote | Refusal:
    lines = [RequestedLine(sku_id, qty, "main") for sku_id, qty in wanted]
    return quote(PriceRequest(lines, "CNY", "pc", None, expected=expected, **more), Rules(SKUS), Buyer("ada"), shop, AT)


REFUSED: list[tuple[str, list[tuple[str, int]], dict[str, Any], str, dict[str, object]]] = [
    ("no lines", [], {}, "ORDER_ITEMS_EMPTY", {"field": "items"}),
    ("no units", [("tea", 1), ("cup", 0)], {}, "ORDER_PARAM_INVALID", {"line_no": 2, "field": "items[1].qty"}),
    ("less than none", [("tea", -1)], {}, "ORDER_PARAM_INVALID", {"line_no": 1, "field": "items[0].qty"}),
    ("too many units", [("tea", QUANTITY_MAX + 1)], {}, "ORDER_PARAM_INVALID", {"line_no": 1}),
    ("an unknown SKU", [("tea", 1), ("???", 1)], {}, "PRODUCT_NOT_FOUND", {"line_no": 2, "sku_id": "???"}),
    ("not on sale", [("gone", 1)], {}, "PRODUCT_NOT_ON_SALE", {"line_no": 1, "sku_id": "gone"}),
    ("other currency", [("stein", 1)], {}, "ORDER_PARAM_INVALID", {"field": "currency", "sku_currency": "EUR"}),
    ("too dear", [("dear", 1), ("tea", 1)], {}, "ORDER_PARAM_INVALID", {"field": "items"}),
    ("one unit short", [("tea", 2)], {"expected": 999}, "ORDER_PRICE_MISMATCH", {"expected": 1000, "got": 999}),
    ("one unit over", [("tea", 2)], {"expected": 1001}, "ORDER_PRICE_MISMATCH", {"expected": 1000, "got": 1001}),
    ("no fee", [("tea", 2)], {"expected": 1000, "shop": fee(1)}, "ORDER_PRICE_MISMATCH", {"expected": 1001}),
    ("lines before coupons", [("gone", 1)], {"coupon_id": "c1"}, "PRODUCT_NOT_ON_SALE", {"line_no": 1}),
    ("coupons before points", [("tea", 1)], {"coupon_id": "c1", "use_points": -1}, "COUPON_NOT_FOUND", {}),
    ("points before prices", [("tea", 1)], {"use_points": -1, "expected": 1}, "POINTS_RULE", {"requested": -1}),
]


@pytest.mark.parametrize(("wanted", "more", "code", "details"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_cannot_be_priced_is_refused_with_its_code_and_place(
    wanted: list[tuple[str, int]], more: dict[str, Any], code: str, details: dict[str, object]
) -> None:
    refusal = quoted(*wanted, **more)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code
    assert details.items() <= dict(refusal.details).items()


def test_a_stale_unit_price_is_refused_with_its_line_before_the_total_is() -> None:
    wanted = [RequestedLine("tea", 1, "main", 500), RequestedLine("cup", 2, "main", 334)]
    stale = quote(PriceRequest(wanted, "CNY", "pc", None, expected=1), Rules(SKUS), Buyer("ada"), SHOP, AT)
    assert isinstance(stale, Refusal)
    assert stale.code == "ORDER_PRICE_MISMATCH"
    assert stale.details == {"line": 2, "sku_id": "cup", "expected": 333, "got": 334, "currency": "CNY"}


def test_the_largest_order_is_priced_and_one_unit_more_is_not() -> None:
    assert isinstance(quoted(("dear", 1)), Quote)
    assert isinstance(quoted(("dear", 1), shop=fee(1)), Refusal)
    assert isinstance(quoted(("dear", 1), shop=Shop(tax_rates_basis_points={"standard": 1})), Refusal)
    assert isinstance(quoted(("tea", QUANTITY_MAX)), Quote)


def test_no_discount_makes_room_for_amounts_that_no_column_holds() -> None:
    free = promotion("ladder", steps=((1, 0),))
    assert priced((DEAR, 1), promotions=[free]).payable_amount == 0
    refusal = refused((DEAR, 1), (TEA, 1), promotions=[free])
    assert refusal.details == {"field": "items"}


SHIPPING: list[tuple[str, dict[str, Any], str | None, int]] = [
    ("flat", {}, "CN", 500),
    ("flat, where the country is not known", {"shipping_fees_by_country": {"CN": {"CNY": 1}}}, None, 500),
    ("by country", {"shipping_fees_by_country": {"CN": {"CNY": 1}, "DE": {"CNY": 900}}}, "DE", 900),
    ("free in a country", {"shipping_fees_by_country": {"DE": {"CNY": 0}}}, "DE", 0),
    ("flat for the others", {"shipping_fees_by_country": {"DE": {"CNY": 900}}}, "CN", 500),
    ("free from the threshold", {"free_shipping_from_minor_units": {"CNY": 1000}}, "CN", 0),
    ("one minor unit short", {"free_shipping_from_minor_units": {"CNY": 1001}}, "CN", 500),
    (
        "also abroad",
        {"free_shipping_from_minor_units": {"CNY": 1000}, "shipping_fees_by_country": {"DE": {"EUR": 900}}},
        "DE",
        0,
    ),
    ("free from the threshold of its own currency", {"free_shipping_from_minor_units": {"JPY": 1}}, "CN", 500),
    ("nothing at all, where the shop takes no fee", {"shipping_fee_minor_units": {}}, "CN", 0),
    (
        "nothing, where only other countries have a fee",
        {"shipping_fee_minor_units": {}, "shipping_fees_by_country": {"DE": {"EUR": 900}}},
        "CN",
        0,
    ),
]


@pytest.mark.parametrize(("rules", "country", "amount"), [s[1:] for s in SHIPPING], ids=[s[0] for s in SHIPPING])
def test_shipping_by_country_and_free_from_a_threshold(
    rules: Mapping[str, Any], country: str | None, amount: int
) -> None:
    shop = replace(fee(500), **rules)
    assert priced((TEA, 2), shop=shop, country=country).shipping_fee == amount


NO_FEE: list[tuple[str, dict[str, Any]]] = [
    ("flat", {"shipping_fee_minor_units": {"EUR": 599}}),
    ("of the country", {"shipping_fees_by_country": {"CN": {"EUR": 599, "JPY": 900}}}),
]


@pytest.mark.parametrize("rules", [r[1] for r in NO_FEE], ids=[r[0] for r in NO_FEE])
def test_an_order_in_a_currency_without_a_fee_is_refused_and_never_free_by_mistake(rules: Mapping[str, Any]) -> None:
    refusal = refused((TEA, 1), shop=replace(fee(500), **rules))
    details = {"field": "currency", "why": "no_shipping_fee", "currency": "CNY", "country": "CN"}
    assert (refusal.code, refusal.details) == ("ORDER_PARAM_INVALID", details)


def test_free_shipping_looks_at_what_promotions_left_and_at_no_coupon() -> None:
    shop = replace(fee(500), free_shipping_from_minor_units={"CNY": 1000})
    assert priced((TEA, 2), shop=shop, coupon=coupon(999)).shipping_fee == 0
    assert priced((TEA, 2), shop=shop, promotions=[promotion("single", prices={"tea": 499})]).shipping_fee == 500


def test_shipping_is_shared_by_what_is_paid_for_the_lines() -> None:
    half = promotion("single", prices={"tea": 250})
    made = priced((TEA, 2), (sku("pot", 1500), 1), shop=fee(500), promotions=[half])
    assert [line.shipping_share for line in made.lines] == [125, 375]


def test_the_fee_of_a_free_order_is_shared_equally() -> None:
    made = priced((GIFT, 1), (GIFT, 2), (GIFT, 3), shop=fee(500))
    assert [line.shipping_share for line in made.lines] == [167, 167, 166]


def test_a_free_order_costs_nothing() -> None:
    assert priced((GIFT, 3), expected=0).payable_amount == 0


RATES = {"standard": 1300, "reduced": 725}
TAXES: list[tuple[str, int, str | None, dict[str, Any], int]] = [
    ("no class is standard", 1000, None, {}, 130), ("its class", 1000, "reduced", {}, 73),
    ("half up, always", 1400, "reduced", {}, 102), ("an unknown class pays none", 1000, "books", {}, 0),
    ("prices contain it", 1000, None, {"tax_inclusive": True}, 0), ("no rates at all", 1000, None, {"rates": {}}, 0),
]  # fmt: skip


@pytest.mark.parametrize(("price", "tax_class", "more", "tax"), [t[1:] for t in TAXES], ids=[t[0] for t in TAXES])
def test_tax_by_class_half_up_on_each_line(price: int, tax_class: str | None, more: dict[str, Any], tax: int) -> None:
    shop = Shop(tax_rates_basis_points=more.get("rates", RATES), tax_inclusive=more.get("tax_inclusive", False))
    made = priced((sku("taxed", price, tax_class=tax_class), 1), shop=shop)
    assert (made.tax_amount, made.payable_amount) == (tax, price + tax)


@pytest.mark.parametrize(
    ("country", "tax_class", "tax"),
    [
        ("DE", None, 190),
        ("DE", "food", 70),
        ("DE", "books", 0),
        ("US", None, 0),
        ("CN", None, 130),
        ("CN", "food", 0),
        (None, None, 130),
    ],
)
def test_tax_is_that_of_the_country_that_the_goods_go_to(country: str | None, tax_class: str | None, tax: int) -> None:
    by_country = {"DE": {"standard": 1900, "food": 700}, "US": {}}
    shop = Shop(tax_rates_basis_points={"standard": 1300}, tax_rates_by_country_basis_points=by_country)
    taxed = (sku("taxed", 1000, tax_class=tax_class), 1)
    assert priced(taxed, shop=shop, country=country).tax_amount == tax
    assert priced(taxed, shop=replace(shop, tax_inclusive=True), country=country).tax_amount == 0


@pytest.mark.parametrize(
    ("rounding", "tax"), [("half_up", 14963), ("half_even", 14962), ("down", 14962), ("up", 14963)]
)
def test_19_percent_of_787_50_is_149_63_as_on_an_invoice_unless_the_shop_says_otherwise(
    rounding: str, tax: int
) -> None:
    shop = Shop(tax_rates_basis_points={"standard": 1900})
    goods = (sku("desk", 78_750), 1)
    assert priced(goods, shop=shop).tax_amount == 14963
    assert priced(goods, shop=replace(shop, tax_rounding=Rounding(rounding))).tax_amount == tax


def test_a_ladder_is_rounded_half_to_even_unless_the_shop_says_otherwise() -> None:
    ladder = promotion("ladder", steps=((1, 9000),), **ALL)
    off = [
        priced((sku("pin", 5), 1), promotions=[ladder], shop=shop).promotion_amount
        for shop in (SHOP, replace(SHOP, discount_rounding=Rounding.HALF_UP))
    ]
    assert off == [0, 1]


def test_tax_is_on_what_is_paid_and_not_on_shipping() -> None:
    shop = Shop(shipping_fee_minor_units={"CNY": 500}, tax_rates_basis_points={"standard": 1000})
    made = priced((TEA, 2), shop=shop, coupon=coupon(400), points=100)
    assert (made.net_amount, made.tax_amount, made.payable_amount) == (500, 50, 1050)


EXACT = [("JPY", 100, 270, 269), ("EUR", 1001, 2703, 2702), ("KWD", 1005, 2713, 2712)]


@pytest.mark.parametrize(("currency", "price", "promoted", "payable"), EXACT)
def test_currencies_with_no_two_and_three_decimals_are_exact(
    currency: str, price: int, promoted: int, payable: int
) -> None:
    """Three units, 10 % off rounded half to even, a coupon of one minor unit (S1-52)."""
    ladder = promotion("ladder", currency=currency, steps=((3, 9000),), **ALL)
    mine = coupon(1, currency=currency, min_amount=promoted)
    made = priced((sku("thing", price, currency=currency), 3), promotions=[ladder], coupon=mine)
    assert (made.currency, made.payable_amount) == (currency, payable)


def test_all_stages_of_one_order_by_hand() -> None:
    """300.00 - 50.00 - 10.00 - 2.00 = 238.00, 13 % tax on each line's net, 5.00 shipping."""
    lines = [(sku(name, 10_000), 1) for name in "abc"]
    reduction = promotion("full_reduction", steps=((30_000, 5_000),))
    shop = Shop(shipping_fee_minor_units={"CNY": 500}, tax_rates_basis_points={"standard": 1300})
    mine = coupon(1000, scope="sku", scope_ids=frozenset("ab"))
    made = priced(*lines, promotions=[reduction], coupon=mine, points=250, shop=shop)
    assert [line[5:] for line in made.lines] == [
        (1667, "p1", 1, "满减优惠：满300.00元，减50.00元", 0, 500, 65, 1010, 163),
        (1667, "p1", 1, "满减优惠：满300.00元，减50.00元", 0, 500, 65, 1010, 163),
        (1666, "p1", 1, "满减优惠：满300.00元，减50.00元", 0, 0, 70, 1074, 174),
    ]
    assert (made.payable_amount, made.coupon_id, made.points_used) == (23_800 + 500 + 3094, "c1", 200)


def test_units_bring_their_gifts() -> None:
    line = priced((sku("tea", 500, gift_points=5, gift_growth=2), 3)).lines[0]
    assert (line.gift_points, line.gift_growth) == (15, 6)


def test_a_coupon_that_the_order_does_not_name_is_a_defect_of_the_caller() -> None:
    with pytest.raises(AssertionError, match="not the requested one"):
        _ = price_case((TEA, 1), coupon=coupon(100)).with_request(coupon_id="c2").result


def test_the_same_sku_on_two_lines_stays_two_lines() -> None:
    made = priced((TEA, 1), (TEA, 2))
    assert [(line.line_no, line.qty, line.payable_amount) for line in made.lines] == [(1, 1, 500), (2, 2, 1000)]


def test_new_fields_of_a_sku_come_last_and_may_be_missing() -> None:
    assert Sku._fields[-5:] == ("tax_class", "gift_points", "gift_growth", "points_limit", "purchase_price")
    assert Sku(*TEA[:12])[12:] == (None, 0, 0, None, None)
    assert PricedLine._fields[-4:] == ("coupon_amount", "points_amount", "tax_amount", "shipping_share")
