"""Answers after_sale.get, and the part of order.get that is about cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from db.cipher import ERASED
from db.pool import Transaction
from messages.after_sale_queries import (
    AfterSaleDescribed,
    AfterSaleGet,
    CaseLineShown,
    CaseRefundShown,
    CaseShown,
    CaseStepShown,
    CaseSummary,
)
from messages.base import MoneyShown, QueryRejected, Reply
from messages.envelope import Envelope
from workers.domain.after_sale_rules import WAITING, expected_amount
from workers.domain.after_sales import AfterSaleCase
from workers.domain.book import SYSTEM
from workers.domain.codes import Code
from workers.domain.masking import MASK
from workers.domain.refund_amounts import BoughtLine
from workers.services.answer_parts import exchange, logged, money
from workers.store import case_lists, case_texts, explanations, orders, payments
from workers.store.payments import Kept
from workers.views import loading
from workers.views.keys import id_of
from workers.views.loading import Rows
from workers.views.whole import Head, Refund, Whole

CASE_NOT_FOUND = QueryRejected(code=Code.AFTERSALE_NOT_FOUND, message="there is no such case", path="$.case")
ORDER_NOT_FOUND = QueryRejected(code=Code.ORDER_NOT_FOUND, message="there is no such order", path="$.order")
"""The same for what is unknown and for another user's, so that nothing is given away (S1-46)."""
NOTHING_REVEALED: Mapping[Any, int] = MappingProxyType({})


@dataclass(frozen=True)
class CasesRead:
    """What one batch has read of the cases that it asks about. `texts` has those of each message, by type and id."""

    wholes: Mapping[int, Whole]
    steps: Rows = field(default_factory=dict)
    until: Mapping[int, datetime] = field(default_factory=dict)
    lines: Mapping[int, Sequence[BoughtLine]] = field(default_factory=dict)
    kept: Mapping[int, Kept] = field(default_factory=dict)
    texts: Mapping[tuple[str, str], str] = field(default_factory=dict)


async def answer_about_cases(
    tx: Transaction, items: Sequence[Envelope[AfterSaleGet]], revealed: Mapping[Any, int] = NOTHING_REVEALED
) -> list[Reply]:
    """Answer each query about cases, in order. It takes a fixed number of statements.

    `revealed` has, by `id(item)`, the order of which the sender may see what people wrote, because it is recorded.
    """
    bodies = [item.body for item in items]
    cases = await case_lists.find(tx, {(body.case, id_of(body.case)) for body in bodies if body.case is not None})
    named = await loading.find_all(tx, {body.order for body in bodies if body.order is not None})
    read = await _read(tx, {*named.values(), *(key.order_id for key in cases.values())})
    return [_answer(item.body, read, cases, named, revealed.get(id(item))) for item in items]


async def _read(tx: Transaction, order_ids: set[int]) -> CasesRead:
    wholes = await loading.read_all(tx, order_ids)
    cases = [case for whole in wholes.values() for case in whole.cases]
    live, undecided = (
        {case.order_id for case in cases if not case.ended},
        {case.order_id for case in cases if case.refund_amount is None and not case.ended},
    )
    timers = await explanations.read_case_timers(tx, live)
    return CasesRead(
        wholes=wholes,
        steps=await loading.case_steps(tx, wholes.values()),
        until={row["case_id"]: row["due_at"] for rows in timers.values() for row in rows},
        lines=await orders.lines(tx, undecided),
        kept=await payments.kept(tx, undecided),
        texts=await case_texts.read(tx, {case.order_id for case in cases}),
    )


def _answer(
    body: AfterSaleGet,
    read: CasesRead,
    cases: Mapping[str, case_lists.CaseKey],
    named: Mapping[str, int],
    in_clear: int | None,
) -> Reply:
    if (body.case is None) == (body.order is None):
        why = "name either a case, by its id or number, or an order"
        return QueryRejected(code=Code.ORDER_PARAM_INVALID, message=why, path="$.case")
    key = cases.get(body.case or "")
    order_id = named.get(body.order or "") if key is None else key.order_id
    whole = read.wholes.get(order_id or 0)
    stranger = whole is not None and body.actor.type == "user" and whole.head.user_id != body.actor.id
    unrecorded = body.reveal_reason is not None and in_clear != order_id
    if whole is None or stranger or unrecorded:
        return ORDER_NOT_FOUND if body.case is None else CASE_NOT_FOUND
    wanted = [case for case in whole.cases if key is None or case.id == key.case_id]
    return AfterSaleDescribed(
        cases=tuple(_case(case, whole, read, body.actor.type, clear=in_clear is not None) for case in wanted)
    )


