"""Answers queries for pages of after-sale cases. Pages of one kind are found with one statement."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from db.pool import Transaction
from messages.after_sale_queries import PAGE_MAX_CASES, AfterSaleList, AfterSaleListed, CaseSummary, ExchangeShown
from messages.base import QueryRejected, Reply
from messages.envelope import Envelope
from workers.domain.after_sales import ENDED, CaseState, CaseType
from workers.domain.pages import FIRST, PageStart
from workers.services.answer_parts import money
from workers.services.list_pages import (
    LONG_AGO,
    NEVER,
    NO_ORDER,
    OLDEST,
    Finder,
    find_by_kind,
    invalid,
    refuse_page,
    shown_of,
    size_of,
    start_of,
)
from workers.store import case_lists
from workers.store.case_lists import CasePage
from workers.views import loading

FINDERS: Mapping[str, Finder[CasePage]] = {
    "narrow": case_lists.of_orders,
    "waiting": partial(case_lists.of_states, waiting=True),
    "newest": partial(case_lists.of_states, waiting=False),
}


async def answer_case_lists(tx: Transaction, items: Sequence[Envelope[AfterSaleList]]) -> list[Reply]:
    """Answer each query for a page of cases, in order."""
    names = {item.body.order for item in items if item.body.order is not None}
    orders = await loading.find_all(tx, names) if names else {}
    wanted = [page_of(item.body, orders) for item in items]
    found = await find_by_kind(tx, wanted, _kind, FINDERS)
    rows = await case_lists.summaries(tx, {key for ids in found for key in ids})
    return [
        page if isinstance(page, QueryRejected) else listed(item.body, [rows[key] for key in ids])
        for item, page, ids in zip(items, wanted, found, strict=True)
    ]


def page_of(body: AfterSaleList, orders: Mapping[str, int]) -> CasePage | QueryRejected:
    """Return the page that a query names, or why there is no such page. `orders` has the ids of the names. No I/O."""
    if (wrong := _wrong_filter(body)) is not None:
        return wrong
    waiting = body.sort == "waiting"
    start = start_of(body, OLDEST if waiting else FIRST)
    if isinstance(start, QueryRejected):
        return start
    states = [state for state in body.states or CaseState if not (waiting and state in ENDED)]
    if not states:
        return invalid("states", "a case that has ended waits for nobody: leave out sort, or name other states")
    return CasePage(
        states=tuple(states),
        type=body.type or "",
        since=body.requested_from or LONG_AGO,
        before=body.requested_before or NEVER,
        start=start,
        size=size_of(body),
        waiting=waiting,
        user_id=body.user_id or "",
        order_id=0 if body.order is None else orders.get(body.order, NO_ORDER),
    )


def _wrong_filter(body: AfterSaleList) -> QueryRejected | None:
    if body.actor.type == "user" and body.user_id != body.actor.id:
        return invalid("user_id", "a user lists his own cases: user_id must be the actor's id")
    if (wrong := refuse_page(body, "cases", PAGE_MAX_CASES, tuple(CaseState))) is not None:
        return wrong
    if body.type is not None and body.type not in set(CaseType):
        return invalid("type", f"{body.type} is no type; the types are {', '.join(CaseType)}")
    return None


def _kind(page: CasePage) -> str:
    return "narrow" if page.user_id or page.order_id else "waiting" if page.waiting else "newest"


def listed(body: AfterSaleList, rows: Sequence[Any]) -> AfterSaleListed:
    """Build after_sale.listed. There is one row more than the page shows if another page follows."""
    shown, cursor = shown_of(body, rows, lambda row: PageStart(row["requested_at"], row["case_id"]))
    return AfterSaleListed(cases=tuple(_summary(row) for row in shown), next_cursor=cursor)


def _summary(row: Any) -> CaseSummary:
    shown = {name: row[name] for name in CaseSummary.model_fields if name not in ("amount", "exchange")}
    amount = None if row["amount"] is None else money(row["amount"], row["currency"])
    return CaseSummary(**shown, amount=amount, exchange=_exchange(row))


def _exchange(row: Any) -> ExchangeShown | None:
    if row["exchange_id"] is None:
        return None
    return ExchangeShown(
        order_id=row["exchange_id"],
        order_no=row["exchange_no"],
        state=row["exchange_state"],
        placed_at=row["exchange_at"],
        case_id=row["case_id"],
        case_no=row["case_no"],
        first_order_id=row["order_id"],
        first_order_no=row["order_no"],
    )
