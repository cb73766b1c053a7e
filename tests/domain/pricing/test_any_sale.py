"""Every sale with any discounts adds up, and no rule computes with a client's number (R-06)."""

from dataclasses import replace
from fractions import Fraction
from math import floor
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.pricing.builders import AT, PriceCase, coupon, price_cases, priced, promotion, sku
from workers.domain.pricing.quote import Quote
from workers.domain.refusal import Refusal
from workers.domain.shop import Shop

TERMS = (
    "origin_amount",
    "promotion_amount",
    "coupon_amount",
    "points_amount",
    "tax_amount",
    "payable_amount",
    "net_amount",
)
REFUSALS = {"COUPON_NOT_USABLE", "POINTS_RULE", "ORDER_PARAM_INVALID"}
ALL: dict[str, Any] = {"scope": "all", "scope_id": None}


def adds_up(made: Quote) -> None:
    for term in TERMS:
        assert sum(getattr(line, term) for line in made.lines) == getattr(made, term), term
    assert sum(line.shipping_share for line in made.lines) == made.shipping_fee
    assert min(line.net_amount for line in made.lines) >= 0


@given(price_cases())
def test_the_lines_add_up_to_the_order_to_the_last_minor_unit(any_case: PriceCase) -> None:
    made = any_case.result
    if isinstance(made, Refusal):
        assert made.code in REFUSALS
        return
    adds_up(made)
    assert [line.line_no for line in made.lines] == list(range(1, len(any_case.request.wanted) + 1))
    wanted = [(line.sku.sku_id, line.qty, line.warehouse) for line in made.lines]
    assert wanted == [(w.sku_id, w.qty, w.warehouse) for w in any_case.request.wanted]


@pytest.mark.parametrize(("seed", "currency"), [(1, "JPY"), (2, "CNY"), (3, "KWD")])
def test_200_lines_of_10_to_the_12_add_up_with_everything_at_once(seed: int, currency: str) -> None:
    random, of = Random(seed), {"currency": currency}
    skus = [sku(str(n), random.randint(1, 10**10), spu_id=f"s{n % 7}", **of) for n in range(200)]
    lines = [(item, random.randint(1, 100)) for item in skus]
    step = ((10**6, random.randint(1, 10**6)),)
    some = [promotion("full_reduction", promo_id=f"p{n}", scope_id=f"s{n}", steps=step, **of) for n in range(3)]
    ladder = promotion("ladder", promo_id="p9", steps=((7, random.randint(1, 9999)),), **ALL, **of)
    shop = Shop(
        shipping_fee_minor_units={currency: random.randint(1, 10**9)},
        tax_rates_basis_points={"standard": 1333},
        points_unit_minor_units={currency: 100},
    )
    mine = coupon(random.randint(10**9, 10**10), **of)
    made = priced(*lines, promotions=[*some, ladder], coupon=mine, points=random.randint(10**9, 10**12), shop=shop)
    assert len(made.rules_used) == 4
    assert min(made.coupon_amount, made.points_amount, made.shipping_fee, made.tax_amount) > 0
    adds_up(made)


@given(price_cases())
def test_no_line_is_discounted_below_nothing(any_case: PriceCase) -> None:
    made = any_case.result
    for line in made.lines if isinstance(made, Quote) else ():
        discounts = (line.promotion_amount, line.coupon_amount, line.points_amount)
        assert line.origin_amount == line.sku.price * line.qty
        assert min(*discounts, line.tax_amount, line.shipping_share) >= 0
        assert line.net_amount == line.origin_amount - sum(discounts) >= 0
        assert line.payable_amount == line.net_amount + line.tax_amount + line.shipping_share


@given(price_cases())
def test_each_stage_applies_its_rule_to_the_amount_that_the_stages_before_left(any_case: PriceCase) -> None:
    made, shop = any_case.result, any_case.shop
    if isinstance(made, Refusal):
        return
    mine, before = any_case.buyer.coupon, [line.origin_amount - line.promotion_amount for line in made.lines]
    if mine is not None:
        base = sum(
            left
            for line, left in zip(made.lines, before, strict=True)
            if mine.covers(line.sku.sku_id, line.sku.category_id)
        )
        assert made.coupon_amount == min(mine.amount, base) > 0
    currency, country = made.currency, str(any_case.request.country)
    worth = shop.points_unit_minor_units.get(currency, 0)
    assert made.points_amount * shop.points_unit == made.points_used * worth
    assert made.points_amount * 100 <= (sum(before) - made.coupon_amount) * shop.points_max_percent
    fees = shop.shipping_fees_by_country.get(country, shop.shipping_fee_minor_units)
    free = sum(before) >= shop.free_shipping_from_minor_units.get(currency, 10**18)
    assert made.shipping_fee == (0 if free or not fees else fees[currency])
    for line in made.lines:
        rate = 0 if shop.tax_inclusive else shop.tax_rates_basis_points.get(line.sku.tax_class or "standard", 0)
        assert line.tax_amount == floor(Fraction(line.net_amount * rate, 10_000) + Fraction(1, 2))


