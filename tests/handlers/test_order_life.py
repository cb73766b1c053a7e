"""The whole life of an order, handler by handler, on a real database."""

from datetime import timedelta

import pytest

from messages.orders import OrderChangeAddress, OrderConfirmReceipt, OrderDelete
from tests.handlers.harness import ADDRESS, OPERATOR, Floor, book, cancel, captured, create, sku, update, user
from workers.handlers import timeouts


async def test_an_order_is_created_reserved_paid_shipped_delivered_and_completed(floor: Floor) -> None:
    await floor.open_shop(qty=10)
    order_id = await floor.placed(("s1", 2), ("s2", 1))
    assert await floor.stock("s1") == (10, 2)
    await floor.say(captured(order_id, 1500), trusted=True)
    assert await floor.stock("s1") == (8, 0)
    await floor.say(book(order_id, "T1"))
    await floor.say(update(order_id, "T1", "outbound"))
    await floor.say(update(order_id, "T1", "delivered"))
    assert await floor.states() == ["delivered"]
    await floor.say(OrderConfirmReceipt(request_id="c1", actor=user(), order_id=order_id))
    assert await floor.states() == ["completed"]
    story = [e["type"].removesuffix(".v1") for e in floor.events if e["type"].startswith("order.")]
    assert story == ["order.created", "order.paid", "order.shipped", "order.delivered", "order.completed"]
    assert [e["seq"] for e in floor.events if e["type"].startswith("order.")] == [1, 2, 3, 4, 5]
    assert await floor.pool.fetchval("SELECT count(*) FROM timers") == 0


async def test_every_event_of_an_order_names_the_correlation_of_its_order_create(floor: Floor) -> None:
    await floor.open_shop(qty=10)
    command = floor.wrap(create(("s1", 1)))
    await floor.handle([command])
    await floor.pump()
    order_id = int(floor.heard("order.created")[0]["order_id"])
    await floor.say(captured(order_id, 500), trusted=True)
    await floor.deliver(order_id)
    events = [event for event in floor.events if event["type"].startswith("order.")]
    assert len(events) == 4
    assert {event["conversation_id"] for event in events} == {command.correlation_id}


