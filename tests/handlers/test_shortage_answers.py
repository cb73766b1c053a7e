"""Where the rule is to ask, a shortage holds its order until the buyer answers, or the time for it is over."""

from typing import Literal

import pytest

from messages.base import Actor
from messages.rests import OrderCancelRest, ShortageDecide, ShortageReport, ShortLine
from tests.handlers.builders import book, cancel, update, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import release
from tests.handlers.refund_builders import request_refund
from workers import shop
from workers.domain.shop import DeductOn, OnShortage, Policy, Shop
from workers.handlers import timeouts

Answer = Literal["ship_rest", "cancel_rest"]


def rule(on_shortage: OnShortage, deduct_on: DeductOn = DeductOn.PAY) -> None:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0, on_shortage=on_shortage, deduct_on=deduct_on)))


def short(order_id: int, qty: int, request_id: str = "s1") -> ShortageReport:
    return ShortageReport(request_id=request_id, order_id=order_id, lines=(ShortLine(sku_id="s1", qty=qty),))


def answer(order_id: int, decision: Answer, request_id: str = "a1", actor: Actor | None = None) -> ShortageDecide:
    return ShortageDecide(request_id=request_id, actor=actor or user(), order_id=order_id, decision=decision)


async def in_question(harness: HandlerHarness, on_shortage: OnShortage = OnShortage.ASK_THEN_SHIP, out: int = 0) -> int:
    """An order of ten units, of which so many are on their way and one is short: its buyer may choose."""
    rule(on_shortage)
    await harness.fill_stock(qty=20)
    order_id = await harness.place_paid_order(("s1", 10))
    if out:
        await harness.handle(book(order_id, "T0", ("s1", out)), update(order_id, "T0", "outbound"))
    harness.events.clear()
    await harness.handle(short(order_id, 1))
    return order_id


def story(harness: HandlerHarness) -> list[str]:
    return [event["type"][6:-3] for event in harness.events if event["type"].startswith("order.")]


def refunds(harness: HandlerHarness) -> list[int]:
    return [event["amount"] for event in harness.events_of("refund.requested")]


async def waiting(harness: HandlerHarness) -> tuple[int, int, int]:
    """Open holds, held orders, timers of answers."""
    [row] = await harness.rows(
        "SELECT (SELECT count(*) FROM order_holds WHERE released_at IS NULL), (SELECT count(*) FROM orders WHERE held),"
        " (SELECT count(*) FROM timers WHERE kind = 'shortage')"
    )
    return row[0], row[1], row[2]


async def test_the_buyer_takes_the_rest_and_it_ships(harness: HandlerHarness) -> None:
    order_id = await in_question(harness)
    assert story(harness) == ["shortage_recorded", "held"]
    assert harness.events_of("order.shortage_recorded")[0]["decide_before"] is not None
    assert (refunds(harness), await waiting(harness)) == ([500], (1, 1, 1))
    await harness.handle(book(order_id, "T1"))
    assert harness.events_of("shipment.booking_failed")[0]["code"] == "ORDER_HELD"
    for _ in range(2):
        await harness.handle(answer(order_id, "ship_rest"), reply_to="client.a")
    assert [(reply["type"], reply["release_reason_code"]) for reply in harness.replies] == [
        ("order.released.v1", "ship_rest")
    ] * 2
    assert await waiting(harness) == (0, 0, 0)
    await harness.deliver(order_id)
    assert (await harness.states(), refunds(harness), await harness.stock()) == (["delivered"], [500], (10, 0))


@pytest.mark.parametrize("deduct_on", DeductOn)
async def test_the_buyer_cancels_all_and_gets_all_money_back(harness: HandlerHarness, deduct_on: DeductOn) -> None:
    rule(OnShortage.ASK_THEN_SHIP, deduct_on)
    await harness.fill_stock(qty=20)
    order_id = await harness.place_paid_order(("s1", 10))
    await harness.handle(short(order_id, 1))
    harness.events.clear()
    await harness.handle(answer(order_id, "cancel_rest"), reply_to="client.a")
    assert story(harness) == ["released", "rest_cancelled", "cancelled"]
    assert harness.replies[0]["type"] == "order.rest_cancelled.v1"
    assert refunds(harness) == [4500]
    assert (await harness.states(), await waiting(harness)) == (["cancelled"], (0, 0, 0))
    assert await harness.stock() == (19, 0)  # all but the missing unit are there again


