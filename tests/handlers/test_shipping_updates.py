"""Parcels: carriers report in any order and twice, and goods that come back are restocked or refunded."""

from dataclasses import replace

from messages.shipments import ShipmentUpdate
from tests.handlers.builders import book, cancel, captured, create, update
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.shop import Policy, Shop


async def test_a_lost_parcel_is_refunded_and_sends_the_stock_nothing(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_shipped_order([("s1", 2)], [("s2", 1)], lines=[("s1", 2), ("s2", 1)])
    await harness.handle(update(order_id, "T1", "lost"))
    [refund] = harness.events_of("refund.requested")
    assert refund["amount"] == 1000
    await harness.handle(update(order_id, "T2", "delivered"))
    assert await harness.states() == ["delivered"]
    assert await harness.stock("s1") == (8, 0)


async def test_a_refused_parcel_is_restocked_when_it_comes_back_and_the_order_cancelled(
    harness: HandlerHarness,
) -> None:
    shop.configure(Shop(shipping_fee_minor_units={"CNY": 77}, policy=Policy(rate_limit_orders=0)))
    await harness.fill_stock()
    await harness.handle(create(("s1", 3), expected_pay_amount=1577))
    order_id = int(harness.events_of("order.created")[0]["order_id"])
    await harness.handle(captured(order_id, 1577), trusted=True)
    await harness.handle(book(order_id, "T1", ("s1", 1)), book(order_id, "T2"))
    await harness.handle(*(update(order_id, t, s) for t in ("T1", "T2") for s in ("outbound", "refused")))
    assert await harness.states() == ["delivery_failed"]
    assert await harness.stock() == (7, 0)
    await harness.handle(update(order_id, "T1", "returned"), update(order_id, "T2", "loss_confirmed"))
    assert await harness.states() == ["cancelled"]
    assert harness.events_of("order.cancelled")[0]["cancel_type"] == "delivery_failed"
    assert await harness.stock() == (8, 0)
    assert sorted(r["amount"] for r in harness.events_of("refund.requested")) == [500, 1077], (
        "shipping goes with the last unit"
    )


async def test_carrier_facts_in_any_order_and_twice_end_the_same(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=50)
    statuses = ["outbound", "picked_up", "in_transit", "out_for_delivery", "delivered"]
    for number, order in enumerate((statuses, statuses[::-1], [*statuses[2:], *statuses[:2]])):
        order_id = await harness.place_order(("s1", 1))
        await harness.handle(captured(order_id, 500, f"t{number}"), trusted=True)
        await harness.handle(book(order_id, f"P{number}"))
        updates: list[ShipmentUpdate] = [update(order_id, f"P{number}", status) for status in order]
        for one in updates:
            await harness.handle(one, one)
        await harness.handle(*updates)
    assert await harness.states() == ["delivered"] * 3
    assert await harness.pool.fetchval("SELECT count(*) FROM shipment_facts") == 15
    assert await harness.pool.fetchval("SELECT count(*) FROM shipment_facts WHERE stale") == 4 + 2


async def test_facts_before_their_order_is_paid_or_their_parcel_booked_are_tried_again(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    unpaid = await harness.place_order(("s1", 1))
    batch = await harness.handle_batch([harness.envelope(book(unpaid, "T1")), harness.envelope(book(404, "T2"))])
    assert [v.reason for v in batch.verdicts.values()] == ["order_not_paid", "order_unknown"]
    await harness.handle(captured(unpaid, 500), trusted=True)
    batch = await harness.handle_batch([harness.envelope(update(unpaid, "T1", "delivered"))])
    assert [v.reason for v in batch.verdicts.values()] == ["parcel_unknown"]


async def test_a_parcel_of_more_than_is_left_is_not_booked(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.handle(
        book(order_id, "T1", ("s1", 2)), book(order_id, "T2", ("s1", 1)), book(order_id, "T1", ("s1", 2))
    )
    assert [e["code"] for e in harness.events_of("shipment.booking_failed")] == ["LOGISTICS_BOOKING_FAILED"]
    assert len(harness.events_of("shipment.booked")) == 1


async def test_a_parcel_message_that_names_another_users_order_of_the_same_batch_is_dead_lettered(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    rich, poor = await harness.place_paid_order(("s2", 2)), await harness.place_order(("s1", 1), user_id="u2")
    await harness.pay(poor)
    batch = await harness.handle_batch(
        [harness.envelope(one) for one in (book(rich, "T2"), update(poor, "T2", "returned"), book(poor, "T2"))]
    )
    assert [v.reason for v in batch.verdicts.values()] == ["parcel_of_another_order"] * 2
    assert await harness.pool.fetchval("SELECT count(*) FROM refunds") == 0


async def test_a_repeated_carrier_event_with_another_status_is_dead_lettered(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_shipped_order([("s1", 1)], lines=[("s1", 1)])
    await harness.handle(update(order_id, "T1", "in_transit", "E1"))
    batch = await harness.handle_batch([harness.envelope(update(order_id, "T1", "lost", "E1"))])
    assert [v.reason for v in batch.verdicts.values()] == ["fact_differs"]


async def test_a_carriers_user_reports_nothing_about_parcels_of_another_carrier(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_shipped_order([("s1", 1)], lines=[("s1", 1)])
    lost = update(order_id, "T1", "lost")
    item = replace(harness.envelope(lost), carriers=frozenset({"another"}))
    assert [v.reason for v in (await harness.handle_batch([item])).verdicts.values()] == ["untrusted_user"]
    assert harness.events_of("refund.requested") == []
    item = replace(harness.envelope(lost), carriers=frozenset({lost.carrier, "another"}))
    assert not (await harness.handle_batch([item])).verdicts
    assert await harness.pool.fetchval("SELECT count(*) FROM refunds") == 1


async def test_a_parcel_that_arrives_after_it_was_given_up_raises_an_alert(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_shipped_order([("s1", 1)], lines=[("s1", 1)])
    await harness.handle(update(order_id, "T1", "undeliverable"))
    await harness.handle(update(order_id, "T1", "delivered"))
    assert [a["code"] for a in harness.events_of("alert.raised")] == ["LOGISTICS_EVENT_STALE"]
    assert await harness.states() == ["delivered"]
    assert len(harness.events_of("refund.requested")) == 1


async def test_an_order_whose_only_parcel_out_is_lost_can_be_cancelled_and_restocks_what_never_left(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 3), ("s2", 1))
    await harness.handle(book(order_id, "T1", ("s1", 2)), update(order_id, "T1", "lost"))
    assert await harness.stock("s1") == (7, 0)
    await harness.handle(cancel(order_id))
    assert await harness.states() == ["cancelled"]
    assert (await harness.stock("s1"), await harness.stock("s2")) == ((8, 0), (10, 0))
    assert sorted(r["amount"] for r in harness.events_of("refund.requested")) == [1000, 1000]
