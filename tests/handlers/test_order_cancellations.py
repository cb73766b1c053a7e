"""An order is cancelled at a time that its buyer or an operator names, as order.cancel would cancel it then (C-29)."""

from datetime import UTC, datetime
from typing import Any

from messages.timers import TimerDue
from tests.handlers.builders import OPERATOR, cancel, user
from tests.handlers.cancellation_builders import cancel_later, come, keep
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.shop import Shop


async def placed(harness: HandlerHarness) -> int:
    await harness.fill_stock()
    return await harness.place_order(("s1", 2))


async def scheduled(harness: HandlerHarness) -> list[tuple[Any, ...]]:
    return await harness.rows(
        "SELECT s.order_id, s.at = t.due_at FROM scheduled_cancellations s FULL JOIN timers t"
        " ON t.kind = 'cancellation' AND t.key = s.order_id WHERE s.order_id IS NOT NULL OR t.kind = 'cancellation'"
    )


async def test_an_unpaid_order_is_cancelled_at_its_time_for_who_scheduled_it(harness: HandlerHarness) -> None:
    order_id = await placed(harness)
    await harness.handle(cancel_later(order_id), reply_to="client.a")
    await harness.handle(cancel_later(order_id, "l2", hours=3))
    first, second = harness.events_of("order_cancellation.scheduled")
    assert (first["replaced"], second["replaced"]) == (None, first["at"])
    assert [reply["type"] for reply in harness.replies] == ["order_cancellation.scheduled.v1"]
    assert await scheduled(harness) == [(order_id, True)]
    early = TimerDue(kind="cancellation", key=order_id, due_at=datetime.now(UTC))
    await harness.handle(early)
    assert await harness.states() == ["awaiting_payment"]
    assert await harness.rows("SELECT wake_at = due_at FROM timers WHERE kind = 'cancellation'") == [(True,)]

    await come(harness)
    [event] = harness.events_of("order.cancelled")
    assert (event["cancel_type"], event["reason_code"]) == ("user", "CHANGED_MIND")
    assert (event["cause"]["type"], event["cause"]["actor"]) == (
        "order.cancel_scheduled.v1", {"type": "user", "id": "u1"}
    )  # fmt: skip
    assert await scheduled(harness) == []
    assert harness.events_of("order_cancellation.dropped") == []


async def test_an_order_that_was_paid_meanwhile_stays(harness: HandlerHarness) -> None:
    order_id = await placed(harness)
    await harness.handle(cancel_later(order_id, actor=OPERATOR), trusted=True)
    await harness.pay(order_id)
    await come(harness)
    [dropped] = harness.events_of("order_cancellation.dropped")
    assert (dropped["code"], dropped["details"]["why"]) == ("ORDER_NOT_CANCELLABLE", "paid_meanwhile")
    assert (await harness.states(), harness.events_of("refund.requested"), await scheduled(harness)) == (
        ["paid"],
        [],
        [],
    )


async def test_a_paid_order_is_cancelled_and_refunded_if_that_was_scheduled_after_the_payment(
    harness: HandlerHarness,
) -> None:
    order_id = await placed(harness)
    await harness.pay(order_id)
    await harness.handle(cancel_later(order_id))
    await come(harness)
    assert await harness.states() == ["cancelled"]
    assert len(harness.events_of("refund.requested")) == 1


async def test_an_order_that_was_cancelled_before_is_announced_as_order_cancel_would_answer(
    harness: HandlerHarness,
) -> None:
    order_id = await placed(harness)
    await harness.handle(cancel_later(order_id))
    await harness.handle(cancel(order_id))
    await come(harness)
    assert [(e["code"], e["details"]["state"]) for e in harness.events_of("order_cancellation.dropped")] == [
        ("ORDER_NOT_CANCELLABLE", "cancelled")
    ]
    assert len(harness.events_of("order.cancelled")) == 1


async def test_a_buyer_withdraws_an_own_cancellation_and_not_that_of_an_operator(harness: HandlerHarness) -> None:
    order_id = await placed(harness)
    await harness.handle(keep(order_id, "k0"))
    await harness.handle(cancel_later(order_id))
    await harness.handle(keep(order_id))
    [withdrawn] = harness.events_of("order_cancellation.withdrawn")
    assert (withdrawn["order_id"], withdrawn["reason_code"]) == (str(order_id), "CHANGED_MIND")
    assert await scheduled(harness) == []
    await harness.handle(cancel_later(order_id, "l2", actor=OPERATOR), trusted=True)
    await harness.handle(keep(order_id, "k2"), cancel_later(order_id, "l3"))
    await harness.handle(keep(order_id, "k3", actor=user("u2")))
    assert [code for code, _ in harness.rejections()] == [
        "ORDER_NOT_SCHEDULED", "AUTH_FORBIDDEN", "AUTH_FORBIDDEN", "ORDER_NOT_FOUND"
    ]  # fmt: skip
    assert await scheduled(harness) == [(order_id, True)]


async def test_a_time_that_has_passed_or_is_too_far_away_is_refused(harness: HandlerHarness) -> None:
    order_id = await placed(harness)
    shop.configure(Shop(cancel_later_max_seconds=3600))
    await harness.handle(cancel_later(order_id, "l1", hours=-1), cancel_later(order_id, "l2", hours=1.1))
    assert harness.rejections() == [("ORDER_PARAM_INVALID", {"field": "at", "max_seconds": 3600})] * 2
    await harness.handle(cancel(order_id))
    await harness.handle(cancel_later(order_id, "l4", hours=0.5))
    assert [code for code, _ in harness.rejections()][2:] == ["ORDER_NOT_CANCELLABLE"]
    assert await scheduled(harness) == []