def summaries_of(whole: Whole) -> tuple[CaseSummary, ...]:
    """The cases of an order and of its children, as order.get shows them."""
    return tuple(CaseSummary(**_summary(case, whole)) for case in whole.cases)


def _head_of(case: AfterSaleCase, whole: Whole) -> Head:
    return next(one.head for one in (whole, *whole.children) if one.head.id == case.order_id)


def _summary(case: AfterSaleCase, whole: Whole) -> dict[str, Any]:
    head = _head_of(case, whole)
    newest = next((link for link in reversed(whole.exchanges) if link.case_id == case.id), None)
    decided = case.granted_amount if case.refund_amount is None else case.refund_amount
    return {
        "case_id": case.id,
        "case_no": case.case_no,
        "order_id": case.order_id,
        "order_no": head.order_no,
        "user_id": head.user_id,
        "type": case.type.value,
        "source": case.source.value,
        "reason_code": case.reason_code,
        "state": case.state.value,
        "version": case.version,
        "units": sum(line.qty for line in case.lines),
        "amount": _money(decided, head),
        "requested_at": case.requested_at,
        "processed_at": case.processed_at,
        "completed_at": case.completed_at,
        "exchange": None if newest is None else exchange(newest),
    }


def _money(amount: int | None, head: Head) -> MoneyShown | None:
    return None if amount is None else money(amount, head.currency)


def _case(case: AfterSaleCase, whole: Whole, read: CasesRead, asks: str, *, clear: bool) -> CaseShown:
    """Show a case to its buyer, or to one who has the role operator (`asks` is the type of the actor).

    An operator sees texts and evidence only if that is recorded (`clear`).
    """
    head = _head_of(case, whole)
    steps = [row for row in read.steps.get(case.order_id, ()) if row["case_id"] == case.id]
    return CaseShown(
        **_summary(case, whole),
        merchant_fault=case.merchant_fault,
        expected=_money(_expected(case, read), head),
        granted=_money(case.granted_amount, head),
        owed=_money(case.owed_amount or None, head),
        carrier=case.carrier,
        tracking_no=case.tracking_no,
        until=read.until.get(case.id) if case.state in WAITING else None,  # else it is that of goods to send back
        evidence=case.evidence if clear or asks == "user" else (MASK,) * len(case.evidence),
        lines=tuple(_lines(case, whole)),
        steps=tuple(_step(row, asks, read.texts, clear=clear) for row in steps),
        refunds=tuple(_refund(one) for one in whole.refunds if one.case_id == case.id),
    )


def _expected(case: AfterSaleCase, read: CasesRead) -> int | None:
    """What would go back now, while that is not decided."""
    if case.ended or case.refund_amount is not None:
        return None
    kept = read.kept.get(case.order_id)
    return expected_amount(case, read.lines[case.order_id], 0 if kept is None else kept.left)


def _lines(case: AfterSaleCase, whole: Whole) -> list[CaseLineShown]:
    owner = next(one for one in (whole, *whole.children) if one.head.id == case.order_id)
    sold = {line.line_no: line for line in owner.lines}
    names = [name for name in CaseLineShown.model_fields if name not in ("sku_id", "name")]
    return [
        CaseLineShown(
            sku_id=sold[line.line_no].sku_id,
            name=sold[line.line_no].name,
            **{name: getattr(line, name) for name in names},
        )
        for line in case.lines
    ]


def _step(row: Any, asks: str, texts: Mapping[tuple[str, str], str], *, clear: bool) -> CaseStepShown:
    """Show one step. A buyer sees what the buyer wrote, and not which of the shop's people or systems acted.

    An operator sees that a person wrote something, and what it is only if that is recorded (`clear`).
    """
    theirs = asks != "user" or row["actor_type"] == "user"
    follows = (row["actor_type"], row["actor_id"]) == (SYSTEM.type, SYSTEM.id)  # by itself, after a person's step
    written = texts.get((row["cause_type"].rpartition(".")[0], row["cause_id"])) if theirs and not follows else None
    return CaseStepShown(
        **logged(row, asks),
        trigger=row["trigger"],
        reason_code=row["reason_code"],
        written=written if clear or asks == "user" or written in (None, ERASED) else MASK,
    )


def _refund(refund: Refund) -> CaseRefundShown:
    return CaseRefundShown(
        refund_no=refund.refund_no,
        provider=refund.provider,
        amount=money(refund.amount, refund.currency),
        state=refund.state,
        reason_code=refund.reason_code,
        requested_at=refund.requested_at,
        finished_at=refund.finished_at,
    )
