"""A payment that comes too late may reinstate its order: it gets its goods again, or the money goes back (R-19)."""

from typing import Any

import orjson
import pytest

from messages.explanations import OrderExplain, OrderExplained
from messages.orders import CreateLine, OrderDelete, OrderMerge
from messages.stock import StockRefused, StockReserve, StockReserved
from messages.subjects import SubjectErase
from scripts.commands.audit import check
from tests.handlers.builders import OPERATOR, book, cancel, captured, create, receive, sku, transfer, user
from tests.handlers.cancellation_builders import cancel_later, come
from tests.handlers.catalogue_builders import coupon, grant, promotion, settings, template, warehouses
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold, release
from tests.handlers.querying import ask
from workers import shop
from workers.domain.shop import DeductOn, OnLatePayment, Policy, Shop


def rule(deduct_on: DeductOn = DeductOn.PAY, on_late_payment: OnLatePayment = OnLatePayment.REINSTATE_IF_STOCK) -> None:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0, deduct_on=deduct_on, on_late_payment=on_late_payment)))


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    rule()
    await harness.fill_stock(qty=10)
    return harness


async def timed_out(harness: HandlerHarness, *lines: tuple[str, int], order_id: int | None = None) -> int:
    order_id = order_id or await harness.place_order(*(lines or (("s1", 2),)))
    await harness.sweep("payment")
    assert await harness.state(order_id) == "cancelled"
    return order_id


async def pay_late(harness: HandlerHarness, order_id: int, *trades: str, amount: int = 1000) -> None:
    await harness.handle(*(captured(order_id, amount, trade) for trade in trades or ("late",)), trusted=True)


async def facts(harness: HandlerHarness) -> dict[str, str]:
    return dict(await harness.rows("SELECT trade_no, verdict FROM payment_facts ORDER BY trade_no"))


def given_back(harness: HandlerHarness) -> list[tuple[str, int]]:
    return [(refund["cause"], refund["amount"]) for refund in harness.events_of("refund.requested")]


def story(harness: HandlerHarness) -> list[tuple[str, int]]:
    """(event, number) of the steps of the only order."""
    events = [event for event in harness.events if event["type"].startswith("order.")]
    return [(event["type"].removesuffix(".v1"), event["version"] - 1) for event in events]


async def test_an_order_that_timed_out_is_paid_if_its_goods_are_there(harness: HandlerHarness) -> None:
    order_id = await timed_out(harness)
    await pay_late(harness, order_id)
    assert story(harness)[-4:] == [
        ("order.cancelled", 2), ("order.reinstating", 3), ("order.reinstated", 4), ("order.paid", 5)
    ]  # fmt: skip
    assert await facts(harness) == {"late": "kept"}
    assert given_back(harness) == []
    assert await harness.stock() == (8, 0)
    assert await harness.rows("SELECT state, cancel_type, reason_code, cancelled_at, captured_amount FROM orders") == [
        ("paid", None, None, None, 1000)
    ]
    assert await harness.rows("SELECT kind FROM timers") == []
    await harness.handle(cancel(order_id))
    assert [amount for _, amount in given_back(harness)] == [1000]
    assert await harness.stock() == (10, 0)
    await pay_late(harness, order_id, "again")
    assert (await harness.state(order_id), given_back(harness)[-1]) == ("cancelled", ("late:alipay:again", 1000))


async def test_without_goods_the_payment_goes_back_and_the_order_is_not_tried_again(harness: HandlerHarness) -> None:
    order_id = await timed_out(harness)
    await harness.place_order(("s1", 9))
    await pay_late(harness, order_id)
    assert [event for event, _ in story(harness)][-2:] == ["order.reinstating", "order.cancelled"]
    assert harness.events_of("order.cancelled")[-1]["reason_code"] == "INVENTORY_INSUFFICIENT"
    assert await facts(harness) == {"late": "late"}
    assert given_back(harness) == [("late:alipay:late", 1000)]
    await harness.handle(receive("s1", 50, "note-2"))
    await pay_late(harness, order_id, "again")
    assert await harness.states() == ["cancelled", "awaiting_payment"]
    assert given_back(harness)[1:] == [("late:alipay:again", 1000)]


