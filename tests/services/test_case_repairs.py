"""Cases and disputes that lost a message or a timer for good: a repair finds it, and the case goes on."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, cast

import pytest

from db.pool import Pool
from tests.handlers.builders import book, sku, update
from tests.handlers.case_builders import apply, arrive, end_refund, inspect, last, open_case, review, revoke, ship_back
from tests.handlers.exchange_builders import approved, exchange_order
from tests.handlers.refund_builders import dispute, request_refund
from tests.services.lossy_harness import LossyHarness, open_lossy

REFUND, EXCHANGE = "after_sale.refund_moved.v1", "after_sale.exchange_moved.v1"
DECIDED, PARCEL = "after_sale.exchange_decided.v1", "after_sale.parcel_moved.v1"
SAME = (1, 1, "s1")
FOLLOWS = "a case is where its refunds are"
EXCHANGED = "an exchange case is where its exchange order is"


@pytest.fixture
async def harness(pool: Pool) -> LossyHarness:
    return await open_lossy(pool)


async def delivered(harness: LossyHarness) -> int:
    """A delivered order of two units."""
    order_id = await harness.place_another_paid_order(("s1", 2))
    await harness.deliver(order_id)
    return order_id


async def number_of(harness: LossyHarness, order_id: int) -> str:
    """The tracking number of the only parcel of an order."""
    rows = await harness.rows(
        "SELECT s.tracking_no FROM shipments s JOIN shipment_items i ON i.shipment_id = s.id WHERE i.order_id = $1",
        order_id,
    )
    [(number,)] = rows
    return cast(str, number)


async def refunding(harness: LossyHarness) -> None:
    """A case whose goods stay with the buyer is approved."""
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, (1, 1)))
    await harness.handle(review(case), trusted=True)


async def succeeds(harness: LossyHarness) -> None:
    await refunding(harness)
    await lose(harness, REFUND)
    await end_refund(harness)


async def fails(harness: LossyHarness) -> None:
    await refunding(harness)
    await lose(harness, REFUND)
    await end_refund(harness, "failed")


async def is_requested_again(harness: LossyHarness) -> None:
    await refunding(harness)
    await end_refund(harness, "failed")
    await lose(harness, REFUND)
    refund = harness.events_of("refund.failed")[-1]
    await harness.handle(
        request_refund(refund["order_id"], "again", refund["amount"], refund["refund_no"]), trusted=True
    )


async def lose(harness: LossyHarness, *types: str) -> None:
    harness.loses = frozenset(types)


async def is_reserved(harness: LossyHarness) -> None:
    order_id = await delivered(harness)
    await lose(harness, EXCHANGE)
    await approved(harness, order_id, SAME)


async def is_not_reserved(harness: LossyHarness) -> None:
    order_id = await delivered(harness)
    await harness.handle(sku("none", price=500))
    await lose(harness, EXCHANGE)
    await approved(harness, order_id, (1, 1, "none"))


async def goods_come_back(harness: LossyHarness, *lost: str) -> None:
    """An exchange is approved, and these messages are lost once its goods are inspected."""
    case = await approved(harness, await delivered(harness), SAME)
    await harness.handle(ship_back(case), arrive(case))
    await lose(harness, *lost)
    await harness.handle(inspect(case, (1, 1, "restock")))


async def is_paid(harness: LossyHarness) -> None:
    await goods_come_back(harness, EXCHANGE)


async def is_paid_and_delivered(harness: LossyHarness) -> None:
    await goods_come_back(harness, EXCHANGE)
    await harness.deliver((await exchange_order(harness))[0])


async def is_delivered(harness: LossyHarness) -> None:
    await goods_come_back(harness)
    await lose(harness, EXCHANGE)
    await harness.deliver((await exchange_order(harness))[0])


async def is_cancelled(harness: LossyHarness) -> None:
    await goods_come_back(harness)
    await lose(harness, EXCHANGE)
    order_id, *_ = await exchange_order(harness)
    await harness.handle(book(order_id, "X1"), *(update(order_id, "X1", status) for status in ("outbound", "lost")))
    await harness.handle(update(order_id, "X1", "loss_confirmed"))


async def is_to_go(harness: LossyHarness) -> None:
    await goods_come_back(harness, DECIDED)


async def is_not_to_go(harness: LossyHarness) -> None:
    case = await approved(harness, await delivered(harness), SAME)
    await lose(harness, DECIDED)
    await harness.handle(revoke(case))


async def arrives_for_its_case(harness: LossyHarness) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, (1, 1), type="return_refund"))
    await harness.handle(review(case), ship_back(case), trusted=True)
    await lose(harness, PARCEL)
    await harness.handle(update(order_id, "B1", "outbound"), update(order_id, "B1", "delivered"))


async def comes_back(harness: LossyHarness) -> None:
    """A parcel comes back after it was delivered, and nobody has opened a case."""
    order_id = await delivered(harness)
    number = await number_of(harness, order_id)
    await lose(harness, PARCEL)
    await harness.handle(*(update(order_id, number, status) for status in ("refused", "returning", "returned")))


async def is_on_its_way_to_an_open_case(harness: LossyHarness) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, (1, 1), type="return_refund"))
    await harness.handle(review(case), trusted=True)
    number = await number_of(harness, order_id)
    await lose(harness, PARCEL)
    await harness.handle(*(update(order_id, number, status) for status in ("refused", "returning")))


async def fails_under_a_case(harness: LossyHarness) -> None:
    order_id = await harness.place_shipped_order([("s1", 2)], lines=[("s1", 2)])
    await open_case(harness, apply(order_id, (1, 2)))
    await lose(harness, PARCEL)
    await harness.handle(update(order_id, "T1", "lost"), update(order_id, "T1", "loss_confirmed"))


class Loss(NamedTuple):
    """What happens, what is owed then, what the audit of a drained system says, and where the case is afterwards."""

    happens: Callable[[LossyHarness], Awaitable[None]]
    owed: str
    violates: tuple[str, ...]
    ends: str


LOSSES: dict[str, Loss] = {
    "a refund succeeded": Loss(succeeds, "after_sale.refund_moved ID succeeded", (FOLLOWS,), "completed"),
    "a refund failed": Loss(fails, "after_sale.refund_moved ID failed", (FOLLOWS,), "refund_failed"),
    "a refund is requested again": Loss(
        is_requested_again, "after_sale.refund_moved ID requested", (FOLLOWS,), "refunding"
    ),
    "goods are reserved": Loss(is_reserved, "after_sale.exchange_moved ID reserved", (EXCHANGED,), "awaiting_return"),
    "goods are not there": Loss(is_not_reserved, "after_sale.exchange_moved ID rejected", (EXCHANGED,), "rejected"),
    "other goods are paid": Loss(is_paid, "after_sale.exchange_moved ID paid", (EXCHANGED,), "reshipping"),
    "other goods are paid and delivered": Loss(
        is_paid_and_delivered, "after_sale.exchange_moved ID delivered", (EXCHANGED,), "completed"
    ),
    "other goods are delivered": Loss(
        is_delivered, "after_sale.exchange_moved ID delivered", (EXCHANGED,), "completed"
    ),
    "other goods are lost": Loss(is_cancelled, "after_sale.exchange_moved ID cancelled", (EXCHANGED,), "refunding"),
    "other goods are to go": Loss(is_to_go, "after_sale.exchange_decided ID send", (EXCHANGED,), "reshipping"),
    "other goods are not to go": Loss(is_not_to_go, "after_sale.exchange_decided ID end", (EXCHANGED,), "revoked"),
    "goods arrived": Loss(arrives_for_its_case, "after_sale.parcel_moved ID arrived", (), "received"),
    "a parcel came back": Loss(comes_back, "after_sale.parcel_moved ID arrived", (), "requested"),
    "a parcel comes back": Loss(
        is_on_its_way_to_an_open_case, "after_sale.parcel_moved ID on_its_way", (), "return_in_transit"
    ),
    "a parcel failed": Loss(fails_under_a_case, "after_sale.parcel_moved ID failed", (), "rejected"),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
async def test_a_case_goes_on_after_a_message_was_lost(harness: LossyHarness, loss: Loss) -> None:
    await loss.happens(harness)
    assert harness.lost
    assert [re.sub(r" [R\d]\S+", " ID", what) for what in await harness.plan()] == [loss.owed]
    assert set(loss.violates) <= set(await harness.drained_violations())
    ids = await harness.order_ids()
    await harness.repair(*ids)
    assert last(harness)["state"] == loss.ends
    assert await harness.violations() == []
    assert await harness.plan() == []
    [(what, message_id)] = await harness.rows("SELECT owed, message_id IS NOT NULL FROM repairs")
    assert (re.sub(r" [R\d]\S+", " ID", what), message_id) == (loss.owed, True)

    before = await harness.rows("SELECT id, state, version FROM after_sales")
    for row in harness.lost:  # they arrive after all
        await harness.relay_row(row)
    await harness.relay()
    assert await harness.rows("SELECT id, state, version FROM after_sales") == before


async def test_the_refund_of_a_part_that_was_captured_after_all_is_followed(harness: LossyHarness) -> None:
    await refunding(harness)
    await end_refund(harness)
    await harness.pool.execute("UPDATE refunds SET state = 'requested'")
    [what] = await harness.plan()
    assert re.fullmatch(r"after_sale.refund_moved R\d+ captured", what)
    assert FOLLOWS in await harness.drained_violations()
    await harness.repair(*await harness.order_ids())
    assert last(harness)["state"] == "refunding"
    assert await harness.plan() == []


async def waits_for_its_review(harness: LossyHarness) -> None:
    await open_case(harness, apply(await delivered(harness), (1, 1)))


async def waits_for_its_goods(harness: LossyHarness) -> None:
    case = await open_case(harness, apply(await delivered(harness), (1, 1), type="return_refund"))
    await harness.handle(review(case), trusted=True)


async def waits_for_its_inspection(harness: LossyHarness) -> None:
    await waits_for_its_goods(harness)
    await harness.handle(arrive(last(harness)))


async def is_disputed(harness: LossyHarness) -> None:
    await harness.place_paid_order()
    await harness.handle(dispute(due_at=datetime.now(UTC) + timedelta(days=9)))


@pytest.mark.parametrize("happens", [waits_for_its_review, waits_for_its_goods, waits_for_its_inspection, is_disputed])
async def test_a_timer_that_was_lost_starts_again_with_the_time_it_had(
    harness: LossyHarness, happens: Callable[[LossyHarness], Awaitable[None]]
) -> None:
    await happens(harness)
    kinds = ["after_sale", "dispute"]
    before = await harness.rows("DELETE FROM timers WHERE kind = ANY($1) RETURNING kind, key, due_at", kinds)
    assert await harness.violations() == ["INV-14"]
    assert await harness.plan() == [f"timer {kind} {key}" for kind, key, _ in before]
    await harness.repair(*await harness.order_ids())
    assert await harness.rows("SELECT kind, key, due_at FROM timers WHERE kind = ANY($1)", kinds) == before
    assert (await harness.violations(), await harness.plan()) == ([], [])


async def test_nobody_is_reminded_of_a_dispute_twice(harness: LossyHarness) -> None:
    """The reminder ended its timer: that is no loss."""
    await is_disputed(harness)
    await harness.sweep("dispute")
    assert [alert["code"] for alert in harness.events_of("alert.raised")][-1] == "PAY_DISPUTE_DUE"
    assert await harness.rows("SELECT remind_at FROM payment_disputes") == [(None,)]
    assert (await harness.violations(), await harness.plan()) == ([], [])


async def test_nothing_is_owed_to_cases_that_follow(harness: LossyHarness) -> None:
    """Each case ends, fails or waits; the goods of a rejected one came back before it was decided."""
    await is_requested_again(harness)
    await comes_back(harness)
    await harness.repair(*await harness.order_ids())
    await harness.handle(review(last(harness), "reject"), trusted=True)
    assert await harness.plan() == []


async def test_what_changed_a_moment_ago_is_left_alone(harness: LossyHarness) -> None:
    await succeeds(harness)
    await comes_back(harness)
    assert len(await harness.plan()) == 2
    assert await harness.plan(grace_seconds=60.0) == []
