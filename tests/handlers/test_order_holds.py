"""A hold stops the goods of an order and nothing else, until it is released or the order ends."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messages.base import Message
from messages.orders import OrderConfirmReceipt
from messages.risk import RiskResult
from tests.handlers.builders import book, cancel, create, receive, sku, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold, release
from workers import shop
from workers.domain.shop import Policy, Shop
from workers.handlers import order_holds


async def placed(harness: HandlerHarness) -> int:
    await harness.fill_stock()
    return await harness.place_order(("s1", 2))


async def open_holds(harness: HandlerHarness) -> list[tuple[Any, ...]]:
    return await harness.rows(
        "SELECT h.order_id, h.kind, h.reason_code FROM order_holds h WHERE released_at IS NULL ORDER BY h.id"
    )


async def is_held(harness: HandlerHarness, order_id: int) -> bool:
    return bool(await harness.pool.fetchval("SELECT held FROM orders WHERE id = $1", order_id))


async def test_a_held_order_is_paid_and_booked_only_after_the_release(harness: HandlerHarness) -> None:
    """The same command again is the same hold."""
    order_id = await placed(harness)
    for _ in range(2):
        await harness.handle(hold(order_id), trusted=True, reply_to="client.a")
    [held] = harness.events_of("order.held")
    assert (held["state"], held["kind"], held["reason_code"], held["holds"]) == (
        "awaiting_payment", "operator", "FRAUD", 1
    )  # fmt: skip
    assert held["cause"]["actor"] == {"type": "operator", "id": "ops-7"}
    assert await open_holds(harness) == [(order_id, "operator", "FRAUD")]
    assert [(reply["type"], reply.get("duplicate")) for reply in harness.replies] == [
        ("order.held.v1", None),
        ("order.held.v1", True),
    ]
    await harness.pay(order_id)
    assert await harness.states() == ["paid"]
    await harness.handle(book(order_id, "T1"))
    [refused] = harness.events_of("shipment.booking_failed")
    assert (refused["code"], refused["details"]["state"]) == ("ORDER_HELD", "paid")

    await harness.handle(release(order_id), trusted=True)
    [released] = harness.events_of("order.released")
    assert (released["hold_id"], released["holds"], released["release_reason_code"]) == (held["hold_id"], 0, "OK")
    await harness.deliver(order_id)
    assert await harness.states() == ["delivered"]
    log = "SELECT operate_type, actor_id, pre_state = cur_state FROM operate_logs WHERE operate_type > 170 ORDER BY 1"
    assert await harness.rows(log) == [(180, "ops-7", True), (190, "ops-7", True)]


async def test_what_people_wrote_is_kept_encrypted_and_not_announced(harness: HandlerHarness) -> None:
    order_id = await placed(harness)
    await harness.handle(hold(order_id), trusted=True)
    await harness.handle(release(order_id), trusted=True)
    texts = await harness.rows("SELECT type, about, field FROM free_texts ORDER BY type")
    assert texts == [("order.hold", str(order_id), "reason"), ("order.release", str(order_id), "reason")]
    assert "Wang" not in str(harness.events)


async def test_several_holds_are_released_one_by_one(harness: HandlerHarness) -> None:
    order_id = await placed(harness)
    await harness.handle(hold(order_id), hold(order_id, "h2", code="ADDRESS"), trusted=True)
    first, second = [int(event["hold_id"]) for event in harness.events_of("order.held")]
    await harness.handle(release(order_id), release(order_id, "f2", 7), trusted=True)
    both = {"order_id": str(order_id), "holds": [str(first), str(second)]}
    assert harness.rejections() == [("ORDER_HOLD_AMBIGUOUS", both), ("ORDER_NOT_HELD", both)]
    await harness.handle(release(order_id, "f3", second), trusted=True)
    assert await open_holds(harness) == [(order_id, "operator", "FRAUD")]
    assert await is_held(harness, order_id)
    await harness.handle(release(order_id, "f4"), release(order_id, "f5"), trusted=True)
    assert [event["holds"] for event in harness.events_of("order.released")] == [1, 0]
    assert harness.rejections()[2:] == [("ORDER_NOT_HELD", {"order_id": str(order_id), "holds": []})]
    assert not await is_held(harness, order_id)


ENDS: dict[str, Callable[[int], Message]] = {
    "cancelled": cancel,
    "completed": lambda key: OrderConfirmReceipt(request_id="c1", actor=user(), order_id=key),
}


@pytest.mark.parametrize("end", ENDS)
async def test_the_end_of_an_order_ends_its_holds(harness: HandlerHarness, end: str) -> None:
    order_id = await placed(harness)
    await harness.pay(order_id)
    if end == "completed":
        await harness.deliver(order_id)
    await harness.handle(hold(order_id), hold(order_id, "h2"), trusted=True)
    await harness.handle(ENDS[end](order_id))
    assert await harness.states() == [end]
    assert not await is_held(harness, order_id)
    ended = "SELECT released_by, release_reason_code FROM order_holds"
    assert await harness.rows(ended) == [("oms", "order_ended")] * 2
    await harness.handle(hold(order_id, "h3"), trusted=True)
    await harness.handle(release(order_id), trusted=True)
    assert [code for code, _ in harness.rejections()] == ["ORDER_STATE_INVALID", "ORDER_NOT_HELD"]


async def test_the_payment_window_of_a_held_order_ends_in_time(harness: HandlerHarness) -> None:
    order_id = await placed(harness)
    await harness.handle(hold(order_id), trusted=True)
    await harness.sweep("payment")
    assert await harness.states() == ["cancelled"]
    assert await open_holds(harness) == []


async def test_the_receipt_window_stands_still_while_an_order_is_held(harness: HandlerHarness) -> None:
    order_id = await placed(harness)
    await harness.pay(order_id)
    await harness.deliver(order_id)
    await harness.handle(hold(order_id), trusted=True)
    await harness.handle(hold(order_id, "h2"), trusted=True)
    first, second = [int(event["hold_id"]) for event in harness.events_of("order.held")]
    assert await harness.rows("SELECT count(DISTINCT held_since), count(*) FROM order_holds") == [(1, 2)]
    await harness.pool.execute("UPDATE orders SET delivered_at = delivered_at - interval '9 d'")
    await harness.pool.execute("UPDATE order_holds SET held_since = held_since - interval '5 d'")
    await harness.sweep("receipt")
    assert await harness.states() == ["delivered"]
    [(wake_in,)] = await harness.rows("SELECT wake_at - now() FROM timers")
    assert timedelta(minutes=50) < wake_in < timedelta(minutes=61)

    await harness.handle(release(order_id, "f1", first), trusted=True)
    [(due_at,)] = await harness.rows("SELECT due_at FROM timers")
    assert due_at < datetime.now(UTC)
    await harness.handle(release(order_id, "f2", second), trusted=True)
    [(due_in, wakes)] = await harness.rows("SELECT due_at - now(), wake_at = due_at FROM timers")
    assert timedelta(days=4, hours=23) < due_in < timedelta(days=5)
    assert wakes
    await harness.sweep("receipt")
    assert await harness.states() == ["completed"]


async def test_only_operators_hold(harness: HandlerHarness) -> None:
    order_id = await placed(harness)
    await harness.handle(hold(order_id, actor=user()), trusted=True)
    await harness.handle(hold(order_id))
    await harness.handle(hold(7), trusted=True)
    assert [code for code, _ in harness.rejections()] == ["AUTH_FORBIDDEN", "AUTH_FORBIDDEN", "ORDER_NOT_FOUND"]
    assert await open_holds(harness) == []


async def test_a_hold_of_a_split_order_holds_its_children(harness: HandlerHarness) -> None:
    await harness.handle(sku("s1"), sku("b1").model_copy(update={"seller_id": "acme"}))
    await harness.handle(receive("s1", 9), receive("b1", 9))
    parent = await harness.create_order(create(("s1", 1), ("b1", 1)))
    one, other = await harness.children(parent)
    await harness.handle(hold(parent), trusted=True, reply_to="client.a")
    assert await open_holds(harness) == [(one, "operator", "FRAUD"), (other, "operator", "FRAUD")]
    assert (harness.replies[-1]["command"], harness.replies[-1]["order_ids"]) == ("order.hold", [str(one), str(other)])
    await harness.pay(parent)
    assert await harness.states() == ["split", "paid", "paid"]
    await harness.handle(release(one), trusted=True)
    await harness.handle(book(one, "T1"), book(other, "T2"))
    assert [event["order_id"] for event in harness.events_of("shipment.booking_failed")] == [str(other)]
    await harness.handle(release(parent, "f2"), trusted=True)
    assert await open_holds(harness) == []
    await harness.handle(cancel(other))
    await harness.handle(hold(parent, "h2"), trusted=True)
    assert await open_holds(harness) == [(one, "operator", "FRAUD")]


async def test_the_risk_check_holds_an_order_instead_of_rejecting_it(harness: HandlerHarness) -> None:
    shop.configure(Shop(risk_check=True, policy=Policy(rate_limit_orders=0)))
    await harness.fill_stock()
    await harness.handle(create(("s1", 2)))
    order_id = int(harness.events_of("risk.requested")[0]["order_id"])
    await harness.handle(RiskResult(order_id=order_id, verdict="held", reason="three cards"), trusted=True)
    assert await harness.states() == ["awaiting_payment"]
    assert await open_holds(harness) == [(order_id, "risk", "risk_check")]
    assert [(event["type"], event["version"]) for event in harness.events if event["type"].startswith("order.")] == [
        ("order.held.v1", 2),
        ("order.created.v1", 3),
    ]
    await harness.pay(order_id)
    await harness.handle(book(order_id, "T1"))
    assert [event["code"] for event in harness.events_of("shipment.booking_failed")] == ["ORDER_HELD"]
    await harness.handle(release(order_id), trusted=True)
    await harness.deliver(order_id)
    assert await harness.states() == ["delivered"]


async def test_holds_are_counted_by_reason_and_the_rest_as_others(harness: HandlerHarness) -> None:
    order_id = await placed(harness)
    codes = ["FRAUD", "FRAUD", *(f"CODE_{chr(65 + n)}" for n in range(25))]
    await harness.handle(*(hold(order_id, f"h{n}", code=code) for n, code in enumerate(codes)), trusted=True)
    async with harness.pool.acquire() as tx:
        await order_holds.measure(tx)
    [family] = order_holds.HELD.collect()
    values = {sample.labels["reason_code"]: sample.value for sample in family.samples}
    assert (values["FRAUD"], values["CODE_A"], values["other"], len(values)) == (2, 1, 6, 21)
