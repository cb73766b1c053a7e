"""Operators ask for disputes, one by one and page by page; an order shows those about its payments."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messages.base import Query, QueryRejected
from messages.dispute_queries import DisputeDescribed, DisputeGet, DisputeList, DisputeListed
from messages.explanations import OrderExplain, OrderExplained
from messages.order_queries import OrderDescribed, OrderGet, PaymentDescribed, PaymentGet
from messages.orders import OrderMerge
from tests.handlers.builders import OPERATOR, captured, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask
from tests.handlers.refund_builders import dispute, evidence

DUE = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)


@pytest.fixture
async def order_id(harness: HandlerHarness) -> int:
    """A paid order of 1000."""
    await harness.fill_stock()
    return await harness.place_paid_order(("s1", 2))


async def one(harness: HandlerHarness, **wanted: Any) -> Any:
    [reply] = await ask(harness, DisputeGet(actor=OPERATOR, **{"dispute_no": "D1"} | wanted))
    return reply


async def page(harness: HandlerHarness, **wanted: Any) -> Any:
    [reply] = await ask(harness, DisputeList(actor=OPERATOR, **wanted))
    return reply


async def numbers(harness: HandlerHarness, **wanted: Any) -> list[str]:
    """The numbers of all pages of a list, two disputes each."""
    found: list[str] = []
    cursor = None
    while True:
        listed = await page(harness, limit=2, cursor=cursor, **wanted)
        assert isinstance(listed, DisputeListed), listed
        found += [shown.dispute_no for shown in listed.disputes]
        cursor = listed.next_cursor
        if cursor is None:
            return found


async def test_a_dispute_is_shown_with_what_was_submitted(harness: HandlerHarness, order_id: int) -> None:
    await harness.handle(dispute(due_at=DUE))
    await harness.handle(evidence(), trusted=True)
    reply = await one(harness)
    assert isinstance(reply, DisputeDescribed)
    [shown] = reply.disputes
    assert (shown.provider, shown.dispute_no, shown.amount.text) == ("alipay", "D1", "4.00")
    assert shown.order_ids == (order_id,)
    assert (shown.due_at, shown.reminder_at, shown.submissions) == (DUE, DUE - timedelta(hours=48), 1)
    [submitted] = shown.evidence
    assert (submitted.references, submitted.actor_id) == (("proof/1.pdf",), "ops-7")
    assert submitted.written == "signed by Ada, 138****5678"
    assert (await one(harness, provider="alipay")).disputes == reply.disputes


@pytest.mark.parametrize("wanted", [{"dispute_no": "D404"}, {"provider": "paypal"}], ids=str)
async def test_an_unknown_dispute_is_not_found(harness: HandlerHarness, order_id: int, wanted: dict[str, str]) -> None:
    await harness.handle(dispute())
    reply = await one(harness, **wanted)
    assert isinstance(reply, QueryRejected)
    assert reply.code == "PAY_DISPUTE_NOT_FOUND"


async def test_no_user_sees_disputes(harness: HandlerHarness, order_id: int) -> None:
    await harness.handle(dispute())
    replies = await ask(harness, DisputeGet(actor=user(), dispute_no="D1"), DisputeList(actor=user()))
    assert [reply.code for reply in replies if isinstance(reply, QueryRejected)] == ["AUTH_FORBIDDEN"] * 2


async def test_lists_have_every_dispute_once_by_state_order_and_date(harness: HandlerHarness, order_id: int) -> None:
    other = await harness.place_another_paid_order(("s1", 1))
    of_other: dict[str, Any] = {"trade_no": f"t-{other}"}
    for number, days in {"A": 3, "B": 1, "C": 2, "D": 2, "E": 4}.items():
        due_at = None if number == "E" else DUE + timedelta(days=days)
        about: dict[str, Any] = of_other if number in "AB" else {}
        await harness.handle(dispute(dispute_no=number, due_at=due_at, days=days, **about))
    await harness.handle(dispute("lost", dispute_no="F", days=9))
    assert await numbers(harness) == ["F", "E", "A", "D", "C", "B"]
    assert await numbers(harness, states=("opened",)) == ["E", "A", "D", "C", "B"]
    assert await numbers(harness, sort="due") == ["B", "C", "D", "A"]
    assert await numbers(harness, sort="due", due_before=DUE + timedelta(days=3)) == ["B", "C", "D"]
    assert await numbers(harness, due_before=DUE + timedelta(days=2)) == ["B"]
    assert await numbers(harness, order=str(other)) == ["A", "B"]
    assert await numbers(harness, order=str(other), sort="due") == ["B", "A"]
    assert await numbers(harness, order=str(order_id), states=("lost", "won")) == ["F"]
    assert await numbers(harness, order="404") == []


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ({"states": ("open",)}, "$.states"),
        ({"limit": 0}, "$.limit"),
        ({"limit": 101}, "$.limit"),
        ({"cursor": "x"}, "$.cursor"),
    ],
    ids=str,
)
async def test_a_wrong_filter_is_rejected(harness: HandlerHarness, wanted: dict[str, Any], path: str) -> None:
    reply = await page(harness, **wanted)
    assert isinstance(reply, QueryRejected)
    assert (reply.code, reply.path) == ("ORDER_PARAM_INVALID", path)


async def test_an_order_shows_the_disputes_about_its_payments(harness: HandlerHarness, order_id: int) -> None:
    await harness.handle(dispute(due_at=DUE))
    await harness.handle(evidence(), trusted=True)
    for query in (OrderGet, PaymentGet):
        ours, theirs = await ask(harness, *(query(actor=actor, order=str(order_id)) for actor in (OPERATOR, user())))
        assert isinstance(ours, OrderDescribed | PaymentDescribed)
        assert isinstance(theirs, OrderDescribed | PaymentDescribed)
        [shown], [seen] = ours.payments[0].disputes, theirs.payments[0].disputes
        assert (shown.dispute_no, shown.state, shown.due_at, len(shown.submitted)) == ("D1", "opened", DUE, 1)
        assert (seen.dispute_no, seen.state, seen.due_at, seen.submitted) == ("D1", "opened", None, ())


async def awaits(harness: HandlerHarness, order_id: int, actor: Any = OPERATOR) -> list[tuple[Any, ...]]:
    [reply] = await ask(harness, OrderExplain(actor=actor, order=str(order_id)))
    assert isinstance(reply, OrderExplained)
    return [(a.what, a.whom, a.name, a.ref, a.until) for a in reply.awaits if a.what.startswith("dispute")]


async def test_a_live_dispute_is_awaited_from_us_and_then_from_the_provider(
    harness: HandlerHarness, order_id: int
) -> None:
    decided = ("dispute_decision", "provider", "alipay", "D1", None)
    await harness.handle(dispute(due_at=DUE))
    assert await awaits(harness, order_id) == [("dispute_answer", "operator", "alipay", "D1", DUE)]
    assert await awaits(harness, order_id, user()) == [decided], "what the shop does is its own matter"
    await harness.handle(evidence(), trusted=True)
    assert await awaits(harness, order_id) == [decided]
    for state in ("sending", "refused"):
        await harness.pool.execute("UPDATE dispute_evidence SET state = $1", state)
        assert await awaits(harness, order_id) == [("dispute_answer", "operator", "alipay", "D1", DUE)], state
    await harness.pool.execute("UPDATE dispute_evidence SET state = 'accepted'")
    assert await awaits(harness, order_id) == [decided]
    await harness.handle(dispute("lost", days=1))
    assert await awaits(harness, order_id) == []


async def test_a_dispute_about_merged_orders_is_shown_with_each(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_ids = [await harness.place_order(("s1", 1)), await harness.place_order(("s1", 2))]
    await harness.handle(OrderMerge(request_id="m1", actor=user(), order_ids=tuple(order_ids)))
    intent_id = int(harness.events_of("order.merged")[-1]["intent_id"])
    await harness.handle(captured(order_ids[0], 1500, "t1").model_copy(update={"intent_id": intent_id}), trusted=True)
    await harness.handle(dispute(due_at=DUE))
    for order_id in order_ids:
        assert await numbers(harness, order=str(order_id)) == ["D1"]
        assert len(await awaits(harness, order_id)) == 1
    await harness.handle(evidence(), trusted=True)
    assert harness.events_of("dispute.evidence_submitted")[0]["order_ids"] == [str(key) for key in sorted(order_ids)]


async def test_many_queries_take_no_more_statements_than_one_of_each_kind(
    harness: HandlerHarness, order_id: int
) -> None:
    def queries(number: str) -> list[Query]:
        lists: tuple[dict[str, str], ...] = ({}, {"sort": "due"}, {"order": str(order_id)})
        return [
            DisputeGet(actor=OPERATOR, dispute_no=number),
            *(DisputeList.model_validate({"actor": OPERATOR, "limit": 2} | one) for one in lists),
        ]

    numbers = [f"D{n}" for n in range(6)]
    await harness.handle(*(dispute(dispute_no=number, due_at=DUE) for number in numbers))
    await harness.handle(*(evidence("e", dispute_no=number) for number in numbers), trusted=True)
    once: list[str] = []
    often: list[str] = []
    await ask(harness, *queries("D0"), statements=once)
    replies = await ask(harness, *(one for number in numbers for one in queries(number)), statements=often)
    assert len(often) == len(once) > 0
    assert not [reply for reply in replies if isinstance(reply, QueryRejected)]
