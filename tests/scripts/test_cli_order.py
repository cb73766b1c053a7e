"""`oms order show` shows an order's price, parts, payments and stock, and its view in every source document."""

import asyncio
import os
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from db import cipher
from db.pool import open_pool
from messages.catalogue import SkuUpsert
from messages.orders import OrderMerge
from tests.handlers.builders import book, cancel, captured, create, receive, update, user
from tests.handlers.catalogue_builders import coupon, grant, promotion, template
from tests.handlers.harness import HandlerHarness
from tests.scripts.oms_command import Oms
from workers import shop
from workers.domain.shop import Shop
from workers.services.archive import archive_ended
from workers.views.keys import uuid_of

SOURCES = ("s0", "s1", "s2", "s3", "s4")
SECRETS = ("13812345678", "Wang Fang", "Nanjing Road", "ring twice")
PRICE = 2 * 400 - 100 - 200 + 501
"""Two units at the promotion's 400, less 100 by coupon and 200 by points, plus shipping."""


@dataclass(frozen=True)
class Scene:
    """The ids of orders in every state that a view distinguishes."""

    rich: int
    parent: int
    shipped_child: int
    cancelled_child: int
    rejected: int
    merged: int


def tea(sku_id: str, **changes: Any) -> SkuUpsert:
    fields: dict[str, Any] = {
        "sku_id": sku_id,
        "revision": 1,
        "spu_id": f"spu-{sku_id}",
        "name": "Green tea",
        "status": "on_sale",
        "price": 500,
        "currency": "CNY",
        "specs": {"size": "L"},
        "unit": "box",
        "image_url": "https://x/y.png",
        "category_id": "tea",
    }
    return SkuUpsert(**fields | changes)


async def place_order(harness: HandlerHarness, *lines: tuple[str, int], user_id: str, **changes: Any) -> int:
    await harness.handle(create(*lines, request_id=f"r-{user_id}-{len(harness.events)}", user_id=user_id, **changes))
    roots = [event for event in harness.events_of("order.created") if event["parent_id"] is None]
    return int(roots[-1]["order_id"])


async def make_orders(harness: HandlerHarness) -> Scene:
    await harness.handle(tea("s1"), tea("s2", product_type="pre_sale", seller_id="other"))
    await harness.handle(promotion(), template(), coupon(), grant(), trusted=True)
    await harness.handle(receive("s1", 10), receive("s2", 10))

    benefits = {"coupon_id": "c1", "use_points": 200, "remark": "ring twice", "expected_pay_amount": PRICE}
    rich = await place_order(harness, ("s1", 2), user_id="u1", **benefits)
    await harness.handle(captured(rich, PRICE), trusted=True)
    await harness.handle(book(rich, "T1"), update(rich, "T1", "outbound"), update(rich, "T1", "in_transit"))

    parent = await place_order(harness, ("s1", 1), ("s2", 1), user_id="u2", expected_pay_amount=1401)
    await harness.handle(captured(parent, 1401, "t2"), trusted=True)
    children = await harness.pool.fetch("SELECT id FROM orders WHERE parent_id = $1 ORDER BY id", parent)
    shipped, cancelled = (row["id"] for row in children)
    await harness.handle(book(shipped, "T2"), update(shipped, "T2", "outbound"))
    await harness.handle(cancel(cancelled, actor=user("u2")))

    await harness.handle(create(("s1", 99), request_id="r9", user_id="u3", expected_pay_amount=99 * 400 + 501))
    rejected = int(harness.events_of("order.rejected")[-1]["order_id"])
    return Scene(rich, parent, shipped, cancelled, rejected, await merge(harness))


async def merge(harness: HandlerHarness) -> int:
    """The second of two orders that were paid together."""
    pair = [await place_order(harness, ("s1", 1), user_id="u4", expected_pay_amount=901) for _ in range(2)]
    await harness.handle(OrderMerge(request_id="m1", actor=user("u4"), order_ids=tuple(pair)))
    (merged,) = harness.events_of("order.merged")[:1]
    payment = captured(pair[0], 1802, "t4").model_copy(update={"intent_id": int(merged["intent_id"])})
    await harness.handle(payment, trusted=True)
    return pair[1]


@pytest.fixture
def scene(database_url: str) -> Scene:
    async def make() -> Scene:
        cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
        shop.configure(Shop(shipping_fee_minor_units={"CNY": 501}))
        pool = await open_pool(database_url, application_name="tests")
        made = await make_orders(HandlerHarness(pool))
        await pool.close()
        return made

    return asyncio.run(make())


STATUSES = {
    "rich": "已发货/- 已发货/3 Shipped/- DELIVERY/50 已发货/2",
    "parent": "已发货/- 已发货/3 Shipped/- OUT_STOCK/40 已发货/2",
    "shipped_child": "已发货/- 已发货/3 Shipped/- OUT_STOCK/40 已发货/2",
    "cancelled_child": "已取消/- 退款中/5 Cancelled/- CANCELED/70 已关闭/4",
    "merged": "已支付/- 已支付/2 Paid/- PAID/20 待发货/1",
}
MAIN = {"s0": "orders", "s1": "order_main", "s2": "Order", "s3": "order_info", "s4": "OmsOrder"}
STATUS = {"s0": "status", "s1": "status", "s2": "status", "s3": "order_status", "s4": "status"}


