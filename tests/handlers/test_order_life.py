"""The whole life of an order, handler by handler, on a real database (S0-30, S1-01, S1-03, S3-01, S3-45)."""

from datetime import timedelta

import pytest

from messages.base import Actor
from messages.orders import OrderChangeAddress, OrderConfirmReceipt, OrderDelete
from tests.handlers.builders import ADDRESS, OPERATOR, book, cancel, captured, create, sku, update, user
from tests.handlers.folded_events import event_differences
from tests.handlers.harness import HandlerHarness
from workers.handlers import timeouts


async def test_an_order_is_created_reserved_paid_shipped_delivered_and_completed(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=10)
    order_id = await harness.place_order(("s1", 2), ("s2", 1))
    assert await harness.stock("s1") == (10, 2)
    await harness.handle(captured(order_id, 1500), trusted=True)
    assert await harness.stock("s1") == (8, 0)
    await harness.handle(book(order_id, "T1"))
    await harness.handle(update(order_id, "T1", "outbound"))
    await harness.handle(update(order_id, "T1", "delivered"))
    assert await harness.states() == ["delivered"]
    await harness.handle(OrderConfirmReceipt(request_id="c1", actor=user(), order_id=order_id))
    assert await harness.states() == ["completed"]
    story = [e["type"].removesuffix(".v1") for e in harness.events if e["type"].startswith("order.")]
    assert story == ["order.created", "order.paid", "order.shipped", "order.delivered", "order.completed"]
    assert [e["version"] - 1 for e in harness.events if e["type"].startswith("order.")] == [1, 2, 3, 4, 5]
    assert await harness.pool.fetchval("SELECT count(*) FROM timers") == 0


async def test_every_event_of_an_order_names_the_correlation_of_its_order_create(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=10)
    command = harness.envelope(create(("s1", 1)))
    await harness.handle_batch([command])
    await harness.relay()
    order_id = int(harness.events_of("order.created")[0]["order_id"])
    await harness.handle(captured(order_id, 500), trusted=True)
    await harness.deliver(order_id)
    await harness.handle(captured(order_id, 500, "again"), trusted=True)
    events = [event for event in harness.events if event["type"].startswith("order.")]
    assert len(events) == 4
    assert {event["conversation_id"] for event in events} == {command.correlation_id}
    about = harness.numbers_about(order_id)
    assert {"payment.captured.v1", "shipment.updated.v1", "refund.requested.v1"} <= about.keys()
    assert {type_: named for type_, (_, named) in about.items() if named != {command.correlation_id}} == {}
    numbered = sorted(seq for numbers, _ in about.values() for seq in numbers)
    assert numbered == [*range(1, len(numbered) + 1)], about


async def test_delivered_implies_shipped_in_one_transaction(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 1))
    await harness.handle(book(order_id, "T1"), update(order_id, "T1", "delivered"))
    assert await harness.states() == ["delivered"]
    assert [e["version"] - 1 for e in harness.events if e["type"].startswith("order.")] == [1, 2, 3, 4]


async def test_an_order_without_enough_stock_is_rejected_and_holds_nothing(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=3)
    await harness.handle(create(("s1", 2), ("s2", 4)))
    assert await harness.states() == ["rejected"]
    assert (await harness.stock("s1"), await harness.stock("s2")) == ((3, 0), (3, 0))
    [event] = harness.events_of("order.rejected")
    assert event["code"] == "INVENTORY_INSUFFICIENT"
    assert event["details"]["short"] == [{"sku_id": "s2", "warehouse": "main", "want": 4, "have": 3, "elsewhere": 0}]


async def test_a_free_order_announces_created_then_paid(harness: HandlerHarness) -> None:
    await harness.fill_stock(price=0)
    await harness.handle(create(("s1", 1), price=0))
    assert await harness.states() == ["paid"]
    assert [(e["type"], e["seq"]) for e in harness.events] == [("order.created.v1", 1), ("order.paid.v1", 2)]
    assert await harness.stock("s1") == (9, 0)
    assert await harness.pool.fetchval("SELECT count(*) FROM timers") == 0


@pytest.mark.parametrize(("actor", "trusted", "cancel_type"), [(user(), False, "user"), (OPERATOR, True, "operator")])
async def test_an_unpaid_order_is_cancelled_and_its_stock_released(
    harness: HandlerHarness, actor: Actor, trusted: bool, cancel_type: str
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(cancel(order_id, actor=actor), trusted=trusted)
    assert await harness.states() == ["cancelled"]
    assert await harness.stock() == (10, 0)
    assert harness.events_of("order.cancelled")[0]["cancel_type"] == cancel_type
    assert harness.events_of("refund.requested") == []


async def test_a_paid_order_is_cancelled_refunded_whole_and_restocked(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2), ("s2", 1))
    await harness.handle(book(order_id, "T1"))
    await harness.handle(cancel(order_id))
    assert await harness.states() == ["cancelled"]
    assert await harness.stock() == (10, 0)
    [refund] = harness.events_of("refund.requested")
    assert (refund["amount"], refund["cause"]) == (1500, f"cancel:{order_id}")
    assert await harness.pool.fetchval("SELECT state FROM shipments") == "cancelled"


async def test_an_order_with_a_parcel_out_is_not_cancellable(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 1), ("s2", 1))
    await harness.handle(book(order_id, "T1", ("s1", 1)), update(order_id, "T1", "outbound"))
    await harness.handle(cancel(order_id))
    assert await harness.states() == ["paid"]
    assert harness.events_of("command.rejected")[0]["code"] == "ORDER_NOT_CANCELLABLE"


