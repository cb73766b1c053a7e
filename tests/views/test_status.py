"""The words of the five source documents, by hand: what each calls every state; and that none contradicts
another (S0-03, S0-36, S0-39).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.domain.order import State, Trigger
from workers.views import ABSENT, SOURCES, Absent, Facets, Source, Standing, Status, View, codes, view
from workers.views.facets import Aftersale, Fulfilment, Hold, Payment, Stock, Visibility
from workers.views.whole import AttemptFacet

TABLE = """
state             where          s0      s1         s2         s3             s4
placing           *              待支付   待支付 1    -          -              -
awaiting_payment  *              待支付   待支付 1    Created    CREATED 10     待付款 0
paid              *              已支付   已支付 2    Paid       PAID 20        待发货 1
fulfilling        *              已支付   已支付 2    Paid       FULFILL 30     待发货 1
shipped           out            已发货   已发货 3    Shipped    OUT_STOCK 40   已发货 2
shipped           carried        已发货   已发货 3    Shipped    DELIVERY 50    已发货 2
delivered         *              已发货   已签收 3    Shipped    SIGNED 60      已发货 2
completed         *              已完成   已完成 4    Completed  SIGNED 60      已完成 3
cancelling        *              已支付   退款中 2    Paid       FULFILL 30     待发货 1
cancelled         refunding      已取消   退款中 5    Cancelled  CANCELED 70    已关闭 4
cancelled         refunded       已取消   已退款 5    Cancelled  CANCELED 70    已关闭 4
cancelled         unpaid         已取消   已取消 5    Cancelled  CANCELED 70    已关闭 4
reinstating       *              已取消   已取消 5    Cancelled  CANCELED 70    已关闭 4
delivery_failed   *              已取消   已发货 3    Shipped    REFUSED 100    已发货 2
rejected          *              -       -          -          INVALID 127    无效订单 5
"""
"""The table (C-01). A dash: the source has no such order. A split order has no row: it shows what its children say."""

CARRIED = frozenset({Fulfilment.IN_TRANSIT, Fulfilment.PARTIAL_DELIVERED, Fulfilment.DELIVERED})
WHERE: dict[str, Callable[[Facets], bool]] = {
    "*": lambda facets: True,
    "carried": lambda facets: facets.fulfilment in CARRIED,
    "out": lambda facets: facets.fulfilment not in CARRIED,
    "refunding": lambda facets: facets.payment is Payment.REFUNDING,
    "refunded": lambda facets: facets.payment is Payment.REFUNDED,
    "unpaid": lambda facets: facets.payment not in (Payment.REFUNDING, Payment.REFUNDED),
}

NAMES = {
    "s0": "待支付 已支付 已发货 已完成 已取消 售后中",
    "s1": "草稿 待支付 已支付 已发货 已签收 已完成 已取消 退款中 已退款",
    "s2": "Created Paid Shipped Completed Cancelled",
    "s3": "CREATED PAID FULFILL OUT_STOCK DELIVERY SIGNED CANCELED REFUSED INVALID",
    "s4": "待付款 待发货 已发货 已完成 已关闭 无效订单",
}
"""Every name that each document has."""
NEVER = {"s1": {"草稿"}}
"""No order is a draft: before it is placed it is a cart."""

FACETS = [Facets(p, f, a) for p, f, a in product(Payment, Fulfilment, Aftersale)]
STATES = [state for state in State if state is not State.SPLIT]


def rows() -> Iterator[tuple[State, str, dict[Source, View]]]:
    """(state, where, source -> status) for every row of the table."""
    _, *lines = TABLE.strip().splitlines()
    for text in lines:
        state, where, *cells = re.split(r"\s{2,}", text)
        yield State(state), where, dict(zip(SOURCES, map(cell, cells), strict=True))


def cell(text: str) -> View:
    name, _, code = text.partition(" ")
    return ABSENT if text == "-" else Status(name, int(code) if code else None)


def everywhere() -> Iterator[tuple[Source, State, Facets, View]]:
    """Every source's word for every state with all facets that could matter."""
    for source, state, facets in product(SOURCES, STATES, FACETS):
        yield source, state, facets, view(source, state, facets)