@pytest.mark.parametrize(
    ("named", "left", "expected"),
    [
        (None, {"east": 2, "west": 2}, ("paid", "east")),
        (None, {"west": 2}, ("paid", "west")),
        (None, {"west": 1}, ("cancelled", "east")),
        ("east", {"west": 2}, ("cancelled", "east")),
    ],
    ids=["where it was", "elsewhere", "nowhere", "the buyer named it"],
)
async def test_goods_come_from_another_warehouse_if_the_first_has_none_left(
    named: str | None, left: dict[str, int], expected: tuple[str, str], harness: HandlerHarness
) -> None:
    """Another of those that the sale allowed, and none of a list that is newer."""
    await harness.handle(warehouses("east", "west"))
    await harness.handle(receive("s1", 2, "n-1", warehouse="east"))
    line = CreateLine(sku_id="s1", qty=2, warehouse=named)
    order_id = await harness.create_order(create(items=(line,), expected_pay_amount=1000))
    await harness.sweep("payment")
    await harness.handle(warehouses("main", revision=2))
    taken = CreateLine(sku_id="s1", qty=2, warehouse="east")
    await harness.create_order(create(items=(taken,), expected_pay_amount=1000, request_id="r2"))
    await harness.handle(*(receive("s1", qty, f"n-{place}", warehouse=place) for place, qty in left.items()))
    await pay_late(harness, order_id)
    place = "SELECT o.state, i.warehouse FROM orders o JOIN order_items i ON i.order_id = o.id WHERE o.id = $1"
    assert await harness.rows(place, order_id) == [expected]
    assert given_back(harness) == ([] if expected[0] == "paid" else [("late:alipay:late", 1000)])
    if expected == ("paid", "west"):
        await harness.handle(cancel(order_id))
        assert await harness.stock("s1", "west") == (2, 0)
    async with harness.pool.acquire() as tx:
        assert [finding for finding in await check(tx) if finding.violations] == []


async def test_goods_come_from_the_best_warehouse_again_if_their_sale_found_them_elsewhere(
    harness: HandlerHarness,
) -> None:
    await harness.handle(warehouses("east", "west"))
    await harness.handle(receive("s1", 2, "n-1", warehouse="west"))
    order_id = await harness.create_order(create(("s1", 2), expected_pay_amount=1000))
    await harness.sweep("payment")
    await harness.handle(transfer(("s1", 2), warehouse="west", to_warehouse="east"))
    await pay_late(harness, order_id)
    place = "SELECT o.state, i.warehouse FROM orders o JOIN order_items i ON i.order_id = o.id"
    assert await harness.rows(place) == [("paid", "east")]


async def test_of_two_late_captures_one_is_kept(harness: HandlerHarness) -> None:
    order_id = await timed_out(harness)
    await pay_late(harness, order_id, "one", "two")
    await pay_late(harness, order_id, "one")
    assert await facts(harness) == {"one": "kept", "two": "duplicate"}
    assert given_back(harness) == [("dup:alipay:two", 1000)]
    assert await harness.rows("SELECT state, captured_amount FROM orders") == [("paid", 2000)]


NOT_TRIED = {
    "the default policy": {"on_late_payment": OnLatePayment.REFUND},
    "stock that was deducted at once": {"deduct_on": DeductOn.CREATE},
}


@pytest.mark.parametrize("rules", NOT_TRIED.values(), ids=NOT_TRIED)
async def test_a_policy_decides_and_is_frozen(harness: HandlerHarness, rules: dict[str, Any]) -> None:
    rule(**rules)
    order_id = await timed_out(harness)
    rule()
    await pay_late(harness, order_id)
    assert (await harness.state(order_id), await facts(harness)) == ("cancelled", {"late": "late"})
    assert given_back(harness) == [("late:alipay:late", 1000)]


async def test_the_policy_of_a_business_type_is_set_by_settings(harness: HandlerHarness) -> None:
    rule(on_late_payment=OnLatePayment.REFUND)
    await harness.handle(settings(on_late_payment="reinstate_if_stock"), trusted=True)
    order_id = await timed_out(harness)
    await pay_late(harness, order_id)
    assert await harness.states() == ["paid"]


@pytest.mark.parametrize("actor", [user(), OPERATOR], ids=["its buyer", "an operator"])
async def test_an_order_that_a_person_cancelled_stays_cancelled(harness: HandlerHarness, actor: Any) -> None:
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(cancel(order_id, actor=actor), trusted=actor is OPERATOR)
    await pay_late(harness, order_id)
    assert (await harness.states(), given_back(harness)) == (["cancelled"], [("late:alipay:late", 1000)])


