"""Money of after-sale cases: what goes back for the units that a case accepted, and what its refunds do to it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

from messages.after_sales import AfterSaleEvent, AfterSaleRefundMoved
from messages.envelope import Envelope
from workers.domain.after_sale_rules import all_back, amount_due, amount_granted, refund_parts, to_refund
from workers.domain.after_sales import AfterSaleCase, CaseState, CaseTrigger
from workers.domain.book import SYSTEM, Who
from workers.domain.exchanges import balance
from workers.domain.order import CancelType, Trigger
from workers.domain.refund_amounts import RefundLine, RefundState, give_back, is_past
from workers.services import after_sales as steps
from workers.services import refunds
from workers.services.after_sales import CaseContext
from workers.store.refunds import RefundDue

Item: TypeAlias = Envelope[Any]
T = CaseTrigger
OPENED_AGAIN = frozenset({("requested", CaseState.REFUND_FAILED), ("captured", CaseState.COMPLETED)})
"""(news of a refund, state of its case) that begin another refund, or that of a part which was captured after all."""


def refund(
    context: CaseContext, case: AfterSaleCase, *, because: Item, now: datetime, who: Who = SYSTEM
) -> AfterSaleEvent:
    """Give the units of the case back, and open their refund; with nothing to pay back, the case is completed at once.

    Units that went back otherwise meanwhile are left out, and the money is never above what is left of the capture.
    Money that is only authorised is released, which ends the case, too.
    Returns after_sale.refunding.
    """
    order, lines = context.book[case.order_id], context.lines[case.order_id]
    units = to_refund(case, lines)
    parts = refund_parts(case, lines, units)
    computed = sum(part.amount for part in parts)
    amount = amount_due(case, computed, context.left(order.id))
    book_units(context, case.order_id, parts, because)
    given = tuple(replace(line, refunded_qty=line.refunded_qty + units[line.line_no]) for line in case.lines)
    changes: dict[str, Any] = {"lines": given}
    if case.balance_amount is not None:  # the other goods went out and do not arrive: what they left has gone back
        left = case.balance_amount - balance(case.lines) + amount_granted(case, computed)
        amount = max(0, min(max(0, left) - max(0, case.balance_amount), context.left(order.id)))
        changes |= {"balance_amount": left, "lines": tuple(replace(n, lost_qty=n.exchange_qty) for n in given)}
    changes["refund_amount"] = amount
    event = steps.move(context, case.id, T.REFUND_OPENED, because=because, now=now, who=who, **changes)
    if context.kept.get(order.id) is None or not amount:
        complete(context, case.id, because=because, now=now)
        return event
    whole = amount == computed
    due = refunds.due(
        order,
        context.kept[order.id],
        f"{refunds.CASE_CAUSE}:{case.id}",
        amount,
        because=because,
        reason_code=case.reason_code,
        lines=parts if whole else (),
        case_id=case.id,
    )
    owe(context, due)
    if due.state is RefundState.RELEASED:
        complete(context, case.id, because=because, now=now)
    return event


def book_units(context: CaseContext, order_id: int, parts: Sequence[RefundLine], because: Item) -> None:
    """Give units and their money back in the order's lines."""
    context.lines[order_id] = give_back(context.lines[order_id], parts)
    context.given += [(order_id, part) for part in parts]
    context.causes[order_id] = because


def owe(context: CaseContext, due: RefundDue) -> None:
    """Open a refund out of the capture of its order, which has as much left."""
    capture = context.kept[due.order_id]
    context.kept[due.order_id] = replace(capture, owed=capture.owed + due.amount)
    context.dues.append(due)


def complete(context: CaseContext, case_id: int, *, because: Item, now: datetime) -> None:
    """End a case whose money is back, and its order if everything of it came back."""
    steps.move(context, case_id, T.REFUND_SUCCEEDED, because=because, now=now)
    close_whole(context, context.cases[case_id].order_id, because=because, now=now)


def close_whole(context: CaseContext, order_id: int, *, because: Item, now: datetime) -> None:
    """End an order of which everything came back, if its policy says so (S0-40)."""
    order = context.book[order_id]
    closes = context.rules[order.id].full_refund_closes and order.allows(Trigger.ALL_RETURNED)
    closes = closes and all(case.ended for case in context.cases.of(order.id))  # their refunds may still fail
    if closes and all_back(context.lines[order.id], context.left(order.id)):
        fields: dict[str, Any] = {"cancel_type": CancelType.AFTERSALE, "reason_code": "aftersale"}
        context.book.move(order.id, Trigger.ALL_RETURNED, because=because, at=now, **fields)


def follow_refund(context: CaseContext, item: Item, body: AfterSaleRefundMoved, now: datetime) -> None:
    """Let a case follow its refund. What does not fit the case's state is a repeat, and changes nothing.

    Messages may come in any order, so news that the refund has left behind changes nothing either.
    """
    case, refund = context.cases.get(body.case_id), context.refunds.get(body.refund_no)
    past = refund is not None and is_past(body.state, refund.state, replaced=refund.replaced_by is not None)
    if case is None or past:
        return
    if body.state == "succeeded" and case.allows(T.REFUND_SUCCEEDED):
        complete(context, case.id, because=item, now=now)
    elif body.state == "failed" and case.allows(T.REFUND_FAILED):
        steps.move(context, case.id, T.REFUND_FAILED, because=item, now=now, reason_code=body.reason_code)
    elif (body.state, case.state) in OPENED_AGAIN:
        steps.move(context, case.id, T.REFUND_OPENED, because=item, now=now)
        if refund is not None and refund.state is RefundState.FAILED:
            steps.move(context, case.id, T.REFUND_FAILED, because=item, now=now)
