"""Each document has every column of its source, with the values of the order (C-20, C-21)."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from tests.views.builders import AT, ORDER_ID, case, fact, head, later, line, parcel, refund, whole
from workers.domain.order import State
from workers.views import ABSENT, SOURCES, Source, Whole, document
from workers.views.keys import id_of, uuid_of
from workers.views.whole import LogEntry

COLUMNS = """
s0 orders           id user_id status channel total_amount discount_amount shipping_fee tax_amount created_at updated_at
s0 orders           paid_at shipped_at completed_at cancelled_at aftersales_status
s0 order_items      id order_id product_id sku_id quantity unit_price total_price refund_status created_at
s0 payments         id order_id payment_method amount status transaction_id paid_at refunded_at created_at
s0 shipments        id order_id carrier tracking_number status shipped_at delivered_at created_at
s0 aftersales       id order_id type status reason requested_at processed_at completed_at
s1 order_main       order_id user_id total_amount pay_amount status pay_time ship_time receive_time
s1 order_main       create_time update_time
s1 order_item       id order_id sku_id product_name sku_specs price quantity total_price
s1 order_payment    id order_id pay_no pay_type pay_amount status callback_time
s1 order_after_sale id after_sale_no order_id type status refund_amount
s2 Order            id user_id status total_amount shipping_address created_at updated_at items
s3 order_info       id business_identifier order_id parent_order_id business_order_id order_type order_status
s3 order_info       cancel_type cancel_time seller_id user_id total_amount pay_amount pay_type coupon_id pay_time
s3 order_info       expire_time
s3 order_info       user_remark delete_status comment_status ext_json gmt_create gmt_modified
s3 order_item       id order_id order_item_id product_type product_id product_img product_name sku_code sale_quantity
s3 order_item       sale_price origin_amount pay_amount product_unit purchase_price seller_id gmt_create gmt_modified
s3 order_snapshot   id order_id snapshot_type snapshot_json gmt_create gmt_modified
s3 order_amount          order_id amount_type amount
s3 order_payment_detail  id order_id account_type pay_type pay_status pay_amount pay_time out_trade_no pay_remark
s3 order_delivery_detail order_id delivery_type province city area street detail_address lon lat receiver_name
s3 order_delivery_detail receiver_phone modify_address_count deliverer_no deliverer_name deliverer_phone
s3 order_delivery_detail out_stock_time signed_time
s3 order_operate_log   id order_id operate_type pre_status current_status operator remark gmt_create
s4 OmsOrder         id memberId couponId orderSn createTime memberUsername totalAmount payAmount freightAmount
s4 OmsOrder         promotionAmount integrationAmount couponAmount discountAmount payType sourceType status orderType
s4 OmsOrder         deliveryCompany deliverySn autoConfirmDay integration growth promotionInfo billType billHeader
s4 OmsOrder         billContent billReceiverPhone billReceiverEmail receiverName receiverPhone receiverPostCode
s4 OmsOrder         receiverProvince receiverCity receiverRegion receiverDetailAddress note confirmStatus deleteStatus
s4 OmsOrder         useIntegration paymentTime deliveryTime receiveTime commentTime modifyTime
s4 OmsOrderItem     id orderId orderSn productId productPic productName productBrand productSn productPrice
s4 OmsOrderItem     productQuantity productSkuId productSkuCode productCategoryId promotionName promotionAmount
s4 OmsOrderItem     couponAmount integrationAmount realAmount giftIntegration giftGrowth productAttr
"""
"""The tables of the documents; where one names a table without columns, those of the system it describes."""

OURS = {
    ("s1", "order_main"): {"status_name", "business_type", "logistics_no"},
    ("s3", "order_info"): {"order_status_name"},
    ("s4", "OmsOrder"): {"statusName", "groupActivityId", "groupTeamId"},
}
"""Columns that a document's tables lack and its text, or a reader, needs."""