def test_every_view_begins_with_the_status_of_the_order_in_its_document(
    oms: Oms, database_url: str, scene: Scene
) -> None:
    for name, wanted in STATUSES.items():
        for source, status in zip(SOURCES, wanted.split(), strict=True):
            order_id = str(getattr(scene, name))
            shown = oms("order", "show", order_id, "--view", source, database_url=database_url)
            _, first, *_ = shown.out.splitlines()
            text, code = status.split("/")
            assert (shown.code, first.split()[:4]) == (0, [source, "this", text, code])


def test_a_view_as_json_has_the_tables_of_its_document(oms: Oms, database_url: str, scene: Scene) -> None:
    for source, status in zip(SOURCES, STATUSES["rich"].split(), strict=True):
        text, code = status.split("/")
        document = oms("order", "show", str(scene.rich), "--view", source, "-o", "json", database_url=database_url).json
        assert str(document[MAIN[source]][STATUS[source]]) == (text if code == "-" else code)


def test_an_order_is_found_by_its_id_number_or_uuid(oms: Oms, database_url: str, scene: Scene) -> None:
    page = oms("order", "show", str(scene.rich), "--rows", "--json", database_url=database_url).json
    assert page["order"]["order_uuid"] == uuid_of(scene.rich)
    for name in (page["order"]["order_no"], page["order"]["order_uuid"], page["order"]["order_uuid"].upper()):
        assert oms("order", "show", name, "--rows", "--json").json == page
        assert oms("order", "show", name, "--view", "s3", "--json").json["order_info"]["id"] == str(scene.rich)


def test_an_order_is_shown_with_its_price_and_the_reasons_for_it(oms: Oms, database_url: str, scene: Scene) -> None:
    page = oms("order", "show", str(scene.rich), "--rows", "--json", database_url=database_url).json
    names = ("origin", "promotion", "coupon", "points", "payable")
    assert [page["order"][f"{name}_amount"] for name in names] == [1000, 200, 100, 200, PRICE]
    assert (page["order"]["coupon_id"], page["order"]["use_points"]) == ("c1", 200)
    (item,) = page["items"]
    assert (item["promotion_id"], item["promotion_revision"], item["promotion_amount"]) == ("p1", 1, 200)
    kinds = {one["kind"]: one["data"] for one in page["snapshots"]}
    assert list(kinds) == ["coupon", "amount", "item", "promotion_rules"]
    assert kinds["item"][0]["specs"] == {"size": "L"}
    assert [one["op"] for one in page["coupons"]] == ["lock", "use"]
    assert [(one["op"], one["points"]) for one in page["points"]] == [("hold", 200), ("use", 200)]
    assert page["facets"] == {
        "payment": "paid",
        "fulfilment": "in_transit",
        "aftersale": "none",
        "stock": "shipped",
        "visibility": "visible",
        "hold": "none",
    }
    table = oms("order", "show", str(scene.rich), "--rows")
    assert (table.code, table.err) == (0, "")
    for word in ("promotion_rules", '"specs":{"size":"L"}', "in_transit", "coupon_id"):
        assert word in table.out


def test_a_split_order_lists_its_children_and_a_child_its_parent(oms: Oms, database_url: str, scene: Scene) -> None:
    parent = oms("order", "show", str(scene.parent), "--rows", "--json", database_url=database_url).json
    assert [(one["id"], one["state"], one["seller_id"]) for one in parent["children"]] == [
        (str(scene.shipped_child), "shipped", None),
        (str(scene.cancelled_child), "cancelled", "other"),
    ]
    assert [one["order_id"] for one in parent["items"]] == [str(scene.shipped_child), str(scene.cancelled_child)]
    assert [one["order_id"] for one in parent["refunds"]] == [str(scene.cancelled_child)]
    assert parent["facets"]["payment"] == "refunding"
    child = oms("order", "show", str(scene.cancelled_child), "--rows", "--json").json
    assert [one["id"] for one in child["parent"]] == [str(scene.parent)]
    assert "order_id" not in child["items"][0]
    rows = [line.split()[:4] for line in oms("order", "show", str(scene.parent), "--view", "s1").out.splitlines()[1:4]]
    assert rows == [["s1", "this", "已发货", "3"], ["s1", "child", "已发货", "3"], ["s1", "child", "退款中", "5"]]
    rows = [
        line.split()[:4] for line in oms("order", "show", str(scene.shipped_child), "--view", "s4").out.splitlines()
    ]
    assert rows[1:3] == [["s4", "this", "已发货", "2"], ["s4", "parent", "已发货", "2"]]


