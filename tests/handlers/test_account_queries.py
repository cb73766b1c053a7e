"""Queries about carts, coupons, points, payments and stock: what each asker sees."""

from typing import Any, TypeVar

import pytest

from messages.account_queries import (
    CartGet,
    CartShown,
    CouponList,
    CouponsListed,
    PointsGet,
    PointsShown,
    StockGet,
    StockShown,
)
from messages.base import Actor, Query, QueryRejected, Reply
from messages.benefits import CouponIssue, PointsGrant
from messages.carts import CartPut
from messages.holds import OrderHold
from messages.order_queries import OrderDescribed, OrderGet, PaymentDescribed, PaymentGet
from messages.stock import StockThresholdSet
from tests.handlers.builders import OPERATOR, captured, create, receive, user
from tests.handlers.catalogue_builders import template
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask
from workers.handlers import queries
from workers.routes import ROUTES, with_stock_apart

R = TypeVar("R", bound=Reply)


async def answer(harness: HandlerHarness, body: Query, model: type[R]) -> R:
    [reply] = await ask(harness, body)
    assert isinstance(reply, model), reply
    return reply


async def test_a_cart_is_shown_with_the_prices_of_now(harness: HandlerHarness) -> None:
    await harness.fill_stock(skus=("s1", "s2"))
    for sku_id in ("s2", "s1", "unknown"):
        await harness.handle(CartPut(request_id=sku_id, actor=user(), user_id="u1", sku_id=sku_id, qty=2))
    found = await answer(harness, CartGet(actor=user(), user_id="u1"), CartShown)
    shown = [(line.sku_id, line.qty, line.price and line.price.minor, line.on_sale) for line in found.lines]
    assert shown == [("s1", 2, 500, True), ("s2", 2, 500, True), ("unknown", 2, None, False)]
    assert (await answer(harness, CartGet(actor=user("u2"), user_id="u2"), CartShown)).lines == ()


