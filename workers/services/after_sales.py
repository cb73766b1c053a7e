"""The steps of after-sale cases: each is announced, and refunds, stock and timers follow it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.after_sales import (
    AfterSaleApproved,
    AfterSaleClosed,
    AfterSaleCompleted,
    AfterSaleEvent,
    AfterSaleInspectFailed,
    AfterSaleInspecting,
    AfterSaleInspectPassed,
    AfterSaleRefundFailed,
    AfterSaleRefunding,
    AfterSaleRejected,
    AfterSaleReopened,
    AfterSaleRequested,
    AfterSaleReshipping,
    AfterSaleReturnAwaited,
    AfterSaleReturnReceived,
    AfterSaleReturnShipped,
    AfterSaleRevoked,
    CaseLinePart,
)
from messages.base import Actor, AlertRaised
from messages.envelope import Envelope
from messages.orders import Cause
from messages.replacements import AfterSaleUnreturned
from workers.domain.after_sale_policy import AfterSaleRules
from workers.domain.after_sale_rules import (
    WAITING,
    claimable,
    due_at,
    expected_amount,
)
from workers.domain.after_sales import AfterSaleCase, CaseBook, CaseState, CaseStep, CaseTrigger
from workers.domain.book import SYSTEM, Book, Who
from workers.domain.codes import Code
from workers.domain.order import State
from workers.domain.refund_amounts import BoughtLine, RefundLine, remaining_units
from workers.domain.send_backs import sending, to_send_back
from workers.domain.shipping import Parcel
from workers.services import business_counts
from workers.services.exchanges import Exchanges
from workers.services.send_backs import SendBacks
from workers.store import after_sales, orders, payments, shipments
from workers.store.ids import NewCaseIds
from workers.store.payments import Kept
from workers.store.refunds import RefundDue, RefundRow
from workers.store.timers import Key, Timer, TimerKind

Item: TypeAlias = Envelope[Any]
T = CaseTrigger
EVENTS: dict[CaseTrigger, type[AfterSaleEvent]] = {
    T.APPLIED: AfterSaleRequested,
    T.APPROVED: AfterSaleApproved,
    T.REJECTED: AfterSaleRejected,
    T.REVOKED: AfterSaleRevoked,
    T.REOPENED: AfterSaleReopened,
    T.RETURN_AWAITED: AfterSaleReturnAwaited,
    T.SHIPPED_BACK: AfterSaleReturnShipped,
    T.RECEIVED: AfterSaleReturnReceived,
    T.INSPECTION_BEGAN: AfterSaleInspecting,
    T.INSPECTION_PASSED: AfterSaleInspectPassed,
    T.INSPECTION_FAILED: AfterSaleInspectFailed,
    T.REFUND_OPENED: AfterSaleRefunding,
    T.REFUND_FAILED: AfterSaleRefundFailed,
    T.REFUND_SUCCEEDED: AfterSaleCompleted,
    T.RETURN_EXPIRED: AfterSaleClosed,
    T.STOCK_REFUSED: AfterSaleRejected,
    T.RESHIPPED: AfterSaleReshipping,
    T.REPLACED: AfterSaleCompleted,
    T.CLOSED: AfterSaleClosed,
    T.NOT_RETURNED: AfterSaleUnreturned,
}
"""The event of each step."""
SENDS_NOTHING = frozenset({CaseState.REJECTED, CaseState.REVOKED, CaseState.CLOSED, CaseState.REFUNDING})
"""The states of a case in which no other goods go to the buyer."""
LOOK = "what it waits for is overdue: look for the goods, or decide"
OVERDUE = {
    CaseState.INSPECT_FAILED: "nobody has decided yet: pay for its goods all the same, or reject it",
    CaseState.REFUND_FAILED: "its money has not gone back: request the refund again, or close the case",
}
"""What people are alerted of if it is not LOOK."""


@dataclass
class CaseContext:
    """What one batch reads and decides with: orders, lines and cases as its messages change them, and the effects.

    `kept` is order id -> its capture and what of it is refunded, also by this batch. `numbers` gives the id and the
    number of each new case. `due` are the timers that wake the batch. `in_use` are the numbers of parcels that have not
    ended, of those that commands name, and `returns` the new parcels that bring goods back. `refunds` are
    those that messages name, by number: the rows say which of these messages still holds.
    """

    book: Book[Item]
    cases: CaseBook[Item]
    lines: dict[int, list[BoughtLine]]
    parcels: dict[int, list[Parcel]]
    kept: dict[int, Kept]
    rules: dict[int, AfterSaleRules]
    numbers: NewCaseIds
    due: dict[Key, datetime]
    dues: list[RefundDue] = field(default_factory=list)
    given: list[tuple[int, RefundLine]] = field(default_factory=list)
    causes: dict[int, Item] = field(default_factory=dict)
    news: list[outbox.Announcement] = field(default_factory=list)
    started: dict[int, datetime] = field(default_factory=dict)
    stopped: set[int] = field(default_factory=set)
    in_use: set[shipments.ParcelKey] = field(default_factory=set)
    returns: list[Parcel] = field(default_factory=list)
    exchanges: Exchanges = field(default_factory=Exchanges)
    send_backs: SendBacks = field(default_factory=SendBacks)
    refunds: Mapping[str, RefundRow] = field(default_factory=dict)

    def left(self, order_id: int) -> int:
        """What the order can still give back of its capture, in minor units; 0 if nothing was captured."""
        kept = self.kept.get(order_id)
        return 0 if kept is None else kept.left

    def free(self, order_id: int) -> dict[int, int]:
        """Line number -> the units that a new case of the order may name."""
        return claimable(self.lines[order_id], self.parcels.get(order_id, []), self.cases.of(order_id))

    def timers(self) -> tuple[list[Key], list[Timer]]:
        """Return the timers to stop, and those to start. An order of which all came back is not completed by time."""
        started = [Timer(TimerKind.AFTER_SALE, key, due_at) for key, due_at in self.started.items()]
        ended = [step.order.id for step in self.book.steps if step.order.state is State.CANCELLED]
        stopped = [(TimerKind.AFTER_SALE, key) for key in self.stopped]
        stopped += [(TimerKind.SAGA, key) for key in self.exchanges.reserved]
        return [*stopped, *((TimerKind.RECEIPT, key) for key in ended)], started

    def settled(self) -> list[Key]:
        """Return the receipt timers that the end of a case lets go on: of delivered orders without another open one."""
        ended = sorted({step.case.order_id for step in self.cases.steps if self.cases[step.case.id].ended})
        delivered = [key for key in ended if self.book[key].state is State.DELIVERED]
        return [(TimerKind.RECEIPT, key) for key in delivered if all(case.ended for case in self.cases.of(key))]


async def read(tx: Transaction, book: Book[Item], numbers: NewCaseIds, due: dict[Key, datetime]) -> CaseContext:
    """Read what the decisions depend on besides the orders, which are locked."""
    ids = list(book.before)
    parcels: dict[int, list[Parcel]] = {}
    for parcel in await shipments.of_orders(tx, ids):
        parcels.setdefault(parcel.order_id, []).append(parcel)
    return CaseContext(
        book,
        CaseBook(await after_sales.of_orders(tx, ids)),
        await orders.lines(tx, ids),
        parcels,
        await payments.kept(tx, ids),
        await after_sales.rules_of(tx, ids),
        numbers,
        due,
    )


def open_case(context: CaseContext, case: AfterSaleCase, *, because: Item, who: Who, now: datetime) -> AfterSaleEvent:
    """Add a new case, and start the time for its review. Returns its event."""
    return announce(context, context.cases.open(case, because=because, who=who, at=now), now)


def move(
    context: CaseContext,
    case_id: int,
    trigger: CaseTrigger,
    *,
    because: Item,
    now: datetime,
    who: Who = SYSTEM,
    reason_code: str | None = None,
    **changes: Any,
) -> AfterSaleEvent:
    """Take one step with a case, which allows it. Returns its event."""
    moved = context.cases.move(case_id, trigger, because=because, who=who, at=now, reason_code=reason_code, **changes)
    return announce(context, moved, now)


def announce(context: CaseContext, step: CaseStep[Item], now: datetime) -> AfterSaleEvent:
    """Announce a step in the order's stream, and start or stop the timer of the state that it leads to."""
    case, order = step.case, context.book[step.case.order_id]
    business_counts.note_case(step)
    due = until(context, case, now)
    if due is not None:
        context.started[case.id] = due
        context.stopped.discard(case.id)
    elif step.previous in WAITING:
        stop_time(context, case.id)
    if case.state in SENDS_NOTHING:
        context.exchanges.end(case.id, step.because)
    give_goods_back(context, case.id, step.trigger, step.because, now)
    event = event_of(context, step)
    context.news.append(outbox.event(event, because=step.because, stream=order.root_id))
    return event


