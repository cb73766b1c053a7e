"""Facets: the states of an order's payment, goods and cases, each computed from its own rows."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.views.builders import ORDER_ID, case, line, parcel, refund, whole
from workers.domain.order import State
from workers.views.facets import (
    Aftersale,
    Facets,
    Fulfilment,
    Hold,
    Payment,
    Stock,
    Visibility,
    aftersale,
    facets_of,
    payment,
    stock,
)
from workers.views.whole import Refund

MONEY = [
    # state, payable, captured, [(amount, state) of refunds], where the money is
    ("placing", 1000, 0, [], "none"),
    ("rejected", 1000, 0, [], "none"),
    ("awaiting_payment", 1000, 0, [], "pending"),
    ("awaiting_payment", 1000, 900, [(900, "requested")], "pending"),
    ("awaiting_payment", 1000, 900, [(900, "succeeded")], "pending"),
    ("awaiting_payment", 1000, 400, [], "partial"),
    ("paid", 1000, 1000, [], "paid"),
    ("paid", 0, 0, [], "none"),
    ("paid", 1000, 2000, [(1000, "requested")], "overpaid"),
    ("paid", 1000, 2000, [], "overpaid"),
    ("paid", 1000, 2000, [(1000, "succeeded")], "paid"),
    ("paid", 0, 500, [(500, "succeeded")], "paid"),
    ("paid", 0, 1, [(1, "succeeded"), (1, "failed")], "paid"),
    ("paid", 0, 1, [(1, "succeeded"), (1, "requested")], "paid"),
    ("shipped", 1000, 1000, [(300, "submitted")], "refunding"),
    ("delivered", 1000, 1000, [(300, "failed")], "refunding"),
    ("delivered", 1000, 1000, [(300, "succeeded"), (100, "unknown")], "refunding"),
    ("completed", 1000, 1000, [(300, "succeeded")], "partially_refunded"),
    ("completed", 1000, 1000, [(300, "succeeded"), (700, "succeeded")], "refunded"),
    ("cancelled", 1000, 0, [], "none"),
    ("cancelled", 1000, 1000, [(1000, "requested")], "refunding"),
    ("cancelled", 1000, 1000, [(600, "succeeded"), (400, "failed")], "refunding"),
    ("cancelled", 1000, 1000, [(1000, "succeeded")], "refunded"),
    ("cancelled", 0, 500, [(500, "requested")], "refunding"),
    ("cancelled", 0, 500, [(500, "succeeded")], "refunded"),
    ("cancelled", 1000, 1000, [], "overpaid"),
    ("rejected", 1000, 1000, [(1000, "succeeded")], "refunded"),
    ("split", 1000, 1000, [(400, "succeeded")], "partially_refunded"),
    ("split", 1000, 1000, [(400, "succeeded"), (600, "succeeded")], "refunded"),
]


@pytest.mark.parametrize(("state", "payable", "captured", "refunds", "where"), MONEY, ids=str)
def test_where_the_money_is(
    state: str, payable: int, captured: int, refunds: list[tuple[int, str]], where: str
) -> None:
    made = [refund(amount, how) for amount, how in refunds]
    assert payment(State(state), payable, captured, made) is Payment(where)


REFUNDS = st.builds(refund, st.integers(1, 3000), st.sampled_from(["requested", "succeeded", "failed"]))


@example(State.PLACING, 0, 1, [refund(1, "succeeded"), refund(1, "requested")])
@given(st.sampled_from(State), st.integers(0, 2000), st.integers(0, 4000), st.lists(REFUNDS, max_size=3))
def test_any_rows_give_a_payment_facet(state: State, payable: int, captured: int, refunds: list[Refund]) -> None:
    found = payment(state, payable, captured, refunds)
    left = captured - sum(one.amount for one in refunds if one.state == "succeeded")
    owed = left > 0 and any(one.state != "succeeded" for one in refunds)  # what is not there cannot go back
    assert found in Payment
    assert found is not Payment.PAID or not owed
    assert found is not Payment.REFUNDING or owed


def test_money_of_another_currency_is_not_counted() -> None:
    found = facets_of(whole(refunds=(refund(1675, "succeeded", currency="USD"),)))
    assert found.payment is Payment.PAID


def test_a_childs_money_came_in_with_its_parent() -> None:
    child = {"parent_id": ORDER_ID - 1, "captured_amount": 0}
    assert facets_of(whole(head=child)).payment is Payment.PAID
    assert facets_of(whole(State.CANCELLED, head=child, refunds=(refund(),))).payment is Payment.REFUNDED
    unpaid = child | {"paid_at": None}
    assert facets_of(whole(State.AWAITING_PAYMENT, head=unpaid)).payment is Payment.PENDING
    assert facets_of(whole(State.CANCELLED, head=unpaid)).payment is Payment.NONE


BOTH, FIRST, SECOND = {1: 2, 2: 1}, {1: 2}, {2: 1}
GOODS: list[tuple[list[tuple[str, dict[int, int]]], str]] = [
    ([], "none"),
    ([("booked", BOTH)], "none"),
    ([("cancelled", BOTH)], "none"),
    ([("outbound", FIRST)], "partial_outbound"),
    ([("in_transit", FIRST), ("booked", SECOND)], "partial_outbound"),
    ([("outbound", FIRST), ("outbound", SECOND)], "outbound"),
    ([("cancelled", BOTH), ("outbound", BOTH)], "outbound"),
    ([("picked_up", FIRST), ("outbound", SECOND)], "in_transit"),
    ([("in_transit", BOTH)], "in_transit"),
    ([("out_for_delivery", BOTH)], "in_transit"),
    ([("lost", BOTH)], "outbound"),
    ([("delivered", FIRST)], "partial_delivered"),
    ([("delivered", FIRST), ("in_transit", SECOND)], "partial_delivered"),
    ([("delivered", FIRST), ("lost", SECOND)], "partial_delivered"),
    ([("delivered", FIRST), ("delivered", SECOND)], "delivered"),
]


@pytest.mark.parametrize(("parcels", "where"), GOODS, ids=str)
def test_where_the_goods_are(parcels: list[tuple[str, dict[int, int]]], where: str) -> None:
    booked = tuple(parcel(number, state, units) for number, (state, units) in enumerate(parcels, start=1))
    assert facets_of(whole(shipments=booked)).fulfilment is Fulfilment(where)


def test_goods_that_came_back_after_they_arrived_were_delivered() -> None:
    returned = replace(parcel(1, "returned", BOTH), given_up=False)
    assert facets_of(whole(shipments=(returned,))).fulfilment is Fulfilment.DELIVERED


def test_units_that_were_given_back_need_not_leave() -> None:
    order = whole(shipments=(parcel(1, "in_transit", FIRST),))
    given_back = replace(order, lines=(line(1), line(2, 1, refunded_qty=1)))
    assert facets_of(order).fulfilment is Fulfilment.PARTIAL_OUTBOUND
    assert facets_of(given_back).fulfilment is Fulfilment.IN_TRANSIT


HELD = [
    (None, "none", "none"), ("refused", "none", "none"), ("reserved", "none", "locked"),
    ("committed", "none", "committed"), ("committed", "partial_outbound", "committed"),
    ("committed", "outbound", "shipped"),
    ("committed", "delivered", "shipped"), ("released", "none", "released"), ("restocked", "outbound", "restocked"),
]  # fmt: skip


@pytest.mark.parametrize(("holder", "goods", "wanted"), HELD, ids=str)
def test_what_stock_holds(holder: str | None, goods: str, wanted: str) -> None:
    assert stock(holder, Fulfilment(goods)) is Stock(wanted)


CASES = [
    ([], "none"), (["requested"], "active"), (["completed", "inspecting"], "active"), (["refund_failed"], "active"),
    (["completed"], "closed"), (["rejected", "revoked", "closed"], "closed"),
]  # fmt: skip


@pytest.mark.parametrize(("states", "wanted"), CASES, ids=str)
def test_one_open_case_is_an_active_after_sale(states: list[str], wanted: str) -> None:
    assert aftersale([case(state) for state in states]) is Aftersale(wanted)


def test_an_order_that_nothing_happened_to_has_plain_facets() -> None:
    unpaid = {"captured_amount": 0, "paid_at": None}
    assert facets_of(whole(State.PLACING, head=unpaid, facts=(), stock=None)) == Facets()


def test_hidden_and_held_orders_say_so() -> None:
    found = facets_of(whole(head={"deleted": True, "held": True}))
    assert (found.visibility, found.hold) == (Visibility.DELETED, Hold.HELD)