def columns() -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for text in COLUMNS.strip().splitlines():
        source, table, *names = text.split()
        found.setdefault((source, table), set()).update(names)
    return found


def full() -> Whole:
    """An order that has a row in every table of every document."""
    return whole(
        shipments=(parcel(1, "cancelled", {1: 2}), parcel(2, "in_transit", {1: 2, 2: 1})),
        cases=(case("requested"),),
        refunds=(refund(500),),
        log=(LogEntry(40, "awaiting_payment", "paid", "captured", "system", "oms", AT),),
    )


def of(source: Source, order: Whole | None = None) -> dict[str, Any]:
    made = document(source, order or full())
    assert made is not ABSENT
    return made


def row(source: Source, table: str, order: Whole | None = None) -> dict[str, Any]:
    """The first row of a table."""
    found = of(source, order)[table]
    return found if isinstance(found, dict) else found[0]


@pytest.mark.parametrize(("source", "table"), [*columns()], ids=str)
def test_a_table_has_every_column_of_its_document_and_no_other(source: Source, table: str) -> None:
    assert set(row(source, table)) == columns()[source, table] | OURS.get((source, table), set())


@pytest.mark.parametrize("source", SOURCES)
def test_a_document_has_the_tables_of_its_source(source: Source) -> None:
    assert set(of(source)) == {table for one, table in columns() if one == source}


def test_the_items_of_s2_have_the_columns_of_their_model() -> None:
    assert set(of("s2")["Order"]["items"][0]) == {"id", "order_id", "product_id", "quantity", "price"}


@pytest.mark.parametrize("source", SOURCES)
def test_a_document_is_there_exactly_where_its_source_has_a_status(source: Source) -> None:
    there = {state for state in State if document(source, whole(state)) is not ABSENT}
    absent = {"s0": {State.REJECTED}, "s1": {State.REJECTED}, "s2": {State.REJECTED, State.PLACING}}
    assert set(State) - there == absent.get(source, {State.PLACING})


