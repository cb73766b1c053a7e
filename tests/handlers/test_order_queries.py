"""Queries about orders: what each asker sees, page by page, and what nobody else sees (S4-26)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messages.base import Actor, Query, QueryRejected
from messages.explanations import OrderAsOf, OrderExplain
from messages.order_history import OrderHistoryListed
from messages.order_queries import (
    OrderDescribed,
    OrderGet,
    OrderHistory,
    OrderList,
    OrderListed,
    OrderTrack,
    OrderTracked,
)
from messages.orders import OrderDelete
from tests.handlers.builders import OPERATOR, book, cancel, captured, create, receive, sku, update, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask
from workers.services import answer_cache


async def get(harness: HandlerHarness, order: object, actor: Actor | None = None, **changes: Any) -> OrderDescribed:
    [reply] = await ask(harness, OrderGet(actor=actor or user(), order=str(order), **changes))
    assert isinstance(reply, OrderDescribed), reply
    return reply


async def page(harness: HandlerHarness, **fields: Any) -> OrderListed:
    fields = {"actor": user(fields.get("user_id", "u1"))} | fields
    [reply] = await ask(harness, OrderList(**fields))
    assert isinstance(reply, OrderListed), reply
    return reply


async def shipped(harness: HandlerHarness) -> int:
    """An order whose parcel T1 is on its way."""
    await harness.fill_stock(qty=100)
    order_id = await harness.place_order(("s1", 2), ("s2", 1))
    await harness.handle(captured(order_id, 1500), trusted=True)
    await harness.handle(book(order_id, "T1"))
    await harness.handle(update(order_id, "T1", "outbound"))
    await harness.handle(update(order_id, "T1", "in_transit"))
    return order_id


async def test_an_order_is_described_with_money_goods_parcels_and_a_masked_address(harness: HandlerHarness) -> None:
    order_id = await shipped(harness)
    found = await get(harness, order_id)
    assert (found.order_id, found.state, found.version) == (order_id, "shipped", 4)
    assert (found.payable.minor, found.payable.text, found.captured.text) == (1500, "15.00", "15.00")
    assert [(line.sku_id, line.qty, line.warehouse) for line in found.lines] == [("s1", 2, "main"), ("s2", 1, "main")]
    [payment] = found.payments
    assert (payment.kind, payment.verdict, payment.amount.minor) == ("captured", "kept", 1500)
    [parcel] = found.parcels
    assert [(line.line_no, line.qty) for line in parcel.lines] == [(1, 2), (2, 1)]
    assert [fact.status for fact in parcel.facts] == ["outbound", "in_transit"]
    assert found.address is not None
    assert (found.address.receiver, found.address.phone) == ("W****", "138****5678")
    assert (found.facets.payment, found.facets.fulfilment, found.facets.stock) == ("paid", "in_transit", "shipped")


async def test_an_order_is_found_by_each_of_its_names(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    found = await get(harness, order_id)
    assert found.order_no is not None
    assert (await get(harness, found.order_no)).order_id == order_id
    assert (await get(harness, found.order_uuid)).order_id == order_id


async def test_a_split_order_shows_the_goods_of_its_children(harness: HandlerHarness) -> None:
    await harness.handle(sku("tea", seller_id="acme"), sku("cup", seller_id="bolt"), trusted=True)
    await harness.handle(receive("tea", 5), receive("cup", 5))
    order_id = await harness.create_order(create(("tea", 1), ("cup", 2)))
    found = await get(harness, order_id)
    assert len(found.children) == 2
    assert {line.order_id for line in found.lines} == set(found.children)


STRANGERS: list[tuple[str, Actor]] = [("another user", user("u2")), ("nobody who ordered", user("nobody"))]


@pytest.mark.parametrize(("who", "actor"), STRANGERS)
@pytest.mark.parametrize("model", [OrderGet, OrderHistory, OrderTrack])
async def test_a_strangers_order_is_answered_like_an_unknown_one(
    harness: HandlerHarness, model: type[OrderGet], who: str, actor: Actor
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    theirs, unknown = await ask(harness, model(actor=actor, order=str(order_id)), model(actor=actor, order="123"))
    assert theirs == unknown
    assert isinstance(theirs, QueryRejected), who
    assert theirs.code == "ORDER_NOT_FOUND"
    [seen] = await ask(harness, model(actor=OPERATOR, order=str(order_id)))
    assert not isinstance(seen, QueryRejected)


async def test_a_reader_never_gets_a_version_below_the_one_it_names(harness: HandlerHarness) -> None:
    order_id = await shipped(harness)
    assert (await get(harness, order_id, min_version=4)).version == 4
    [reply] = await ask(harness, OrderGet(actor=user(), order=str(order_id), min_version=5))
    assert isinstance(reply, QueryRejected)
    assert (reply.code, reply.path) == ("ORDER_VERSION_BEHIND", "$.min_version")


async def test_parcels_are_tracked_in_the_order_in_which_it_happened(harness: HandlerHarness) -> None:
    order_id = await shipped(harness)
    await harness.pool.execute("UPDATE shipment_facts SET recorded_at = occurred_at - (occurred_at - '2020-01-01') * 2")
    [reply] = await ask(harness, OrderTrack(actor=user(), order=str(order_id)))
    assert isinstance(reply, OrderTracked)
    [parcel] = reply.parcels
    assert (parcel.tracking_no, parcel.state, len(parcel.facts)) == ("T1", "in_transit", 2)
    assert [fact.status for fact in parcel.facts] == ["outbound", "in_transit"]


async def test_a_buyer_sees_the_steps_but_not_who_of_the_shop_took_them(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    await harness.handle(cancel(order_id, actor=OPERATOR), trusted=True)
    mine, all_of_it = await ask(
        harness, OrderHistory(actor=user(), order=str(order_id)), OrderHistory(actor=OPERATOR, order=str(order_id))
    )
    assert isinstance(mine, OrderHistoryListed)
    assert isinstance(all_of_it, OrderHistoryListed)
    assert [step.state for step in mine.steps] == ["placing", "awaiting_payment", "cancelled"]
    assert [step.actor_id for step in mine.steps] == ["u1", "shop", "shop"]
    assert all_of_it.steps[-1].actor_id == OPERATOR.id


async def many_orders(harness: HandlerHarness, count: int, user_id: str = "u1") -> list[int]:
    """Orders of one user, placed in one batch, so that their times are equal. Newest id first."""
    await harness.handle(*(create(("s1", 1), request_id=f"{user_id}-{n}", user_id=user_id) for n in range(count)))
    rows = await harness.rows("SELECT id FROM orders WHERE user_id = $1 ORDER BY id DESC", user_id)
    return [row[0] for row in rows]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_the_pages_of_a_list_have_each_order_once(harness: HandlerHarness, size: int) -> None:
    await harness.fill_stock(qty=100)
    expected, _ = await many_orders(harness, 3), await many_orders(harness, 2, "u2")
    found: list[int] = []
    cursor = None
    while True:
        one = await page(harness, user_id="u1", limit=size, cursor=cursor)
        assert len(one.orders) <= size
        found += [order.order_id for order in one.orders]
        cursor = one.next_cursor
        if cursor is None:
            break
    assert found == expected


async def test_each_way_to_list_orders_has_many_of_one_time_once_and_keeps_to_its_bounds(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock(qty=100)
    newest_first = await many_orders(harness, 6)
    [(at,)] = await harness.rows("SELECT min(created_at) - interval '1 minute' FROM orders")
    later = at + timedelta(minutes=6)  # the clock of one worker was ahead of the database's, which dates ids
    for place in (2, 4, 1, 5, 3, 0):  # so that neither the table nor an index has them in the order of their ids
        moment = at if place else later
        await harness.pool.execute("UPDATE orders SET created_at = $2 WHERE id = $1", newest_first[place], moment)
    states = {"states": ("awaiting_payment", "placing")}
    sku, own = {"sku_id": "s1"}, {"user_id": "u1"}
    for way in ({}, states, sku, sku | states, own, own | states, own | sku):
        found, cursor = list[int](), None
        while cursor is not None or not found:
            one = await page(harness, actor=OPERATOR, limit=2, cursor=cursor, **way)
            found += [order.order_id for order in one.orders]
            cursor = one.next_cursor
        assert found == newest_first, way
        for bounds, expected in (
            ({"created_from": later}, newest_first[:1]),
            ({"created_before": later}, newest_first[1:]),
            ({"created_from": at, "created_before": later}, newest_first[1:]),
            ({"created_before": at}, []),
        ):
            one = await page(harness, actor=OPERATOR, **way, **bounds)
            assert [order.order_id for order in one.orders] == expected, (way, bounds)


async def test_a_list_is_filtered_by_state_and_time_and_leaves_out_deleted_orders(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=100)
    newest, middle, oldest = await many_orders(harness, 3)
    await harness.handle(cancel(middle, request_id="x-middle"))
    assert [o.order_id for o in (await page(harness, user_id="u1", states=("cancelled",))).orders] == [middle]
    later = datetime.now(UTC) + timedelta(days=1)
    assert (await page(harness, user_id="u1", created_from=later)).orders == ()
    assert len((await page(harness, user_id="u1", created_before=later)).orders) == 3
    await harness.handle(OrderDelete(request_id="d1", actor=user(), order_ids=(middle,)))
    assert [o.order_id for o in (await page(harness, user_id="u1")).orders] == [newest, oldest]
    everything = await page(harness, user_id="u1", actor=OPERATOR)
    assert [o.order_id for o in everything.orders] == [newest, middle, oldest]
    [(number, request_id)] = await harness.rows("SELECT order_no, request_id FROM orders WHERE id = $1", middle)
    ways: Sequence[dict[str, Any]] = (
        {"states": ("cancelled",)},
        {"sku_id": "s1", "states": ("cancelled",)},
        {"order_no": number},
        {"request_id": request_id},
    )
    for way in ways:
        assert (await page(harness, user_id="u1", **way)).orders == (), way
        shown = await page(harness, user_id="u1", actor=OPERATOR, **way)
        assert [(o.order_id, o.deleted) for o in shown.orders] == [(middle, True)], way


async def test_an_operator_finds_an_order_by_the_names_that_others_have_for_it(harness: HandlerHarness) -> None:
    order_id = await shipped(harness)
    [number] = (await harness.rows("SELECT order_no FROM orders WHERE id = $1", order_id))[0]
    [trade_no] = (await harness.rows("SELECT trade_no FROM payment_facts"))[0]
    [request_id] = (await harness.rows("SELECT request_id FROM orders WHERE id = $1", order_id))[0]
    ways: Sequence[dict[str, str]] = (
        {"tracking_no": "T1"},
        {"trade_no": trade_no},
        {"order_no": number},
        {"request_id": request_id, "user_id": "u1"},
        {"sku_id": "s2"},
        {"tracking_no": "T1", "trade_no": trade_no},
        {"tracking_no": "T1", "sku_id": "s2"},
        {},
    )
    for way in ways:
        assert [o.order_id for o in (await page(harness, actor=OPERATOR, **way)).orders] == [order_id], way
    for way in ({"tracking_no": "T2"}, {"tracking_no": "T1", "trade_no": "other"}, {"sku_id": "s9"}, BESIDE):
        assert (await page(harness, actor=OPERATOR, **way)).orders == (), way


async def test_a_trade_number_of_the_shops_own_payment_service_finds_its_order(harness: HandlerHarness) -> None:
    """A payment service reports under a name that the shop chose, which is none of the providers that we call."""
    await harness.fill_stock(qty=100)
    orders = await many_orders(harness, 3, "u1")
    for key, provider in zip(orders, ("aa-bank", "alipay", "zz-till"), strict=True):
        own = captured(key, 500, f"t-{provider}").model_copy(update={"provider": provider})
        await harness.handle(own, trusted=True)
        found = await page(harness, actor=OPERATOR, trade_no=f"t-{provider}")
        assert [order.order_id for order in found.orders] == [key], provider


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_a_buyer_who_names_a_sku_or_a_parcel_sees_own_orders_and_no_trace_of_others(
    harness: HandlerHarness, size: int
) -> None:
    await harness.fill_stock(qty=100)
    mine, _ = await many_orders(harness, 2, "u1"), await many_orders(harness, 3, "u2")
    theirs = (await many_orders(harness, 1, "u3"))[0]
    await harness.handle(captured(theirs, 500), trusted=True)
    await harness.handle(book(theirs, "T9"))
    found: list[int] = []
    cursor = None
    for _ in mine:
        one = await page(harness, user_id="u1", sku_id="s1", limit=size, cursor=cursor)
        found += [order.order_id for order in one.orders]
        cursor = one.next_cursor
        if cursor is None:
            break
    assert (found, cursor) == (mine, None)
    stranger = await page(harness, user_id="u9", sku_id="s1", limit=size)
    assert (stranger.orders, stranger.next_cursor) == ((), None)
    parcel = await page(harness, user_id="u1", tracking_no="T9", limit=size)
    assert (parcel.orders, parcel.next_cursor) == ((), None)


BESIDE = {"tracking_no": "T1", "sku_id": "s9"}
INVALID: list[tuple[str, dict[str, Any], str]] = [
    ("an endless page", {"user_id": "u1", "limit": 101}, "$.limit"),
    ("an empty page", {"user_id": "u1", "limit": 0}, "$.limit"),
    ("a cursor of ours that was cut", {"user_id": "u1", "cursor": "AAAA"}, "$.cursor"),
    ("a cursor that is no base64", {"user_id": "u1", "cursor": "???"}, "$.cursor"),
    ("an unknown state", {"user_id": "u1", "states": ("payed",)}, "$.states"),
    ("all users' orders for a buyer", {}, "$.user_id"),
]


@pytest.mark.parametrize(("what", "fields", "path"), INVALID)
async def test_a_list_that_makes_no_sense_is_rejected(
    harness: HandlerHarness, what: str, fields: dict[str, Any], path: str
) -> None:
    [reply] = await ask(harness, OrderList(actor=user(), **fields))
    assert isinstance(reply, QueryRejected), what
    assert (reply.code, reply.path) == ("ORDER_PARAM_INVALID", path)


async def test_a_request_id_needs_its_user_and_a_cursor_its_list(harness: HandlerHarness) -> None:
    [reply] = await ask(harness, OrderList(actor=OPERATOR, request_id="r1"))
    assert isinstance(reply, QueryRejected)
    assert reply.path == "$.user_id"
    await harness.fill_stock(qty=100)
    await many_orders(harness, 3)
    cursor = (await page(harness, user_id="u1", limit=1)).next_cursor
    [reply] = await ask(harness, OrderList(actor=user(), user_id="u1", states=("paid",), cursor=cursor))
    assert isinstance(reply, QueryRejected)
    assert reply.path == "$.cursor"


async def test_another_users_list_is_refused(harness: HandlerHarness) -> None:
    [reply] = await ask(harness, OrderList(actor=user("u2"), user_id="u1"))
    assert isinstance(reply, QueryRejected)
    assert reply.code == "AUTH_FORBIDDEN"


async def test_many_queries_take_no_more_statements_than_one_of_each_kind(harness: HandlerHarness) -> None:
    orders = [await shipped(harness), *await many_orders(harness, 4, "u2"), *await many_orders(harness, 4, "u3")]

    def of_each_kind(order_id: int, user_id: str) -> list[Query]:
        return [
            OrderGet(actor=OPERATOR, order=str(order_id)),
            OrderTrack(actor=OPERATOR, order=str(order_id)),
            OrderHistory(actor=OPERATOR, order=str(order_id)),
            OrderExplain(actor=OPERATOR, order=str(order_id)),
            OrderAsOf(actor=OPERATOR, order=str(order_id), at=datetime.now(UTC)),
            OrderList(actor=user(user_id), user_id=user_id),
            OrderList(actor=OPERATOR),
            OrderList(actor=OPERATOR, tracking_no="T1"),
            OrderList(actor=OPERATOR, sku_id="s1"),
        ]

    answer_cache.configure(0)
    await ask(harness, *of_each_kind(orders[0], "u1"))  # a new connection asks for types first
    once, often = list[str](), list[str]()
    await ask(harness, *of_each_kind(orders[0], "u1"), statements=once)
    many = [query for n, order_id in enumerate(orders) for query in of_each_kind(order_id, f"u{n % 3 + 1}")]
    replies = await ask(harness, *many, statements=often)
    assert len({reply.order_id for reply in replies if isinstance(reply, OrderDescribed)}) == len(orders)
    answer_cache.configure(answer_cache.ENTRIES_MAX)
    assert len(often) == len(once)


async def test_what_an_order_has_is_read_once(harness: HandlerHarness) -> None:
    order_id, sent = await shipped(harness), list[str]()
    [reply] = await ask(harness, OrderGet(actor=OPERATOR, order=str(order_id)), statements=sent)
    assert isinstance(reply, OrderDescribed)
    assert reply.address is not None
    assert sorted(sent) == sorted(set(sent))