def stop_time(context: CaseContext, case_id: int) -> None:
    """Stop the timer of a case that waits for nobody any more."""
    context.started.pop(case_id, None)
    context.stopped.add(case_id)


def give_goods_back(
    context: CaseContext, case_id: int, trigger: CaseTrigger | None, because: Item, now: datetime
) -> None:
    """Have the warehouses send goods back that the case has not accepted and, after this step, never will.

    From now on they have their time for it.
    """
    case = context.cases[case_id]
    order, lines = context.book[case.order_id], context.lines[case.order_id]
    if trigger is T.INSPECTION_PASSED and context.exchanges.out(case_id) is not None:
        return  # they are the shop's security for what the buyer may owe
    if units := to_send_back(case, trigger, remaining_units(lines)):
        context.cases.amend(case_id, lines=sending(case, units))
        context.send_backs.request(case, order, lines, units, because)
        due = until(context, context.cases[case_id], now)
        assert due is not None, "goods that wait to be sent back have a time"
        context.started[case_id] = due
        context.stopped.discard(case_id)


def until(context: CaseContext, case: AfterSaleCase, now: datetime) -> datetime | None:
    """Return when the time is over for what the case waits for, if it begins to wait now; None if no time ends it."""
    return due_at(case.state, context.rules[case.order_id], now, sends_back=case.sends_back)