def test_the_sources_are_the_five_documents() -> None:
    assert SOURCES == get_args(Source) == ("s0", "s1", "s2", "s3", "s4")


@pytest.mark.parametrize(("state", "where", "wanted"), [*rows()], ids=str)
def test_every_source_names_every_state_as_the_table_says(state: State, where: str, wanted: dict[Source, View]) -> None:
    meant = [facets for facets in FACETS if WHERE[where](facets) and facets.aftersale is not Aftersale.ACTIVE]
    assert meant
    for source in SOURCES:
        assert {view(source, state, facets) for facets in meant} == {wanted[source]}


def test_the_table_has_a_row_for_every_state_and_every_facet() -> None:
    for state, facets in product(STATES, FACETS):
        assert len([1 for known, where, _ in rows() if known is state and WHERE[where](facets)]) == 1


def test_an_open_case_is_a_status_in_s0_and_shows_a_running_refund_in_s1_and_nothing_elsewhere() -> None:
    for source, state, facets, found in everywhere():
        if facets.aftersale is not Aftersale.ACTIVE or isinstance(found, Absent):
            continue
        own = view(source, state, replace(facets, aftersale=Aftersale.NONE))
        assert isinstance(own, Status)
        refunding = source == "s1" and facets.payment is Payment.REFUNDING
        assert found == (Status("售后中") if source == "s0" else Status("退款中", own.code) if refunding else own)


def test_a_closed_case_changes_nothing() -> None:
    for source, state, facets, found in everywhere():
        if facets.aftersale is Aftersale.CLOSED:
            assert found == view(source, state, replace(facets, aftersale=Aftersale.NONE))


OTHERS = st.tuples(st.sampled_from(Stock), st.sampled_from(Visibility), st.sampled_from(Hold))


@given(st.sampled_from(SOURCES), st.sampled_from(State), st.sampled_from(FACETS), OTHERS)
def test_stock_visibility_and_hold_have_no_say(
    source: Source, state: State, facets: Facets, others: tuple[Stock, Visibility, Hold]
) -> None:
    other = Facets(facets.payment, facets.fulfilment, facets.aftersale, *others)
    assert view(source, state, other) == view(source, state, facets)


@pytest.mark.parametrize("source", SOURCES)
def test_the_names_an_order_can_have_are_those_of_the_document(source: Source) -> None:
    reached = {found.name for one, _, _, found in everywhere() if one == source and isinstance(found, Status)}
    assert reached | NEVER.get(source, set()) == set(NAMES[source].split())


MEANS = {
    "s0": {"待支付": "unpaid", "已支付": "paid leaving", "已发货": "shipped delivered", "已完成": "completed",
           "已取消": "cancelled failed"},
    "s1": {"待支付": "unpaid", "已支付": "paid", "已发货": "shipped failed", "已签收": "delivered",
           "已完成": "completed", "已取消": "cancelled", "已退款": "cancelled", "退款中": "cancelled leaving"},
    "s2": {"Created": "unpaid", "Paid": "paid leaving", "Shipped": "shipped delivered failed",
           "Completed": "completed", "Cancelled": "cancelled"},
    "s3": {"CREATED": "unpaid", "PAID": "paid", "FULFILL": "paid leaving", "OUT_STOCK": "shipped",
           "DELIVERY": "shipped", "SIGNED": "delivered completed", "CANCELED": "cancelled", "REFUSED": "failed",
           "INVALID": "rejected"},
    "s4": {"待付款": "unpaid", "待发货": "paid leaving", "已发货": "shipped delivered failed", "已完成": "completed",
           "已关闭": "cancelled", "无效订单": "rejected"},
}  # fmt: skip
"""The meaning that each document gives to its words."""

PHASES = {
    "placing": "unpaid", "awaiting_payment": "unpaid", "paid": "paid", "fulfilling": "paid", "shipped": "shipped",
    "delivered": "delivered", "completed": "completed", "cancelling": "leaving", "cancelled": "cancelled",
    "reinstating": "cancelled",
    "delivery_failed": "failed", "rejected": "rejected",
}  # fmt: skip