@pytest.mark.parametrize(
    ("on_shortage", "after", "money"),
    [
        (OnShortage.ASK_THEN_SHIP, ["released"], [500]),
        (OnShortage.ASK_THEN_CANCEL, ["released", "rest_cancelled", "cancelled"], [500, 4500]),
    ],
)
async def test_without_an_answer_the_rule_of_the_order_decides(
    harness: HandlerHarness, on_shortage: OnShortage, after: list[str], money: list[int]
) -> None:
    await in_question(harness, on_shortage)
    rule(OnShortage.SHIP_REST)  # a rule that changes later does not reach the order
    await harness.sweep("shortage")
    assert story(harness)[2:] == after
    assert (refunds(harness), await waiting(harness)) == (money, (0, 0, 0))


async def test_a_question_is_not_answered_before_its_time(harness: HandlerHarness) -> None:
    await in_question(harness)
    await harness.pool.execute("UPDATE timers SET wake_at = now() WHERE kind = 'shortage'")
    async with harness.pool.acquire() as tx, tx.transaction():
        assert await timeouts.sweep(tx) > 0
    await harness.relay()
    assert await waiting(harness) == (1, 1, 1)


async def test_another_report_starts_the_time_anew_and_asks_once(harness: HandlerHarness) -> None:
    order_id = await in_question(harness)
    await harness.make_timers_due("shortage")
    await harness.handle(short(order_id, 2, "s2"))
    assert await harness.rows("SELECT due_at > now() + interval '23 h' FROM timers WHERE kind = 'shortage'") == [
        (True,)
    ]
    assert (refunds(harness), await waiting(harness)) == ([500, 1000], (1, 1, 1))
    assert story(harness) == ["shortage_recorded", "held", "shortage_recorded"]


@pytest.mark.parametrize("out", [0, 9])
async def test_where_nothing_is_left_to_ship_nobody_has_to_answer(harness: HandlerHarness, out: int) -> None:
    """A whole line may be short, and a report after another may take what the first one left."""
    order_id = await in_question(harness, out=out)
    if not out:
        await harness.handle(short(order_id, 9, "s2"))
    assert await waiting(harness) == (0, 0, 0)
    assert await harness.states() == ["shipped" if out else "cancelled"]
    assert sum(refunds(harness)) == (500 if out else 5000)


async def test_what_ends_the_wait_besides_an_answer(harness: HandlerHarness) -> None:
    order_id = await in_question(harness, out=1)
    await harness.handle(OrderCancelRest(request_id="c1", actor=user(), order_id=order_id))
    assert (await harness.states(), await waiting(harness)) == (["shipped"], (0, 0, 0))
    second = await harness.place_another_paid_order(("s1", 2))
    await harness.handle(short(second, 1, "s2"))
    await harness.handle(cancel(second))
    assert (await harness.state(second), await waiting(harness)) == ("cancelled", (0, 0, 0))
    third = await harness.place_another_paid_order(("s1", 2))
    await harness.handle(short(third, 1, "s3"))
    await harness.handle(release(third), trusted=True)
    assert await waiting(harness) == (0, 0, 1)
    await harness.sweep("shortage")
    assert (await harness.state(third), await waiting(harness)) == ("paid", (0, 0, 0))


async def test_an_answer_that_nothing_waits_for_is_rejected(harness: HandlerHarness) -> None:
    order_id = await in_question(harness)
    await harness.handle(answer(order_id, "cancel_rest", "a0", user("u2")))
    await harness.handle(answer(order_id, "ship_rest"), answer(order_id, "cancel_rest", "a2"))
    assert harness.rejections() == [
        ("ORDER_NOT_FOUND", {"order_id": str(order_id)}),
        ("ORDER_SHORTAGE_INVALID", {"order_id": str(order_id), "state": "paid"}),
    ]
    assert refunds(harness) == [500]


async def test_no_more_goes_back_than_is_left_of_the_money(harness: HandlerHarness) -> None:
    """An operator has given back nearly all of it before the warehouse misses a unit."""
    rule(OnShortage.SHIP_REST)
    await harness.fill_stock(qty=20)
    order_id = await harness.place_paid_order(("s1", 10))
    await harness.handle(request_refund(order_id, "rf", 4800), trusted=True)
    await harness.handle(short(order_id, 1))
    assert refunds(harness) == [4800, 200]