async def test_a_hidden_order_and_another_amount_are_not_tried(harness: HandlerHarness) -> None:
    hidden, wrong = await timed_out(harness), await timed_out(harness, ("s2", 2))
    await harness.handle(OrderDelete(request_id="d", actor=user(), order_ids=(hidden,)))
    await pay_late(harness, hidden, "hidden")
    await pay_late(harness, wrong, "wrong", amount=999)
    assert await harness.states() == ["cancelled", "cancelled"]
    assert await facts(harness) == {"hidden": "late", "wrong": "mismatch"}


async def test_an_order_without_its_address_is_not_tried(harness: HandlerHarness) -> None:
    order_id = await timed_out(harness)
    erase = SubjectErase(request_id="e", actor=OPERATOR, user_id="u1", reason_code="USER_REQUEST")
    await harness.handle(erase, trusted=True)
    await pay_late(harness, order_id)
    assert (await harness.states(), await facts(harness)) == (["cancelled"], {"late": "late"})


async def with_benefits(harness: HandlerHarness) -> int:
    """An order that timed out: 1000, less 100 by its coupon and 200 by points."""
    await harness.handle(template(), coupon(), grant())
    order_id = await harness.create_order(create(("s1", 2), coupon_id="c1", use_points=200, expected_pay_amount=700))
    await harness.sweep("payment")
    return order_id


BENEFITS = "SELECT c.state, balance, held FROM coupons c, points_accounts a"


async def test_coupon_and_points_are_held_again_and_used(harness: HandlerHarness) -> None:
    order_id = await with_benefits(harness)
    assert await harness.rows(BENEFITS) == [("issued", 1000, 0)]
    await pay_late(harness, order_id, amount=700)
    assert (await harness.states(), await harness.rows(BENEFITS)) == (["paid"], [("used", 800, 0)])
    assert await violated(harness) == []
    await harness.handle(cancel(order_id))
    assert (await harness.states(), await harness.rows(BENEFITS)) == (["cancelled"], [("issued", 1000, 0)])
    assert await violated(harness) == []


async def test_coupon_and_points_come_back_once_more_without_goods(harness: HandlerHarness) -> None:
    order_id = await with_benefits(harness)
    await harness.place_order(("s1", 9))
    await pay_late(harness, order_id, amount=700)
    assert await harness.states() == ["cancelled", "awaiting_payment"]
    assert await harness.rows(BENEFITS) == [("issued", 1000, 0)]
    assert given_back(harness) == [("late:alipay:late", 700)]
    assert await violated(harness) == []


@pytest.mark.parametrize("gone", ["coupon", "points"])
async def test_without_its_coupon_or_points_an_order_is_not_tried(harness: HandlerHarness, gone: str) -> None:
    order_id = await with_benefits(harness)
    changes = {"coupon_id": "c1"} if gone == "coupon" else {"use_points": 900}
    off = 100 if gone == "coupon" else 900
    await harness.handle(create(("s2", 4), request_id="r2", expected_pay_amount=2000 - off, **changes))
    await pay_late(harness, order_id, amount=700)
    assert await harness.states() == ["cancelled", "awaiting_payment"]
    assert (await facts(harness), given_back(harness)) == ({"late": "late"}, [("late:alipay:late", 700)])
    assert await violated(harness) == []


async def test_an_order_whose_address_retention_deleted_is_not_tried(harness: HandlerHarness) -> None:
    order_id = await timed_out(harness)
    await harness.pool.execute("DELETE FROM order_addresses")
    await pay_late(harness, order_id)
    assert (await harness.states(), await facts(harness)) == (["cancelled"], {"late": "late"})


async def test_an_order_that_was_held_when_it_ended_is_not_tried(harness: HandlerHarness) -> None:
    held, freed = await harness.place_order(("s1", 2)), await harness.place_order(("s2", 2))
    await harness.handle(hold(held), hold(freed, "h2"), release(freed), trusted=True)
    await harness.sweep("payment")
    await pay_late(harness, held)
    await pay_late(harness, freed, "freed")
    assert await harness.states() == ["cancelled", "paid"]
    assert given_back(harness) == [("late:alipay:late", 1000)]


