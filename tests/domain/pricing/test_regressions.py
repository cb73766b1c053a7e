"""Defects of the systems behind the source documents, with their own inputs: none of them is here.

MALL is the system behind S4, RY the one behind S3. What they lose between two statements is tested where the
database is.
"""

from dataclasses import replace

import pytest

from tests.domain.pricing.builders import AT, DAY, coupon, price_case, priced, promotion, refused, sku
from workers.domain.pricing.quote import Quote
from workers.domain.pricing.splitting import split
from workers.domain.refund_amounts import BoughtLine, RefundLine, refund_units
from workers.domain.shop import Shop


def promoted(made: Quote) -> list[int]:
    return [line.promotion_amount for line in made.lines]


def couponed(made: Quote) -> list[int]:
    return [line.coupon_amount for line in made.lines]


def test_mall_2_full_reduction_of_50_00_over_three_lines_of_100_00_is_not_49_50() -> None:
    off_50 = promotion("full_reduction", steps=((30_000, 5000),))
    made = priced(*[(sku(name, 10_000), 1) for name in "abc"], promotions=[off_50])
    assert (promoted(made), made.payable_amount) == ([1667, 1667, 1666], 25_000)


def test_mall_2_full_reduction_of_10_00_over_seven_units_of_15_00_is_not_9_80() -> None:
    off_10 = promotion("full_reduction", steps=((10_000, 1000),))
    assert promoted(priced((sku("tea", 1500), 7), promotions=[off_10])) == [1000]
    seven = priced(*[(sku(name, 1500), 1) for name in "abcdefg"], promotions=[off_10])
    assert promoted(seven) == [143, 143, 143, 143, 143, 143, 142]


def test_mall_2_coupon_of_10_00_over_three_lines_is_not_9_99() -> None:
    made = priced(*[(sku(name, 10_000), 1) for name in "abc"], coupon=coupon(1000))
    assert (couponed(made), made.coupon_amount) == ([334, 333, 333], 1000)


@pytest.mark.parametrize(("amount", "reduction"), [(9_901, 0), (9_999, 0), (10_000, 1000), (10_001, 1000)])
def test_mall_3_an_order_of_99_01_does_not_reach_100(amount: int, reduction: int) -> None:
    from_100 = promotion("full_reduction", steps=((10_000, 1000),))
    assert priced((sku("tea", amount), 1), promotions=[from_100]).promotion_amount == reduction


def test_mall_8_of_two_orders_that_want_the_same_points_one_gets_them() -> None:
    first = price_case((sku("tea", 10_000), 1), points=1000, available=1000)
    made = first.result
    assert isinstance(made, Quote)
    left = first.buyer.points_available - made.points_used
    refusal = refused((sku("tea", 10_000), 1), points=1000, available=left)
    assert (refusal.code, refusal.details) == ("POINTS_INSUFFICIENT", {"requested": 1000, "available": 0})


def test_mall_8_a_coupon_that_an_order_holds_is_not_there_for_another() -> None:
    held = coupon(1000, state="locked", order_id=7)
    assert refused((sku("tea", 10_000), 1), coupon=held).code == "COUPON_ALREADY_LOCKED"


@pytest.mark.parametrize("unit", [100, 200, 500])
def test_mall_10_points_are_worth_their_rate_in_any_unit(unit: int) -> None:
    """100 points are 1.00: MALL divides by the unit, and 1000 points in units of 500 are 2.00 instead of 10.00."""
    made = priced(
        (sku("tea", 10_000), 1), points=1000, shop=Shop(points_unit=unit, points_unit_minor_units={"CNY": unit})
    )
    assert (made.points_used, made.points_amount) == (1000, 1000)


def test_mall_10_points_below_one_unit_are_refused_and_never_divided() -> None:
    shop = Shop(points_unit=500, points_unit_minor_units={"CNY": 500})
    assert refused((sku("tea", 10_000), 1), points=499, shop=shop).code == "POINTS_RULE"