def event_of(context: CaseContext, step: CaseStep[Item]) -> AfterSaleEvent:
    """Build the event of a step."""
    case, order = step.case, context.book[step.case.order_id]
    skus = {line.line_no: line.sku_id for line in context.lines[order.id]}
    amount = case.refund_amount
    if amount is None:
        amount = expected_amount(case, context.lines[order.id], context.left(order.id))
    fields: dict[str, Any] = {
        "case_id": case.id,
        "case_no": case.case_no,
        "order_id": order.id,
        "order_no": order.order_no,
        "user_id": order.user_id,
        "type": case.type.value,
        "source": case.source.value,
        "case_reason": case.reason_code,
        "state": case.state.value,
        "previous": step.previous,
        "version": case.version,
        "amount": amount,
        "currency": order.currency,
        "reason_code": step.reason_code,
        "lines": tuple(
            CaseLinePart(
                line_no=line.line_no,
                sku_id=skus[line.line_no],
                qty=line.qty,
                accepted_qty=line.accepted_qty,
                refused_qty=line.refused_qty,
                refunded_qty=line.refunded_qty,
                wanted_sku_id=line.wanted_sku_id,
            )
            for line in case.lines
        ),
        "cause": Cause(
            type=step.because.body.TYPE, id=step.because.id, actor=Actor(type=step.who.type, id=step.who.id)
        ),
    }
    if step.trigger is T.SHIPPED_BACK:
        fields |= {"carrier": case.carrier, "tracking_no": case.tracking_no}
    if step.trigger is T.RESHIPPED:
        exchange = context.exchanges.current[case.id]
        fields |= {"exchange_order_id": exchange.order_id, "difference": exchange.difference}
    if step.trigger is T.NOT_RETURNED:
        exchange = context.exchanges.current[case.id]
        fields |= {"exchange_order_id": exchange.order_id, "owed_amount": case.owed_amount}
    return EVENTS[step.trigger](**fields)


def overdue(case: AfterSaleCase) -> AlertRaised:
    """Build alert.raised: a case waits for a person, a carrier or a warehouse, and goes on waiting."""
    content = f"case {case.case_no} is {case.state}, and {OVERDUE.get(case.state, LOOK)}"
    if case.state not in WAITING:
        content = f"goods of case {case.case_no} are to go back to the buyer: have the warehouse hand them over"
    code = Code.AFTERSALE_OVERDUE
    return AlertRaised.of(title="case overdue", content=content, code=code, order_id=case.order_id)
