"""The amounts that promotions take off: single, member, flash, ladder, full reduction (R-02, S4-16 to S4-20)."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.pricing.builders import priced, promotion, sku
from workers.domain.pricing.promotions import Promotion
from workers.domain.pricing.quote import PricedLine, Quote, Sku

TEA, CUP = sku("tea", 1000), sku("cup", 500)
SINGLE = promotion("single", prices={"tea": 800})
FLASH = {"prices": {"tea": 600, "cup": 300}}
GOLD = {"member_prices": {"gold": {"tea": 900}}}
STEPS = ((10_000, 1000), (20_000, 3000))


def taken(made: Quote) -> list[int]:
    return [line.promotion_amount for line in made.lines]


def counted(made: Quote) -> list[int]:
    return [line.quota_units for line in made.lines]


def sold(kind: str, lines: list[tuple[Sku, int]], sale: dict[str, Any] | None = None, **terms: Any) -> Quote:
    return priced(*lines, promotions=[promotion(kind, **terms)], **(sale or {}))


UNITS: list[tuple[str, str, dict[str, Any], dict[str, Any], list[int], list[int]]] = [
    ("single: each unit", "single", {"prices": {"tea": 800}}, {}, [400, 0, 600], [0, 0, 0]),
    ("single: no lower price", "single", {"prices": {"tea": 1000, "cup": 501}}, {}, [0, 0, 0], [0, 0, 0]),
    ("single: for nothing", "single", {"prices": {"tea": 0}}, {}, [2000, 0, 3000], [0, 0, 0]),
    ("single: limited per user", "single", {"prices": {"tea": 800}, "per_user_limit": 4}, {}, [400, 0, 400], [2, 0, 2]),
    (
        "single: some bought before", "single", {"prices": {"tea": 800}, "per_user_limit": 4}, {"bought": {"p1": 3}},
        [200, 0, 0], [1, 0, 0],
    ),
    (
        "single: more bought than the limit is now", "single", {"prices": {"tea": 800}, "per_user_limit": 4},
        {"bought": {"p1": 9}}, [0, 0, 0], [0, 0, 0],
    ),
    (
        "single: another promotion's units", "single", {"prices": {"tea": 800}, "per_user_limit": 4},
        {"bought": {"p2": 9}}, [400, 0, 400], [2, 0, 2],
    ),
    ("member: of this level", "member", GOLD, {"level": "gold"}, [200, 0, 300], [0] * 3),
    ("member: of another", "member", GOLD, {"level": "tin"}, [0] * 3, [0] * 3),
    ("member: of none", "member", GOLD, {}, [0] * 3, [0] * 3),
    ("flash: without a limit", "flash", FLASH, {}, [800, 800, 1200], [2, 4, 3]),
    ("flash: the first units", "flash", FLASH | {"quantity": 9}, {"left": {"p1": 5}}, [800, 600, 0], [2, 3, 0]),
    ("flash: sold out", "flash", FLASH | {"quantity": 9}, {"left": {"p1": 0}}, [0] * 3, [0] * 3),
    ("flash: the units left were not counted", "flash", FLASH | {"quantity": 9}, {}, [0] * 3, [0] * 3),
    (
        "flash: the user's limit first", "flash", FLASH | {"quantity": 9, "per_user_limit": 3},
        {"left": {"p1": 5}, "bought": {"p1": 2}}, [400, 0, 0], [1, 0, 0],
    ),
    (
        "flash: units that are no cheaper use none of it", "flash", {"prices": {"tea": 600, "cup": 500}, "quantity": 9},
        {"left": {"p1": 3}}, [800, 0, 400], [2, 0, 1],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "terms", "sale", "amounts", "units"), [u[1:] for u in UNITS], ids=[u[0] for u in UNITS]
)
def test_units_at_a_lower_price(
    kind: str, terms: dict[str, Any], sale: dict[str, Any], amounts: list[int], units: list[int]
) -> None:
    made = sold(kind, [(TEA, 2), (CUP, 4), (TEA, 3)], sale, **terms)
    assert (taken(made), counted(made)) == (amounts, units)
    assert made.quota_uses == ({"p1": sum(units)} if any(units) else {})


LADDERS: list[tuple[str, list[tuple[Sku, int]], dict[str, Any], list[int]]] = [
    ("below the first step", [(TEA, 1)], {}, [0]),
    ("two SKUs of one SPU count together", [(TEA, 1), (CUP, 1)], {}, [100, 50]),
    ("the largest step that is reached", [(TEA, 2), (CUP, 1)], {}, [500, 125]),
    ("beyond the last step", [(TEA, 20)], {}, [5000]),
    ("rounded once for the group: 2.5 is 2", [(sku("a", 5), 1), (sku("b", 20), 1)], {}, [0, 2]),
    ("and 3.5 is 4", [(sku("a", 15), 1), (sku("b", 20), 1)], {}, [2, 2]),
    ("another SPU does not count", [(TEA, 1), (sku("x", 500, spu_id="other"), 1)], {}, [0, 0]),
    ("within the user's limit", [(TEA, 1), (CUP, 2)], {"per_user_limit": 3}, [250, 250]),
    ("one unit more, and no line gets it", [(TEA, 2), (CUP, 2)], {"per_user_limit": 3}, [0, 0]),
]


@pytest.mark.parametrize(("lines", "more", "amounts"), [e[1:] for e in LADDERS], ids=[e[0] for e in LADDERS])
def test_the_more_units_the_less_is_paid(
    lines: list[tuple[Sku, int]], more: dict[str, Any], amounts: list[int]
) -> None:
    made = sold("ladder", lines, steps=((2, 9000), (3, 7500)), **more)
    assert taken(made) == amounts
    assert counted(made) == [qty if more and any(amounts) else 0 for _, qty in lines]


REDUCTIONS: list[tuple[str, list[tuple[Sku, int]], list[int]]] = [
    ("one minor unit short", [(sku("a", 9_999), 1)], [0]),
    ("exactly", [(TEA, 10)], [1000]),
    ("the larger step", [(TEA, 10), (CUP, 20)], [1500, 1500]),
    ("by amounts", [(TEA, 9), (CUP, 3)], [857, 143]),
    ("free units get nothing", [(TEA, 10), (sku("gift", 0), 1)], [1000, 0]),
]


@pytest.mark.parametrize(("lines", "amounts"), [e[1:] for e in REDUCTIONS], ids=[e[0] for e in REDUCTIONS])
def test_a_reduction_from_an_exact_amount(lines: list[tuple[Sku, int]], amounts: list[int]) -> None:
    assert taken(sold("full_reduction", lines, steps=STEPS)) == amounts


@pytest.mark.parametrize(("bought", "amount"), [(0, 1000), (2, 1000), (3, 0)])
def test_a_reduced_group_stays_within_the_users_limit_or_gets_nothing(bought: int, amount: int) -> None:
    made = sold("full_reduction", [(TEA, 10)], {"bought": {"p1": bought}}, steps=STEPS, per_user_limit=12)
    assert (taken(made), counted(made)) == ([amount], [10 if amount else 0])


def test_a_promotion_for_a_category_or_for_all_makes_one_group_of_several_products() -> None:
    lines = [(sku("a", 6000, spu_id="s1", category_id="cat"), 1), (sku("b", 4000, spu_id="s2", category_id="cat"), 1)]
    more = (sku("c", 9000, spu_id="s3"), 1)
    of_category = promotion("full_reduction", scope="category", scope_id="cat", steps=STEPS)
    of_all = promotion("full_reduction", scope="all", scope_id=None, steps=STEPS)
    assert taken(priced(*lines, more, promotions=[of_category])) == [600, 400, 0]
    assert taken(priced(*lines, more, promotions=[of_all])) == [316, 210, 474]


def test_a_line_takes_part_in_one_promotion_only() -> None:
    of_all = promotion("ladder", promo_id="p2", scope="all", scope_id=None, steps=((1, 5000),))
    other = sku("x", 300, spu_id="other")
    made = priced((TEA, 2), (CUP, 1), (other, 1), promotions=[of_all, SINGLE])
    assert [line.promotion_id for line in made.lines] == ["p1", None, "p2"]
    assert taken(made) == [400, 0, 150]


def test_a_promotion_in_another_currency_is_not_there() -> None:
    assert taken(priced((TEA, 2), promotions=[promotion("single", prices={"tea": 1}, currency="EUR")])) == [0]


TEXTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("single", {"prices": {"tea": 1}}, "CNY", "单品促销"),
    ("member", {"member_prices": {"gold": {"tea": 1}}}, "CNY", "会员价"),
    ("flash", {"prices": {"tea": 1}}, "CNY", "限时购"),
    ("ladder", {"steps": ((3, 7500),)}, "CNY", "打折优惠：满3件，打7.5折"),
    ("ladder", {"steps": ((3, 8000),)}, "CNY", "打折优惠：满3件，打8折"),
    ("ladder", {"steps": ((3, 8825),)}, "CNY", "打折优惠：满3件，打8.825折"),
    ("ladder", {"steps": ((3, 0),)}, "CNY", "打折优惠：满3件，打0折"),
    ("full_reduction", {"steps": ((100_000, 12_000),)}, "CNY", "满减优惠：满1000.00元，减120.00元"),
    ("full_reduction", {"steps": ((100_000, 12_000),)}, "JPY", "满减优惠：满100000 JPY，减12000 JPY"),
]


@pytest.mark.parametrize(("kind", "terms", "currency", "text"), TEXTS)
def test_a_line_names_its_promotion_in_the_words_of_the_source(
    kind: str, terms: dict[str, Any], currency: str, text: str
) -> None:
    given_promotion = promotion(kind, currency=currency, revision=7, **terms)
    made = priced((sku("tea", 50_000, currency=currency), 3), promotions=[given_promotion], level="gold")
    line = made.lines[0]
    assert (line.promotion_id, line.promotion_revision, line.promotion_text) == ("p1", 7, text)
    assert made.rules_used == (("p1", 7, kind, text, line.promotion_amount),)


def test_a_line_that_got_nothing_names_no_promotion() -> None:
    made = priced((TEA, 2), promotions=[promotion("single", prices={"tea": 1000})])
    assert made.lines[0][6:10] == (None, None, None, 0)
    assert made.rules_used == ()


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 1000)), min_size=1, max_size=200), st.integers(0, 10_000)
)
def test_a_ladder_is_rounded_once_and_shared_to_the_last_unit(lines: list[tuple[int, int]], paid: int) -> None:
    skus = [(sku(str(number), price), qty) for number, (price, qty) in enumerate(lines)]
    made = sold("ladder", skus, steps=((1, paid),))
    total = sum(price * qty for price, qty in lines)
    assert made.promotion_amount == sum(taken(made)) == round(Fraction(total * (10_000 - paid), 10_000))
    assert all(_off_by_less_than_one(line, made.promotion_amount, total) for line in made.lines)


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 1000)), min_size=1, max_size=200),
    st.integers(1, 10**15),
    st.integers(1, 100),
)
def test_a_full_reduction_is_given_whole_or_not_at_all(lines: list[tuple[int, int]], full: int, part: int) -> None:
    reduce = max(1, full * part // 100)
    made = sold("full_reduction", [(sku(str(n), p), q) for n, (p, q) in enumerate(lines)], steps=((full, reduce),))
    total = sum(price * qty for price, qty in lines)
    assert made.promotion_amount == sum(taken(made)) == (reduce if total >= full else 0)
    assert all(_off_by_less_than_one(line, made.promotion_amount, total) for line in made.lines)


def _off_by_less_than_one(line: PricedLine, amount: int, total: int) -> bool:
    within = 0 <= line.promotion_amount <= line.origin_amount
    return within and (total == 0 or abs(line.promotion_amount * total - amount * line.origin_amount) < total)


@given(
    st.lists(st.tuples(st.sampled_from([TEA, CUP]), st.integers(1, 9)), min_size=1, max_size=6),
    st.integers(0, 40),
    st.none() | st.integers(1, 40),
    st.integers(0, 40),
)
def test_a_flash_sale_is_never_oversold(
    lines: list[tuple[Sku, int]], left: int, limit: int | None, bought: int
) -> None:
    more = {"left": {"p1": left}, "bought": {"p1": bought}}
    made = sold("flash", lines, more, **FLASH, quantity=99, per_user_limit=limit)
    units = sum(counted(made))
    assert units == min(sum(qty for _, qty in lines), left, max(0, limit - bought) if limit else left)
    for line in made.lines:  # in line order: after a line that did not get all, no line gets any
        assert line.promotion_amount == line.quota_units * (line.sku.price - FLASH["prices"][line.sku.sku_id])
        if line.quota_units < line.qty:
            assert sum(counted(made)[line.line_no :]) == 0


def test_the_promotion_of_a_group_keeps_its_quota_with_every_line() -> None:
    """Units are given back for a whole order later, so each line records the units that it took."""
    promo: Promotion = promotion("ladder", steps=((1, 9000),), per_user_limit=5)
    made = priced((TEA, 2), (sku("gift", 0), 1), promotions=[promo])
    assert (taken(made), counted(made), made.quota_uses) == ([200, 0], [2, 1], {"p1": 3})
