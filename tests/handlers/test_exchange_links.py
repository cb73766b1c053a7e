"""An exchange order and its case name each other in every answer, to buyers and to operators."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from messages.after_sale_queries import (
    AfterSaleDescribed,
    AfterSaleGet,
    AfterSaleList,
    AfterSaleListed,
    ExchangeShown,
)
from messages.base import Actor
from messages.explanations import OrderExplain, OrderExplained
from messages.order_history import OrderHistoryListed
from messages.order_queries import OrderDescribed, OrderGet, OrderHistory
from tests.handlers.builders import OPERATOR, book, update, user
from tests.handlers.case_builders import arrive, inspect, last, ship_back
from tests.handlers.exchange_builders import approved, back, delivered, exchange_order
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask
from workers.services import answer_cache

ABOUT_ORDERS = (OrderGet, OrderExplain, OrderHistory)


class Linked(NamedTuple):
    """A case, the order whose goods come back, and the exchange order, which has its stock."""

    case: dict[str, Any]
    first: int
    second: int


@pytest.fixture
async def linked(harness: HandlerHarness) -> AsyncIterator[Linked]:
    answer_cache.configure(100)
    first = await delivered(harness)
    case = await approved(harness, first, (1, 1, "s1"))
    yield Linked(case, first, (await exchange_order(harness))[0])
    answer_cache.configure(answer_cache.ENTRIES_MAX)


async def links_of(
    harness: HandlerHarness, order_id: int, actor: Actor
) -> list[tuple[tuple[ExchangeShown, ...], ExchangeShown | None]]:
    """What order.get, .explain and .history say of the exchanges of an order."""
    replies = await ask(harness, *(query(actor=actor, order=str(order_id)) for query in ABOUT_ORDERS))
    for reply in replies:
        assert isinstance(reply, OrderDescribed | OrderExplained | OrderHistoryListed)
    return [(reply.exchanges, reply.replaces) for reply in replies]  # type: ignore[attr-defined]


async def with_cases(harness: HandlerHarness, linked: Linked, actor: Actor) -> list[ExchangeShown | None]:
    """The exchange that each answer with cases has: of the order, of the case by its id, and of two lists."""
    user_id = "u1" if actor.type == "user" else None
    described, case, of_user, of_all = await ask(
        harness,
        OrderGet(actor=actor, order=str(linked.first)),
        AfterSaleGet(actor=actor, case=linked.case["case_no"]),
        AfterSaleList(actor=actor, user_id=user_id, order=str(linked.first)),
        AfterSaleList(actor=actor, user_id=user_id),
    )
    assert isinstance(described, OrderDescribed)
    assert isinstance(case, AfterSaleDescribed)
    assert isinstance(of_user, AfterSaleListed)
    assert isinstance(of_all, AfterSaleListed)
    return [one.exchange for reply in (described, case, of_user, of_all) for one in reply.cases]


@pytest.mark.parametrize("actor", [user(), OPERATOR], ids=["buyer", "operator"])
async def test_both_orders_and_the_case_name_each_other(harness: HandlerHarness, linked: Linked, actor: Actor) -> None:
    [(shown, none), *others] = await links_of(harness, linked.first, actor)
    [exchange_shown] = shown
    assert none is None
    assert others == [((exchange_shown,), None)] * 2
    assert await links_of(harness, linked.second, actor) == [((), exchange_shown)] * 3
    assert await with_cases(harness, linked, actor) == [exchange_shown] * 4
    found = exchange_shown.model_dump(include={"order_id", "case_id", "first_order_id", "case_no", "state"})
    assert found == {
        "order_id": linked.second,
        "case_id": int(linked.case["case_id"]),
        "case_no": linked.case["case_no"],
        "first_order_id": linked.first,
        "state": "placing",
    }
    [(first_no,)] = await harness.rows(f"SELECT order_no FROM orders WHERE id = {linked.first}")
    assert (exchange_shown.first_order_no, exchange_shown.order_no) == (first_no, None)


async def test_answers_about_the_first_order_follow_the_exchange_order(harness: HandlerHarness, linked: Linked) -> None:
    """Also from memory: the case takes no step when the exchange order leaves."""
    await back(harness, linked.case, (1, 1, "restock"))
    for state in ("paid", "shipped"):
        if state == "shipped":
            await harness.handle(book(linked.second, "X1"), update(linked.second, "X1", "outbound"))
        replies = await links_of(harness, linked.first, user())
        [shown] = replies[0][0]
        assert (shown.state, shown.order_no is None) == (state, False)
        assert replies == [((shown,), None)] * 3
        assert await with_cases(harness, linked, user()) == [shown] * 4


async def test_a_case_names_the_exchange_order_that_took_the_place_of_another(
    harness: HandlerHarness, linked: Linked
) -> None:
    other = await harness.place_another_paid_order(("s1", 2))
    await harness.deliver(other)
    case = await approved(harness, other, (1, 2, "s1"))
    await back(harness, case, (1, 1, "restock"), (1, 1, "send_back"))
    [(shown, _), *_] = await links_of(harness, int(case["order_id"]), user())
    assert [one.state for one in shown] == ["rejected", "paid"]
    [reply] = await ask(harness, AfterSaleGet(actor=user(), case=case["case_no"]))
    assert isinstance(reply, AfterSaleDescribed)
    assert reply.cases[0].exchange == shown[1]


async def waits(harness: HandlerHarness, order_id: int) -> list[tuple[str, str, str | None]]:
    """(what, whom, what the case becomes otherwise) of all that an order waits for."""
    [reply] = await ask(harness, OrderExplain(actor=user(), order=str(order_id)))
    assert isinstance(reply, OrderExplained)
    return [(one.what, one.whom, one.otherwise) for one in reply.awaits if one.what != "receipt"]


async def test_both_orders_wait_for_the_same_person(harness: HandlerHarness, linked: Linked) -> None:
    assert await waits(harness, linked.first) == [("case_return", "buyer", "closed")]
    assert await waits(harness, linked.second) == [("case_outcome", "buyer", None)]
    await harness.handle(ship_back(linked.case))
    assert await waits(harness, linked.first) == [("case_arrival", "carrier", None)]
    assert await waits(harness, linked.second) == [("case_outcome", "carrier", None)]
    await harness.handle(arrive(linked.case), inspect(linked.case, (1, 1, "restock")))
    assert await waits(harness, linked.first) == [("case_goods", "warehouse", None)]
    assert await waits(harness, linked.second) == [("parcel", "warehouse", None)]


async def test_a_case_becomes_what_its_explanation_says(harness: HandlerHarness, linked: Linked) -> None:
    [(_, _, otherwise)] = await waits(harness, linked.first)
    await harness.sweep("after_sale")
    assert last(harness)["state"] == otherwise