@given(price_cases())
def test_every_minor_unit_that_is_taken_off_belongs_to_a_line_and_a_rule(any_case: PriceCase) -> None:
    made = any_case.result
    if isinstance(made, Refusal):
        return
    by_rule: dict[tuple[Any, ...], int] = {}
    for line in made.lines:
        rule = (line.promotion_id, line.promotion_revision, line.promotion_text)
        assert (line.promotion_id is None) == (rule == (None, None, None))
        if line.promotion_id is None:
            assert (line.promotion_amount, line.quota_units) == (0, 0)
        else:
            by_rule[rule] = by_rule.get(rule, 0) + line.promotion_amount
    assert by_rule == {(used.promo_id, used.revision, used.text): used.amount for used in made.rules_used}
    assert (made.coupon_amount > 0) == (made.coupon_id is not None)
    assert (made.points_amount > 0) == (made.points_used > 0)


@given(price_cases())
def test_no_user_buys_more_at_a_limited_price_than_the_limit(any_case: PriceCase) -> None:
    made, buyer, rules = any_case.result, any_case.buyer, any_case.rules
    uses = made.quota_uses if isinstance(made, Quote) else {}
    for promo in rules.promotions:
        units = uses.get(promo.promo_id, 0)
        if promo.quantity is not None:
            assert units <= rules.quota_left[promo.promo_id]
        if promo.per_user_limit is not None and units:
            assert units + buyer.quota_used.get(promo.promo_id, 0) <= promo.per_user_limit
    assert all(0 <= line.quota_units <= line.qty for line in (made.lines if isinstance(made, Quote) else ()))


@given(price_cases(lines_max=20), st.one_of(st.integers(0, 10**6), st.integers(-(2**63), 2**63)))
def test_what_the_client_expects_is_compared_and_never_computed_with(any_case: PriceCase, expected: int) -> None:
    ours, answer = any_case.result, any_case.with_request(expected=expected).result
    if isinstance(ours, Refusal) or ours.payable_amount == expected:
        assert answer == ours
        return
    assert isinstance(answer, Refusal)
    assert answer.code == "ORDER_PRICE_MISMATCH"
    currency = any_case.request.currency
    assert answer.details == {"expected": ours.payable_amount, "got": expected, "currency": currency}
    assert any_case.with_request(expected=ours.payable_amount).result == ours


@given(price_cases(lines_max=20), st.data())
def test_expected_unit_prices_change_no_price(any_case: PriceCase, data: st.DataObject) -> None:
    ours, wanted, skus = any_case.result, any_case.request.wanted, any_case.rules.skus
    same = [w._replace(expected_unit_price=skus[w.sku_id].price) for w in wanted]
    assert any_case.with_request(wanted=same).result == ours
    number = data.draw(st.integers(0, len(wanted) - 1))
    same[number] = same[number]._replace(expected_unit_price=skus[wanted[number].sku_id].price + 1)
    other = any_case.with_request(wanted=same).result
    if isinstance(ours, Quote):
        assert isinstance(other, Refusal)
        assert other.details["line"] == number + 1
    else:
        assert other == ours


@given(price_cases(lines_max=20), st.integers(0, 10**6))
def test_a_larger_coupon_never_raises_the_price(any_case: PriceCase, more: int) -> None:
    """Holds without points and tax: half of a smaller amount is smaller, and tax is rounded line by line."""
    mine, shop = any_case.buyer.coupon, replace(any_case.shop, tax_rates_basis_points={})
    if mine is None:
        return
    small = replace(any_case.with_request(use_points=0), shop=shop)
    large = replace(small, buyer=replace(small.buyer, coupon=replace(mine, amount=mine.amount + more)))
    less, none = large.result, small.with_request(coupon_id=None).result
    if isinstance(some := small.result, Quote):
        assert isinstance(less, Quote)
        assert isinstance(none, Quote)
        assert less.payable_amount <= some.payable_amount <= none.payable_amount


@given(price_cases(lines_max=20))
def test_promotions_of_other_times_and_currencies_change_nothing(any_case: PriceCase) -> None:
    plain = replace(any_case, rules=replace(any_case.rules, promotions=()))
    dead = [replace(p, ends_at=AT) for p in any_case.rules.promotions]
    foreign = [replace(p, currency="XXX") for p in any_case.rules.promotions]
    for others in (dead, foreign):
        assert replace(any_case, rules=replace(any_case.rules, promotions=others)).result == plain.result


@given(price_cases(lines_max=20))
def test_the_order_in_which_promotions_are_known_does_not_matter(any_case: PriceCase) -> None:
    turned = replace(any_case.rules, promotions=any_case.rules.promotions[::-1])
    assert replace(any_case, rules=turned).result == any_case.result