async def test_an_unpaid_order_times_out_once_payment_results_have_caught_up(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await harness.place_order(("s1", 2))
    [wake_up] = harness.delayed
    await harness.handle(wake_up)
    assert await harness.states() == ["awaiting_payment"], "never early"
    await harness.make_timers_due("payment")
    await harness.handle(wake_up)
    assert await harness.states() == ["awaiting_payment"], "payment results have not caught up"
    async with harness.pool.acquire() as tx, tx.transaction():
        await timeouts.mark_progress(tx)
    await harness.relay()
    await harness.handle(wake_up, wake_up)
    assert await harness.states() == ["cancelled"]
    assert harness.events_of("order.cancelled")[0]["cancel_type"] == "timeout"
    assert await harness.stock() == (10, 0)


async def test_an_order_whose_stock_never_answers_is_rejected_and_released(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await harness.handle_batch([harness.envelope(create(("s1", 2)))])
    [reserve] = await harness.pool.fetch("DELETE FROM outbox RETURNING *")
    await harness.make_timers_due("saga")
    async with harness.pool.acquire() as tx, tx.transaction():
        await timeouts.sweep(tx)
    await harness.relay()
    assert await harness.states() == ["rejected"]
    assert harness.events_of("order.rejected")[0]["code"] == "ORDER_SAGA_TIMEOUT"
    await harness.relay_row(reserve)  # the reservation arrives after its release
    await harness.relay()
    assert await harness.stock() == (10, 0)
    assert await harness.states() == ["rejected"]


async def test_a_delivered_order_completes_by_itself_after_the_receipt_window(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_shipped_order([("s1", 1)], lines=[("s1", 1)])
    await harness.handle(update(order_id, "T1", "delivered"))
    await harness.make_timers_due("receipt")
    async with harness.pool.acquire() as tx, tx.transaction():
        await timeouts.sweep(tx)
    await harness.relay()
    assert await harness.states() == ["completed"]


async def test_an_address_is_changed_once_before_anything_leaves(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 1))
    before = await harness.pool.fetchval("SELECT ciphertext FROM order_addresses")
    change = OrderChangeAddress(request_id="a1", actor=user(), order_id=order_id, address=ADDRESS)
    await harness.handle(change)
    assert await harness.pool.fetchval("SELECT ciphertext FROM order_addresses") != before
    [event] = harness.events_of("order.address_changed")
    assert "address" not in event
    await harness.handle(change.model_copy(update={"request_id": "a2"}))
    assert harness.events_of("command.rejected")[0]["code"] == "ORDER_ADDRESS_ALREADY_CHANGED"


async def test_finished_orders_are_deleted_all_or_none_and_keep_their_rows(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    gone, live = await harness.place_order(("s1", 1)), await harness.place_order(("s1", 1))
    await harness.handle(cancel(gone))
    await harness.handle(OrderDelete(request_id="d1", actor=user(), order_ids=(gone, live)))
    assert harness.events_of("command.rejected")[0]["code"] == "ORDER_NOT_DELETABLE"
    await harness.handle(OrderDelete(request_id="d2", actor=user(), order_ids=(gone,)))
    assert [row["deleted"] for row in await harness.pool.fetch("SELECT deleted FROM orders ORDER BY id")] == [
        True,
        False,
    ]
    assert len(harness.events_of("order.deleted")) == 1


async def test_another_users_order_does_not_exist(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    await harness.handle(cancel(order_id, actor=user("thief")))
    assert harness.events_of("command.rejected")[0]["code"] == "ORDER_NOT_FOUND"
    assert await harness.states() == ["awaiting_payment"]


async def test_an_untrusted_operator_is_forbidden(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    await harness.handle(cancel(order_id, actor=OPERATOR), trusted=False)
    assert harness.events_of("command.rejected")[0]["code"] == "AUTH_FORBIDDEN"


async def test_a_lower_revision_of_a_sku_is_a_recorded_no_op(harness: HandlerHarness) -> None:
    await harness.handle(sku(price=700, revision=2), sku(price=300, revision=1), sku("s2"))
    assert await harness.pool.fetchval("SELECT price FROM skus WHERE sku_id = 's1'") == 700
    [event] = harness.events_of("sku.unchanged")
    assert (event["revision"], event["current_revision"]) == (1, 2)


async def test_the_lines_of_an_order_outlive_the_catalogue(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(sku(price=900, revision=5))
    row = await harness.pool.fetchrow("SELECT name, unit_price FROM order_items WHERE order_id = $1", order_id)
    assert row is not None
    assert tuple(row) == ("Product s1", 500)
    assert harness.events_of("order.created")[0]["lines"][0]["unit_price"] == 500


async def test_a_timer_woken_early_is_looked_at_again_when_it_is_due_and_not_before(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await harness.place_order(("s1", 1))
    await harness.handle(*harness.delayed)
    assert await harness.pool.fetchval("SELECT wake_at >= due_at FROM timers WHERE kind = 'payment'")


async def test_a_timer_that_fired_a_thousand_times_fires_again_within_minutes(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await harness.place_order(("s1", 1))
    await harness.pool.execute("UPDATE timers SET wakes = 5000")
    await harness.make_timers_due("payment")
    async with harness.pool.acquire() as tx, tx.transaction():
        await timeouts.sweep(tx)
    assert await harness.pool.fetchval("SELECT wake_at - now() FROM timers") < timedelta(minutes=6)


async def test_events_and_tables_that_differ_are_found(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 1))
    assert await event_differences(harness) == []
    await harness.pool.execute("UPDATE orders SET refunded_amount = 1")
    assert await event_differences(harness) == [f"{order_id}: refunded_amount is 1, by the events 0"]
    await harness.deliver(order_id)
    del harness.events[[event["type"] for event in harness.events].index("order.shipped.v1")]
    assert f"{order_id}: events 3 to 3 are missing" in await event_differences(harness)