async def test_delivered_implies_shipped_in_one_transaction(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.paid(("s1", 1))
    await floor.say(book(order_id, "T1"), update(order_id, "T1", "delivered"))
    assert await floor.states() == ["delivered"]
    assert [e["seq"] for e in floor.events if e["type"].startswith("order.")] == [1, 2, 3, 4]


async def test_an_order_without_enough_stock_is_rejected_and_holds_nothing(floor: Floor) -> None:
    await floor.open_shop(qty=3)
    await floor.say(create(("s1", 2), ("s2", 4)))
    assert await floor.states() == ["rejected"]
    assert (await floor.stock("s1"), await floor.stock("s2")) == ((3, 0), (3, 0))
    [event] = floor.heard("order.rejected")
    assert event["code"] == "INVENTORY_INSUFFICIENT"
    assert event["details"]["short"] == [{"sku_id": "s2", "warehouse": "main", "want": 4, "have": 3}]


async def test_a_free_order_announces_created_then_paid(floor: Floor) -> None:
    await floor.open_shop(price=0)
    await floor.say(create(("s1", 1), price=0))
    assert await floor.states() == ["paid"]
    assert [(e["type"], e["seq"]) for e in floor.events] == [("order.created.v1", 1), ("order.paid.v1", 2)]
    assert await floor.stock("s1") == (9, 0)
    assert await floor.pool.fetchval("SELECT count(*) FROM timers") == 0


@pytest.mark.parametrize(("actor", "trusted", "cancel_type"), [(user(), False, "user"), (OPERATOR, True, "operator")])
async def test_an_unpaid_order_is_cancelled_and_its_stock_released(floor: Floor, actor, trusted, cancel_type) -> None:  # type: ignore[no-untyped-def]
    await floor.open_shop()
    order_id = await floor.placed(("s1", 2))
    await floor.say(cancel(order_id, actor=actor), trusted=trusted)
    assert await floor.states() == ["cancelled"]
    assert await floor.stock() == (10, 0)
    assert floor.heard("order.cancelled")[0]["cancel_type"] == cancel_type
    assert floor.heard("refund.requested") == []


async def test_a_paid_order_is_cancelled_refunded_whole_and_restocked(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.paid(("s1", 2), ("s2", 1))
    await floor.say(book(order_id, "T1"))
    await floor.say(cancel(order_id))
    assert await floor.states() == ["cancelled"]
    assert await floor.stock() == (10, 0)
    [refund] = floor.heard("refund.requested")
    assert (refund["amount"], refund["cause"]) == (1500, f"cancel:{order_id}")
    assert await floor.pool.fetchval("SELECT state FROM shipments") == "cancelled"


async def test_an_order_with_a_parcel_out_is_not_cancellable(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.paid(("s1", 1), ("s2", 1))
    await floor.say(book(order_id, "T1", ("s1", 1)), update(order_id, "T1", "outbound"))
    await floor.say(cancel(order_id))
    assert await floor.states() == ["paid"]
    assert floor.heard("command.rejected")[0]["code"] == "ORDER_NOT_CANCELLABLE"


async def test_an_unpaid_order_times_out_once_payment_results_have_caught_up(floor: Floor) -> None:
    await floor.open_shop()
    await floor.placed(("s1", 2))
    [wake_up] = floor.delayed
    await floor.say(wake_up)
    assert await floor.states() == ["awaiting_payment"], "never early"
    await floor.let_due("payment")
    await floor.say(wake_up)
    assert await floor.states() == ["awaiting_payment"], "payment results have not caught up"
    async with floor.pool.acquire() as tx, tx.transaction():
        await timeouts.mark_progress(tx)
    await floor.pump()
    await floor.say(wake_up, wake_up)
    assert await floor.states() == ["cancelled"]
    assert floor.heard("order.cancelled")[0]["cancel_type"] == "timeout"
    assert await floor.stock() == (10, 0)


async def test_an_order_whose_stock_never_answers_is_rejected_and_released(floor: Floor) -> None:
    await floor.open_shop()
    await floor.handle([floor.wrap(create(("s1", 2)))])
    [reserve] = await floor.pool.fetch("DELETE FROM outbox RETURNING *")
    await floor.let_due("saga")
    async with floor.pool.acquire() as tx, tx.transaction():
        await timeouts.sweep(tx)
    await floor.pump()
    assert await floor.states() == ["rejected"]
    assert floor.heard("order.rejected")[0]["code"] == "ORDER_SAGA_TIMEOUT"
    await floor.carry(reserve)  # the reservation arrives after its release
    await floor.pump()
    assert await floor.stock() == (10, 0)
    assert await floor.states() == ["rejected"]


async def test_a_delivered_order_completes_by_itself_after_the_receipt_window(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.shipped([("s1", 1)], lines=[("s1", 1)])
    await floor.say(update(order_id, "T1", "delivered"))
    await floor.let_due("receipt")
    async with floor.pool.acquire() as tx, tx.transaction():
        await timeouts.sweep(tx)
    await floor.pump()
    assert await floor.states() == ["completed"]


async def test_an_address_is_changed_once_before_anything_leaves(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.paid(("s1", 1))
    before = await floor.pool.fetchval("SELECT ciphertext FROM order_addresses")
    change = OrderChangeAddress(request_id="a1", actor=user(), order_id=order_id, address=ADDRESS)
    await floor.say(change)
    assert await floor.pool.fetchval("SELECT ciphertext FROM order_addresses") != before
    [event] = floor.heard("order.address_changed")
    assert "address" not in event
    await floor.say(change.model_copy(update={"request_id": "a2"}))
    assert floor.heard("command.rejected")[0]["code"] == "ORDER_ADDRESS_ALREADY_CHANGED"


async def test_finished_orders_are_deleted_all_or_none_and_keep_their_rows(floor: Floor) -> None:
    await floor.open_shop()
    gone, live = await floor.placed(("s1", 1)), await floor.placed(("s1", 1))
    await floor.say(cancel(gone))
    await floor.say(OrderDelete(request_id="d1", actor=user(), order_ids=(gone, live)))
    assert floor.heard("command.rejected")[0]["code"] == "ORDER_NOT_DELETABLE"
    await floor.say(OrderDelete(request_id="d2", actor=user(), order_ids=(gone,)))
    assert [row["deleted"] for row in await floor.pool.fetch("SELECT deleted FROM orders ORDER BY id")] == [True, False]
    assert len(floor.heard("order.deleted")) == 1


async def test_another_users_order_does_not_exist(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.placed(("s1", 1))
    await floor.say(cancel(order_id, actor=user("thief")))
    assert floor.heard("command.rejected")[0]["code"] == "ORDER_NOT_FOUND"
    assert await floor.states() == ["awaiting_payment"]


async def test_an_untrusted_operator_is_forbidden(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.placed(("s1", 1))
    await floor.say(cancel(order_id, actor=OPERATOR), trusted=False)
    assert floor.heard("command.rejected")[0]["code"] == "AUTH_FORBIDDEN"


async def test_a_lower_revision_of_a_sku_is_a_recorded_no_op(floor: Floor) -> None:
    await floor.say(sku(price=700, revision=2), sku(price=300, revision=1), sku("s2"))
    assert await floor.pool.fetchval("SELECT price FROM skus WHERE sku_id = 's1'") == 700
    [event] = floor.heard("sku.unchanged")
    assert (event["revision"], event["current_revision"]) == (1, 2)


async def test_what_an_order_says_of_its_lines_outlives_the_catalogue(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.placed(("s1", 2))
    await floor.say(sku(price=900, revision=5))
    row = await floor.pool.fetchrow("SELECT name, unit_price FROM order_items WHERE order_id = $1", order_id)
    assert row is not None
    assert tuple(row) == ("Product s1", 500)
    assert floor.heard("order.created")[0]["lines"][0]["unit_price"] == 500


async def test_a_timer_woken_early_is_looked_at_again_when_it_is_due_and_not_before(floor: Floor) -> None:
    await floor.open_shop()
    await floor.placed(("s1", 1))
    await floor.say(*floor.delayed)
    assert await floor.pool.fetchval("SELECT wake_at >= due_at FROM timers WHERE kind = 'payment'")


async def test_a_timer_that_was_woken_a_thousand_times_holds_up_nobody(floor: Floor) -> None:
    await floor.open_shop()
    await floor.placed(("s1", 1))
    await floor.pool.execute("UPDATE timers SET wakes = 5000")
    await floor.let_due("payment")
    async with floor.pool.acquire() as tx, tx.transaction():
        await timeouts.sweep(tx)
    assert await floor.pool.fetchval("SELECT wake_at - now() FROM timers") < timedelta(minutes=6)
