"""After-sale cases: applied for, reviewed, sent back, inspected, and paid exactly once (S0-15 to S0-18, S1-21,
C-15).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from messages.after_sales import CaseCommand
from messages.base import Actor
from messages.roles import Role
from scripts.commands.audit import findings
from tests.handlers.builders import OPERATOR, cancel, create, end_quarantine, update, user
from tests.handlers.case_builders import (
    apply,
    arrive,
    close,
    end_refund,
    foreign,
    inspect,
    last,
    open_case,
    reopen,
    review,
    revoke,
    ship_back,
    steps,
)
from tests.handlers.harness import HandlerHarness
from tests.handlers.refund_builders import refund_result, request_refund
from workers import shop
from workers.domain.after_sale_policy import AfterSaleRules, OnUnreviewed
from workers.domain.shop import Policy, Shop
from workers.handlers import timeouts


def rules(**changes: object) -> None:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0, after_sale=AfterSaleRules(**changes))))  # type: ignore[arg-type]


async def delivered(harness: HandlerHarness, *lines: tuple[str, int]) -> int:
    """A delivered order, by default of two units at 500."""
    await harness.fill_stock(qty=20)
    order_id = await harness.place_paid_order(*(lines or (("s1", 2),)))
    await harness.deliver(order_id)
    harness.events.clear()
    return order_id


def refunded(harness: HandlerHarness) -> list[int]:
    return [event["amount"] for event in harness.events_of("refund.requested")]


async def test_money_for_goods_that_stay_goes_back_after_the_review(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, (1, 1)))
    assert (case["state"], case["amount"], case["source"]) == ("requested", 500, "user")
    assert case["case_no"][8:12] == "9000"
    await harness.handle(review(case), trusted=True)
    assert (steps(harness), refunded(harness)) == (["requested", "approved", "refunding"], [500])
    [approved] = harness.events_of("after_sale.approved")
    assert (Actor.model_validate(approved["cause"]["actor"]), last(harness)["cause"]["actor"]["type"]) == (
        OPERATOR,
        "system",
    )
    given = "SELECT reason_code, line_no, qty, l.amount FROM refund_lines l JOIN refunds r ON r.id = l.refund_id"
    assert await harness.rows(given) == [("changed_mind", 1, 1, 500)]
    await end_refund(harness)
    assert (last(harness)["state"], await harness.states()) == ("completed", ["delivered"])
    assert await harness.rows("SELECT refunded_qty, refunded_amount FROM order_items") == [(1, 500)]


async def test_goods_come_back_before_their_money(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, (1, 2), type="return_refund"))
    await harness.handle(review(case), trusted=True)
    assert (steps(harness)[-1], refunded(harness)) == ("return_awaited", [])
    await harness.handle(ship_back(case))
    await harness.handle(arrive(case))
    stock = await harness.stock()
    await harness.handle(inspect(case, (1, 1, "restock")))
    assert (steps(harness)[-1], refunded(harness)) == ("inspecting", [])
    await harness.handle(inspect(case, (1, 1, "send_back")))
    assert (steps(harness)[-2:], refunded(harness)) == (["inspect_passed", "refunding"], [500])
    assert harness.events_of("after_sale.inspect_passed")[0]["cause"]["actor"]["id"] == "main"
    assert await harness.stock() == (stock[0] + 1, stock[1])
    await end_refund(harness)
    assert last(harness)["state"] == "completed"


async def test_what_came_back_is_sellable_kept_apart_or_written_off_and_counts_once(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=10)
    order_id = await harness.place_paid_order(("s1", 4))
    await harness.deliver(order_id)
    case = await open_case(harness, apply(order_id, type="return_refund"))
    await harness.handle(review(case), arrive(case), trusted=True)
    await harness.handle(inspect(case, (1, 1, "restock"), (1, 2, "quarantine")), trusted=True)
    counters = "SELECT on_hand, locked, quarantined FROM stock WHERE sku_id = 's1'"
    assert await harness.rows(counters) == [(7, 0, 2)]
    await harness.handle(inspect(case, (1, 1, "write_off")), trusted=True)
    assert await harness.rows("SELECT state FROM stock_holders") == [("restocked",)]
    await harness.handle(end_quarantine(3), end_quarantine(1, request_id="q2"), trusted=True)
    await harness.handle(end_quarantine(1, "written_off", "q3"), trusted=True)
    assert [code for code, _ in harness.rejections()] == ["INVENTORY_INVARIANT"]
    ended = [
        (one["outcome"], one["on_hand"], one["quarantined"]) for one in harness.events_of("stock.quarantine_ended")
    ]
    assert ended == [("sellable", 8, 1), ("written_off", 8, 0)]
    assert await harness.rows(counters) == [(8, 0, 0)]


async def test_a_full_return_closes_the_order_and_gives_everything_back(harness: HandlerHarness) -> None:
    order_id = await delivered(harness, ("s1", 2), ("s2", 1))
    case = await open_case(harness, apply(order_id, type="return_refund"))
    await harness.handle(review(case), ship_back(case), arrive(case), trusted=True)
    await harness.handle(inspect(case, (1, 2, "restock"), (2, 1, "restock")), trusted=True)
    assert (refunded(harness), await harness.states()) == ([1500], ["delivered"])
    await end_refund(harness)
    assert await harness.states() == ["cancelled"]
    assert await harness.rows("SELECT kind FROM timers") == []
    assert harness.events_of("order.cancelled")[0]["cancel_type"] == "aftersale"
    assert (await harness.stock("s1"), await harness.stock("s2")) == ((20, 0), (20, 0))


async def test_the_order_stays_where_the_policy_says_so(harness: HandlerHarness) -> None:
    rules(full_refund_closes=False)
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id))
    await harness.handle(review(case), trusted=True)
    await end_refund(harness)
    assert await harness.states() == ["delivered"]


async def test_a_case_keeps_who_was_at_fault_for_its_reviewer(harness: HandlerHarness) -> None:
    case = await open_case(harness, apply(await delivered(harness), type="return_refund", reason_code="quality"))
    await harness.handle(review(case, merchant_fault=False), trusted=True)
    assert await harness.rows("SELECT merchant_fault FROM after_sales") == [(False,)]


async def test_a_failed_refund_leaves_the_case_workable(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, (1, 1)))
    await harness.handle(review(case), trusted=True)
    await end_refund(harness, "failed", reason_code="account_closed")
    assert (last(harness)["state"], last(harness)["reason_code"]) == ("refund_failed", "account_closed")
    refund_no = harness.events_of("refund.requested")[-1]["refund_no"]
    await harness.handle(request_refund(order_id, "o1", 500, refund_no), trusted=True)
    assert last(harness)["state"] == "refunding"
    await end_refund(harness)
    assert last(harness)["state"] == "completed"


async def test_small_amounts_are_approved_at_once(harness: HandlerHarness) -> None:
    rules(approve_up_to_minor_units={"CNY": 500})
    order_id = await delivered(harness)
    await harness.handle(apply(order_id, (1, 1)))
    assert (steps(harness), refunded(harness)) == (["requested", "approved", "refunding"], [500])
    await harness.handle(apply(order_id, (1, 1)))
    assert (last(harness)["state"], refunded(harness)) == ("requested", [500])  # a claim in parts is not a small one


async def test_another_amount_needs_an_operator_and_stays_below_the_capture(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, (1, 1)))
    await harness.handle(review(case, amount=1001, reason_code="goodwill"), trusted=True)
    await harness.handle(review(case, amount=400), trusted=True)
    assert [code for code, _ in harness.rejections()] == ["PAY_REFUND_EXCEEDS", "AFTERSALE_REASON_INVALID"]
    await harness.handle(review(case, amount=700, reason_code="goodwill"), trusted=True)
    other = await open_case(harness, apply(order_id, (1, 1)))
    await harness.handle(review(other, amount=300, reason_code="all_that_is_left"), trusted=True)
    assert refunded(harness) == [700, 300]


async def test_the_merchants_fault_pays_shipping(harness: HandlerHarness) -> None:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0), shipping_fee_minor_units={"CNY": 100}))
    await harness.fill_stock(qty=20)
    order_id = await harness.create_order(create(("s1", 2), expected_pay_amount=1100))
    await harness.pay(order_id)
    await harness.deliver(order_id)
    case = await open_case(harness, apply(order_id, (1, 1), reason_code="quality"))
    await harness.handle(review(case), trusted=True)
    other = await open_case(harness, apply(order_id, (1, 1)))
    await harness.handle(review(other), trusted=True)
    assert refunded(harness) == [550, 550]


@pytest.mark.parametrize(
    ("rule", "ends"),
    [(OnUnreviewed.APPROVE, "refunding"), (OnUnreviewed.REJECT, "rejected"), (OnUnreviewed.WAIT, "requested")],
)
async def test_a_case_that_is_not_reviewed_in_time_follows_the_policy(
    harness: HandlerHarness, rule: OnUnreviewed, ends: str
) -> None:
    rules(on_unreviewed=rule)
    order_id = await delivered(harness)
    await open_case(harness, apply(order_id, (1, 1)))
    await harness.sweep("after_sale")
    assert last(harness)["state"] == ends
    because = {"rejected": "review_overdue", "refunding": None, "requested": "changed_mind"}
    assert last(harness)["reason_code"] == because[ends]
    assert len(harness.events_of("alert.raised")) == (rule is OnUnreviewed.WAIT)
    assert await harness.rows("SELECT count(*) FROM timers WHERE kind = 'after_sale'") == [(int(ends == "requested"),)]


async def test_goods_that_are_not_sent_back_in_time_close_the_case(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, (1, 2), type="return_refund"))
    await harness.handle(review(case), trusted=True)
    await harness.sweep("after_sale")
    assert (last(harness)["state"], last(harness)["reason_code"]) == ("closed", "return_overdue")
    await harness.handle(ship_back(case))
    assert harness.rejections()[-1][0] == "AFTERSALE_STATE_INVALID"
    await open_case(harness, apply(order_id, (1, 2)))  # its units are free again


async def test_no_unit_is_claimed_twice_whatever_gives_it_back(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=20)
    order_id = await harness.place_shipped_order([("s1", 1)], [("s1", 1)], lines=[("s1", 2)])
    await open_case(harness, apply(order_id, (1, 1)))
    await harness.handle(apply(order_id, (1, 2)))
    assert harness.rejections()[-1] == ("AFTERSALE_QTY_EXCEEDS", {"line_no": 1, "requested": 2, "left": 1})
    await harness.handle(update(order_id, "T1", "lost"))
    assert refunded(harness) == [500]
    await harness.handle(apply(order_id, (1, 1)))
    assert harness.rejections()[-1] == ("AFTERSALE_QTY_EXCEEDS", {"line_no": 1, "requested": 1, "left": 0})


async def test_an_order_in_a_case_is_not_completed_by_time(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, (1, 1)))
    await harness.sweep("receipt")
    assert await harness.states() == ["delivered"]
    async with harness.pool.acquire() as tx, tx.transaction():
        found = await findings(tx, drained=False, grace_seconds=0)
    assert [one.invariant for one in found if one.violations] == []
    await harness.handle(revoke(case))  # its timer is looked at again at once, not an hour later
    async with harness.pool.acquire() as tx, tx.transaction():
        await timeouts.sweep(tx)
    await harness.relay()
    assert await harness.states() == ["completed"]


async def test_a_rejected_case_can_be_reopened_once_it_is_rejected(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, (1, 1)))
    await harness.handle(reopen(case))
    assert harness.rejections()[-1][0] == "AFTERSALE_STATE_INVALID"
    await harness.handle(review(case, "reject", reason_code="no_proof"), trusted=True)
    assert (last(harness)["state"], await harness.states()) == ("rejected", ["delivered"])
    await harness.handle(review(case), trusted=True)
    assert harness.rejections()[-1][0] == "AFTERSALE_ALREADY_REVIEWED"
    await harness.handle(revoke(case))
    assert harness.rejections()[-1][0] == "AFTERSALE_CANNOT_REVOKE"
    await harness.handle(reopen(case))
    await harness.handle(review(case), trusted=True)
    assert refunded(harness) == [500]


async def test_refused_goods_give_money_only_by_a_person(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, (1, 2), type="return_refund"))
    await harness.handle(review(case), ship_back(case), arrive(case), trusted=True)
    await harness.handle(inspect(case, (1, 2, "send_back")))
    assert (last(harness)["state"], refunded(harness)) == ("inspect_failed", [])
    await harness.handle(review(case), trusted=True)
    assert harness.rejections()[-1][0] == "AFTERSALE_STATE_INVALID"
    await harness.handle(review(case, amount=200, reason_code="goodwill"), trusted=True)
    assert refunded(harness) == [200]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"actor": user("u2")}, "ORDER_NOT_FOUND"),
        ({"reason_code": "because"}, "AFTERSALE_REASON_INVALID"),
        ({"reason_code": None}, "REFUND_PARAM_INVALID"),
        ({"evidence": tuple(f"photo/{n}" for n in range(10))}, "AFTERSALE_EVIDENCE_INVALID"),
        ({"evidence": ("x" * 513,)}, "AFTERSALE_EVIDENCE_INVALID"),
    ],
)
async def test_a_bad_application_is_refused_with_its_code(
    harness: HandlerHarness, change: dict[str, Any], code: str
) -> None:
    order_id = await delivered(harness)
    await harness.handle(apply(order_id, (1, 1), **change))
    assert [found for found, _ in harness.rejections()] == [code]
    assert await harness.rows("SELECT count(*) FROM after_sales") == [(0,)]


@pytest.mark.parametrize(
    ("units", "code"),
    [
        ([(7, 1)], "AFTERSALE_LINE_INVALID"),
        ([(1, 1), (1, 1)], "AFTERSALE_LINE_INVALID"),
        ([(1, 3)], "AFTERSALE_QTY_EXCEEDS"),
        ([(1, 0)], "REFUND_PARAM_INVALID"),
    ],
)
async def test_lines_and_units_are_those_of_the_order(
    harness: HandlerHarness, units: list[tuple[int, int]], code: str
) -> None:
    order_id = await delivered(harness)
    await harness.handle(apply(order_id, *units))
    assert [found for found, _ in harness.rejections()] == [code]


async def test_an_order_without_goods_at_its_buyer_has_no_cases(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=20)
    unpaid = await harness.place_order(("s1", 1))
    paid = await harness.place_another_paid_order(("s1", 1))
    cancelled = await harness.place_another_paid_order(("s1", 1))
    await harness.handle(cancel(cancelled))
    await harness.handle(*(apply(key) for key in (unpaid, paid, cancelled)))
    codes = [found for found, _ in harness.rejections()]
    assert codes == ["ORDER_STATE_INVALID", "AFTERSALE_QTY_EXCEEDS", "ORDER_STATE_INVALID"]


async def test_the_window_is_over_for_buyers_and_open_for_customer_service(harness: HandlerHarness) -> None:
    rules(window_seconds=0)
    order_id = await delivered(harness)
    await harness.sweep("receipt")
    rules()  # the order keeps the rules under which it was placed
    await harness.handle(apply(order_id, (1, 1)))
    assert harness.rejections()[-1][0] == "AFTERSALE_WINDOW_CLOSED"
    case = await harness.handle(apply(order_id, (1, 1), actor=OPERATOR), trusted=True)
    assert (last(harness)["source"], case.verdicts) == ("customer_service", {})


async def test_a_case_is_only_that_of_its_order_and_its_buyer(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, (1, 1)))
    await harness.handle(foreign(revoke(case)))
    await harness.handle(revoke(case | {"case_id": "1"}))
    assert [found for found, _ in harness.rejections()] == ["ORDER_NOT_FOUND", "AFTERSALE_NOT_FOUND"]
    await harness.handle(inspect(case, (1, 1, "restock")))
    assert harness.rejections()[-1][0] == "AFTERSALE_STATE_INVALID"


async def test_another_buyers_case_is_none_also_if_its_order_is_in_the_same_batch(harness: HandlerHarness) -> None:
    theirs = await delivered(harness)
    case = await open_case(harness, apply(theirs, (1, 1)))
    mine = await harness.create_order(create(("s1", 1), request_id="r2", user_id="u2"))
    await harness.handle(apply(theirs, (1, 1)), foreign(revoke(case | {"order_id": mine})))
    assert [found for found, _ in harness.rejections()] == ["AFTERSALE_NOT_FOUND"]


async def test_two_workers_claim_the_same_units_once(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    await harness.handle_overlapping([apply(order_id, (1, 2))], [apply(order_id, (1, 2))])
    assert (steps(harness), [code for code, _ in harness.rejections()]) == (["requested"], ["AFTERSALE_QTY_EXCEEDS"])


async def test_money_that_an_operator_gave_back_before_is_not_given_twice(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    await harness.handle(request_refund(order_id, "o1", 800), trusted=True)
    case = await open_case(harness, apply(order_id))
    assert case["amount"] == 200
    await harness.handle(review(case), trusted=True)
    assert refunded(harness) == [800, 200]


async def test_an_operator_closes_a_case_that_goes_no_further(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, (1, 1), type="return_refund"))
    await harness.handle(review(case), ship_back(case), close(case), trusted=True)
    assert last(harness)["state"] == "closed"
    assert Actor.model_validate(last(harness)["cause"]["actor"]) == OPERATOR


async def test_a_case_is_reopened_only_in_its_window_and_for_units_that_are_free(
    harness: HandlerHarness,
) -> None:
    rules(window_seconds=0)
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, (1, 2)))
    await harness.handle(review(case, "reject"), trusted=True)
    other = await open_case(harness, apply(order_id, (1, 2)))
    await harness.handle(review(other), trusted=True)
    await harness.handle(reopen(case))
    await end_refund(harness, "failed")
    await harness.sweep("receipt")
    await harness.handle(close(other), trusted=True)
    await harness.sweep("receipt")
    await harness.handle(reopen(case))
    assert [code for code, _ in harness.rejections()] == ["AFTERSALE_QTY_EXCEEDS", "AFTERSALE_WINDOW_CLOSED"]


async def test_a_rejection_stands_if_nobody_reviews_the_reopened_case(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, (1, 1)))
    await harness.handle(review(case, "reject"), trusted=True)
    await harness.handle(reopen(case))
    await harness.sweep("after_sale")
    assert (last(harness)["state"], refunded(harness)) == ("rejected", [])


async def test_goods_that_do_not_arrive_or_are_not_inspected_raise_an_alert_each_time(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, (1, 2), type="return_refund"))
    await harness.handle(review(case), ship_back(case), trusted=True)
    for _ in range(2):
        await harness.sweep("after_sale")
    await harness.handle(arrive(case))
    await harness.sweep("after_sale")
    assert [alert["code"] for alert in harness.events_of("alert.raised")] == ["AFTERSALE_OVERDUE"] * 3
    assert last(harness)["state"] == "received"


@pytest.mark.parametrize("make", [review, arrive, close])
async def test_a_buyer_decides_nothing(harness: HandlerHarness, make: Callable[[dict[str, Any]], CaseCommand]) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, (1, 1)))
    await harness.handle(make(case).model_copy(update={"actor": user()}), trusted=True)
    assert [code for code, _ in harness.rejections()] == ["AUTH_FORBIDDEN"]


async def test_a_warehouse_reports_about_its_own_goods_alone(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, (1, 2), type="return_refund"))
    await harness.handle(review(case), trusted=True)
    shop.configure(replace(shop.current(), fulfilment_warehouses={"main": frozenset({"wh-main"})}))
    await harness.handle_batch([replace(harness.envelope(ship_back(case)), roles=frozenset({Role.STOREFRONT}))])
    for message in (arrive(case), inspect(case, (1, 2, "restock"))):
        foreigner = replace(harness.envelope(message), user="wh-east", roles=frozenset({Role.WAREHOUSE}))
        await harness.handle_batch([foreigner])
        await harness.relay()
    assert [code for code, _ in harness.rejections()] == ["AUTH_FORBIDDEN"] * 2
    for message in (arrive(case), inspect(case, (7, 1, "restock"))):
        own = replace(harness.envelope(message), user="wh-main", roles=frozenset({Role.WAREHOUSE}))
        await harness.handle_batch([own])
        await harness.relay()
    assert (last(harness)["state"], harness.rejections()[-1][0]) == ("received", "AFTERSALE_LINE_INVALID")


async def test_an_order_is_not_cancelled_while_the_refund_of_another_case_may_fail(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    cases = [await open_case(harness, apply(order_id, (1, 1))) for _ in range(2)]
    await harness.handle(*(review(case) for case in cases), trusted=True)
    first, second = harness.events_of("refund.requested")
    await harness.handle(refund_result(second), trusted=True)
    assert await harness.states() == ["delivered"]
    await harness.handle(refund_result(first), trusted=True)
    assert await harness.states() == ["cancelled"]
