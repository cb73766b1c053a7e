"""The money that an exchange leaves once its other goods are out (workers/domain/exchanges.py has the table).

What goes back is a refund out of the first order's capture, of cause `exchange:<case>`: the case follows no such
refund, because its buyer has goods. What the buyer owes is a fact: the case is unreturned, with the amount in its row
and in after_sale.unreturned, and people are alerted. Nobody is charged for it, because nobody can be charged without a
payment of his own. The shop collects it outside, for instance by a link to pay, and an operator sends after_sale.close
once it is paid or given up. If the goods come after all, the case goes on as if they had come in time.

Goods that an inspection refused stay at the warehouse while their buyer owes, as the shop's security: with them the
buyer would have both. They go back to the buyer when the case is closed.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

import outbox
from messages.after_sales import AfterSaleEvent
from messages.base import AlertRaised
from messages.envelope import Envelope
from workers.domain.after_sale_rules import refund_parts
from workers.domain.after_sales import AfterSaleCase, CaseLine, CaseState, CaseTrigger
from workers.domain.book import SYSTEM, Who
from workers.domain.codes import Code
from workers.domain.exchanges import balance, replaced, with_lost
from workers.domain.refund_amounts import remaining_units
from workers.services import after_sales as steps
from workers.services import case_refunds, refunds
from workers.services.after_sales import CaseContext

Item: TypeAlias = Envelope[Any]
T = CaseTrigger


def settle(context: CaseContext, case_id: int, *, because: Item) -> None:
    """Give back what the goods that arrive leave to the buyer, and the money of units for which none arrive.

    Only what is more than before goes back, and never above what is left of the capture.
    """
    case = context.cases[case_id]
    before, lines = case.lines, with_lost(case.lines, context.exchanges.current[case_id])
    if case.balance_amount is not None and lines == before:
        return
    units = unreplaced(lines, remaining_units(context.lines[case.order_id]))
    parts = refund_parts(case, context.lines[case.order_id], units) if any(units.values()) else []
    known = None if case.balance_amount is None else case.balance_amount - balance(before)
    left = (known or 0) + balance(lines) + sum(part.amount for part in parts)
    amount = max(0, left) - max(0, case.balance_amount or 0)
    given = tuple(
        replace(
            line,
            refunded_qty=line.refunded_qty + units[line.line_no],
            replaced_qty=min(line.replaced_qty, replaced(line)),
        )
        for line in lines
    )
    context.cases.amend(case_id, lines=given, balance_amount=left)
    if parts:
        case_refunds.book_units(context, case.order_id, parts, because)
    give(context, context.cases[case_id], min(amount, context.left(case.order_id)), because)


def unreplaced(lines: tuple[CaseLine, ...], remaining: Mapping[int, int]) -> dict[int, int]:
    """Line number -> the accepted units that get money now, because the other goods for them never arrive."""
    due = {line.line_no: line.accepted_qty - replaced(line) - line.refunded_qty for line in lines}
    return {line_no: max(0, min(qty, remaining[line_no])) for line_no, qty in due.items()}


def give(context: CaseContext, case: AfterSaleCase, amount: int, because: Item) -> None:
    """Open a refund of what an exchange leaves. One that follows units that were lost has their number in its cause."""
    capture = context.kept.get(case.order_id)
    if capture is None or amount <= 0:
        return
    lost = sum(line.lost_qty for line in case.lines)
    cause = f"{refunds.EXCHANGE_CAUSE}:{case.id}" + (f":{lost}" if lost else "")
    order = context.book[case.order_id]
    case_refunds.owe(context, refunds.due(order, capture, cause, amount, because=because, reason_code=case.reason_code))


def finish(context: CaseContext, case_id: int, *, because: Item, now: datetime) -> None:
    """End a case whose other goods have arrived: replaced units are never claimed again, others may be owed."""
    lines = tuple(replace(line, replaced_qty=replaced(line)) for line in context.cases[case_id].lines)
    context.cases.amend(case_id, lines=lines)
    if context.cases[case_id].owed_amount:
        owe(context, case_id, because=because, now=now)
    else:
        steps.move(context, case_id, T.REPLACED, because=because, now=now)
        case_refunds.close_whole(context, context.cases[case_id].order_id, because=because, now=now)


def end_without(
    context: CaseContext,
    case_id: int,
    trigger: CaseTrigger,
    *,
    because: Item,
    now: datetime,
    who: Who = SYSTEM,
    reason_code: str | None = None,
) -> AfterSaleEvent:
    """End a case whose goods the shop does not get, by this step, or as unreturned if the other goods are out.

    Returns its event.
    """
    case, exchange = context.cases[case_id], context.exchanges.out(case_id)
    lines = case.lines if exchange is None else with_lost(case.lines, exchange)
    about: dict[str, Any] = {"because": because, "now": now, "who": who, "reason_code": reason_code}
    if exchange is None or case.state is CaseState.UNRETURNED or balance(lines) >= 0:
        return steps.move(context, case_id, trigger, **about)
    context.cases.amend(case_id, lines=lines, balance_amount=balance(lines))
    return owe(context, case_id, **about)


def owe(
    context: CaseContext,
    case_id: int,
    *,
    because: Item,
    now: datetime,
    who: Who = SYSTEM,
    reason_code: str | None = None,
) -> AfterSaleEvent:
    """End a case as unreturned, with what its buyer owes, and alert people. Returns its event."""
    event = steps.move(context, case_id, T.NOT_RETURNED, because=because, now=now, who=who, reason_code=reason_code)
    case = context.cases[case_id]
    content = (
        f"case {case.case_no}: the buyer has other goods for some that did not come back, and owes {case.owed_amount} "
        f"{context.book[case.order_id].currency} minor units: collect them, or give them up, and close the case"
    )
    code = Code.AFTERSALE_GOODS_OWED
    alert = AlertRaised.of(title="goods are owed", content=content, code=code, order_id=case.order_id)
    context.news.append(outbox.event(alert, because=because))
    return event


def follow_lost(context: CaseContext, case_id: int, *, because: Item, now: datetime) -> None:
    """Settle a case whose other goods are out once some of them will not arrive, or came back."""
    case = context.cases[case_id]
    if case.balance_amount is None or case.state not in {
        CaseState.RESHIPPING,
        CaseState.COMPLETED,
        CaseState.UNRETURNED,
    }:
        return
    settle(context, case_id, because=because)
    after = context.cases[case_id]
    if case.state is CaseState.UNRETURNED and after.owed_amount == 0:
        steps.move(context, case_id, T.CLOSED, because=because, now=now, reason_code="exchange_lost")
    elif case.state is CaseState.UNRETURNED and after.owed_amount != case.owed_amount:
        owe(context, case_id, because=because, now=now)
    if case.state is CaseState.COMPLETED:
        case_refunds.close_whole(context, case.order_id, because=because, now=now)
