"""What follows a refund follows the refunds that succeeded or are under way, once, however one replaces another."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from messages.orders import OrderConfirmReceipt
from scripts.commands.audit import findings
from tests.handlers.builders import book, cancel, captured, create, sku, update, user
from tests.handlers.catalogue_builders import grant
from tests.handlers.harness import HandlerHarness
from tests.handlers.points_accounts import account, ledger_adds_up, point_events, spending
from tests.handlers.refund_builders import refund_result, request_refund


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    """Things that cost 500, and a user with 1000 points, of which 100 are worth 100."""
    await harness.fill_stock(qty=100)
    await harness.handle(grant())
    harness.events.clear()
    return harness


async def audit_is_clean(harness: HandlerHarness) -> None:
    async with harness.pool.acquire() as tx:
        found = await findings(tx, drained=False, grace_seconds=60.0)
    assert [(one.invariant, one.first) for one in found if one.violations] == []


async def request(harness: HandlerHarness, order_id: int, amount: int) -> dict[str, Any]:
    """An operator's refund; returns its refund.requested."""
    await harness.handle(request_refund(order_id, f"f{harness.count}", amount), trusted=True)
    return harness.events_of("refund.requested")[-1]


async def complete(harness: HandlerHarness, **changes: Any) -> int:
    """A completed order of ten things for 5000 minor units, which earned 1000 points and 1000 growth."""
    await harness.handle(sku(revision=2, gift_points=100, gift_growth=100))
    order_id = await harness.create_order(create(("s1", 10), **changes))
    await harness.pay(order_id)
    await harness.deliver(order_id)
    await harness.sweep("receipt")
    return order_id


async def test_a_refund_that_replaces_a_failed_one_brings_the_points_back_once(harness: HandlerHarness) -> None:
    order_id = await harness.create_order(spending(1000, qty=4))
    await harness.pay(order_id)
    failed = await request(harness, order_id, 500)
    assert await account(harness) == (500, 0, 0)
    await harness.handle(refund_result(failed, "failed"), trusted=True)
    assert await account(harness) == (0, 0, 0), "the money did not go back, so the points did not either"
    await harness.handle(refund_result(await request(harness, order_id, 500)), trusted=True)
    assert await account(harness) == (500, 0, 0)
    assert [event[:2] for event in point_events(harness)[2:]] == [("return", 500), ("reclaim", 500), ("return", 500)]
    await ledger_adds_up(harness)
    await audit_is_clean(harness)


async def test_two_failed_refunds_and_one_that_succeeds_take_earned_points_once(harness: HandlerHarness) -> None:
    order_id = await complete(harness)
    for _ in range(2):
        failed = await request(harness, order_id, 1500)
        await harness.handle(refund_result(failed, "failed"), trusted=True)
        assert await account(harness) == (2000, 0, 1000)
    await harness.handle(refund_result(await request(harness, order_id, 1500)), trusted=True)
    assert await account(harness) == (1700, 0, 700)
    await ledger_adds_up(harness)
    await audit_is_clean(harness)


@pytest.mark.parametrize("how", ["requested again", "succeeds after all"])
async def test_a_failed_refund_that_lives_again_counts_again(harness: HandlerHarness, how: str) -> None:
    order_id = await complete(harness, use_points=1000, expected_pay_amount=4000)
    failed = await request(harness, order_id, 1000)
    await harness.handle(refund_result(failed, "failed"), trusted=True)
    assert await account(harness) == (1000, 0, 1000)
    again = request_refund(order_id, "again", 1000, failed["refund_no"])
    await harness.handle(again if how == "requested again" else refund_result(failed), trusted=True)
    assert await account(harness) == (1000 + 250 - 250, 0, 750)
    await audit_is_clean(harness)


async def test_a_lost_parcels_failed_refund_and_the_operators_that_replaces_it_count_once(
    harness: HandlerHarness,
) -> None:
    await harness.handle(sku(revision=2, gift_points=100))
    order_id = await harness.create_order(spending(1000, qty=4))
    await harness.pay(order_id)
    await harness.handle(book(order_id, "T1", ("s1", 1)), book(order_id, "T2"))
    await harness.handle(
        update(order_id, "T1", "outbound"), update(order_id, "T2", "delivered"), update(order_id, "T1", "lost")
    )
    [failed] = harness.events_of("refund.requested")
    await harness.handle(refund_result(failed, "failed"), trusted=True)
    assert await account(harness) == (250, 0, 0), "the goods are lost, whatever becomes of the money"
    await harness.handle(refund_result(await request(harness, order_id, failed["amount"])), trusted=True)
    assert await account(harness) == (250, 0, 0)
    await harness.handle(OrderConfirmReceipt(request_id="c1", actor=user(), order_id=order_id))
    assert point_events(harness)[-1][:2] == ("award", 300)
    await audit_is_clean(harness)


async def test_points_of_a_cancelled_order_stay_back_although_its_refund_fails(harness: HandlerHarness) -> None:
    order_id = await harness.create_order(spending(1000, qty=4))
    await harness.pay(order_id)
    await harness.handle(cancel(order_id))
    [requested] = harness.events_of("refund.requested")
    for status in ("failed", "succeeded"):
        await harness.handle(refund_result(requested, status), trusted=True)
        assert await account(harness) == (1000, 0, 0)
    await audit_is_clean(harness)