def leaves(value: Any) -> Iterator[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if inner is None:
        yield value
        return
    for item in inner:
        yield from leaves(item)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("state", State)
def test_a_document_holds_texts_numbers_and_times_and_no_float(source: Source, state: State) -> None:
    made = document(source, replace(full(), head=head(state)))
    if made is not ABSENT:
        assert {type(leaf) for leaf in leaves(made)} <= {str, int, datetime, type(None)}


MONEY = [("CNY", "17.00", "16.75"), ("JPY", "1700", "1675"), ("KWD", "1.700", "1.675")]


@pytest.mark.parametrize(("currency", "origin", "payable"), MONEY)
def test_decimals_have_as_many_places_as_their_currency(currency: str, origin: str, payable: str) -> None:
    order = whole(head={"currency": currency})
    assert row("s0", "orders", order)["total_amount"] == origin
    assert row("s1", "order_main", order)["pay_amount"] == payable
    assert row("s2", "Order", order)["total_amount"] == origin
    assert row("s4", "OmsOrder", order)["payAmount"] == payable
    assert row("s3", "order_info", order)["pay_amount"] == 1675


def minor(text: str) -> int:
    return int(text.replace(".", ""))


def test_what_a_client_pays_follows_from_the_amounts_of_s0_and_of_s4() -> None:
    amounts = {name: minor(text) for name, text in row("s0", "orders").items() if name.endswith(("amount", "fee"))}
    assert (
        amounts["total_amount"] - amounts["discount_amount"] + amounts["shipping_fee"] + amounts["tax_amount"] == 1675
    )
    amounts = {name: minor(text) for name, text in row("s4", "OmsOrder").items() if name.endswith("Amount")}
    off = sum(amounts[f"{name}Amount"] for name in ("promotion", "integration", "coupon", "discount"))
    assert amounts["totalAmount"] + amounts["freightAmount"] + 15 - off == amounts["payAmount"] == 1675
    shown = {one["amount_type"]: one["amount"] for one in of("s3")["order_amount"]}
    assert shown == {10: 1700, 15: 100, 20: 200, 25: 50, 30: 300, 35: 15, 40: 20, 45: 10, 50: 1675}


def test_a_line_costs_its_price_times_its_quantity_in_every_document() -> None:
    assert [(one["quantity"], one["unit_price"], one["total_price"]) for one in of("s0")["order_items"]] == [
        (2, "5.00", "10.00"),
        (1, "5.00", "5.00"),
    ]
    assert [(one["quantity"], one["price"], one["total_price"]) for one in of("s1")["order_item"]] == [
        (2, "5.00", "10.00"),
        (1, "5.00", "5.00"),
    ]
    assert [(one["quantity"], one["price"]) for one in of("s2")["Order"]["items"]] == [(2, "5.00"), (1, "5.00")]
    assert [(one["sale_quantity"], one["sale_price"], one["origin_amount"]) for one in of("s3")["order_item"]] == [
        (2, 500, 1000),
        (1, 500, 500),
    ]
    assert [(one["productPrice"], one["realAmount"]) for one in of("s4")["OmsOrderItem"]] == [
        ("5.00", "9.00"),
        ("5.00", "4.00"),
    ]


def test_what_a_line_costs_in_s4_is_what_every_reduction_leaves() -> None:
    order = whole(lines=(line(1, 2, coupon_amount=200, points_amount=30),))
    assert row("s4", "OmsOrderItem", order)["realAmount"] == "6.70"


def test_goods_that_were_confirmed_before_any_carrier_reported_it_are_received_then() -> None:
    confirmed = {"completed_at": later(20)}
    assert row("s1", "order_main", whole(State.COMPLETED, head=confirmed))["receive_time"] == later(20)
    both = confirmed | {"delivered_at": later(9)}
    assert row("s1", "order_main", whole(State.COMPLETED, head=both))["receive_time"] == later(9)


def test_every_document_names_the_same_order_in_its_own_way() -> None:
    names = [
        row("s0", "orders")["id"],
        row("s1", "order_main")["order_id"],
        row("s2", "Order")["id"],
        row("s3", "order_info")["order_id"],
        row("s4", "OmsOrder")["orderSn"],
    ]
    assert names == [uuid_of(ORDER_ID), ORDER_ID, ORDER_ID, "202601310000000001", "202601310000000001"]


def test_the_ids_of_s0_are_uuids_of_which_none_is_used_twice() -> None:
    order = replace(full(), facts=(fact("t1"), fact("t2", verdict="late"), fact("t1", kind="failed")))
    tables = [of("s0", order)[table] for table in ("order_items", "payments", "shipments", "aftersales")]
    ids = [one["id"] for table in tables for one in table] + [row("s0", "orders")["id"]]
    assert all(str(UUID(one)) == one for one in ids)
    assert len(ids) == len(set(ids)) == 2 + 3 + 2 + 1 + 1
    assert of("s0", order) == of("s0", order)


STATUS = [
    (0, 0, "none"), (1, 0, "partial"), (0, 50, "partial"), (2, 900, "full"), (1, 900, "full"),
]  # fmt: skip


@pytest.mark.parametrize(("qty", "amount", "wanted"), STATUS)
def test_a_line_is_refunded_in_part_or_in_full(qty: int, amount: int, wanted: str) -> None:
    order = whole(lines=(line(1, 2, refunded_qty=qty, refunded_amount=amount),))
    assert row("s0", "order_items", order)["refund_status"] == wanted


def test_every_attempt_is_a_payment_of_s0_and_of_s3() -> None:
    order = whole(
        facts=(fact("t0", kind="failed", verdict="failed"), fact("t1"), fact("t2", verdict="duplicate", at=4)),
        refunds=(refund(1675, trade_no="t2"), refund(75)),
    )
    shown = {
        one["transaction_id"]: (one["status"], one["paid_at"], one["refunded_at"])
        for one in of("s0", order)["payments"]
    }
    assert shown == {
        "t0": ("failed", None, None),
        "t1": ("captured", later(1), later(5)),
        "t2": ("refunded", later(4), later(5)),
    }
    assert [(one["out_trade_no"], one["pay_status"]) for one in of("s3", order)["order_payment_detail"]] == [
        ("t0", 10),
        ("t1", 20),
        ("t2", 20),
    ]


UNPAID = {"captured_amount": 0, "paid_at": None}
RECORDS = [
    # state, attempts, (pay_no, status, callback) of S1's one record
    ("awaiting_payment", (), (None, 0, None)),
    ("awaiting_payment", (fact("t0", kind="failed", verdict="failed"),), ("t0", 2, later(1))),
    ("cancelled", (), (None, 2, None)),
    ("cancelled", (fact("t3", verdict="late", at=40),), ("t3", 1, later(40))),
    ("paid", (fact("t1"), fact("t2", verdict="duplicate", at=4)), ("t1", 1, later(1))),
    ("paid", (), (None, 1, None)),
]


@pytest.mark.parametrize(("state", "facts", "wanted"), RECORDS, ids=str)
def test_s1_has_one_payment_record_with_the_attempt_that_counts(state: str, facts: Any, wanted: Any) -> None:
    found = of("s1", whole(State(state), facts=facts, head=UNPAID))["order_payment"]
    assert [(one["pay_no"], one["status"], one["callback_time"]) for one in found] == [wanted]


def test_s3_has_a_payment_of_an_order_without_an_attempt_to_pay() -> None:
    found = of("s3", whole(State.AWAITING_PAYMENT, facts=(), head=UNPAID))["order_payment_detail"]
    assert [(one["pay_status"], one["pay_amount"], one["pay_type"], one["out_trade_no"]) for one in found] == [
        (10, 1675, None, None)
    ]


@pytest.mark.parametrize(
    ("provider", "wanted"),
    [
        ("alipay", (2, 20, 1)),
        ("wechat", (1, 10, 2)),
        ("paypal", (None, None, None)),
        ("stripe", (None, None, None)),
    ],
)
def test_each_document_has_its_own_number_for_a_way_to_pay(provider: str, wanted: tuple[int | None, ...]) -> None:
    order = whole(facts=(replace(fact(), provider=provider),))
    found = [
        row("s1", "order_payment", order)["pay_type"],
        row("s3", "order_info", order)["pay_type"],
        row("s4", "OmsOrder", order)["payType"],
    ]
    assert tuple(found) == wanted


def test_an_unpaid_order_has_pay_type_0_in_s4_alone() -> None:
    order = whole(State.AWAITING_PAYMENT, facts=(), head=UNPAID)
    assert row("s4", "OmsOrder", order)["payType"] == 0
    assert row("s3", "order_info", order)["pay_type"] is None


CANCELS = [(None, None), ("user", "0"), ("timeout", "1"), ("operator", "3"), ("aftersale", "9"), ("nonsense", None)]


@pytest.mark.parametrize(("cancel_type", "wanted"), CANCELS)
def test_s3_numbers_why_an_order_was_cancelled(cancel_type: str | None, wanted: str | None) -> None:
    order = whole(State.CANCELLED, head={"cancel_type": cancel_type, "cancelled_at": later(8)})
    found = row("s3", "order_info", order)
    assert (found["cancel_type"], found["cancel_time"], found["order_status"]) == (wanted, later(8), 70)


def test_types_of_orders_and_products_have_the_numbers_of_the_documents() -> None:
    flash = whole(
        head={"business_type": "seckill", "order_type": "gift", "channel": "third_party"},
        lines=(line(1, product_type="pre_sale"), line(2, product_type="fresh")),
    )
    assert row("s1", "order_main", flash)["business_type"] == 2
    assert (row("s3", "order_info", flash)["business_identifier"], row("s3", "order_info", flash)["order_type"]) == (
        2,
        127,
    )
    assert [one["product_type"] for one in of("s3", flash)["order_item"]] == [2, 127]
    assert (row("s4", "OmsOrder", flash)["orderType"], row("s4", "OmsOrder", flash)["sourceType"]) == (1, 3)


def test_a_case_is_shown_with_the_numbers_of_s1_and_the_names_of_s0() -> None:
    shown = {}
    for state in ("requested", "approved", "rejected", "inspecting", "refund_failed", "completed", "revoked"):
        order = replace(full(), cases=(case(state, "refund_only"),))
        found = row("s1", "order_after_sale", order)
        shown[state] = found["status"]
        assert (found["type"], found["refund_amount"], row("s0", "aftersales", order)["type"]) == (1, "5.00", "refund")
    assert shown == {
        "requested": 0,
        "approved": 1,
        "rejected": 2,
        "inspecting": 3,
        "refund_failed": 3,
        "completed": 4,
        "revoked": 2,
    }


def test_goods_are_where_the_first_live_parcel_is() -> None:
    assert row("s1", "order_main")["logistics_no"] == "T2"
    found = row("s4", "OmsOrder")
    assert (found["deliveryCompany"], found["deliverySn"]) == ("sf", "T2")
    assert [one["tracking_number"] for one in of("s0")["shipments"]] == ["T1", "T2"]


def test_what_the_item_snapshot_kept_is_shown() -> None:
    assert row("s1", "order_item")["sku_specs"] == "颜色:红;尺码:L"
    assert row("s3", "order_item")["product_img"] == "https://x/y.png"
    attributes = json.loads(row("s4", "OmsOrderItem")["productAttr"])
    assert attributes == [{"key": "颜色", "value": "红"}, {"key": "尺码", "value": "L"}]
    assert row("s4", "OmsOrder")["promotionInfo"] == "满减优惠"


def test_a_document_says_only_whether_there_is_a_remark() -> None:
    shown = {"s3": row("s3", "order_info")["user_remark"], "s4": row("s4", "OmsOrder")["note"]}
    assert set(shown.values()) == {"****"}
    silent = whole(head={"remarked": False})
    assert row("s3", "order_info", silent)["user_remark"] is row("s4", "OmsOrder", silent)["note"] is None


# split orders


def test_a_split_order_shows_the_times_of_its_last_child_once_all_are_there() -> None:
    first = whole(State.DELIVERED, head={"shipped_at": later(3), "delivered_at": later(6)})
    second = whole(State.SHIPPED, head={"shipped_at": later(4)})
    gone = whole(State.CANCELLED, head={"cancelled_at": later(2), "cancel_type": "user"})
    parent = whole(State.SPLIT, children=(first, second, gone))
    found = row("s1", "order_main", parent)
    assert (found["status_name"], found["ship_time"], found["receive_time"]) == ("已发货", later(4), None)
    over = row("s3", "order_info", whole(State.SPLIT, children=(gone, gone)))
    assert (over["order_status"], over["cancel_time"], over["cancel_type"]) == (70, later(2), "0")


def test_a_child_names_its_parent() -> None:
    child = whole(head={"parent_id": ORDER_ID - 1, "order_no": "202601310000000002"}, parent_no="202601310000000001")
    assert row("s3", "order_info", child)["parent_order_id"] == "202601310000000001"


# the ids of the documents


def test_an_order_is_found_by_its_id_and_by_its_uuid() -> None:
    assert id_of(str(ORDER_ID)) == id_of(uuid_of(ORDER_ID)) == id_of(uuid_of(ORDER_ID).upper()) == ORDER_ID


@pytest.mark.parametrize(
    "name",
    ["", "x", "-1", "1.0", "١", " 7", "7\n", str(2**63), "9" * 20, "ffffffff-ffff-ffff-ffff-ffffffffffff", "5" * 32],
)
def test_what_is_neither_is_no_id(name: str) -> None:
    assert id_of(name) is None