async def test_a_split_order_with_a_held_part_is_not_tried(harness: HandlerHarness) -> None:
    await harness.handle(sku("b1", price=1000, product_type="book"))
    await harness.handle(receive("b1", 1))
    order_id = await harness.create_order(create(("s1", 1), ("b1", 1), expected_pay_amount=1500))
    await harness.handle(hold((await harness.children(order_id))[1]), trusted=True)
    await harness.sweep("payment")
    await pay_late(harness, order_id, amount=1500)
    assert await harness.states() == ["cancelled"] * 3
    assert given_back(harness) == [("late:alipay:late", 1500)]


async def test_a_split_order_is_reinstated_whole(harness: HandlerHarness) -> None:
    await harness.handle(sku("b1", price=1000, product_type="book"))
    await harness.handle(receive("b1", 1))
    order_id = await harness.create_order(create(("s1", 1), ("b1", 1), expected_pay_amount=1500))
    await harness.sweep("payment")
    await pay_late(harness, order_id, amount=1500)
    assert await harness.states() == ["split", "paid", "paid"]
    assert (await harness.stock("s1"), await harness.stock("b1")) == ((9, 0), (0, 0))


async def test_units_at_a_limited_price_stay_free_and_the_money_goes_back(harness: HandlerHarness) -> None:
    limited = promotion(kind="flash", prices={"s1": 300}, quantity=5)
    await harness.handle(limited)
    order_id = await harness.create_order(create(("s1", 2), expected_pay_amount=600))
    await harness.sweep("payment")
    await pay_late(harness, order_id, amount=600)
    assert (await harness.states(), await facts(harness)) == (["cancelled"], {"late": "late"})
    assert given_back(harness) == [("late:alipay:late", 600)]
    assert await harness.rows("SELECT quantity, sold FROM promotion_quotas") == [(5, 0)]
    assert await violated(harness) == []


async def test_a_merged_payment_that_is_late_goes_back(harness: HandlerHarness) -> None:
    one, two = await harness.place_order(("s1", 2)), await harness.place_order(("s1", 1))
    await harness.handle(OrderMerge(request_id="g", actor=user(), order_ids=(one, two)))
    merged = harness.events_of("order.merged")[-1]
    await harness.sweep("payment")
    late = captured(one, 1500, "both").model_copy(update={"intent_id": int(merged["intent_id"])})
    await harness.handle(late, trusted=True)
    assert (await harness.states(), given_back(harness)) == (["cancelled"] * 2, [("late:alipay:both", 1500)])
    await pay_late(harness, one, "alone")
    assert await harness.states() == ["paid", "cancelled"]


# while the stock has not answered


async def reinstating(harness: HandlerHarness, *trades: str, order_id: int | None = None) -> tuple[int, StockReserve]:
    """An order whose stock has not answered yet, and the reservation that waits."""
    order_id = await timed_out(harness, order_id=order_id)
    items = [harness.envelope(captured(order_id, 1000, trade), trusted=True) for trade in trades or ("late",)]
    await harness.handle_batch(items)
    [row] = await harness.pool.fetch("DELETE FROM outbox WHERE type = 'stock.reserve.v1' RETURNING body")
    await harness.relay()
    assert await harness.states() == ["reinstating"]
    body = orjson.loads(row["body"])["items"][0]["body"]
    return order_id, StockReserve.model_validate_json(orjson.dumps(body))


async def violated(harness: HandlerHarness) -> list[str]:
    """The invariants of the audit that do not hold at this moment."""
    async with harness.pool.acquire() as tx:
        return [one.id for one in await check(tx) if one.violations]


async def test_the_audit_is_clean_at_every_moment(harness: HandlerHarness) -> None:
    order_id, reserve = await reinstating(harness, "late", "second")
    assert await violated(harness) == []
    await harness.pool.execute("UPDATE payment_facts SET verdict = 'late' WHERE verdict = 'waiting'")
    assert await violated(harness) == ["INV-05", "INV-05"]  # it has no refund, and nothing waits for the order
    await harness.pool.execute("UPDATE payment_facts SET verdict = 'waiting' WHERE verdict = 'late'")
    await harness.handle(reserve)
    assert await violated(harness) == []
    await harness.handle(cancel(order_id))
    assert await violated(harness) == []