def test_the_parts_of_a_split_order_add_up_in_every_document(oms: Oms, database_url: str, scene: Scene) -> None:
    whole, first, second = (
        oms("order", "show", str(one), "--view", "s3", "--json", database_url=database_url).json
        for one in (scene.parent, scene.shipped_child, scene.cancelled_child)
    )
    assert whole["order_info"]["pay_amount"] == 1401
    for table, amount in (
        ("order_item", "pay_amount"),
        ("order_payment_detail", "pay_amount"),
        ("order_amount", "amount"),
    ):
        parts = sum(row[amount] for part in (first, second) for row in part[table])
        assert parts == sum(row[amount] for row in whole[table])
    number = whole["order_info"]["order_id"]
    assert [part["order_info"]["parent_order_id"] for part in (first, second)] == [number, number]


def test_the_total_of_s2_is_the_sum_of_its_items(oms: Oms, database_url: str, scene: Scene) -> None:
    order = oms("order", "show", str(scene.rich), "--view", "s2", "--json", database_url=database_url).json["Order"]
    assert Decimal(order["total_amount"]) == sum(Decimal(item["price"]) * item["quantity"] for item in order["items"])
    assert order["items"]


def test_an_order_that_was_paid_with_another_shows_its_part_of_the_amount(
    oms: Oms, database_url: str, scene: Scene
) -> None:
    page = oms("order", "show", str(scene.merged), "--rows", "--json", database_url=database_url).json
    assert [(one["trade_no"], one["amount"], one["part"]) for one in page["payments"]] == [("t4", 1802, 901)]
    document = oms("order", "show", str(scene.merged), "--view", "s0", "--json").json
    assert [(one["amount"], one["status"]) for one in document["payments"]] == [("9.01", "captured")]


def test_every_view_masks_personal_data(oms: Oms, database_url: str, scene: Scene) -> None:
    for view in ((), ("--rows",), *(("--view", source) for source in SOURCES)):
        for output in ("table", "json"):
            out = oms("order", "show", str(scene.rich), *view, "-o", output, database_url=database_url).out
            assert out
            assert [secret for secret in SECRETS if secret in out] == []
    assert "138****5678" in oms("order", "show", str(scene.rich), "--view", "s2").out
    other = cipher.new_key("other")
    sealed = oms("order", "show", str(scene.rich), "--view", "s2", "--json", encryption_keys=other).json
    assert sealed["Order"]["shipping_address"] == "CN"


def test_the_view_of_a_document_without_rejected_orders_exits_with_2(oms: Oms, database_url: str, scene: Scene) -> None:
    for source in ("s0", "s1", "s2"):
        result = oms("order", "show", str(scene.rejected), "--view", source, database_url=database_url)
        assert (result.code, result.out) == (2, "")
        assert f"{source} knows no order {scene.rejected}" in result.err
        assert f"next: oms order show {scene.rejected}" in result.err
    for source, status in (("s3", "INVALID"), ("s4", "无效订单")):
        assert status in oms("order", "show", str(scene.rejected), "--view", source).out


@pytest.mark.parametrize("view", [(), ("--view", "s1")], ids=str)
@pytest.mark.parametrize("unknown", ["7", uuid_of(7), "ffffffff-ffff-ffff-ffff-ffffffffffff", "no-such-number"])
def test_oms_exits_with_2_for_an_unknown_order(
    oms: Oms, database_url: str, unknown: str, view: tuple[str, ...]
) -> None:
    result = oms("order", "show", unknown, *view, database_url=database_url)
    assert (result.code, result.out) == (2, "")
    assert "next: " in result.err


def test_oms_exits_with_1_for_an_unknown_view(oms: Oms, database_url: str) -> None:
    result = oms("order", "show", "7", "--view", "s5", database_url=database_url)
    assert (result.code, result.out) == (1, "")
    assert "'s0', 's1', 's2', 's3', 's4'" in result.err


def test_an_archived_order_is_shown_by_a_command_that_every_other_one_names(
    oms: Oms, database_url: str, scene: Scene
) -> None:
    async def archive_rejected() -> None:
        pool = await open_pool(database_url, application_name="tests")
        async with pool.acquire() as tx, tx.transaction():
            assert await archive_ended(tx, [scene.rejected]) == [scene.rejected]
        await pool.close()

    asyncio.run(archive_rejected())
    name = str(scene.rejected)
    for command in ("show", "timeline", "explain"):
        result = oms("order", command, name, database_url=database_url)
        assert (result.code, result.out) == (2, "")
        assert f"next: oms order archived {name}" in result.err
    page = oms("order", "archived", name)
    assert page.code == 0
    assert [word for word in ("archived order, rejected", "Green tea", "u3") if word not in page.out] == []
    document = oms("order", "archived", name, "-o", "json").json
    assert document["order"]["state"] == document["document"]["state"] == "rejected"
    assert "next: oms order show 7" in oms("order", "archived", "7").err
