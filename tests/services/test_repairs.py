"""A repair finds the stock messages and timers that were lost for good, announces each once, and the audit is clean."""

import re
from collections.abc import Awaitable, Callable

import pytest

from db.pool import Pool
from messages.stock import StockReserved
from tests.handlers.builders import book, cancel, update
from tests.services.lossy_harness import WHY, LossyHarness, open_lossy
from workers import shop
from workers.services import repairs


@pytest.fixture
async def harness(pool: Pool) -> LossyHarness:
    return await open_lossy(pool)


async def unpaid_cancelled(harness: LossyHarness) -> None:
    await harness.handle(cancel(await harness.place_order()))


async def paid(harness: LossyHarness) -> None:
    await harness.place_paid_order()


async def paid_cancelled(harness: LossyHarness) -> None:
    await harness.handle(cancel(await harness.place_paid_order()))


async def returned(harness: LossyHarness) -> None:
    order_id = await harness.place_paid_order(("s1", 2), ("s2", 1))
    await harness.handle(book(order_id, "T1", ("s1", 2)), book(order_id, "T2", ("s2", 1)))
    for number in ("T1", "T2"):
        await harness.handle(update(order_id, number, "outbound"))
    for status in ("refused", "returning", "returned"):
        await harness.handle(update(order_id, "T1", status))


async def rejected_after_reservation(harness: LossyHarness) -> None:
    from tests.handlers.builders import create

    await harness.handle(create(("s1", 2), request_id="r1"))
    await harness.sweep("saga")


LOSSES: dict[str, tuple[Callable[[LossyHarness], Awaitable[None]], set[str], list[str]]] = {
    "release of a cancelled order": (unpaid_cancelled, {"stock.release.v1"}, ["stock.release"]),
    "commit of a paid order": (paid, {"stock.commit.v1"}, ["stock.commit"]),
    "restock of a cancelled order": (paid_cancelled, {"stock.restock.v1"}, ["stock.restock cancel"]),
    "commit and restock": (
        paid_cancelled,
        {"stock.commit.v1", "stock.restock.v1"},
        ["stock.commit", "stock.restock cancel"],
    ),
    "restock of a parcel that came back": (returned, {"stock.restock.v1"}, ["stock.restock parcel:ID"]),
    "release of a rejected order": (
        rejected_after_reservation,
        {"stock.reserved.v1", "stock.release.v1"},
        ["stock.release"],
    ),
}


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_lost_stock_message_is_owed_and_announced_once(harness: LossyHarness, loss: str) -> None:
    happen, harness.loses, owed = LOSSES[loss][0], frozenset(LOSSES[loss][1]), LOSSES[loss][2]
    await happen(harness)
    assert [re.sub(r"parcel:\d+", "parcel:ID", what) for what in await harness.plan()] == owed
    ids = await harness.order_ids()
    assert len(await harness.repair(*ids)) == len(owed)
    assert await harness.violations() == []
    assert await harness.plan() == []
    recorded = await harness.rows("SELECT order_id, note, reason, message_id IS NOT NULL FROM repairs")
    assert recorded == [(ids[0], "ana", WHY, True)] * len(owed)

    counters = await harness.stock("s1"), await harness.stock("s2")
    for row in harness.lost:  # they arrive after all
        if row["type"] != StockReserved.TYPE:
            await harness.relay_row(row)
    assert (await harness.stock("s1"), await harness.stock("s2")) == counters
    assert await harness.repair(*ids) == []


async def test_the_audit_names_what_a_repair_heals(harness: LossyHarness) -> None:
    harness.loses = frozenset({"stock.release.v1"})
    await unpaid_cancelled(harness)
    assert await harness.violations() == ["INV-05"]
    assert await harness.stock() == (10, 2)
    await harness.repair(*await harness.order_ids())
    assert await harness.violations() == []
    assert await harness.stock() == (10, 0)


@pytest.mark.parametrize(("kind", "state"), [("payment", "awaiting_payment"), ("receipt", "delivered")])
async def test_a_missing_timer_is_owed_and_started(harness: LossyHarness, kind: str, state: str) -> None:
    order_id = await (harness.place_order() if kind == "payment" else harness.place_paid_order())
    if kind == "receipt":
        await harness.deliver(order_id)
    assert await harness.state(order_id) == state
    [(due_at,)] = await harness.rows("DELETE FROM timers WHERE kind = $1 RETURNING due_at", kind)
    assert await harness.plan() == [f"timer {kind} {order_id}"]
    await harness.repair(order_id)
    [(again,)] = await harness.rows("SELECT due_at FROM timers WHERE kind = $1 AND key = $2", kind, order_id)
    assert abs((again - due_at).total_seconds()) < 5
    assert await harness.rows("SELECT owed, message_id FROM repairs") == [(f"timer {kind} {order_id}", None)]
    assert await harness.violations() == []


async def test_nothing_is_owed_to_healthy_orders(harness: LossyHarness) -> None:
    await harness.place_order()
    await unpaid_cancelled(harness)
    await harness.deliver(await harness.place_another_paid_order())
    await returned_without_loss(harness)
    assert await harness.plan() == []
    assert await harness.repair(*await harness.order_ids()) == []


async def returned_without_loss(harness: LossyHarness) -> None:
    order_id = await harness.place_another_paid_order(("s1", 1))
    await harness.handle(book(order_id, "T9"))
    for status in ("outbound", "refused", "returning", "returned"):
        await harness.handle(update(order_id, "T9", status))


async def test_an_order_that_changed_a_moment_ago_is_left_alone(harness: LossyHarness) -> None:
    harness.loses = frozenset({"stock.release.v1"})
    await unpaid_cancelled(harness)
    async with harness.pool.acquire() as tx:
        assert await repairs.plan(tx, shop.current(), None, 60.0) == []
