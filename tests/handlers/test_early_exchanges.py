"""Exchanges whose other goods go out at their approval: buyers give the goods back, or owe their money (S1-22)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.handlers.builders import book, cancel, update
from tests.handlers.case_builders import (
    apply,
    arrive,
    close,
    end_refund,
    inspect,
    last,
    review,
    revoke,
    ship_back,
    steps,
)
from tests.handlers.exchange_builders import approved, back, delivered, exchange_order, refunded
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.after_sale_policy import AfterSaleRules, ExchangeShips


@pytest.fixture(autouse=True)
def _ships_at_approval(harness: HandlerHarness) -> None:
    rules = shop.current()
    policy = replace(rules.policy, after_sale=AfterSaleRules(exchange_ships=ExchangeShips.AT_APPROVAL))
    shop.configure(replace(rules, policy=policy))


async def early(harness: HandlerHarness, wanted: str = "s1", qty: int = 1) -> tuple[int, dict[str, object]]:
    """An approved case of units at 500, whose other goods are paid if they cost no more."""
    order_id = await delivered(harness)
    await harness.fill_stock(5, 800, ["dear"])
    await harness.fill_stock(5, 300, ["cheap"])
    return order_id, await approved(harness, order_id, (1, qty, wanted))


def owed(harness: HandlerHarness) -> list[int]:
    return [event["owed_amount"] for event in harness.events_of("after_sale.unreturned")]


def sent_back(harness: HandlerHarness) -> list[int]:
    return [line["qty"] for event in harness.events_of("send_back.requested") for line in event["lines"]]


async def test_the_other_goods_go_out_before_the_first_come_back(harness: HandlerHarness) -> None:
    _, case = await early(harness)
    key, state, _ = await exchange_order(harness)
    assert (state, steps(harness)[-1]) == ("paid", "return_awaited")
    await harness.deliver(key)
    assert last(harness)["state"] == "awaiting_return"
    await back(harness, case, (1, 1, "restock"))
    assert steps(harness)[-3:] == ["inspect_passed", "reshipping", "completed"]
    assert (refunded(harness), owed(harness)) == ([], [])
    assert await harness.rows("SELECT accepted_qty, replaced_qty FROM after_sale_lines") == [(1, 1)]


async def test_dearer_goods_go_out_once_the_difference_is_paid(harness: HandlerHarness) -> None:
    _, case = await early(harness, "dear")
    key, state, payable = await exchange_order(harness)
    assert (state, payable) == ("awaiting_payment", 300)
    await harness.pay(key)
    await back(harness, case, (1, 1, "restock"))
    assert last(harness)["state"] == "reshipping"


async def test_the_difference_of_cheaper_goods_waits_for_the_inspection(harness: HandlerHarness) -> None:
    _, case = await early(harness, "cheap")
    await harness.deliver((await exchange_order(harness))[0])
    assert refunded(harness) == []
    await back(harness, case, (1, 1, "restock"))
    assert (last(harness)["state"], refunded(harness)) == ("completed", [200])


@pytest.mark.parametrize("end", ["overdue", "closed on its way", "refused goods"])
async def test_goods_that_do_not_come_back_are_owed(harness: HandlerHarness, end: str) -> None:
    order_id, case = await early(harness, qty=2)
    await harness.deliver((await exchange_order(harness))[0])
    if end == "overdue":
        await harness.sweep("after_sale")
    elif end == "closed on its way":
        await harness.handle(ship_back(case), close(case), trusted=True)
    else:
        await back(harness, case, (1, 2, "send_back"))
        await harness.handle(review(case, "reject", reason_code="worn"), trusted=True)
    assert (last(harness)["state"], owed(harness), refunded(harness)) == ("unreturned", [1000], [])
    assert harness.events_of("alert.raised")[-1]["code"] == "AFTERSALE_GOODS_OWED"
    assert harness.events_of("send_back.requested") == []
    await harness.handle(apply(order_id, (1, 1)))
    assert harness.rejections()[-1][0] == "AFTERSALE_QTY_EXCEEDS"
    await harness.handle(close(case), trusted=True)
    assert last(harness)["state"] == "closed"
    assert len(harness.events_of("send_back.requested")) == (end == "refused goods")


async def test_goods_that_come_after_all_are_exchanged(harness: HandlerHarness) -> None:
    order_id, case = await early(harness, qty=2)
    await harness.deliver((await exchange_order(harness))[0])
    await harness.sweep("after_sale")
    returning = update(order_id, f"T-{order_id}", "returning")
    await harness.handle(returning.model_copy(update={"occurred_at": datetime.now(UTC) + timedelta(days=1)}))
    assert (last(harness)["state"], last(harness)["tracking_no"]) == ("return_in_transit", f"T-{order_id}")
    await back(harness, case, (1, 2, "restock"))
    assert (last(harness)["state"], refunded(harness)) == ("completed", [])
    assert await harness.rows("SELECT balance_amount FROM after_sales") == [(0,)]


async def test_refused_units_are_owed_beside_accepted_ones(harness: HandlerHarness) -> None:
    _, case = await early(harness, "cheap", qty=2)
    await harness.deliver((await exchange_order(harness))[0])
    await back(harness, case, (1, 1, "restock"), (1, 1, "send_back"))
    assert (last(harness)["state"], owed(harness), refunded(harness)) == ("unreturned", [100], [])
    assert await harness.rows("SELECT replaced_qty FROM after_sale_lines") == [(1,)]
    assert sent_back(harness) == []
    await harness.handle(close(case), trusted=True)
    assert (last(harness)["state"], sent_back(harness)) == ("closed", [1])


async def test_refused_units_go_back_once_nothing_can_be_owed(harness: HandlerHarness) -> None:
    """While the other goods are on their way it is open what is owed. They are lost, and the buyer has nothing else."""
    _, case = await early(harness, "cheap", qty=2)
    key = (await exchange_order(harness))[0]
    await back(harness, case, (1, 1, "restock"), (1, 1, "send_back"))
    assert (last(harness)["state"], sent_back(harness)) == ("reshipping", [])
    await harness.handle(cancel(key))
    assert (last(harness)["state"], sent_back(harness)) == ("refunding", [1])


async def test_an_approval_of_refused_goods_does_not_waive_what_is_owed(harness: HandlerHarness) -> None:
    _, case = await early(harness)
    key = (await exchange_order(harness))[0]
    await harness.deliver(key)
    await back(harness, case, (1, 1, "send_back"))
    await harness.handle(review(case, amount=1, reason_code="goodwill"), trusted=True)
    where = {"case_id": str(case["case_id"]), "state": "inspect_failed", "exchange_order_id": str(key)}
    assert harness.rejections() == [("AFTERSALE_STATE_INVALID", where)]
    await harness.handle(review(case, "reject", reason_code="worn"), trusted=True)
    assert (owed(harness), refunded(harness)) == ([500], [])


async def test_refused_goods_are_paid_if_the_other_ones_were_cancelled(harness: HandlerHarness) -> None:
    _, case = await early(harness)
    await back(harness, case, (1, 1, "send_back"))
    await harness.handle(cancel((await exchange_order(harness))[0]))
    await harness.handle(review(case, amount=100, reason_code="goodwill"), trusted=True)
    assert (last(harness)["state"], refunded(harness)) == ("refunding", [100])


async def test_goods_that_were_refused_do_not_arrive_once_more(harness: HandlerHarness) -> None:
    _, case = await early(harness)
    await back(harness, case, (1, 1, "send_back"))
    await harness.handle(review(case, "reject", reason_code="worn"), arrive(case), ship_back(case, "B2"), trusted=True)
    assert [code for code, _ in harness.rejections()] == ["AFTERSALE_STATE_INVALID"] * 2


async def test_a_buyer_withdraws_the_order_of_the_other_goods_first(harness: HandlerHarness) -> None:
    _, case = await early(harness)
    key = (await exchange_order(harness))[0]
    await harness.handle(revoke(case))
    assert harness.rejections() == [
        ("AFTERSALE_CANNOT_REVOKE", {"case_id": str(case["case_id"]), "exchange_order_id": str(key)})
    ]
    await harness.handle(cancel(key))
    await harness.handle(revoke(case))
    assert (last(harness)["state"], refunded(harness), await harness.stock()) == ("revoked", [], (18, 0))


async def test_goods_that_come_back_for_a_cancelled_exchange_are_paid(harness: HandlerHarness) -> None:
    _, case = await early(harness, "dear")
    await harness.sweep("payment")
    assert await harness.stock("dear") == (5, 0)
    await back(harness, case, (1, 1, "restock"))
    assert (last(harness)["state"], refunded(harness)) == ("refunding", [500])
    await end_refund(harness)
    assert last(harness)["state"] == "completed"


async def test_nothing_is_owed_for_goods_that_never_arrived(harness: HandlerHarness) -> None:
    _, _ = await early(harness, qty=2)
    key = (await exchange_order(harness))[0]
    await harness.handle(book(key, "X1", ("s1", 1)), book(key, "X2", ("s1", 1)))
    await harness.handle(*(update(key, parcel, "outbound", parcel) for parcel in ("X1", "X2")))
    await harness.sweep("after_sale")
    for parcel in ("X1", "X2"):
        await harness.handle(update(key, parcel, "lost", f"{parcel}-lost"))
        await harness.handle(update(key, parcel, "loss_confirmed", f"{parcel}-sure"))
    assert owed(harness) == [1000, 500]
    assert last(harness)["state"] == "closed"
    assert await harness.rows("SELECT balance_amount FROM after_sales") == [(0,)]


async def test_only_other_goods_that_arrive_are_owed(harness: HandlerHarness) -> None:
    """One of two replacements is lost before the time for the first goods is over."""
    _, _ = await early(harness, qty=2)
    key = (await exchange_order(harness))[0]
    await harness.handle(book(key, "X1", ("s1", 1)), book(key, "X2", ("s1", 1)))
    await harness.handle(*(update(key, parcel, "outbound", parcel) for parcel in ("X1", "X2")))
    await harness.handle(update(key, "X1", "lost", "a"), update(key, "X1", "loss_confirmed", "b"))
    await harness.sweep("after_sale")
    assert (last(harness)["state"], owed(harness)) == ("unreturned", [500])


async def test_an_inspection_of_goods_for_other_parcels_counts_what_arrives(harness: HandlerHarness) -> None:
    """One of two replacements is lost before the goods are back: one unit is replaced, the other one paid."""
    _, case = await early(harness, qty=2)
    key = (await exchange_order(harness))[0]
    await harness.handle(book(key, "X1", ("s1", 1)), book(key, "X2", ("s1", 1)))
    await harness.handle(*(update(key, parcel, "outbound", parcel) for parcel in ("X1", "X2")))
    await harness.handle(update(key, "X1", "lost", "a"), update(key, "X1", "loss_confirmed", "b"))
    await harness.handle(update(key, "X2", "delivered", "c"))
    await harness.handle(ship_back(case), arrive(case))
    await harness.handle(inspect(case, (1, 2, "restock")))
    assert (last(harness)["state"], refunded(harness)) == ("completed", [500])
    assert await harness.rows("SELECT refunded_qty, replaced_qty FROM after_sale_lines") == [(1, 1)]
