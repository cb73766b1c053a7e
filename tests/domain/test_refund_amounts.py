"""Refunds by units: in any sequence, the refunds of all units are exactly the amount that was paid (R-08)."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.pricing.builders import PriceCase, coupon, price_cases, priced, promotion, sku
from workers.domain.pricing.quote import PricedLine, Quote
from workers.domain.pricing.splitting import split
from workers.domain.refund_amounts import BoughtLine, RefundLine, refund_units, remaining_units
from workers.domain.shop import Shop


def line(line_no: int, qty: int, goods: int, shipping: int = 0) -> BoughtLine:
    return BoughtLine(line_no, f"s{line_no}", "main", qty, goods + shipping, shipping, 0, 0)


def given_back(lines: list[BoughtLine], parts: list[RefundLine]) -> list[BoughtLine]:
    """The lines after a refund, as their rows hold them."""
    back = {part.line_no: part for part in parts}
    nothing = RefundLine(0, 0, 0)
    return [
        replace(
            bought,
            refunded_qty=bought.refunded_qty + back.get(bought.line_no, nothing).qty,
            refunded_amount=bought.refunded_amount + back.get(bought.line_no, nothing).amount,
        )
        for bought in lines
    ]


@st.composite
def orders(draw: st.DrawFn, lines_max: int = 8, qty_max: int = 12) -> list[BoughtLine]:
    count = draw(st.integers(1, lines_max))
    amount = st.integers(0, 10**12)
    return [line(n, draw(st.integers(1, qty_max)), draw(amount), draw(amount)) for n in range(1, count + 1)]


def some_units(data: st.DataObject, lines: list[BoughtLine]) -> dict[int, int]:
    return {no: qty for no, left in remaining_units(lines).items() if (qty := data.draw(st.integers(0, left)))}


@given(orders(), st.data())
def test_any_sequence_of_partial_refunds_adds_up_to_what_was_paid_and_is_never_above_it(
    lines: list[BoughtLine], data: st.DataObject
) -> None:
    goods = sum(bought.payable_amount - bought.shipping_share for bought in lines)
    payable, refunded = sum(bought.payable_amount for bought in lines), 0
    for _ in range(6):
        parts = refund_units(lines, some_units(data, lines))
        assert all(part.amount >= 0 for part in parts)
        lines, refunded = given_back(lines, parts), refunded + sum(part.amount for part in parts)
        assert all(bought.refunded_amount <= bought.payable_amount for bought in lines)
        assert refunded <= (goods if any(remaining_units(lines).values()) else payable)
    rest = refund_units(lines, remaining_units(lines))
    assert refunded + sum(part.amount for part in rest) == payable
    assert all(bought.refunded_amount == bought.payable_amount for bought in given_back(lines, rest))


def bought(lines: Sequence[PricedLine]) -> list[BoughtLine]:
    """The paid lines of a priced order, or of a part of a split one."""
    return [
        BoughtLine(p.line_no, p.sku.sku_id, p.warehouse, p.qty, p.payable_amount, p.shipping_share, 0, 0) for p in lines
    ]


@given(price_cases(lines_max=12), st.data())
def test_what_was_discounted_and_taxed_goes_back_exactly_also_from_the_parts_of_a_split_order(
    any_case: PriceCase, data: st.DataObject
) -> None:
    made = any_case.result
    if not isinstance(made, Quote):
        return
    refunded = 0
    for group in split(made, data.draw(st.sampled_from([(), ("product_type",), ("product_type", "seller")]))):
        lines, payable, back = bought(group), sum(line.payable_amount for line in group), 0
        while any(remaining_units(lines).values()):
            parts = refund_units(lines, some_units(data, lines) if data.draw(st.booleans()) else remaining_units(lines))
            lines, back = given_back(lines, parts), back + sum(part.amount for part in parts)
            assert all(part.amount >= 0 for part in parts)
            assert back <= payable
        assert back == payable
        refunded += back
    assert refunded == made.payable_amount


@given(orders(), st.data())
def test_no_unit_costs_more_to_give_back_than_its_exact_share_and_one_minor_unit(
    lines: list[BoughtLine], data: st.DataObject
) -> None:
    for part in refund_units(lines, some_units(data, lines)):
        line = lines[part.line_no - 1]
        goods = line.payable_amount - line.shipping_share
        if part.qty < line.qty:
            assert goods * part.qty - line.qty < part.amount * line.qty <= goods * part.qty


@given(orders(lines_max=3, qty_max=4))
def test_one_unit_at_a_time_gives_the_same_as_all_at_once(lines: list[BoughtLine]) -> None:
    at_once = sum(part.amount for part in refund_units(lines, remaining_units(lines)))
    one_by_one, left = 0, lines
    for bought in lines:
        for _ in range(bought.qty):
            parts = refund_units(left, {bought.line_no: 1})
            one_by_one += sum(part.amount for part in parts)
            left = given_back(left, parts)
    assert one_by_one == at_once == sum(bought.payable_amount for bought in lines)


@given(orders())
def test_an_order_that_is_given_back_has_nothing_left(lines: list[BoughtLine]) -> None:
    done = given_back(lines, refund_units(lines, remaining_units(lines)))
    assert set(remaining_units(done).values()) == {0}
    assert refund_units(done, {}) == []


def test_1000_in_three_steps_is_1000() -> None:
    """RY rounds each step up and pays 1,002 of 1,000."""
    lines, amounts = [line(1, 3, 1000)], []
    for _ in range(3):
        parts = refund_units(lines, {1: 1})
        lines = given_back(lines, parts)
        amounts += [part.amount for part in parts]
    assert amounts == [333, 333, 334]


def test_shipping_goes_back_with_the_last_unit_of_the_order_on_every_line() -> None:
    lines = [line(1, 2, 1000, 30), line(2, 1, 500, 15)]
    first = refund_units(lines, {1: 2})
    assert first == [RefundLine(1, 2, 1000)]
    last = refund_units(given_back(lines, first), {2: 1})
    assert last == [RefundLine(1, 0, 30, 30), RefundLine(2, 1, 515, 15)]


def test_a_free_unit_that_comes_back_is_counted() -> None:
    assert refund_units([line(1, 2, 0), line(2, 1, 9)], {1: 1}) == [RefundLine(1, 1, 0)]


def test_more_units_than_were_bought_is_a_defect_of_the_caller() -> None:
    with pytest.raises(AssertionError, match="more units"):
        refund_units([line(1, 2, 1000)], {1: 3})


def test_a_unit_goes_back_for_what_was_paid_for_it_and_not_for_its_price() -> None:
    """3 x 10.00, 10 % off, a coupon of 1.00, 13 % tax, 3.00 shipping: 26.00 net, 3.38 tax, 32.38 in all."""
    ladder = promotion("ladder", steps=((3, 9000),))
    shop = Shop(shipping_fee_minor_units={"CNY": 300}, tax_rates_basis_points={"standard": 1300})
    made = priced((sku("tea", 1000), 3), promotions=[ladder], coupon=coupon(100), shop=shop)
    lines, amounts = bought(made.lines), []
    for _ in range(3):
        parts = refund_units(lines, {1: 1})
        lines = given_back(lines, parts)
        amounts += [part.amount for part in parts]
    assert made.payable_amount == 3238
    assert amounts == [979, 979, 980 + 300]
