"""The screens of `oms disputes`: a list, and how one stands, until when to answer, and what was submitted."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from messages.dispute_queries import DisputeShown, DisputeSummary, EvidenceShown
from scripts.screens.layout import NUMBER_COLUMNS, Column, Lines, fields, grid, section, title
from scripts.screens.timeline import ago, text_of, until, when

DISPUTE_MEANINGS = {
    "opened": "the buyer disputes the payment; the provider decides",
    "won": "it ended: the shop keeps the money",
    "lost": "it ended: the buyer gets the money",
    "closed": "it ended without a decision about the money",
}


def disputes_screen(disputes: Sequence[DisputeSummary], width: int) -> Lines:
    """Return the list of `oms disputes list`; nothing without a dispute."""
    columns = [
        Column("dispute", least=10),
        Column("provider"),
        Column("state"),
        Column("amount", right=True),
        Column("until (UTC)"),
        Column("evidence", right=True, extra=True),
        Column("order", least=NUMBER_COLUMNS),
    ]
    rows = [
        (one.dispute_no, one.provider, one.state, text_of(one.amount), when(one.due_at, width), one.submissions,
         ", ".join(str(order_id) for order_id in one.order_ids))
        for one in disputes
    ]  # fmt: skip
    return grid(columns, rows, width).lines if rows else []


def dispute_screen(one: DisputeShown, now: datetime, width: int) -> Lines:
    """Return the whole screen."""
    return [
        *title(f"Dispute {one.dispute_no} at {one.provider}: {one.state}", width),
        *fields(list(_summary(one, now)), width),
        *_evidence(one, width),
    ]


def _summary(one: DisputeShown, now: datetime) -> Iterator[tuple[str, Any]]:
    yield "means", DISPUTE_MEANINGS.get(one.state)
    yield "since", ago(one.occurred_at, now)
    yield "answer", None if one.due_at is None else f"at the provider, until {until(one.due_at, now)}"
    yield "reminder", None if one.reminder_at is None else until(one.reminder_at, now)
    yield "money", text_of(one.amount)
    yield "payment", one.trade_no
    yield "order", "; ".join(f"oms order show {order_id}" for order_id in one.order_ids) or None
    yield "reason", one.reason_code


def _where(each: EvidenceShown) -> str:
    """What the provider has of a submission: an operator gave it there, or we did."""
    state = "by hand" if each.state == "recorded" else each.state
    return state if each.reason_code is None else f"{state}: {each.reason_code}"


def _evidence(one: DisputeShown, width: int) -> Lines:
    columns = [
        Column("at (UTC)"),
        Column("by", least=8),
        Column("references", least=12),
        Column("wrote", least=12),
        Column("at the provider"),
    ]
    rows = [
        (when(each.submitted_at, width), each.actor_id, ", ".join(each.references), each.written, _where(each))
        for each in one.evidence
    ]
    return section("evidence", columns, rows, width)