def test_no_two_documents_contradict_each_other_about_an_order_in_any_state() -> None:
    for state, facets in product(STATES, FACETS):
        quiet = replace(facets, aftersale=Aftersale.NONE)
        found = {source: view(source, state, quiet) for source in SOURCES}
        meanings = [set(MEANS[one][word.name].split()) for one, word in found.items() if isinstance(word, Status)]
        assert PHASES[state] in set.intersection(*meanings)


@pytest.mark.parametrize("source", ["s1", "s3", "s4"])
def test_a_code_follows_from_the_name(source: Source) -> None:
    pairs = {found for one, _, _, found in everywhere() if one == source and isinstance(found, Status)}
    names = [pair.name for pair in pairs if pair.name != "退款中"]
    assert len(names) == len(set(names))
    assert all(pair.code is not None for pair in pairs)


# split orders


def standing(state: State, fulfilment: Fulfilment = Fulfilment.NONE) -> Standing:
    return Standing(state, Facets(fulfilment=fulfilment))


CHILDREN = [
    (["placing", "paid"], "placing"), (["paid", "shipped"], "paid"), (["shipped", "fulfilling"], "fulfilling"),
    (["cancelling", "fulfilling"], "fulfilling"), (["delivered", "cancelling"], "cancelling"),
    (["delivered", "shipped", "completed"], "shipped"), (["completed", "delivered"], "delivered"),
    (["cancelled", "shipped"], "shipped"), (["delivery_failed", "delivered"], "delivered"),
    (["delivery_failed", "completed"], "delivery_failed"), (["completed", "cancelled"], "completed"),
    (["completed", "completed"], "completed"), (["cancelled", "cancelled"], "cancelled"), ([], "paid"),
]  # fmt: skip


@pytest.mark.parametrize(("children", "wanted"), CHILDREN, ids=str)
@pytest.mark.parametrize("source", SOURCES)
def test_a_split_order_shows_its_least_advanced_child(source: Source, children: list[str], wanted: str) -> None:
    for order in (children, children[::-1]):
        standings = [standing(State(child)) for child in order]
        assert view(source, State.SPLIT, Facets(), standings) == view(source, State(wanted), Facets())


def test_of_two_shipped_children_the_one_that_no_carrier_has_yet_is_shown() -> None:
    out, carried = standing(State.SHIPPED, Fulfilment.OUTBOUND), standing(State.SHIPPED, Fulfilment.IN_TRANSIT)
    assert view("s3", State.SPLIT, Facets(), [carried, out]) == Status("OUT_STOCK", 40)
    assert view("s3", State.SPLIT, Facets(), [carried, carried]) == Status("DELIVERY", 50)


def test_the_money_of_a_split_order_is_its_own() -> None:
    children = [standing(State.CANCELLED), standing(State.CANCELLED)]
    assert view("s1", State.SPLIT, Facets(payment=Payment.REFUNDED), children) == Status("已退款", 5)


@given(st.lists(st.sampled_from(STATES)), st.sampled_from(FACETS), st.sampled_from(SOURCES))
def test_a_split_order_has_a_status_name_for_any_states_of_its_children(
    children: list[State], facets: Facets, source: Source
) -> None:
    found = view(source, State.SPLIT, facets, [standing(child) for child in children])
    assert isinstance(found, Status) or found is ABSENT


@given(st.sampled_from(STATES), st.lists(st.sampled_from(STATES)), st.sampled_from(FACETS), st.sampled_from(SOURCES))
def test_children_do_not_count_before_the_split(
    state: State, children: list[State], facets: Facets, source: Source
) -> None:
    assert view(source, state, facets, [standing(child) for child in children]) == view(source, state, facets)


# payments and codes

ATTEMPTS = {
    "created": ("待支付", 0, 10, 1), "requested": ("待支付", 0, 10, 1), "unknown": ("待支付", 0, 10, 1),
    "authorized": ("待支付", 0, 10, 1), "captured": ("支付成功", 1, 20, 2), "failed": ("支付失败", 2, 10, 3),
    "closed": ("支付失败", 2, 10, 4), "refunded": ("支付成功", 1, 20, 5),
}  # fmt: skip
"""S1's name and code, S3's code, and that of S3's payment service."""


