"""What comes off each line when an operator changes the price of an unpaid order (R-17)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.builders import order
from workers.domain.adjustments import AdjustableLine, Adjustment, LineChange, adjust, unadjustable
from workers.domain.order import State
from workers.domain.refusal import Refusal

LINES = [AdjustableLine(7, 1, 500, 500, 10), AdjustableLine(7, 2, 600, 500, 10)]


def changed(lines: list[AdjustableLine], /, percent: int = 100, **wanted: Any) -> list[LineChange] | Refusal:
    one = order(payable_amount=sum(line.payable for line in lines))
    return adjust(one, lines, Adjustment(**wanted), percent)


def parts(lines: list[AdjustableLine], /, **wanted: Any) -> dict[int, tuple[int, int]]:
    """Line number -> (what comes off it in all, what of it comes off the shipping)."""
    found = changed(lines, **wanted)
    assert not isinstance(found, Refusal), found
    return {each.before.line_no: (each.amount, each.shipping) for each in found}


TAKEN = [
    ("one minor unit of two equal lines", {"discount": 1, "currency": "CNY"}, {1: (1, 0)}),
    ("all of the goods", {"discount": 1000}, {1: (500, 0), 2: (500, 0)}),
    ("of one line", {"lines": ((2, 7),)}, {2: (7, 0)}),
    ("put on one line", {"lines": ((2, -7),)}, {2: (-7, 0)}),
    ("put on all lines, by what they cost before reductions", {"discount": -11}, {1: (-5, 0), 2: (-6, 0)}),
    ("the shipping", {"shipping": 0}, {1: (10, 10), 2: (10, 10)}),
    ("one minor unit of the shipping", {"shipping": 19}, {2: (1, 1)}),
    ("goods and shipping at once", {"lines": ((1, 500),), "shipping": 9}, {1: (510, 10), 2: (1, 1)}),
]


@pytest.mark.parametrize(("wanted", "taken"), [row[1:] for row in TAKEN], ids=[row[0] for row in TAKEN])
def test_a_discount_is_shared_out_to_the_minor_unit(wanted: dict[str, Any], taken: dict[int, tuple[int, int]]) -> None:
    assert parts(LINES, **wanted) == taken


REFUSED = [
    ("nothing", {}, "ORDER_PARAM_INVALID", "discount"),
    ("both", {"discount": 1, "lines": ((1, 1),)}, "ORDER_PARAM_INVALID", "discount"),
    ("no change", {"discount": 0}, "ORDER_PARAM_INVALID", "discount"),
    ("the same shipping", {"shipping": 20}, "ORDER_PARAM_INVALID", "discount"),
    ("another currency", {"discount": 1, "currency": "USD"}, "ORDER_PARAM_INVALID", "currency"),
    ("an unknown line", {"lines": ((3, 1),)}, "ORDER_PARAM_INVALID", "lines"),
    ("a line twice", {"lines": ((1, 1), (1, 1))}, "ORDER_PARAM_INVALID", "lines"),
    ("a line below zero", {"lines": ((1, 501),)}, "ORDER_AMOUNT_OUT_OF_RANGE", None),
    ("the goods below zero", {"discount": 1001}, "ORDER_AMOUNT_OUT_OF_RANGE", None),
    ("shipping below zero", {"shipping": -1}, "ORDER_AMOUNT_OUT_OF_RANGE", "shipping"),
    ("more than double", {"discount": -1021}, "ORDER_AMOUNT_OUT_OF_RANGE", None),
    ("more than double by shipping", {"shipping": 1041}, "ORDER_AMOUNT_OUT_OF_RANGE", None),
    ("beyond every number", {"discount": -(2**62), "shipping": 2**62}, "ORDER_AMOUNT_OUT_OF_RANGE", None),
]


@pytest.mark.parametrize(("wanted", "code", "name"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_makes_no_sense_is_refused_with_its_code(wanted: dict[str, Any], code: str, name: str | None) -> None:
    refusal = changed(LINES, **wanted)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.details.get("field")) == (code, name)


def test_the_limit_is_counted_from_the_price_at_creation() -> None:
    lowered = [AdjustableLine(7, 1, 1000, 100, 0)]
    one = order(payable_amount=100, adjustment_amount=900)
    assert not isinstance(adjust(one, lowered, Adjustment(discount=-1900), 100), Refusal)
    assert isinstance(adjust(one, lowered, Adjustment(discount=-1901), 100), Refusal)
    assert isinstance(adjust(one, lowered, Adjustment(discount=-901), 0), Refusal)


def test_an_order_above_a_limit_that_was_lowered_since_can_still_be_lowered() -> None:
    raised = [AdjustableLine(7, 1, 1000, 1500, 0)]
    one = order(payable_amount=1500, adjustment_amount=-500)
    assert not isinstance(adjust(one, raised, Adjustment(discount=1), 0), Refusal)


amounts = st.integers(0, 10**6)
some_lines = st.lists(st.tuples(amounts, amounts, amounts), min_size=1, max_size=6).map(
    lambda rows: [
        AdjustableLine(7, no, goods + off, goods, shipping) for no, (goods, off, shipping) in enumerate(rows, 1)
    ]
)


@given(some_lines, st.data())
def test_any_discount_and_shipping_add_up_and_leave_no_line_below_zero(
    lines: list[AdjustableLine], data: st.DataObject
) -> None:
    goods, shipping = sum(line.goods for line in lines), sum(line.shipping for line in lines)
    discount = data.draw(st.one_of(st.integers(-goods - shipping, goods), st.none()))
    fee = data.draw(st.one_of(st.integers(0, shipping), st.none()))
    found = changed(lines, discount=discount, shipping=fee)
    if isinstance(found, Refusal):
        assert not discount
        assert fee in (None, shipping)
        return
    after = {each.before.line_no: each.after for each in found}
    now = [after.get(line.line_no, line) for line in lines]
    assert min(min(line.goods, line.shipping) for line in now) >= 0
    assert sum(line.goods for line in now) == goods - (discount or 0)
    assert sum(line.shipping for line in now) == (shipping if fee is None else fee)
    assert sum(each.amount for each in found) == sum(line.payable for line in lines) - sum(line.payable for line in now)
    assert all(each.amount == each.before.payable - each.after.payable for each in found)


@pytest.mark.parametrize("state", State)
def test_only_an_order_that_awaits_payment_is_adjusted(state: State) -> None:
    refusal = unadjustable(order(state), None)
    assert (refusal is None) is (state is State.AWAITING_PAYMENT)
    assert refusal is None or refusal.code == "ORDER_STATE_INVALID"


def test_a_child_is_adjusted_with_its_parent_and_another_version_is_a_conflict() -> None:
    child = unadjustable(order(State.AWAITING_PAYMENT, parent_id=6), None)
    assert child is not None
    assert (child.code, child.details["parent_id"]) == ("ORDER_STATE_INVALID", "6")
    one = order(State.AWAITING_PAYMENT)
    assert unadjustable(one, one.version) is None
    conflict = unadjustable(one, one.version - 1)
    assert conflict is not None
    assert (conflict.code, conflict.details["version"]) == ("ORDER_VERSION_CONFLICT", one.version)
