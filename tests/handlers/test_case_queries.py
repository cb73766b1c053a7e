"""Queries about after-sale cases: after_sale.get and .list, and the cases in the other answers about an order."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messages.after_sale_queries import AfterSaleDescribed, AfterSaleGet, AfterSaleList, AfterSaleListed, CaseShown
from messages.base import QueryRejected, Reply
from messages.explanations import OrderAsOf, OrderExplain, OrderExplained, OrderShownAsOf
from messages.order_history import OrderHistoryListed
from messages.order_queries import OrderDescribed, OrderGet, OrderHistory
from tests.handlers.builders import OPERATOR, book, captured, create, receive, sku, update, user
from tests.handlers.case_builders import apply, arrive, end_refund, inspect, open_case, review, ship_back
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask
from tests.handlers.refund_builders import refund_result
from workers import views
from workers.views import loading

PHOTO = "photos/1.jpg"


async def delivered(harness: HandlerHarness, user_id: str = "u1", request_id: str = "r1") -> int:
    """A delivered order of two units at 500."""
    await harness.fill_stock(qty=50)
    body = create(("s1", 2), user_id=user_id, actor=user(user_id), request_id=request_id)
    order_id = await harness.create_order(body)
    await harness.handle(captured(order_id, 1000, trade_no=f"t-{request_id}"), trusted=True)
    await harness.deliver(order_id)
    harness.events.clear()
    return order_id


async def one(harness: HandlerHarness, query: AfterSaleGet) -> CaseShown:
    [reply] = await ask(harness, query)
    assert isinstance(reply, AfterSaleDescribed), reply
    [case] = reply.cases
    return case


async def listed(harness: HandlerHarness, **fields: Any) -> AfterSaleListed:
    [reply] = await ask(harness, AfterSaleList(**{"actor": OPERATOR} | fields))
    assert isinstance(reply, AfterSaleListed), reply
    return reply


def code_of(reply: Reply) -> str:
    assert isinstance(reply, QueryRejected), reply
    return reply.code


async def test_a_case_is_shown_with_its_lines_steps_money_and_refund(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    event = await open_case(harness, apply(order_id, (1, 2), type="return_refund", evidence=(PHOTO,)))
    requested = await one(harness, AfterSaleGet(actor=user(), case=event["case_no"]))
    assert requested.expected is not None
    assert (requested.expected.text, requested.amount, requested.evidence) == ("10.00", None, (PHOTO,))
    assert requested.until is not None
    await harness.handle(review(event, amount=900, reason_code="worn"), trusted=True)
    await harness.handle(ship_back(event, "B7"), arrive(event))
    await harness.handle(inspect(event, (1, 1, "restock"), (1, 1, "send_back")))
    case = await one(harness, AfterSaleGet(actor=OPERATOR, case=str(event["case_id"])))
    [line] = case.lines
    assert (line.sku_id, line.qty, line.accepted_qty, line.refused_qty, line.refunded_qty) == ("s1", 2, 1, 1, 1)
    assert (case.amount and case.amount.text, case.granted and case.granted.minor, case.expected) == ("5.00", 900, None)
    assert (case.carrier, case.tracking_no, case.until, case.state) == ("sf", "B7", None, "refunding")
    assert [step.trigger for step in case.steps] == [
        "applied", "approved", "return_awaited", "shipped_back", "received", "inspection_passed", "refund_opened",
    ]  # fmt: skip
    [refund] = case.refunds
    assert (refund.amount.text, refund.state) == ("5.00", "requested")


async def test_what_a_buyer_wrote_is_for_the_buyer_and_for_operators(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    event = await open_case(
        harness, apply(order_id, description="torn, call 13812345678", evidence=(PHOTO,), type="return_refund")
    )
    await harness.handle(review(event, note="regular customer"), trusted=True)
    case = str(event["case_id"])
    theirs, ours = [await one(harness, AfterSaleGet(actor=actor, case=case)) for actor in (user(), OPERATOR)]
    clear = await one(harness, AfterSaleGet(actor=OPERATOR, case=case, reveal_reason="the review"))
    assert [step.written for step in theirs.steps] == ["torn, call 13812345678", None, None]
    assert [step.written for step in ours.steps] == ["****", "****", None]
    assert [step.written for step in clear.steps] == ["torn, call 13812345678", "regular customer", None]
    assert (theirs.evidence, ours.evidence, clear.evidence) == ((PHOTO,), ("****",), (PHOTO,))
    assert (theirs.steps[1].actor_id, ours.steps[1].actor_id) == ("shop", OPERATOR.id)


async def test_a_stranger_cannot_tell_a_case_from_none(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    event = await open_case(harness, apply(order_id))
    stranger = user("u2")
    replies = await ask(
        harness,
        AfterSaleGet(actor=stranger, case=event["case_no"]),
        AfterSaleGet(actor=stranger, case="999"),
        AfterSaleGet(actor=stranger, order=str(order_id)),
        AfterSaleGet(actor=stranger, order="999"),
        AfterSaleGet(actor=stranger),
        AfterSaleGet(actor=user(), case=event["case_no"], order=str(order_id)),
        AfterSaleList(actor=stranger),
        AfterSaleList(actor=stranger, user_id="u1"),
    )
    assert replies[0] == replies[1]
    assert replies[2] == replies[3]
    assert [code_of(reply) for reply in replies] == [
        "AFTERSALE_NOT_FOUND", "AFTERSALE_NOT_FOUND", "ORDER_NOT_FOUND", "ORDER_NOT_FOUND",
        "ORDER_PARAM_INVALID", "ORDER_PARAM_INVALID", "ORDER_PARAM_INVALID", "AUTH_FORBIDDEN",
    ]  # fmt: skip
    mine = await listed(harness, actor=stranger, user_id="u2", order=str(order_id))
    assert mine.cases == ()


async def test_cases_are_listed_page_by_page_in_either_order(harness: HandlerHarness) -> None:
    orders = [await delivered(harness, user_id=f"u{1 + number % 2}", request_id=f"r{number}") for number in range(4)]
    events = [await open_case(harness, apply(key, (1, 1), actor=user(f"u{1 + n % 2}"))) for n, key in enumerate(orders)]
    await harness.handle(review(events[0], "reject"), trusted=True)
    ids = [int(event["case_id"]) for event in events]

    async def walked(**fields: Any) -> list[int]:
        found, cursor = list[int](), None
        while True:
            page = await listed(harness, limit=1, cursor=cursor, **fields)
            found += [case.case_id for case in page.cases]
            cursor = page.next_cursor
            if cursor is None:
                return found

    assert await walked() == ids[::-1]
    assert await walked(sort="waiting") == ids[1:]
    assert await walked(states=("rejected",)) == ids[:1]
    assert await walked(type="exchange") == []
    assert await walked(user_id="u2") == [ids[3], ids[1]]
    assert await walked(actor=user(), user_id="u1", sort="waiting") == [ids[2]]
    assert await walked(order=str(orders[2])) == [ids[2]]
    assert await walked(requested_before=datetime.now(UTC) - timedelta(days=1)) == []
    shown = (await listed(harness, states=("rejected",))).cases[0]
    assert (shown.units, shown.state, shown.user_id, shown.case_no) == (1, "rejected", "u1", events[0]["case_no"])


WRONG: dict[str, dict[str, Any]] = {
    "cursor": {"cursor": "nonsense"},
    "limit": {"limit": 0},
    "states": {"states": ("unknown",)},
    "states of ended cases": {"states": ("closed",), "sort": "waiting"},
    "type": {"type": "unknown"},
}


@pytest.mark.parametrize("name", sorted(WRONG))
async def test_a_wrong_list_is_refused_at_its_field(harness: HandlerHarness, name: str) -> None:
    [reply] = await ask(harness, AfterSaleList(actor=OPERATOR, **WRONG[name]))
    assert isinstance(reply, QueryRejected)
    assert (reply.code, reply.path) == ("ORDER_PARAM_INVALID", f"$.{name.split(maxsplit=1)[0]}")


async def test_an_order_shows_its_cases_and_what_they_wait_for(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    event = await open_case(harness, apply(order_id, (1, 1), type="return_refund"))
    waits = []
    commands = (review(event), ship_back(event, "B7"), arrive(event), inspect(event, (1, 1, "restock")))
    for command in (None, *commands):
        if command is not None:
            await harness.handle(command, trusted=True)
        described, explained = await ask(
            harness, OrderGet(actor=user(), order=str(order_id)), OrderExplain(actor=user(), order=str(order_id))
        )
        assert isinstance(described, OrderDescribed)
        assert isinstance(explained, OrderExplained)
        [case] = described.cases
        assert (case.case_no, described.facets.aftersale) == (event["case_no"], "active")
        awaited = [one for one in explained.awaits if "case" in one.what]
        waits += [(case.state, one.what, one.whom, one.until is not None) for one in awaited]
    assert waits == [
        ("requested", "case_review", "operator", True),
        ("awaiting_return", "case_return", "buyer", True),
        ("return_in_transit", "case_arrival", "carrier", True),
        ("received", "case_inspection", "warehouse", True),
        ("refunding", "case_refund", "provider", False),
    ]
    await harness.handle(refund_result(harness.events_of("refund.requested")[-1], "failed"), trusted=True)
    [failed] = await ask(harness, OrderExplain(actor=user(), order=str(order_id)))
    assert isinstance(failed, OrderExplained)
    assert [one.whom for one in failed.awaits if one.what == "case_refund_again"] == ["operator"]
    await end_refund(harness)
    [ended] = await ask(harness, OrderExplain(actor=user(), order=str(order_id)))
    assert isinstance(ended, OrderExplained)
    assert not [one for one in ended.awaits if "case" in one.what]


async def test_an_earlier_time_has_the_cases_of_then(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    before = await harness.pool.fetchval("SELECT clock_timestamp()")
    event = await open_case(harness, apply(order_id, (1, 1), type="return_refund"))
    between = await harness.pool.fetchval("SELECT clock_timestamp()")
    await harness.handle(review(event), trusted=True)
    at = [OrderAsOf(actor=user(), order=str(order_id), at=when) for when in (before, between, datetime.now(UTC))]
    shown = await ask(harness, *at)
    states = [[case.state for case in reply.cases] for reply in shown if isinstance(reply, OrderShownAsOf)]
    assert states == [[], ["requested"], ["awaiting_return"]]


async def test_the_operate_log_has_cases_and_payments_that_came_twice_or_late(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    await harness.handle(captured(order_id, 1000, trade_no="again"), trusted=True)
    event = await open_case(harness, apply(order_id))
    await harness.handle(review(event), trusted=True)
    await end_refund(harness)
    await harness.handle(captured(order_id, 1000, trade_no="late"), trusted=True)
    [reply] = await ask(harness, OrderHistory(actor=OPERATOR, order=str(order_id)))
    assert isinstance(reply, OrderHistoryListed)
    tail = [(step.operate_type, step.trigger, step.previous, step.state, step.case_state) for step in reply.steps][-8:]
    assert tail == [
        (80, "all_delivered", "shipped", "delivered", None),
        (170, "duplicate_payment_refunded", "delivered", "delivered", None),
        (230, "applied", "delivered", "delivered", "requested"),
        (230, "approved", "delivered", "delivered", "approved"),
        (230, "refund_opened", "delivered", "delivered", "refunding"),
        (230, "refund_succeeded", "delivered", "delivered", "completed"),
        (30, "all_returned", "delivered", "cancelled", None),
        (160, "late_payment_refunded", "cancelled", "cancelled", None),
    ]
    assert (reply.steps[-1].cause_id, reply.steps[-1].refund_no is not None) == ("late", True)
    assert reply.steps[-3].case_no == event["case_no"]


async def test_a_split_order_has_the_cases_of_its_children(harness: HandlerHarness) -> None:
    await harness.handle(sku("tea", seller_id="acme"), sku("cup", seller_id="bolt"), trusted=True)
    await harness.handle(receive("tea", 5), receive("cup", 5))
    order_id = await harness.create_order(create(("tea", 1), ("cup", 2)))
    await harness.pay(order_id)
    child = (await harness.children(order_id))[0]
    for body in (book(child, "T1"), update(child, "T1", "outbound"), update(child, "T1", "delivered")):
        await harness.handle(body)
    event = await open_case(harness, apply(child))
    described, explained = await ask(
        harness, OrderGet(actor=user(), order=str(order_id)), OrderExplain(actor=user(), order=str(order_id))
    )
    assert isinstance(described, OrderDescribed)
    assert isinstance(explained, OrderExplained)
    assert [(case.case_no, case.order_id) for case in described.cases] == [(event["case_no"], child)]
    assert [(one.order_id, one.ref) for one in explained.awaits if one.what == "case_review"] == [
        (child, event["case_no"])
    ]
    assert (await one(harness, AfterSaleGet(actor=user(), order=str(order_id)))).order_id == child
    assert [case.order_id for case in (await listed(harness, order=str(order_id))).cases] == [child]


async def test_the_documents_have_the_cases_that_are_stored(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    event = await open_case(harness, apply(order_id, type="return_refund"))

    async def shown() -> tuple[Any, ...]:
        async with harness.pool.acquire() as tx:
            whole = await loading.read(tx, order_id)
        s0, s1 = views.document("s0", whole), views.document("s1", whole)
        assert isinstance(s0, dict)
        assert isinstance(s1, dict)
        [row], [sale] = s0["aftersales"], s1["order_after_sale"]
        name = s0["orders"]["status"], s1["order_main"]["status_name"]
        state = row["status"], row["type"], row["processed_at"] is not None
        return (*name, *state, sale["status"], sale["refund_amount"])

    assert await shown() == ("售后中", "已签收", "requested", "return", False, 0, None)
    await harness.handle(review(event), trusted=True)
    await harness.handle(ship_back(event), arrive(event), inspect(event, (1, 2, "restock")))
    assert await shown() == ("售后中", "退款中", "refunding", "return", True, 3, "10.00")
    await end_refund(harness)
    assert (await shown())[2:] == ("completed", "return", True, 4, "10.00")