async def test_the_refund_of_a_second_capture_moves_no_points_when_it_fails(harness: HandlerHarness) -> None:
    order_id = await harness.create_order(spending(1000, qty=4))
    await harness.pay(order_id)
    await harness.handle(captured(order_id, 1000, "t2"), trusted=True)
    [second] = harness.events_of("refund.requested")
    for status in ("failed", "succeeded"):
        await harness.handle(refund_result(second, status), trusted=True)
        assert await account(harness) == (0, 0, 0)
    await audit_is_clean(harness)


async def test_points_of_a_failed_refund_that_are_spent_stay_spent(harness: HandlerHarness) -> None:
    order_id = await harness.create_order(spending(1000, qty=4))
    await harness.pay(order_id)
    failed = await request(harness, order_id, 500)
    await harness.create_order(spending(400, "r2"))
    await harness.handle(refund_result(failed, "failed"), trusted=True)
    assert await account(harness) == (400, 400, 0)
    assert await harness.rows("SELECT points, short FROM points_ledger WHERE op = 'reclaim'") == [(100, 400)]
    await audit_is_clean(harness)
    await harness.handle(refund_result(await request(harness, order_id, 700)), trusted=True)
    assert await account(harness) == (700, 400, 0), "300 of 700 are new: 400 are with the buyer already"
    await ledger_adds_up(harness)
    await audit_is_clean(harness)


@pytest.mark.parametrize("seed", range(3))
async def test_any_history_of_refunds_gives_and_takes_the_exact_share(harness: HandlerHarness, seed: int) -> None:
    """Units are lost and refunds requested, failed, replaced, requested again and reported late, at random."""
    random = Random(seed)
    await harness.handle(sku(revision=2, gift_points=10), sku("s2", price=1, revision=2))
    order_id = await harness.create_order(
        create(("s1", 4), ("s2", 3), use_points=600, expected_pay_amount=2003 - 600, user_id="u1")
    )
    await harness.pay(order_id)
    await harness.handle(book(order_id, "T1", ("s1", 1)), book(order_id, "T2"))
    await harness.handle(
        update(order_id, "T2", "delivered"), update(order_id, "T1", "outbound"), update(order_id, "T1", "lost")
    )
    await harness.sweep("receipt")
    await harness.handle(grant(5000, request_id="enough"))
    [of_parcel] = harness.events_of("refund.requested")
    events, states = {of_parcel["refund_no"]: of_parcel}, {of_parcel["refund_no"]: "running"}
    for step in range(20):
        left = 1403 - sum(events[number]["amount"] for number, state in states.items() if state != "failed")
        number = random.choice(list(states))
        event = events[number]
        if random.random() < 0.35 and left:
            event = await request(harness, order_id, random.randint(1, left))
            events[event["refund_no"]], states[event["refund_no"]] = event, "running"
        elif states[number] == "running":
            states[number] = random.choice(["failed", "failed", "succeeded"])
            await harness.handle(refund_result(event, states[number]), trusted=True)
        elif states[number] == "failed" and event["amount"] <= left:
            states[number] = random.choice(["running", "succeeded"])
            again = request_refund(order_id, f"again{step}", event["amount"], number)
            await harness.handle(again if states[number] == "running" else refund_result(event), trusted=True)
        money = sum(events[number]["amount"] for number, state in states.items() if state != "failed")
        goodwill, back = max(0, money - of_parcel["amount"]), await points_of_a_thing(harness)
        back += (600 - back) * goodwill // (1403 - of_parcel["amount"])
        earned = 30 - 30 * goodwill // (1403 - of_parcel["amount"])
        assert await account(harness) == (6000 - 600 + back + earned, 0, 0), (step, states)
    await ledger_adds_up(harness)
    await audit_is_clean(harness)


async def points_of_a_thing(harness: HandlerHarness) -> int:
    """The minor units that points paid of one of the four things; the order has three cheap things beside them."""
    [(points, qty)] = await harness.rows("SELECT points_amount, qty FROM order_items WHERE sku_id = 's1'")
    return int(points // qty)


async def test_a_refund_that_came_back_after_its_success_is_alerted_and_still_counts(harness: HandlerHarness) -> None:
    """An older failure, after which the refund was requested again, says nothing of it."""
    order_id = await harness.create_order(create(("s1", 10)))
    await harness.pay(order_id)
    requested = await request(harness, order_id, 500)
    await harness.handle(refund_result(requested), trusted=True)
    await harness.handle(refund_result(requested, "failed"), trusted=True)
    assert harness.events_of("alert.raised") == []
    days_later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    await harness.handle(refund_result(requested, "failed", occurred_at=days_later), trusted=True)
    [alert] = harness.events_of("alert.raised")
    assert (alert["title"], alert["level"], alert["order_id"]) == ("refund came back", "HIGH", str(order_id))
    assert harness.events_of("refund.failed") == []
    await audit_is_clean(harness)
