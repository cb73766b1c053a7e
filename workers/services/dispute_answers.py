"""Answers dispute.get and dispute.list. Each takes a fixed number of statements, whatever it asks for."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import orjson

from db.pool import Transaction
from messages.base import QueryRejected, Reply
from messages.dispute_queries import (
    PAGE_MAX_DISPUTES,
    DisputeDescribed,
    DisputeGet,
    DisputeList,
    DisputeListed,
    DisputeShown,
    DisputeSummary,
    EvidenceShown,
)
from messages.disputes import DisputeSubmitEvidence
from messages.envelope import Envelope
from workers.domain.codes import Code
from workers.domain.masking import masked
from workers.domain.pages import FIRST, PageStart
from workers.providers.port import ReportedDispute
from workers.services.answer_parts import money
from workers.services.list_pages import (
    NO_ORDER,
    OLDEST,
    Finder,
    find_by_kind,
    refuse_page,
    shown_of,
    size_of,
    start_of,
)
from workers.store import case_texts, dispute_lists, refunds
from workers.store.dispute_lists import DisputePage
from workers.store.refunds import CapturedFor, CaptureKey
from workers.views import loading

OPERATORS_ALONE = QueryRejected(code=Code.AUTH_FORBIDDEN, message="only an operator may ask for disputes")
NOT_FOUND = QueryRejected(
    code=Code.PAY_DISPUTE_NOT_FOUND, message="no provider has reported such a dispute", path="$.dispute_no"
)
FINDERS: Mapping[str, Finder[DisputePage]] = {
    "order": dispute_lists.of_orders,
    "due": partial(dispute_lists.of_states, by_due=True),
    "newest": partial(dispute_lists.of_states, by_due=False),
}
TEXT_TYPE = DisputeSubmitEvidence.routing_key()


async def answer_about_disputes(tx: Transaction, items: Sequence[Envelope[DisputeGet]]) -> list[Reply]:
    """Answer each query about one dispute, in order."""
    found = await dispute_lists.find(tx, {item.body.dispute_no for item in items})
    ids = [_named(item.body, found) for item in items]
    rows = await dispute_lists.summaries(tx, {key for of_one in ids for key in of_one})
    captures = await refunds.captured_for(tx, [_capture(row) for row in rows.values()])
    evidence = await dispute_lists.evidence(tx, rows)
    about = {order_id for capture in captures.values() for order_id in capture.shares}
    texts = await case_texts.read(tx, about, [TEXT_TYPE])
    shown = {
        key: DisputeShown(
            **_summary(row, captures),
            reminder_at=row["reminder_at"],
            evidence=tuple(_evidence(one, texts) for one in evidence.get(key, ())),
        )
        for key, row in rows.items()
    }
    return [
        _refused(item.body) or (DisputeDescribed(disputes=tuple(shown[key] for key in keys)) if keys else NOT_FOUND)
        for item, keys in zip(items, ids, strict=True)
    ]


def _named(body: DisputeGet, found: Mapping[Any, Sequence[Any]]) -> list[int]:
    return [row["id"] for row in found.get(body.dispute_no, ()) if body.provider in (None, row["provider"])]


def _refused(body: DisputeGet | DisputeList) -> QueryRejected | None:
    return OPERATORS_ALONE if body.actor.type == "user" else None


def _capture(row: Any) -> CaptureKey:
    return row["provider"], row["trade_no"]


def _summary(row: Any, captures: Mapping[CaptureKey, CapturedFor]) -> dict[str, Any]:
    shown = {name: row[name] for name in DisputeSummary.model_fields if name not in ("amount", "order_ids")}
    capture = captures.get(_capture(row))
    order_ids = () if capture is None else tuple(sorted(capture.shares))
    return shown | {"amount": money(row["amount"], row["currency"]), "order_ids": order_ids}


def _evidence(row: Any, texts: Mapping[tuple[str, str], str]) -> EvidenceShown:
    return EvidenceShown(
        number=row["number"],
        references=tuple(orjson.loads(row["evidence"])),
        written=masked(texts.get((TEXT_TYPE, row["message_id"]))),
        state=row["state"],
        reason_code=row["reason_code"],
        actor_id=row["actor_id"],
        submitted_at=row["submitted_at"],
    )


async def answer_dispute_lists(tx: Transaction, items: Sequence[Envelope[DisputeList]]) -> list[Reply]:
    """Answer each query for a page of disputes, in order. Pages of one kind are found with one statement."""
    names = {item.body.order for item in items if item.body.order is not None}
    orders = await loading.find_all(tx, names) if names else {}
    wanted = [page_of(item.body, orders) for item in items]
    found = await find_by_kind(tx, wanted, _kind, FINDERS)
    rows = await dispute_lists.summaries(tx, {key for ids in found for key in ids})
    captures = await refunds.captured_for(tx, [_capture(row) for row in rows.values()])
    return [
        page if isinstance(page, QueryRejected) else _listed(item.body, [rows[key] for key in ids], captures)
        for item, page, ids in zip(items, wanted, found, strict=True)
    ]


def page_of(body: DisputeList, orders: Mapping[str, int]) -> DisputePage | QueryRejected:
    """Return the page that a query names, or why there is no such page. `orders` has the ids of the names. No I/O."""
    wrong = _refused(body) or refuse_page(body, "disputes", PAGE_MAX_DISPUTES, tuple(ReportedDispute))
    if wrong is not None:
        return wrong
    by_due = body.sort == "due"
    start = start_of(body, OLDEST if by_due else FIRST)
    if isinstance(start, QueryRejected):
        return start
    return DisputePage(
        states=tuple(body.states or (state.value for state in ReportedDispute)),
        due_before=body.due_before,
        start=start,
        size=size_of(body),
        by_due=by_due,
        order_id=0 if body.order is None else orders.get(body.order, NO_ORDER),
    )


def _kind(page: DisputePage) -> str:
    return "order" if page.order_id else "due" if page.by_due else "newest"


def _listed(body: DisputeList, rows: Sequence[Any], captures: Mapping[CaptureKey, CapturedFor]) -> DisputeListed:
    """Build dispute.listed. There is one row more than the page shows if another page follows."""
    at = "due_at" if body.sort == "due" else "occurred_at"
    shown, cursor = shown_of(body, rows, lambda row: PageStart(row[at], row["dispute_id"]))
    return DisputeListed(disputes=tuple(DisputeSummary(**_summary(row, captures)) for row in shown), next_cursor=cursor)
