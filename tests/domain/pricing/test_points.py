"""Paying with points: whole units, up to every cap, exactly (R-05, S4-06)."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.pricing.builders import SHOP, coupon, priced, promotion, refused, sku
from workers.domain.pricing.points import Spent, spend
from workers.domain.refusal import Refusal
from workers.domain.shop import Shop

TEA, CUP = sku("tea", 1000), sku("cup", 500)
HALVES = Shop(points_unit=500, points_unit_minor_units={"CNY": 250})

USED: list[tuple[str, int, dict[str, Any], int, int]] = [
    ("none requested", 0, {}, 0, 0),
    ("whole units only", 250, {}, 200, 200),
    ("exactly what is there", 300, {"available": 300}, 300, 300),
    ("half of 20.00 at most", 5000, {}, 1000, 1000),
    ("all of it, where the shop allows it", 5000, {"shop": replace(SHOP, points_max_percent=100)}, 2000, 2000),
    ("nothing but whole units of the half", 5000, {"shop": replace(SHOP, points_max_percent=47)}, 900, 900),
    ("500 points are 2.50", 1900, {"shop": HALVES}, 1500, 750),
    ("half of what the promotion left", 5000, {"promotions": [promotion("single", prices={"tea": 500})]}, 500, 500),
    ("half of what the coupon left", 5000, {"coupon": coupon(1200)}, 400, 400),
    ("not of shipping and tax", 5000, {"shop": Shop(shipping_fee_minor_units={"CNY": 900})}, 1000, 1000),
]


@pytest.mark.parametrize(("requested", "more", "points", "amount"), [u[1:] for u in USED], ids=[u[0] for u in USED])
def test_points_take_off_whole_units_up_to_every_cap(
    requested: int, more: dict[str, Any], points: int, amount: int
) -> None:
    made = priced((TEA, 2), points=requested, **more)
    assert (made.points_used, made.points_amount) == (points, amount)
    assert made.lines[0].points_amount == amount


LIMITS: list[tuple[str, list[int | None], int, list[int]]] = [
    ("no limits: by what is left to pay", [None, None], 900, [600, 300]),
    ("a line takes no more than its units do", [150, None], 900, [300, 600]),
    ("then the other one only", [0, None], 900, [0, 900]),
    ("a limit above the price is none", [99_999, None], 900, [600, 300]),
    ("all have one", [150, 50], 400, [300, 100]),
]


@pytest.mark.parametrize(("limits", "used", "amounts"), [e[1:] for e in LIMITS], ids=[e[0] for e in LIMITS])
def test_a_product_limits_the_points_of_its_units(limits: list[int | None], used: int, amounts: list[int]) -> None:
    shop = replace(SHOP, points_max_percent=100)
    tea, cup = (item._replace(points_limit=limit) for item, limit in zip((TEA, CUP), limits, strict=True))
    made = priced((tea, 2), (cup, 2), points=900, shop=shop)
    assert made.points_used == used
    assert [line.points_amount for line in made.lines] == amounts


REFUSED: list[tuple[str, dict[str, Any], str, dict[str, object]]] = [
    ("less than none", {"points": -1}, "POINTS_RULE", {"why": "negative", "requested": -1}),
    (
        "more than there are", {"points": 301, "available": 300}, "POINTS_INSUFFICIENT",
        {"requested": 301, "available": 300},
    ),
    (
        "no whole unit", {"points": 99}, "POINTS_RULE",
        {"why": "none_usable", "requested": 99, "unit": 100, "max": 500},
    ),
    (
        "the order is too small for one", {"points": 100, "promotions": [promotion("single", prices={"tea": 199})]},
        "POINTS_RULE", {"why": "none_usable", "requested": 100, "unit": 100, "max": 0},
    ),
    (
        "worth nothing in the order's currency",
        {"points": 100, "shop": replace(SHOP, points_unit_minor_units={"KRW": 9})},
        "POINTS_RULE", {"why": "currency", "requested": 100, "currency": "CNY"},
    ),
    (
        "not with a coupon in this shop",
        {"points": 100, "coupon": coupon(1), "shop": replace(SHOP, points_with_coupon=False)},
        "POINTS_RULE", {"why": "with_coupon", "requested": 100},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("more", "code", "details"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_points_are_refused_with_why(more: dict[str, Any], code: str, details: dict[str, object]) -> None:
    refusal = refused((TEA, 1), **more)
    assert (refusal.code, refusal.details) == (code, details)


@pytest.mark.parametrize(("currency", "amount"), [("CNY", 1000), ("USD", 140), ("JPY", 220), ("KWD", 430)])
def test_points_are_worth_what_the_shop_says_for_the_currency(currency: str, amount: int) -> None:
    shop = replace(SHOP, points_unit_minor_units={"CNY": 100, "USD": 14, "JPY": 22, "KWD": 43})
    assert priced((sku("tea", 10_000, currency=currency), 1), points=1000, shop=shop).points_amount == amount


def test_a_coupon_alone_needs_no_leave_to_be_combined() -> None:
    shop = replace(SHOP, points_with_coupon=False)
    assert priced((TEA, 1), coupon=coupon(1), shop=shop).payable_amount == 999
    assert priced((TEA, 1), points=100, shop=shop).payable_amount == 900


shops = st.builds(
    Shop,
    points_unit=st.sampled_from([1, 7, 100, 500]),
    points_unit_minor_units=st.sampled_from([1, 33, 100, 250]).map(lambda worth: {"CNY": worth}),
    points_max_percent=st.integers(0, 100),
)
rests = st.lists(st.tuples(st.integers(0, 10**12), st.none() | st.integers(0, 10**12)), min_size=1, max_size=200)


@given(st.one_of(st.integers(0, 1000), st.integers(0, 10**16)), rests, shops)
def test_as_many_whole_units_as_fit_and_not_one_more(
    requested: int, lines: list[tuple[int, int | None]], shop: Shop
) -> None:
    rest, limits = [left for left, _ in lines], [limit for _, limit in lines]
    unit, worth = shop.points_unit, shop.points_unit_minor_units["CNY"]
    caps = [left if most is None else min(left, most * worth // unit) for left, most in lines]

    def fits(units: int) -> bool:
        within = units * worth * 100 <= sum(rest) * shop.points_max_percent and units * worth <= sum(caps)
        return within and units * unit <= requested

    spent = spend(requested, requested, rest, limits, shop, "CNY")
    if isinstance(spent, Refusal):
        assert requested > 0
        assert not fits(1)
        return
    units, odd = divmod(spent.points, unit)
    assert (odd, fits(units), fits(units + 1)) == (0, True, False)
    assert sum(spent.amounts) == units * worth
    assert all(0 <= amount <= cap for amount, cap in zip(spent.amounts, caps, strict=True))


@given(st.integers(1, 10**6), st.integers(0, 10**6), rests, shops)
def test_using_more_points_never_raises_the_price(
    requested: int, more: int, lines: list[tuple[int, int | None]], shop: Shop
) -> None:
    rest, limits = [left for left, _ in lines], [limit for _, limit in lines]
    few = spend(requested, 10**9, rest, limits, shop, "CNY")
    many = spend(requested + more, 10**9, rest, limits, shop, "CNY")
    if isinstance(few, Spent):
        assert isinstance(many, Spent)
        assert sum(many.amounts) >= sum(few.amounts)