async def test_coupons_are_listed_by_state(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await harness.handle(template(), trusted=True)
    for name in ("a", "b"):
        await harness.handle(CouponIssue(coupon_id=name, template_id="t1", user_id="u1"), trusted=True)
    order_id = await harness.create_order(create(("s1", 4), coupon_id="a", expected_pay_amount=1900))
    usable = await answer(harness, CouponList(actor=user(), user_id="u1"), CouponsListed)
    assert [(one.coupon_id, one.state, one.order_id) for one in usable.coupons] == [("b", "issued", None)]
    both = await answer(harness, CouponList(actor=OPERATOR, user_id="u1", states=("locked", "issued")), CouponsListed)
    assert {(one.coupon_id, one.order_id) for one in both.coupons} == {("a", order_id), ("b", None)}
    wrong = await answer(harness, CouponList(actor=user(), user_id="u1", states=("lost",)), QueryRejected)
    assert (wrong.code, wrong.path) == ("ORDER_PARAM_INVALID", "$.states")


async def test_points_are_shown_with_their_newest_changes(harness: HandlerHarness) -> None:
    for n, points in enumerate((1000, 500)):
        grant = PointsGrant(request_id=f"g{n}", user_id="u1", points=points, reason="welcome")
        await harness.handle(grant, trusted=True)
    found = await answer(harness, PointsGet(actor=user(), user_id="u1"), PointsShown)
    assert (found.balance, found.held, found.level) == (1500, 0, None)
    assert [(entry.op, entry.points) for entry in found.entries] == [("grant", 500), ("grant", 1000)]
    nobody = await answer(harness, PointsGet(actor=user("u9"), user_id="u9"), PointsShown)
    assert (nobody.balance, nobody.entries) == (0, ())


SYSTEM = Actor(type="system", id="wms")


@pytest.mark.parametrize(
    ("actor", "expected"),
    [(user(), (7, None, None, None, None)), (OPERATOR, (7, 10, 3, 0, 4))],
    ids=["a buyer sees what can be bought", "an operator sees what is locked"],
)
async def test_stock_is_shown_by_warehouse(harness: HandlerHarness, actor: Actor, expected: tuple[Any, ...]) -> None:
    await harness.fill_stock(qty=10)
    await harness.handle(receive("s1", 4, "note-north", "north"))
    await harness.handle(StockThresholdSet(request_id="t1", sku_id="s1", warehouse="main", units=4), trusted=True)
    await harness.place_order(("s1", 3))
    found = await answer(harness, StockGet(actor=actor, sku_ids=("s1", "unknown", "s1")), StockShown)
    [main, north] = found.stock
    assert (main.available, main.on_hand, main.locked, main.quarantined, main.threshold) == expected
    assert north.threshold is None, "the shop has none"
    assert (main.warehouse, north.warehouse, north.available) == ("main", "north", 4)


def test_stock_on_a_database_of_its_own_is_not_read_from_that_of_the_orders() -> None:
    routes = {route.queue: route for route in with_stock_apart(ROUTES)}
    assert routes["queries"].handler is queries.answer_without_stock


async def test_stock_on_a_database_of_its_own_is_answered_with_a_code(harness: HandlerHarness) -> None:
    found = await ask(harness, StockGet(actor=user(), sku_ids=("s1",)), answering=queries.answer_without_stock)
    assert [reply.code for reply in found if isinstance(reply, QueryRejected)] == ["INVENTORY_ELSEWHERE"]


OTHERS: list[Query] = [
    CartGet(actor=user("u2"), user_id="u1"),
    CouponList(actor=user("u2"), user_id="u1"),
    PointsGet(actor=user("u2"), user_id="u1"),
]


@pytest.mark.parametrize("body", OTHERS, ids=[body.TYPE for body in OTHERS])
async def test_what_another_user_has_is_refused(harness: HandlerHarness, body: Query) -> None:
    assert (await answer(harness, body, QueryRejected)).code == "AUTH_FORBIDDEN"


async def test_a_payment_is_described(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(captured(order_id, 1000), trusted=True)
    found = await answer(harness, PaymentGet(actor=user(), order=str(order_id)), PaymentDescribed)
    assert (found.payable.minor, found.captured.text, found.refunded.minor) == (1000, "10.00", 0)
    assert [(one.kind, one.verdict) for one in found.payments] == [("captured", "kept")]
    stranger = await answer(harness, PaymentGet(actor=user("u2"), order=str(order_id)), QueryRejected)
    assert stranger.code == "ORDER_NOT_FOUND"


async def test_a_buyer_does_not_see_why_the_shop_holds_an_order(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    hold = OrderHold(request_id="h1", actor=OPERATOR, order_id=order_id, reason_code="FRAUD")
    await harness.handle(hold, trusted=True)
    seen = await answer(harness, OrderGet(actor=OPERATOR, order=str(order_id)), OrderDescribed)
    assert [(one.kind, one.reason_code) for one in seen.holds] == [("operator", "FRAUD")]
    mine = await answer(harness, OrderGet(actor=user(), order=str(order_id)), OrderDescribed)
    assert (mine.holds, mine.held) == ((), True)


async def test_many_account_queries_take_no_more_statements_than_one_of_each_kind(harness: HandlerHarness) -> None:
    def of_each_kind(name: str) -> list[Query]:
        return [
            CartGet(actor=user(name), user_id=name),
            CouponList(actor=user(name), user_id=name),
            PointsGet(actor=user(name), user_id=name),
            StockGet(actor=user(name), sku_ids=(f"sku-{name}",)),
        ]

    once, often = list[str](), list[str]()
    await ask(harness, *of_each_kind("u1"))  # a new connection asks for types first
    await ask(harness, *of_each_kind("u1"), statements=once)
    many = [query for n in range(5) for query in of_each_kind(f"u{n}")]
    await ask(harness, *many, statements=often)
    assert len(often) == len(once) > 0