async def test_a_reinstating_order_is_explained_and_cannot_be_paid_or_booked(harness: HandlerHarness) -> None:
    order_id, reserve = await reinstating(harness)
    [explained] = await ask(harness, OrderExplain(actor=OPERATOR, order=str(order_id)))
    assert isinstance(explained, OrderExplained)
    [awaited] = explained.awaits
    assert (awaited.what, awaited.otherwise, awaited.until) == ("reservation", "cancelled", reserve.deadline)
    await pay_late(harness, order_id, "second")
    assert await facts(harness) == {"late": "waiting", "second": "duplicate"}
    await harness.handle(reserve)
    assert (await harness.states(), await facts(harness)) == (["paid"], {"late": "kept", "second": "duplicate"})


@pytest.mark.parametrize("stock_answers_first", [False, True], ids=["before", "after"])
async def test_a_cancellation_while_it_is_tried_gives_everything_back(
    harness: HandlerHarness, stock_answers_first: bool
) -> None:
    order_id, reserve = await reinstating(harness)
    if not stock_answers_first:
        await harness.handle(cancel(order_id))
        assert given_back(harness) == [("late:alipay:late", 1000)]
        await harness.handle(reserve)
    else:
        await harness.handle(reserve)
        await harness.handle(cancel(order_id))
    assert await harness.states() == ["cancelled"]
    assert [amount for _, amount in given_back(harness)] == [1000]
    assert await harness.stock() == (10, 0)
    assert await harness.rows("SELECT kind FROM timers WHERE kind = 'saga'") == []


async def test_a_cancellation_that_was_scheduled_before_the_payment_does_not_end_it(harness: HandlerHarness) -> None:
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(cancel_later(order_id))
    _, reserve = await reinstating(harness, order_id=order_id)
    await come(harness)
    await harness.handle(reserve)
    assert (await harness.states(), given_back(harness)) == (["paid"], [])
    assert [e["details"]["why"] for e in harness.events_of("order_cancellation.dropped")] == ["paid_meanwhile"]


async def test_without_an_answer_the_deadline_gives_the_payment_back(harness: HandlerHarness) -> None:
    order_id, reserve = await reinstating(harness)
    await harness.sweep("saga")
    assert (await harness.states(), await facts(harness)) == (["cancelled"], {"late": "late"})
    assert given_back(harness) == [("late:alipay:late", 1000)]
    await harness.handle(reserve)
    assert (await harness.states(), await harness.stock()) == (["cancelled"], (10, 0))
    assert harness.events_of("order.cancelled")[-1]["reason_code"] == "ORDER_SAGA_TIMEOUT"
    assert order_id


async def test_answers_of_the_first_reservation_do_not_decide(harness: HandlerHarness) -> None:
    order_id, reserve = await reinstating(harness)
    await harness.handle(StockRefused(group_id=order_id, code="INVENTORY_INSUFFICIENT"))
    await harness.handle(StockReserved(group_id=order_id))
    assert await harness.states() == ["reinstating"]
    await harness.handle(reserve)
    await harness.handle(StockReserved(group_id=order_id, turn=1))
    assert await harness.states() == ["paid"]


async def test_a_held_order_is_reinstated_and_stays_held(harness: HandlerHarness) -> None:
    order_id, reserve = await reinstating(harness)
    await harness.handle(hold(order_id), trusted=True)
    await harness.handle(reserve)
    assert await harness.rows("SELECT state, held FROM orders") == [("paid", True)]
    await harness.handle(release(order_id), trusted=True)
    await harness.handle(book(order_id, "T1"))
    assert len(harness.events_of("shipment.booked")) == 1


@pytest.mark.parametrize("deduct_on", [DeductOn.PAY, DeductOn.SHIP])
async def test_stock_of_a_reinstated_order_is_deducted_and_put_back_as_always(
    harness: HandlerHarness, deduct_on: DeductOn
) -> None:
    rule(deduct_on)
    order_id = await timed_out(harness)
    await pay_late(harness, order_id)
    assert await harness.stock() == ((8, 0) if deduct_on is DeductOn.PAY else (10, 2))
    await harness.handle(cancel(order_id))
    assert (await harness.states(), await harness.stock()) == (["cancelled"], (10, 0))
    other = await timed_out(harness)
    await pay_late(harness, other, "other")
    await harness.deliver(other)
    assert (await harness.state(other), await harness.stock()) == ("delivered", (8, 0))
