"""order.explain and order.as_of on a real database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messages.base import QueryRejected
from messages.explanations import OrderAsOf, OrderExplain, OrderExplained, OrderShownAsOf
from messages.fulfilments import FulfilmentAccept, FulfilmentPack
from messages.holds import OrderHold
from messages.order_queries import PaymentDescribed, PaymentGet
from tests.handlers.builders import OPERATOR, book, captured, create, receive, sku, update, user
from tests.handlers.cancellation_builders import cancel_later
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold, release
from tests.handlers.querying import ask
from tests.handlers.refund_builders import refund_result, request_refund
from workers import shop
from workers.domain.shop import Policy, Shop
from workers.store import dead_letters
from workers.store.dead_letters import Letter


async def explain(harness: HandlerHarness, order_id: int, **changes: Any) -> OrderExplained:
    fields: dict[str, Any] = {"actor": OPERATOR, "order": str(order_id)} | changes
    [reply] = await ask(harness, OrderExplain(**fields))
    assert isinstance(reply, OrderExplained), reply
    return reply


def waits(reply: OrderExplained) -> list[tuple[str, str, str | None]]:
    return [(one.what, one.whom, one.ref) for one in reply.awaits]


async def test_an_explanation_follows_an_order_through_its_life(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    unpaid = await explain(harness, order_id)
    [payment] = unpaid.awaits
    assert (payment.what, payment.whom, payment.otherwise) == ("payment", "buyer", "cancelled")
    assert payment.since is not None
    assert payment.until is not None
    assert payment.until > payment.since
    assert ("captured", "paid") in [(step.trigger, step.to) for step in unpaid.next]
    assert unpaid.entered is not None
    assert (unpaid.entered.trigger, unpaid.entered.state) == ("reserved", "awaiting_payment")
    await harness.handle(captured(order_id, 1000), trusted=True)
    assert waits(await explain(harness, order_id)) == [("parcel", "warehouse", None)]
    await harness.handle(book(order_id, "T1"))
    assert waits(await explain(harness, order_id)) == [("pick_up", "carrier", "T1")]
    await harness.handle(update(order_id, "T1", "outbound"))
    assert waits(await explain(harness, order_id)) == [("delivery", "carrier", "T1")]
    await harness.handle(update(order_id, "T1", "delivered"))
    [receipt] = (await explain(harness, order_id)).awaits
    assert (receipt.what, receipt.whom, receipt.otherwise) == ("receipt", "buyer", "completed")
    assert receipt.until is not None


async def test_a_held_order_says_so_first(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    hold = OrderHold(request_id="h1", actor=OPERATOR, order_id=order_id, reason_code="FRAUD")
    await harness.handle(hold, trusted=True)
    seen = (await explain(harness, order_id)).awaits
    assert [one.what for one in seen] == ["release", "payment"]
    assert seen[0].ref is not None
    mine = (await explain(harness, order_id, actor=user())).awaits
    assert (mine[0].what, mine[0].ref, mine[0].since) == ("release", None, None)


async def test_a_scheduled_cancellation_is_awaited_until_it_is_withdrawn_or_the_order_is_paid(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(cancel_later(order_id))
    [scheduled] = harness.events_of("order_cancellation.scheduled")
    [_, ahead] = (await explain(harness, order_id, actor=user())).awaits
    assert (ahead.what, ahead.whom, ahead.otherwise) == ("cancellation_withdrawn", "buyer", "cancelled")
    assert ahead.until == datetime.fromisoformat(scheduled["at"])
    await harness.pay(order_id)
    assert waits(await explain(harness, order_id)) == [("parcel", "warehouse", None)]


async def test_a_warehouse_that_a_hold_stopped_waits_for_the_release(harness: HandlerHarness) -> None:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0), fulfilment_warehouses={"main": frozenset()}))
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    about: dict[str, Any] = {"order_id": order_id, "warehouse": "main", "occurred_at": datetime.now(UTC)}
    assert waits(await explain(harness, order_id)) == [("acceptance", "warehouse", None)]
    await harness.handle(hold(order_id), trusted=True)
    withdrawn = (await explain(harness, order_id)).awaits
    assert [(one.what, one.whom, one.name) for one in withdrawn] == [
        ("release", "operator", None),
        ("resumption", "operator", "main"),
    ]
    [(request_back,)] = await harness.rows("SELECT updated_at FROM fulfilments")
    assert withdrawn[1].since == request_back
    await harness.handle(release(order_id), trusted=True)
    await harness.handle(FulfilmentAccept(**about, number=2))
    assert waits(await explain(harness, order_id)) == [("hand_over", "warehouse", None)]
    await harness.handle(hold(order_id, "h2"), trusted=True)
    await harness.handle(FulfilmentPack(**about, number=2))
    stopped = (await explain(harness, order_id)).awaits
    assert [(one.what, one.whom, one.name) for one in stopped] == [
        ("release", "operator", None),
        ("resumption", "operator", "main"),
    ]
    assert stopped[1].since == stopped[0].since, "what the warehouse reported since then began before the hold"
    mine = (await explain(harness, order_id, actor=user())).awaits
    assert [(one.what, one.since) for one in mine] == [("release", None), ("resumption", None)]
    await harness.handle(release(order_id, "f2"), trusted=True)
    assert waits(await explain(harness, order_id)) == [("hand_over", "warehouse", None)]


async def test_a_split_order_waits_for_its_children(harness: HandlerHarness) -> None:
    await harness.handle(sku("tea", seller_id="acme"), sku("cup", seller_id="bolt"), trusted=True)
    await harness.handle(receive("tea", 5), receive("cup", 5))
    order_id = await harness.create_order(create(("tea", 1), ("cup", 1)))
    await harness.pay(order_id)
    found = await explain(harness, order_id)
    assert [(one.order_id, one.what) for one in found.awaits] == [
        (child, "parcel") for child in await harness.children(order_id)
    ]


def letter(message_id: str, body: bytes, correlation_id: str = "another conversation") -> Letter:
    nothing = dict.fromkeys(Letter.__dataclass_fields__)
    known = {"queue": "stock", "message_id": message_id, "body_hash": b"h", "reason": "invalid", "attempts": 1}
    about = {"correlation_id": correlation_id, "body": body, "headers": b"{}"}
    return Letter(**(nothing | known | about))  # type: ignore[arg-type]


async def test_an_operator_sees_what_died_of_an_order_and_a_buyer_does_not(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    [(conversation,)] = await harness.rows("SELECT conversation_id FROM orders WHERE id = $1", order_id)
    letters = [
        letter("names the order", f'{{"order_id": "{order_id}"}}'.encode()),
        letter("of its conversation", b"{}", conversation),
        letter("of another order", b'{"order_id": "12345"}'),
    ]
    async with harness.pool.acquire() as tx:
        await dead_letters.keep(tx, letters)
        rows = await tx.fetch("SELECT id, message_id FROM dead_letters")
    names = {row["id"]: row["message_id"] for row in rows}
    seen = await explain(harness, order_id)
    assert [names[one.dead_letter_id] for one in seen.died] == ["names the order", "of its conversation"]
    assert {(one.queue, one.reason, one.decision) for one in seen.died} == {("stock", "invalid", "open")}
    assert (await explain(harness, order_id, actor=user())).died == ()


async def test_an_order_shows_the_newest_fifty_dead_letters_of_its_conversation_and_all_that_name_it(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    [(conversation,)] = await harness.rows("SELECT conversation_id FROM orders WHERE id = $1", order_id)
    about_it = [letter(f"about {n}", f'{{"order_id": "{order_id}", "n": {n}}}'.encode(), "other") for n in range(3)]
    async with harness.pool.acquire() as tx:
        await dead_letters.keep(tx, about_it)
        for n in range(60):
            await dead_letters.keep(tx, [letter(f"{n}", b"{}", conversation)])
        rows = await tx.fetch("SELECT id, message_id FROM dead_letters")
    names = {row["id"]: row["message_id"] for row in rows}
    shown = [names[one.dead_letter_id] for one in (await explain(harness, order_id)).died]
    assert sorted(shown) == sorted([*(str(n) for n in range(10, 60)), "about 0", "about 1", "about 2"])


async def test_money_in_another_currency_is_no_money_of_the_order(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    await harness.handle(captured(order_id, 500, "usd", currency="USD"), trusted=True)
    [requested] = harness.events_of("refund.requested")
    await harness.handle(refund_result(requested), trusted=True)
    assert await money_shown(harness, order_id) == [(0, 0), (0, 0)]
    await harness.handle(captured(order_id, 500, "cny"), trusted=True)
    assert await money_shown(harness, order_id) == [(500, 0), (500, 0)]
    await harness.handle(request_refund(order_id, "a", 200), trusted=True)
    await harness.handle(refund_result(harness.events_of("refund.requested")[-1]), trusted=True)
    assert await money_shown(harness, order_id) == [(500, 200), (500, 200)]
    [reply] = await ask(harness, PaymentGet(actor=user(), order=str(order_id)))
    assert isinstance(reply, PaymentDescribed)
    assert [(one.amount.minor, one.amount.currency) for one in reply.payments] == [(500, "USD"), (500, "CNY")]
    assert [(one.amount.minor, one.amount.currency) for one in reply.refunds] == [(500, "USD"), (200, "CNY")]


async def money_shown(harness: HandlerHarness, order_id: int) -> list[tuple[int, int]]:
    """(captured, refunded) as payment.get and as order.as_of show them now."""
    names: dict[str, Any] = {"actor": user(), "order": str(order_id)}
    now, then = await ask(harness, PaymentGet(**names), OrderAsOf(**names, at=datetime.now(UTC)))
    assert isinstance(now, PaymentDescribed), now
    assert isinstance(then, OrderShownAsOf), then
    assert {one.currency for reply in (now, then) for one in (reply.captured, reply.refunded)} == {"CNY"}
    return [(reply.captured.minor, reply.refunded.minor) for reply in (now, then)]


async def test_an_order_is_shown_as_it_was(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    before = datetime.now(UTC)
    await harness.handle(captured(order_id, 500), trusted=True)
    await harness.handle(book(order_id, "T1"))
    paid = datetime.now(UTC)
    await harness.handle(update(order_id, "T1", "outbound"))
    names: dict[str, Any] = {"actor": user(), "order": str(order_id)}
    unpaid, booked, now = await ask(harness, *(OrderAsOf(**names, at=at) for at in (before, paid, datetime.now(UTC))))
    assert isinstance(unpaid, OrderShownAsOf)
    assert (unpaid.state, unpaid.version, unpaid.captured.minor, unpaid.parcels) == ("awaiting_payment", 2, 0, ())
    assert isinstance(booked, OrderShownAsOf)
    assert (booked.state, booked.captured.minor, [one.state for one in booked.parcels]) == ("paid", 500, ["booked"])
    assert isinstance(now, OrderShownAsOf)
    assert (now.state, [one.state for one in now.parcels]) == ("shipped", ["outbound"])


@pytest.mark.parametrize("model", [OrderExplain, OrderAsOf])
async def test_another_users_order_and_a_time_before_it_are_not_found(
    harness: HandlerHarness, model: type[OrderExplain] | type[OrderAsOf]
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    long_ago: dict[str, Any] = {"at": datetime.now(UTC) - timedelta(days=1)} if model is OrderAsOf else {}
    stranger, unknown = await ask(
        harness,
        model(actor=user("u2"), order=str(order_id), **long_ago),
        model(actor=user("u2"), order="123", **long_ago),
    )
    assert stranger == unknown
    assert isinstance(stranger, QueryRejected)
    if long_ago:
        [early] = await ask(harness, OrderAsOf(actor=user(), order=str(order_id), **long_ago))
        assert isinstance(early, QueryRejected)
        assert (early.code, early.path) == ("ORDER_NOT_FOUND", "$.at")
