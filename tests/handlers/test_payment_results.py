"""Money: every capture is kept once or goes back once."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from messages.payments import ProgressMark
from messages.refunds import RefundRequest, RefundResult
from messages.shipments import ShipmentUpdate
from tests.handlers.harness import OPERATOR, Floor, book, cancel, captured, create, update, user
from workers import shop
from workers.domain.shop import Policy, Shop
from workers.store import refunds


def result(event: dict[str, Any], status: str = "succeeded", **changes: object) -> RefundResult:
    """What a payment service answers to refund.requested."""
    fields = {key: event[key] for key in ("refund_no", "amount", "currency")}
    return RefundResult.model_validate_json(
        orjson.dumps(fields | {"status": status, "occurred_at": "2026-01-01T00:00:00Z"} | changes)
    )


async def facts(floor: Floor) -> list[tuple[str, str]]:
    rows = await floor.pool.fetch("SELECT trade_no, verdict FROM payment_facts ORDER BY trade_no")
    return [tuple(row) for row in rows]


async def test_the_same_capture_100_times_in_and_across_batches_is_one_capture(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.placed(("s1", 2))
    capture = captured(order_id, 1000)
    await floor.say(*[capture] * 50, trusted=True)
    await floor.say(*[capture] * 50, trusted=True)
    assert await facts(floor) == [("t1", "kept")]
    assert len(floor.heard("order.paid")) == 1
    assert floor.heard("refund.requested") == []
    assert await floor.stock() == (8, 0)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [(999, "CNY"), (1001, "CNY"), (1000, "USD")],
    ids=["too little", "too much", "other currency"],
)
async def test_another_amount_is_refunded_and_never_marks_the_order_paid(
    floor: Floor, amount: int, currency: str
) -> None:
    await floor.open_shop()
    order_id = await floor.placed(("s1", 2))
    await floor.say(captured(order_id, amount, currency=currency), trusted=True)
    assert await floor.states() == ["awaiting_payment"]
    [refund] = floor.heard("refund.requested")
    assert (refund["amount"], refund["currency"], refund["cause"]) == (amount, currency, "amount:alipay:t1")
    assert floor.heard("alert.raised")[0]["code"] == "PAY_AMOUNT_MISMATCH"
    await floor.say(captured(order_id, 1000, "t2"), trusted=True)
    assert await floor.states() == ["paid"]


async def test_a_capture_after_cancellation_is_refunded_once(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.placed(("s1", 2))
    await floor.say(cancel(order_id))
    late = captured(order_id, 1000)
    await floor.say(late, late, trusted=True)
    await floor.say(late, trusted=True)
    assert await floor.states() == ["cancelled"]
    assert [r["cause"] for r in floor.heard("refund.requested")] == ["late:alipay:t1"]
    assert await floor.stock() == (10, 0)


async def test_a_second_capture_of_a_paid_order_is_refunded_as_a_duplicate(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.placed(("s1", 2))
    await floor.say(captured(order_id, 1000, "t1"), captured(order_id, 1000, "t2"), trusted=True)
    assert await facts(floor) == [("t1", "kept"), ("t2", "duplicate")]
    assert [r["trade_no"] for r in floor.heard("refund.requested")] == ["t2"]


async def test_capture_and_cancel_in_either_order_end_without_money_or_with_goods(floor: Floor) -> None:
    await floor.open_shop()
    first, second = await floor.placed(("s1", 1)), await floor.placed(("s1", 1))
    await floor.say(captured(first, 500, "a"), trusted=True)
    await floor.say(cancel(first))
    await floor.say(cancel(second))
    await floor.say(captured(second, 500, "b"), trusted=True)
    assert await floor.states() == ["cancelled", "cancelled"]
    assert sorted(r["cause"].split(":")[0] for r in floor.heard("refund.requested")) == ["cancel", "late"]
    assert await floor.stock() == (10, 0)


async def test_a_failed_attempt_leaves_the_order_open_or_cancels_it_by_policy(floor: Floor) -> None:
    await floor.open_shop()
    open_id = await floor.placed(("s1", 1))
    shop.configure(Shop(policy=Policy(on_payment_failure="cancel", rate_limit_orders=0)))
    strict_id = await floor.placed(("s1", 1))
    shop.configure(Shop(policy=Policy(rate_limit_orders=0)))
    await floor.say(*(captured(i, 500, f"t{i}", kind="failed") for i in (open_id, strict_id)), trusted=True)
    assert await floor.states() == ["awaiting_payment", "cancelled"]
    assert floor.heard("order.cancelled")[0]["cancel_type"] == "payment_failed"
    assert await floor.stock() == (10, 1)


async def test_money_for_a_placing_or_unknown_order_is_tried_again(floor: Floor) -> None:
    await floor.open_shop()
    await floor.handle([floor.wrap(create(("s1", 1)))])
    [order_id] = [row["id"] for row in await floor.pool.fetch("SELECT id FROM orders")]
    batch = await floor.handle([floor.wrap(captured(order_id, 500)), floor.wrap(captured(12345, 500, "t2"))])
    assert sorted(v.reason for v in batch.verdicts.values()) == ["order_placing", "order_unknown"]
    assert all(v.retry for v in batch.verdicts.values())
    assert await facts(floor) == []


async def test_a_trade_number_that_says_something_else_the_second_time_is_dead(floor: Floor) -> None:
    await floor.open_shop()
    first, second = await floor.placed(("s1", 1)), await floor.placed(("s1", 1))
    batch = await floor.handle([floor.wrap(captured(first, 500)), floor.wrap(captured(second, 500))])
    assert [v.reason for v in batch.verdicts.values()] == ["fact_differs"]
    batch = await floor.handle([floor.wrap(captured(first, 501))])
    assert [v.reason for v in batch.verdicts.values()] == ["fact_differs"]
    assert await facts(floor) == [("t1", "kept")]


async def test_a_refund_succeeds_once_and_its_order_counts_it_once(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.paid(("s1", 2))
    await floor.say(cancel(order_id))
    [requested] = floor.heard("refund.requested")
    await floor.say(result(requested), result(requested), trusted=True)
    await floor.say(result(requested), result(requested, "failed"), trusted=True)
    assert len(floor.heard("refund.succeeded")) == 1
    assert await floor.pool.fetchval("SELECT state FROM refunds") == "succeeded"
    row = await floor.pool.fetchrow("SELECT captured_amount, refunded_amount FROM orders")
    assert row is not None
    assert tuple(row) == (1000, 1000)


async def test_a_failed_refund_alerts_and_a_later_success_settles_it(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.paid(("s1", 2))
    await floor.say(cancel(order_id))
    [requested] = floor.heard("refund.requested")
    await floor.say(result(requested, "failed"), trusted=True)
    assert floor.heard("alert.raised")[0]["code"] == "PAY_PROVIDER_ERROR"
    await floor.say(result(requested), trusted=True)
    assert await floor.pool.fetchval("SELECT state FROM refunds") == "succeeded"


async def test_a_refund_result_for_another_amount_is_dead_and_for_an_unknown_number_tried_again(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.paid(("s1", 2))
    await floor.say(cancel(order_id))
    [requested] = floor.heard("refund.requested")
    odd, unknown = result(requested, amount=1), result(requested, refund_no="R404")
    batch = await floor.handle([floor.wrap(odd, trusted=True), floor.wrap(unknown, trusted=True)])
    assert [(v.reason, v.retry) for v in batch.verdicts.values()] == [
        ("refund_amount_differs", False),
        ("refund_unknown", True),
    ]
    assert await floor.pool.fetchval("SELECT state FROM refunds") == "requested"


async def test_operators_refund_up_to_what_is_captured_and_no_further(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.paid(("s1", 2))

    def ask(amount: int, request_id: str, actor=OPERATOR) -> RefundRequest:  # type: ignore[no-untyped-def]
        return RefundRequest(request_id=request_id, actor=actor, order_id=order_id, amount=amount, reason="goodwill")

    await floor.say(ask(600, "a"), ask(401, "b"), ask(400, "c"), trusted=True)
    assert sorted(r["amount"] for r in floor.heard("refund.requested")) == [400, 600]
    assert [r["code"] for r in floor.heard("command.rejected")] == ["PAY_REFUND_EXCEEDS"]
    await floor.say(ask(1, "d"), trusted=True)
    await floor.say(ask(1, "e", user()), trusted=False)
    await floor.say(ask(0, "f", user()), trusted=True)
    assert [r["code"] for r in floor.heard("command.rejected")[1:]] == ["PAY_REFUND_EXCEEDS", *["AUTH_FORBIDDEN"] * 2]
    await floor.say(ask(0, "g"), trusted=True)
    assert floor.heard("command.rejected")[-1]["code"] == "PAY_REFUND_EXCEEDS"


async def test_a_lost_parcel_is_refunded_and_sends_the_stock_nothing(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.shipped([("s1", 2)], [("s2", 1)], lines=[("s1", 2), ("s2", 1)])
    await floor.say(update(order_id, "T1", "lost"))
    [refund] = floor.heard("refund.requested")
    assert refund["amount"] == 1000
    await floor.say(update(order_id, "T2", "delivered"))
    assert await floor.states() == ["delivered"]
    assert await floor.stock("s1") == (8, 0)


async def test_a_refused_parcel_is_restocked_when_it_comes_back_and_the_order_cancelled(floor: Floor) -> None:
    shop.configure(Shop(shipping_fee_minor_units=77, policy=Policy(rate_limit_orders=0)))
    await floor.open_shop()
    await floor.say(create(("s1", 3), expected_pay_amount=1577))
    order_id = int(floor.heard("order.created")[0]["order_id"])
    await floor.say(captured(order_id, 1577), trusted=True)
    await floor.say(book(order_id, "T1", ("s1", 1)), book(order_id, "T2"))
    await floor.say(*(update(order_id, t, s) for t in ("T1", "T2") for s in ("outbound", "refused")))
    assert await floor.states() == ["delivery_failed"]
    assert await floor.stock() == (7, 0)
    await floor.say(update(order_id, "T1", "returned"), update(order_id, "T2", "loss_confirmed"))
    assert await floor.states() == ["cancelled"]
    assert floor.heard("order.cancelled")[0]["cancel_type"] == "delivery_failed"
    assert await floor.stock() == (8, 0)
    assert sorted(r["amount"] for r in floor.heard("refund.requested")) == [500, 1077], (
        "shipping goes with the last unit"
    )


async def test_carrier_facts_in_any_order_and_twice_end_the_same(floor: Floor) -> None:
    await floor.open_shop(qty=50)
    statuses = ["outbound", "picked_up", "in_transit", "out_for_delivery", "delivered"]
    for number, order in enumerate((statuses, statuses[::-1], [*statuses[2:], *statuses[:2]])):
        order_id = await floor.placed(("s1", 1))
        await floor.say(captured(order_id, 500, f"t{number}"), trusted=True)
        await floor.say(book(order_id, f"P{number}"))
        updates: list[ShipmentUpdate] = [update(order_id, f"P{number}", status) for status in order]
        for one in updates:
            await floor.say(one, one)
        await floor.say(*updates)
    assert await floor.states() == ["delivered"] * 3
    assert await floor.pool.fetchval("SELECT count(*) FROM shipment_facts") == 15
    assert await floor.pool.fetchval("SELECT count(*) FROM shipment_facts WHERE stale") == 4 + 2


async def test_facts_before_their_order_is_paid_or_their_parcel_booked_are_tried_again(floor: Floor) -> None:
    await floor.open_shop()
    unpaid = await floor.placed(("s1", 1))
    batch = await floor.handle([floor.wrap(book(unpaid, "T1")), floor.wrap(book(404, "T2"))])
    assert [v.reason for v in batch.verdicts.values()] == ["order_not_paid", "order_unknown"]
    await floor.say(captured(unpaid, 500), trusted=True)
    batch = await floor.handle([floor.wrap(update(unpaid, "T1", "delivered"))])
    assert [v.reason for v in batch.verdicts.values()] == ["parcel_unknown"]


async def test_a_parcel_of_more_than_is_left_is_not_booked(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.paid(("s1", 2))
    await floor.say(book(order_id, "T1", ("s1", 2)), book(order_id, "T2", ("s1", 1)), book(order_id, "T1", ("s1", 2)))
    assert [e["code"] for e in floor.heard("shipment.booking_failed")] == ["LOGISTICS_BOOKING_FAILED"]
    assert len(floor.heard("shipment.booked")) == 1


async def test_a_parcel_fact_that_names_another_order_of_the_same_batch_is_dead(floor: Floor) -> None:
    await floor.open_shop()
    poor, rich = await floor.paid(("s1", 1)), await floor.paid_again(("s2", 2))
    batch = await floor.handle(
        [floor.wrap(one) for one in (book(rich, "T2"), update(poor, "T2", "returned"), book(poor, "T2"))]
    )
    assert [v.reason for v in batch.verdicts.values()] == ["parcel_of_another_order"] * 2
    assert await floor.pool.fetchval("SELECT count(*) FROM refunds") == 0


async def test_a_carrier_event_that_changes_its_story_is_dead(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.shipped([("s1", 1)], lines=[("s1", 1)])
    await floor.say(update(order_id, "T1", "in_transit", "E1"))
    batch = await floor.handle([floor.wrap(update(order_id, "T1", "lost", "E1"))])
    assert [v.reason for v in batch.verdicts.values()] == ["fact_differs"]


async def test_a_parcel_that_arrives_after_it_was_given_up_raises_an_alert(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.shipped([("s1", 1)], lines=[("s1", 1)])
    await floor.say(update(order_id, "T1", "undeliverable"))
    await floor.say(update(order_id, "T1", "delivered"))
    assert [a["code"] for a in floor.heard("alert.raised")] == ["LOGISTICS_EVENT_STALE"]
    assert await floor.states() == ["delivery_failed"]


async def test_an_order_whose_only_parcel_out_is_lost_can_be_cancelled_and_restocks_what_never_left(
    floor: Floor,
) -> None:
    await floor.open_shop()
    order_id = await floor.paid(("s1", 3), ("s2", 1))
    await floor.say(book(order_id, "T1", ("s1", 2)), update(order_id, "T1", "lost"))
    assert await floor.stock("s1") == (7, 0)
    await floor.say(cancel(order_id))
    assert await floor.states() == ["cancelled"]
    assert (await floor.stock("s1"), await floor.stock("s2")) == ((8, 0), (10, 0))
    assert sorted(r["amount"] for r in floor.heard("refund.requested")) == [1000, 1000]


async def test_a_failed_refund_is_asked_for_again_under_the_same_number(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.paid(("s1", 2))
    await floor.say(cancel(order_id))
    [requested] = floor.heard("refund.requested")

    def ask(request_id: str, amount: int = 1000) -> RefundRequest:
        return RefundRequest(
            request_id=request_id,
            actor=OPERATOR,
            order_id=order_id,
            amount=amount,
            reason="again",
            refund_no=requested["refund_no"],
        )

    await floor.say(ask("a"), trusted=True)
    await floor.say(result(requested, "failed"), trusted=True)
    await floor.say(ask("b", 999), ask("c"), ask("d"), trusted=True)
    assert [r["refund_no"] for r in floor.heard("refund.requested")] == [requested["refund_no"]] * 2
    assert [r["code"] for r in floor.heard("command.rejected")] == ["REFUND_NOT_ALLOWED"] * 3
    await floor.say(result(requested), trusted=True)
    assert await floor.pool.fetchval("SELECT refunded_amount FROM orders") == 1000


async def test_what_a_failed_refund_did_not_give_back_can_go_back_by_another_but_not_by_both(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.paid(("s1", 2))

    def ask(request_id: str, amount: int = 1000, refund_no: str | None = None) -> RefundRequest:
        return RefundRequest(
            request_id=request_id,
            actor=OPERATOR,
            order_id=order_id,
            amount=amount,
            reason="a gift",
            refund_no=refund_no,
        )

    await floor.say(ask("a"), trusted=True)
    [failed] = floor.heard("refund.requested")
    await floor.say(result(failed, "failed"), trusted=True)
    await floor.say(ask("b"), trusted=True)
    [_, other] = floor.heard("refund.requested")
    assert other["refund_no"] != failed["refund_no"]
    await floor.say(ask("c", refund_no=failed["refund_no"]), ask("d", 1), trusted=True)
    assert [r["code"] for r in floor.heard("command.rejected")] == ["PAY_REFUND_EXCEEDS"] * 2
    await floor.say(result(other, "failed"), trusted=True)
    await floor.say(ask("e", refund_no=failed["refund_no"]), ask("f"), trusted=True)
    assert [r["refund_no"] for r in floor.heard("refund.requested")[2:]] == [failed["refund_no"]]
    assert [r["code"] for r in floor.heard("command.rejected")[2:]] == ["PAY_REFUND_EXCEEDS"]


async def test_refunds_without_an_end_are_counted_and_the_oldest_has_its_age(floor: Floor) -> None:
    await floor.open_shop()
    for _ in range(2):
        order_id = await floor.placed(("s1", 1))
        await floor.pay(order_id)
        await floor.say(cancel(order_id, f"c{order_id}"))
    await floor.pool.execute(
        "UPDATE refunds SET requested_at = now() - interval '1 h' WHERE id = (SELECT min(id) FROM refunds)"
    )
    async with floor.pool.acquire() as tx:
        running, oldest_seconds = await refunds.backlog(tx)
        assert (running, 3590 < oldest_seconds < 3700) == (2, True)
        await tx.execute("UPDATE refunds SET state = 'submitted'")
        assert (await refunds.backlog(tx))[0] == 2
        await tx.execute("UPDATE refunds SET state = 'succeeded', finished_at = now()")
        assert await refunds.backlog(tx) == (0, 0)


def again(order_id: int, request_id: str, amount: int = 1000, refund_no: str | None = None) -> RefundRequest:
    """Somebody of the shop wants the money to go back, under a number that failed if there is one."""
    return RefundRequest(
        request_id=request_id, actor=OPERATOR, order_id=order_id, amount=amount, reason="again", refund_no=refund_no
    )


async def totals(floor: Floor) -> list[tuple[int, int]]:
    return await floor.rows("SELECT captured_amount, refunded_amount FROM orders ORDER BY id")


async def test_no_failure_is_believed_after_a_success_and_a_repeated_one_alerts_once(floor: Floor) -> None:
    await floor.open_shop()
    await floor.say(cancel(await floor.paid(("s1", 2))))
    [requested] = floor.heard("refund.requested")
    failure, success = result(requested, "failed"), result(requested)
    await floor.say(failure, failure, trusted=True)
    await floor.say(failure, trusted=True)
    assert (len(floor.heard("refund.failed")), len(floor.heard("alert.raised"))) == (1, 1)
    await floor.say(success, trusted=True)
    await floor.say(failure, success, trusted=True)
    assert (len(floor.heard("refund.failed")), len(floor.heard("refund.succeeded"))) == (1, 1)
    assert await totals(floor) == [(1000, 1000)]


async def test_money_in_another_currency_goes_back_and_never_counts_in_the_orders_own(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.placed(("s1", 2))
    await floor.say(captured(order_id, 1000, currency="USD"), trusted=True)
    [requested] = floor.heard("refund.requested")
    batch = await floor.handle([floor.wrap(result(requested, currency="CNY"), trusted=True)])
    assert [verdict.reason for verdict in batch.verdicts.values()] == ["refund_amount_differs"]
    await floor.say(result(requested), trusted=True)
    assert len(floor.heard("refund.succeeded")) == 1
    assert await totals(floor) == [(0, 0)]


async def test_only_the_orders_own_failed_refund_of_that_amount_is_asked_for_again_and_only_once(floor: Floor) -> None:
    await floor.open_shop()
    order_id, other = await floor.paid(("s1", 2)), await floor.paid_again(("s1", 2))
    await floor.say(cancel(order_id))
    [requested] = floor.heard("refund.requested")
    number = requested["refund_no"]
    await floor.say(result(requested, "failed"), trusted=True)
    await floor.say(again(other, "a", refund_no=number), again(order_id, "b", 999, number), trusted=True)
    assert [refused["code"] for refused in floor.heard("command.rejected")] == ["REFUND_NOT_ALLOWED"] * 2
    await floor.say(again(order_id, "c", refund_no=number), trusted=True)
    assert await floor.rows("SELECT state, finished_at FROM refunds") == [("requested", None)]
    await floor.say(again(order_id, "d", refund_no=number), trusted=True)
    assert len(floor.heard("refund.requested")) == 2
    assert floor.asked == [], "the money came by a service of the shop"


async def test_a_second_capture_that_failed_to_go_back_is_asked_for_again_whatever_is_left_of_the_first(
    floor: Floor,
) -> None:
    await floor.open_shop()
    order_id = await floor.paid(("s1", 2))
    await floor.say(captured(order_id, 1000, "t2"), captured(order_id, 1000, "t3"), trusted=True)
    second, _ = floor.heard("refund.requested")
    await floor.say(result(second, "failed"), trusted=True)
    await floor.say(again(order_id, "a"), trusted=True)
    await floor.say(again(order_id, "b", refund_no=second["refund_no"]), trusted=True)
    assert [refund["trade_no"] for refund in floor.heard("refund.requested")] == ["t2", "t3", "t1", "t2"]


async def test_the_last_mark_says_how_far_results_are_settled_and_none_takes_that_back(floor: Floor) -> None:
    early, late = datetime(2026, 1, 21, 2, 0, tzinfo=UTC), datetime(2026, 1, 21, 3, 0, tzinfo=UTC)
    for marks in ((early, late), (early,)):
        await floor.say(*(ProgressMark(at=at) for at in marks))
        assert await floor.rows("SELECT at FROM progress") == [(late,)]
