"""Exchanges: the wanted goods are reserved, sent after the inspection, paid or paid back to the cent, or never
sent (S3-04).
"""

from dataclasses import replace
from typing import Any

import pytest

from messages.replacements import AfterSaleExchangeMoved
from scripts.commands.audit import findings
from tests.handlers.builders import book, cancel, receive, sku, update
from tests.handlers.case_builders import (
    apply,
    arrive,
    close,
    end_refund,
    inspect,
    last,
    open_case,
    reopen,
    review,
    revoke,
    ship_back,
    steps,
)
from tests.handlers.exchange_builders import approved, back, delivered, exchange, exchange_order, refunded
from tests.handlers.harness import HandlerHarness
from tests.handlers.refund_builders import request_refund
from tests.metric_values import metric_value
from workers import shop


async def test_the_same_goods_go_out_after_the_inspection(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    case = await approved(harness, order_id, (1, 1, "s1"))
    assert steps(harness) == ["requested", "approved", "return_awaited"]
    assert await harness.stock() == (18, 1)
    key, state, payable = await exchange_order(harness)
    assert (state, payable) == ("placing", 0)
    assert await harness.rows("SELECT count(*) FROM timers WHERE kind = 'saga'") == [(0,)]
    await harness.handle(ship_back(case), arrive(case))
    await harness.handle(inspect(case, (1, 1, "write_off")))
    assert steps(harness)[-2:] == ["inspect_passed", "reshipping"]
    assert (last(harness)["exchange_order_id"], last(harness)["difference"]) == (str(key), 0)
    assert await harness.stock() == (17, 0)
    await harness.deliver(key)
    assert (last(harness)["state"], refunded(harness)) == ("completed", [])
    assert await harness.rows("SELECT accepted_qty, refunded_qty, replaced_qty FROM after_sale_lines") == [(1, 0, 1)]
    await harness.handle(apply(order_id, (1, 2)))
    assert harness.rejections()[-1] == ("AFTERSALE_QTY_EXCEEDS", {"line_no": 1, "requested": 2, "left": 1})


async def test_goods_that_are_sold_out_reject_the_case_which_can_be_reviewed_again(harness: HandlerHarness) -> None:
    order_id = await delivered(harness, ("s1", 20))
    refused = {"message_type": "order.create.v1", "code": "INVENTORY_INSUFFICIENT"}
    before = metric_value("oms_rejections_total", **refused)
    case = await approved(harness, order_id, (1, 1, "s1"))
    assert (last(harness)["state"], last(harness)["reason_code"]) == ("rejected", "INVENTORY_INSUFFICIENT")
    assert (await exchange_order(harness))[1] == "rejected"
    assert metric_value("oms_rejections_total", **refused) == before, "nobody has sent an order.create for it"
    await harness.handle(receive("s1", 5, "note-2"))
    await harness.handle(reopen(case), review(case), trusted=True)
    assert (last(harness)["state"], await harness.stock()) == ("awaiting_return", (5, 1))


@pytest.mark.parametrize("end", ["revoked", "overdue", "closed", "refused goods"])
async def test_a_case_that_ends_otherwise_gives_the_reserved_goods_free(harness: HandlerHarness, end: str) -> None:
    order_id = await delivered(harness)
    case = await approved(harness, order_id, (1, 1, "s1"))
    if end == "revoked":
        await harness.handle(revoke(case))
    elif end == "overdue":
        await harness.sweep("after_sale")
    elif end == "closed":
        await harness.handle(ship_back(case), close(case), trusted=True)
    else:
        await back(harness, case, (1, 1, "send_back"))
        await harness.handle(review(case, "reject", reason_code="worn"), trusted=True)
    assert (await exchange_order(harness))[1] == "rejected"
    assert harness.events_of("order.rejected")[-1]["code"] == "AFTERSALE_ENDED"
    assert (await harness.stock(), refunded(harness)) == ((18, 0), [])


async def test_only_accepted_units_are_exchanged(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    case = await approved(harness, order_id, (1, 2, "s1"))
    await back(harness, case, (1, 1, "write_off"), (1, 1, "send_back"))
    assert last(harness)["state"] == "reshipping"
    key, state, _ = await exchange_order(harness)
    assert (state, await harness.stock()) == ("paid", (17, 0))
    await harness.deliver(key)
    assert await harness.rows("SELECT qty, accepted_qty, replaced_qty FROM after_sale_lines") == [(2, 1, 1)]


async def test_goods_that_do_not_go_out_are_paid_back(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    case = await approved(harness, order_id, (1, 1, "s1"))
    await back(harness, case, (1, 1, "write_off"))
    await harness.handle(cancel((await exchange_order(harness))[0]))
    assert (last(harness)["state"], refunded(harness)) == ("refunding", [500])
    await end_refund(harness)
    assert (last(harness)["state"], await harness.stock()) == ("completed", (18, 0))


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("s9", "PRODUCT_NOT_FOUND"),
        ("off", "PRODUCT_NOT_ON_SALE"),
        ("usd", "AFTERSALE_LINE_INVALID"),
        (None, "AFTERSALE_LINE_INVALID"),
    ],
)
async def test_goods_that_cannot_be_ordered_are_refused(harness: HandlerHarness, wanted: str | None, code: str) -> None:
    await harness.handle(sku("off", status="off_sale"), sku("usd", currency="USD"))
    order_id = await delivered(harness)
    await harness.handle(exchange(order_id, (1, 1, wanted)))
    assert [found for found, _ in harness.rejections()] == [code]
    assert await harness.rows("SELECT count(*) FROM orders WHERE kind = 'exchange'") == [(0,)]


async def test_an_exchange_of_no_line_is_refused_with_what_it_lacks(harness: HandlerHarness) -> None:
    await harness.handle(exchange(await delivered(harness)))
    messages = [rejected["message"] for rejected in harness.events_of("command.rejected")]
    assert messages == ["an exchange names its lines, each with a wanted_sku_id"]


async def test_two_exchanges_of_the_same_units_are_one(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    await harness.handle_overlapping([exchange(order_id, (1, 2, "s1"))], [exchange(order_id, (1, 2, "s1"))])
    assert [code for code, _ in harness.rejections()] == ["AFTERSALE_QTY_EXCEEDS"]


@pytest.mark.parametrize(
    ("change", "code"),
    [({"status": "off_sale"}, "PRODUCT_NOT_ON_SALE"), ({"currency": "USD"}, "AFTERSALE_LINE_INVALID")],
)
async def test_goods_that_are_not_sold_any_more_are_not_approved(
    harness: HandlerHarness, change: dict[str, Any], code: str
) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, exchange(order_id, (1, 1, "s1")))
    await harness.handle(sku("s1", revision=9, **change))
    await harness.handle(review(case), trusted=True)
    assert harness.rejections()[-1][0] == code
    await harness.sweep("after_sale")
    assert (last(harness)["state"], last(harness)["reason_code"]) == ("rejected", code)


async def test_dearer_goods_wait_for_the_difference(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    await harness.fill_stock(5, 800, ["dear"])
    case = await approved(harness, order_id, (1, 2, "dear"))
    assert await harness.stock("dear") == (5, 2)
    await back(harness, case, (1, 2, "write_off"))
    key, state, payable = await exchange_order(harness)
    assert (state, payable, last(harness)["state"]) == ("awaiting_payment", 600, "inspect_passed")
    assert await harness.rows("SELECT amount FROM payment_intents WHERE purpose = 'exchange_diff'") == [(600,)]
    await harness.pay(key)
    assert (last(harness)["state"], last(harness)["difference"]) == ("reshipping", 600)
    await harness.deliver(key)
    assert (last(harness)["state"], refunded(harness)) == ("completed", [])


async def test_a_difference_that_is_not_paid_gives_the_money_back(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    await harness.fill_stock(5, 800, ["dear"])
    case = await approved(harness, order_id, (1, 1, "dear"))
    await back(harness, case, (1, 1, "write_off"))
    await harness.sweep("payment")
    assert (last(harness)["state"], refunded(harness)) == ("refunding", [500])
    assert await harness.stock("dear") == (5, 0)


async def test_cheaper_goods_give_the_difference_back(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    await harness.fill_stock(5, 300, ["cheap"])
    case = await approved(harness, order_id, (1, 1, "cheap"))
    await back(harness, case, (1, 1, "write_off"))
    assert (last(harness)["state"], last(harness)["difference"], refunded(harness)) == ("reshipping", -200, [200])
    await harness.handle(cancel((await exchange_order(harness))[0]))
    assert (last(harness)["state"], refunded(harness)) == ("refunding", [200, 300])


async def test_a_difference_gives_back_what_is_left_of_the_payment_at_most(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    await harness.fill_stock(5, 300, ["cheap"])
    await harness.handle(request_refund(order_id, "o1", 850), trusted=True)
    case = await approved(harness, order_id, (1, 1, "cheap"))
    await back(harness, case, (1, 1, "write_off"))
    assert (last(harness)["state"], refunded(harness)) == ("reshipping", [850, 150])


@pytest.mark.parametrize(("price", "costs", "tax", "returned"), [(800, 436, 63, []), (300, 0, 0, [149])])
async def test_the_difference_is_between_prices_with_tax(
    price: int, costs: int, tax: int, returned: list[int], harness: HandlerHarness
) -> None:
    """A unit of 500 without tax comes back for one of 800 or of 300 and their tax of 17 %: for 936 or 351."""
    shop.configure(replace(shop.current(), tax_rates_basis_points={"books": 1700}))
    order_id = await delivered(harness)
    await harness.handle(sku("taxed", price=price, tax_class="books"))
    await harness.handle(receive("taxed", 5))
    case = await approved(harness, order_id, (1, 1, "taxed"))
    await back(harness, case, (1, 1, "write_off"))
    rows = await harness.rows("SELECT payable_amount, tax_amount, promotion_amount FROM orders WHERE kind = 'exchange'")
    assert rows == [(costs, tax, price + tax - costs)]
    assert refunded(harness) == returned
    async with harness.pool.acquire() as tx, tx.transaction():
        found = await findings(tx, drained=False, grace_seconds=600)
    assert [one.first for one in found if one.violations] == []


async def test_a_replacement_is_exchanged_for_the_same_goods_only(harness: HandlerHarness) -> None:
    await harness.handle(sku("dear", price=800))
    order_id = await delivered(harness)
    case = await approved(harness, order_id, (1, 1, "s1"))
    await back(harness, case, (1, 1, "write_off"))
    key, _, _ = await exchange_order(harness)
    await harness.deliver(key)
    await harness.handle(exchange(key, (1, 1, "dear")), apply(key, (1, 1)))
    assert [code for code, _ in harness.rejections()] == ["AFTERSALE_LINE_INVALID"] * 2
    again = await approved(harness, key, (1, 1, "s1"))
    await back(harness, again, (1, 1, "write_off"))
    assert last(harness)["state"] == "reshipping"
    assert await harness.rows("SELECT count(*) FROM orders WHERE kind = 'exchange'") == [(2,)]


async def follow(harness: HandlerHarness, *states: str) -> str:
    """Announce these states of the newest exchange order to its case. Returns how far the order is for the case."""
    key, *_ = await exchange_order(harness)
    for state in states:
        body = {"exchange_order_id": key, "state": state}
        await harness.handle(AfterSaleExchangeMoved.model_validate(body))
    [(known,)] = await harness.rows("SELECT state FROM exchange_orders WHERE order_id = $1", key)
    return str(known)


async def test_news_of_an_exchange_order_that_comes_late_or_again_changes_nothing(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    revoked = await approved(harness, order_id, (1, 1, "s1"))
    await harness.handle(revoke(revoked))
    assert await follow(harness, "reserved", "paid") == "ended"
    case = await approved(harness, order_id, (1, 1, "s1"))
    await back(harness, case, (1, 1, "write_off"))
    assert await follow(harness, "reserved", "paid") == "paid"
    await harness.deliver((await exchange_order(harness))[0])
    assert await follow(harness, "reserved", "paid", "cancelled", "completed") == "delivered"
    assert (last(harness)["state"], refunded(harness)) == ("completed", [])


async def test_an_order_that_was_received_at_once_ends_its_case(harness: HandlerHarness) -> None:
    case = await approved(harness, await delivered(harness), (1, 1, "s1"))
    await back(harness, case, (1, 1, "write_off"))
    assert await follow(harness, "completed") == "delivered"
    assert last(harness)["state"] == "completed"


async def test_another_order_takes_the_place_of_one_that_ended_while_the_goods_came_back(
    harness: HandlerHarness,
) -> None:
    case = await approved(harness, await delivered(harness), (1, 1, "s1"))
    first, *_ = await exchange_order(harness)
    assert await follow(harness, "rejected") == "ended"
    await back(harness, case, (1, 1, "write_off"))
    second, state, _ = await exchange_order(harness)
    assert (second != first, state, last(harness)["state"]) == (True, "paid", "reshipping")


async def test_accepted_goods_are_paid_if_the_wanted_ones_are_not_sold_any_more(harness: HandlerHarness) -> None:
    case = await approved(harness, await delivered(harness), (1, 2, "s1"))
    await harness.handle(sku("s1", price=500, revision=9, status="off_sale"))
    await back(harness, case, (1, 1, "write_off"), (1, 1, "send_back"))
    assert (last(harness)["state"], refunded(harness)) == ("refunding", [500])
    assert (await exchange_order(harness))[1] == "rejected"


async def test_other_goods_that_are_lost_give_the_money_of_those_that_they_replaced(harness: HandlerHarness) -> None:
    case = await approved(harness, await delivered(harness), (1, 2, "s1"))
    await back(harness, case, (1, 2, "write_off"))
    key, _, _ = await exchange_order(harness)
    await harness.handle(book(key, "X1", ("s1", 1)), book(key, "X2", ("s1", 1)))
    await harness.handle(*(update(key, parcel, "outbound", parcel) for parcel in ("X1", "X2")))
    await harness.handle(update(key, "X1", "lost", "a"), update(key, "X1", "loss_confirmed", "b"))
    assert refunded(harness) == [500]
    await harness.handle(update(key, "X2", "delivered", "c"))
    assert (last(harness)["state"], refunded(harness)) == ("completed", [500])
    assert await harness.rows("SELECT refunded_qty, replaced_qty FROM after_sale_lines") == [(1, 1)]


async def test_cheaper_goods_that_are_lost_and_cancelled_give_back_what_was_paid(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    await harness.fill_stock(5, 300, ["cheap"])
    case = await approved(harness, order_id, (1, 2, "cheap"))
    await back(harness, case, (1, 2, "write_off"))
    key, _, _ = await exchange_order(harness)
    await harness.handle(book(key, "X1", ("cheap", 1)), update(key, "X1", "outbound", "a"))
    await harness.handle(update(key, "X1", "lost", "b"))
    await harness.handle(cancel(key))
    assert (last(harness)["state"], refunded(harness)) == ("refunding", [400, 300, 300])