@pytest.mark.parametrize(("amount", "lines", "parts"), [(1, 3, [1, 0, 0]), (5, 10, [1, 1, 1, 1, 1, 0, 0, 0, 0, 0])])
def test_ry_8_a_small_coupon_leaves_no_line_below_zero(amount: int, lines: int, parts: list[int]) -> None:
    made = priced(*[(sku(str(number), 10_000), 1) for number in range(lines)], coupon=coupon(amount))
    assert couponed(made) == parts


def test_ry_8_a_coupons_threshold_and_dates_are_checked() -> None:
    tea = sku("tea", 9_999)
    assert refused((tea, 1), coupon=coupon(1000, min_amount=10_000)).details["why"] == "threshold"
    assert refused((tea, 1), coupon=coupon(1000, valid_to=AT)).details["why"] == "expired"
    assert refused((tea, 1), coupon=coupon(1000, valid_from=AT + DAY)).details["why"] == "not_yet_valid"


def test_ry_8_ten_lines_of_a_million_units_of_5_00_do_not_overflow() -> None:
    """In 32 bits this amount overflows to 705,032,704."""
    made = priced(*[(sku(str(number), 500), 1_000_000) for number in range(10)], coupon=coupon(1))
    assert (made.origin_amount, made.payable_amount) == (5_000_000_000, 4_999_999_999)


@pytest.mark.parametrize(("amount", "fee"), [(4_899, 500), (4_900, 0)])
def test_ry_9_free_shipping_is_decided_by_our_amount(amount: int, fee: int) -> None:
    """RY takes the client's origin amount: a client that claims 49.00 pays no shipping, and passes the check."""
    shop = Shop(shipping_fee_minor_units={"CNY": 500}, free_shipping_from_minor_units={"CNY": 4900})
    assert priced((sku("tea", amount), 1), shop=shop).shipping_fee == fee


def test_ry_9_a_claim_of_free_shipping_is_rejected_with_the_price() -> None:
    shop = Shop(shipping_fee_minor_units={"CNY": 500}, free_shipping_from_minor_units={"CNY": 4900})
    claim = price_case((sku("tea", 4_899), 1), shop=shop)
    dearer = [claim.request.wanted[0]._replace(expected_unit_price=4_900)]
    for lie in (
        claim.with_request(expected=4_899),
        claim.with_request(expected=4_900),
        claim.with_request(wanted=dearer),
    ):
        assert getattr(lie.result, "code", None) == "ORDER_PRICE_MISMATCH"


TWO_LINES = [BoughtLine(1, "a", "main", 5, 5000 + 300, 300, 0, 0), BoughtLine(2, "b", "main", 1, 1000 + 60, 60, 0, 0)]


def test_ry_11_three_of_five_units_of_a_line_go_back() -> None:
    assert refund_units(TWO_LINES, {1: 3}) == [RefundLine(1, 3, 3000)]


def test_ry_11_shipping_is_refunded_with_the_last_unit_however_many_requests_come() -> None:
    """RY counts cases: if one is revoked and requested again, RY takes the next one for the last."""
    repeated = [refund_units(TWO_LINES, {1: 4, 2: 1}) for _ in range(3)]
    assert all(sum(part.amount for part in parts) == 5000 for parts in repeated)
    done = [
        replace(TWO_LINES[0], refunded_qty=4, refunded_amount=4000),
        replace(TWO_LINES[1], refunded_qty=1, refunded_amount=1000),
    ]
    assert refund_units(done, {1: 1}) == [RefundLine(1, 1, 1300, 300), RefundLine(2, 0, 60, 60)]


def test_ry_12_the_parts_of_a_split_order_carry_its_shipping() -> None:
    """RY leaves shipping on the parent, so its children come to less than was paid."""
    lines = [(sku("tea", 2000), 1), (sku("film", 1000, product_type="virtual"), 1), (sku("cup", 1000), 1)]
    made = priced(*lines, shop=Shop(shipping_fee_minor_units={"CNY": 500}), coupon=coupon(100))
    parts = [sum(line.payable_amount for line in part) for part in split(made, ("product_type",))]
    assert parts == [2000 + 1000 - 75 + 375, 1000 - 25 + 125]
    assert sum(parts) == made.payable_amount == 4400