def test_every_attempt_to_pay_has_the_status_that_the_table_says() -> None:
    found = {state.value: codes.PAYMENT_STATUS[state] for state in AttemptFacet}
    assert {name: (*one.s1, one.s3, one.service) for name, one in found.items()} == ATTEMPTS


def test_alipay_and_wechat_have_each_others_code_in_s1_and_s4() -> None:
    assert (codes.METHOD_S1, codes.METHOD_S4) == ({"wechat": 1, "alipay": 2}, {"none": 0, "alipay": 1, "wechat": 2})
    assert codes.METHOD_S3 == {"wechat": 10, "alipay": 20}


def test_the_numbers_of_a_table_are_each_used_once() -> None:
    tables = [
        codes.CANCEL_TYPE,
        codes.OPERATE_TYPE,
        codes.AMOUNT_TYPE,
        codes.SNAPSHOT_TYPE,
        codes.BUSINESS_TYPE,
        codes.PRODUCT_TYPE,
        codes.CHANNEL_S4,
    ]
    for table in tables:
        assert len(set(table.values())) == len(table)


def test_every_step_of_an_order_is_logged_under_a_number_that_has_a_name() -> None:
    assert {trigger.operate_type for trigger in Trigger} <= set(codes.OPERATE_TYPE.values())


LITERALS = {
    "db/sql/orders.sql": (r"operate_logs \([^)]*\)\s+SELECT \w+, \d+, (\d+), .*'created' FROM", ("new",)),
    "db/sql/order_imports.sql": (r"operate_logs \([^)]*\)\s+SELECT \w+, \d+, (\d+), .*'created',", ("new",)),
    "db/sql/exchanges.sql": (r"operate_logs \([^)]*\)\s+SELECT \w+, \d+, (\d+), .*'created' FROM", ("new",)),
    "db/sql/order_view.sql": (r"operate_type = (\d+)\) AS discount", ("amount_changed",)),
    "db/schema.sql": (
        r"(\d+)::smallint, o\.cur_state, o\.cur_state, s\.trigger[^;]*THEN (\d+) ELSE (\d+) END::smallint[^;]*"
        "THEN 'late_payment_refunded' ELSE 'duplicate_payment_refunded' END",
        ("after_sale", "late_payment_refunded", "duplicate_payment_refunded"),
    ),
}
"""File -> where its SQL has numbers of operate types, and what they are called."""
NUMBERED = r"operate_type\s*(?:=|<>|IN \()\s*\d|operate_logs \([^)]*\)\s+SELECT [^;]*?, \d+, '"


def test_the_operate_types_that_sql_writes_as_numbers_are_those_of_the_list() -> None:
    for file, (where, names) in LITERALS.items():
        found = re.findall(where, Path(file).read_text("utf-8"))
        assert [tuple(map(int, (one,) if isinstance(one, str) else one)) for one in found] == [
            tuple(codes.OPERATE_TYPE[name] for name in names)
        ], file
    files = [*Path("db/sql").glob("*.sql"), Path("db/schema.sql")]
    assert {str(file) for file in files if re.search(NUMBERED, file.read_text("utf-8"))} <= set(LITERALS)


def test_cancel_types_amounts_and_snapshots_have_the_numbers_of_the_documents() -> None:
    assert [codes.CANCEL_TYPE[name] for name in ("user", "timeout", "operator", "payment_failed", "aftersale")] == [
        0,
        1,
        3,
        7,
        9,
    ]
    assert [codes.AMOUNT_TYPE[name] for name in ("origin", "promotion", "coupon", "points", "real_pay")] == [
        10,
        15,
        20,
        25,
        50,
    ]
    assert list(codes.SNAPSHOT_TYPE) == ["coupon", "amount", "item", "address", "promotion_rules", "risk_verdict"]
    assert list(codes.SNAPSHOT_TYPE.values()) == [1, 2, 3, 4, 5, 6]
