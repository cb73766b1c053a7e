"""Handles after-sale cases: what buyers ask for after their goods have left, what sellers decide, what comes back.

    message                   case is                     then
    ------------------------  --------------------------  ---------------------------------------------------------
    after_sale.apply          none, units have left       after_sale.requested; a small amount is approved at once
    after_sale.review         requested, reopened         approve: after_sale.approved, and as below; reject:
                                                          after_sale.rejected
                              inspection failed           approve: the granted amount goes back, unless the other
                                                          goods are out; reject: closed, or unreturned
    after_sale.cancel         requested, reopened, or     after_sale.revoked
                              awaiting the goods
    after_sale.reopen         rejected                    after_sale.reopened
    after_sale.ship_back      awaiting the goods          after_sale.return_shipped; the parcel is booked
    after_sale.receive        the goods are to come back  after_sale.return_received
    after_sale.inspect        received                    counted; after the last unit after_sale.inspect_passed or
                                                          .inspect_failed. Accepted goods are in stock again,
                                                          sellable or in quarantine, or they are written off
    after_sale.close          goes no further             after_sale.closed, or .unreturned if the other goods of an
                                                          exchange are out
                              unreturned                  after_sale.closed: what its buyer owes is settled
    after_sale.send_back      has goods to send back      send_back.shipped: the parcel to the buyer is booked
    after_sale.due            requested                   what the order's policy says: approved, rejected or an alert
                              reopened                    after_sale.rejected: the review stands
                              awaiting the goods          after_sale.closed or .unreturned
                              on the way, at the          an alert, and again after the same time
                              warehouse, failed, or has
                              goods to send back
    after_sale.parcel_moved   goods come back, or failed  workers/services/returned_goods.py has the table
    after_sale.refund_moved   refunding, refund failed    after_sale.completed, .refund_failed or .refunding
                              completed by what was       after_sale.refunding, if that was captured after all
                              released
    after_sale.exchange_moved an exchange                 the case follows the order of the other goods: see below

Every other pair is refused: AFTERSALE_STATE_INVALID, AFTERSALE_ALREADY_REVIEWED or AFTERSALE_CANNOT_REVOKE. An approved
case gives its money back at once if the goods stay with the buyer (refund_only); else the goods come back first, and
only what the inspection accepts is paid (S1-22). The money is computed here, never above what is left of the capture;
a failed refund leaves the case open. When all units and all money of an order went back, the order is cancelled, if its
policy says so (S0-40). Windows, reasons and automatic approvals are those under which the order was placed. What an
exchange does between its approval and its end is in services/exchange_cases.py.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias, cast

import outbox
from db.pool import Transaction
from messages.after_sales import (
    COMMANDS,
    AfterSaleApply,
    AfterSaleCancel,
    AfterSaleClose,
    AfterSaleDue,
    AfterSaleInspect,
    AfterSaleParcelMoved,
    AfterSaleReceive,
    AfterSaleRefundMoved,
    AfterSaleReopen,
    AfterSaleReview,
    AfterSaleShipBack,
    CaseCommand,
)
from messages.base import CommandRejected, Event
from messages.envelope import Envelope
from messages.replacements import AfterSaleExchangeMoved
from messages.send_backs import AfterSaleSendBack
from workers import shop
from workers.domain.after_sale_policy import OnUnreviewed
from workers.domain.after_sale_rules import (
    expected_amount,
    inspect,
    refuse_inspection,
)
from workers.domain.after_sales import (
    RETURNS,
    AfterSaleCase,
    CaseLine,
    CaseSource,
    CaseState,
    CaseTrigger,
    CaseType,
)
from workers.domain.book import SYSTEM, Book, Who
from workers.domain.codes import Code
from workers.domain.refusal import Refusal
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import after_sales as steps
from workers.services import (
    authorization,
    benefits,
    case_refunds,
    case_refusals,
    commands,
    exchange_balances,
    exchange_cases,
    order_events,
    refunds,
    returned_goods,
    send_backs,
)
from workers.services.after_sales import CaseContext
from workers.store import after_sales, exchanges, free_texts, ids, orders, shipments, timers
from workers.store import refunds as refund_rows
from workers.store.timers import TimerKind

CaseMessage: TypeAlias = (
    AfterSaleApply | CaseCommand | AfterSaleDue | AfterSaleRefundMoved | AfterSaleParcelMoved | AfterSaleExchangeMoved
)
Item: TypeAlias = Envelope[CaseMessage]
T = CaseTrigger
PLAIN: dict[type[CaseCommand], CaseTrigger] = {
    AfterSaleCancel: T.REVOKED,
    AfterSaleReopen: T.REOPENED,
    AfterSaleReceive: T.RECEIVED,
    AfterSaleClose: T.CLOSED,
}
"""Commands that take one step and owe nothing else."""
NEED_IDS = (AfterSaleApply, AfterSaleShipBack, AfterSaleSendBack, AfterSaleParcelMoved)
"""Messages that may open a case, or book a parcel."""


def decide(item: Envelope[AfterSaleApply], context: CaseContext, now: datetime) -> tuple[CaseLine, ...] | Refusal:
    """Return the lines of a new case, or why it is not opened. No I/O."""
    body = item.body
    order = context.book.get(body.order_id)
    denial = authorization.denied(body.actor, body.order_id, order)
    if denial is not None or order is None:
        assert denial is not None, "an unknown order is refused"
        return denial
    return case_refusals.pick(context, order, body, now)


async def handle_cases(tx: Transaction, batch: Batch[CaseMessage]) -> None:
    """Lock every order once, decide in order of arrival, write each table once."""
    claims = await commands.claim(tx, batch.of(*COMMANDS, AfterSaleSendBack))
    fresh = {id(item) for item in claims.fresh}  # two copies of a message have the same message id
    context = await read(tx, batch, claims.fresh)
    outcomes: commands.Outcomes = {}

    for item in batch:
        if isinstance(item.body, AfterSaleDue):
            expire(context, item, item.body, batch.now)
        elif isinstance(item.body, AfterSaleRefundMoved):
            case_refunds.follow_refund(context, item, item.body, batch.now)
        elif isinstance(item.body, AfterSaleParcelMoved):
            returned_goods.follow_parcel(context, item, item.body, batch.now)
        elif isinstance(item.body, AfterSaleExchangeMoved):
            exchange_cases.follow(context, cast(Envelope[AfterSaleExchangeMoved], item), batch.now)
        elif id(item) in fresh:
            outcomes[commands.key_of(item)] = change(context, item, batch.now), item

    opened = await refund_rows.open_all(tx, context.dues)
    await orders.save(tx, context.book)
    await orders.give_back_lines(tx, context.given)
    await after_sales.save(tx, context.cases)
    await shipments.insert(tx, context.returns, context.returns, context.send_backs.places)
    goods_back = await send_backs.write(tx, context.send_backs, batch.now)
    await exchange_cases.write(tx, context, batch.now)
    taken = [item for event, item in outcomes.values() if not isinstance(event, CommandRejected)]
    await free_texts.keep(tx, [(i, i.body.order_id, context.book[i.body.order_id].user_id) for i in taken])
    applied = await benefits.apply(tx, context.book, batch.now, opened, context.causes)
    stopped, started = context.timers()
    await timers.change(tx, stopped=stopped, started=started)
    await timers.postpone(tx, context.settled(), batch.now)
    answers = await commands.conclude(tx, outcomes)
    rejections = [outbox.event(e, because=item) for e, item in outcomes.values() if isinstance(e, CommandRejected)]
    news = [
        *context.news,
        *goods_back,
        *context.exchanges.news,
        *order_events.steps(context.book),
        *rejections,
        *refunds.announcements(opened),
        *order_events.reduced(context.book, context.causes),
    ]
    await outbox.append(tx, [*news, *benefits.announcements(applied), *answers, *claims.answers])


async def read(
    tx: Transaction, batch: Batch[CaseMessage], fresh: Sequence[Envelope[AfterSaleApply | CaseCommand]]
) -> CaseContext:
    """Lock the orders of the cases, and read what the decisions depend on."""
    due = batch.of(AfterSaleDue)
    owners = await after_sales.orders_of(tx, [item.body.case_id for item in due])
    replacing = await exchanges.owners(tx, [item.body.exchange_order_id for item in batch.of(AfterSaleExchangeMoved)])
    named: list[AfterSaleApply | CaseCommand | AfterSaleRefundMoved | AfterSaleParcelMoved] = []
    named += [item.body for item in fresh]
    named += [item.body for item in batch.of(AfterSaleRefundMoved)]
    named += [item.body for item in batch.of(AfterSaleParcelMoved)]
    of_orders = [body.order_id for body in named]
    of_orders += [*owners.values(), *(owner.first_order_id for owner in replacing.values())]
    book = Book[Item](await orders.lock(tx, set(of_orders)))
    needing = sum(isinstance(body, NEED_IDS) and body.order_id in book for body in named)
    numbers = await ids.reserve_with_case_numbers(tx, needing, shop.current().business_time_zone)
    running = await timers.read(tx, [(TimerKind.AFTER_SALE, item.body.case_id) for item in due])
    context = await steps.read(tx, book, numbers, running)
    moved = [body for body in named if isinstance(body, AfterSaleRefundMoved) and body.state != "succeeded"]
    context.refunds = await refund_rows.read(tx, [body.refund_no for body in moved]) if moved else {}
    sent = [body for body in named if isinstance(body, AfterSaleShipBack | AfterSaleSendBack)]
    context.in_use |= await shipments.in_use(tx, [(body.carrier, body.tracking_no) for body in sent])
    await exchange_cases.read(tx, context, of_orders, [item.body for item in fresh])
    return context


def change(context: CaseContext, item: Item, now: datetime) -> Event:
    """Apply one command, and return its outcome."""
    body = item.body
    if isinstance(body, AfterSaleApply):
        return apply(context, item, body, now)
    assert isinstance(body, CaseCommand)
    denial = authorization.denied(body.actor, body.order_id, context.book.get(body.order_id))
    case = context.cases.get(body.case_id)
    if denial is None and (case is None or case.order_id != body.order_id):
        denial = Refusal(Code.AFTERSALE_NOT_FOUND, "the order has no such case", {"case_id": str(body.case_id)})
    denial = denial or case_refusals.forbidden(context, item, body)
    if denial is not None or case is None:
        assert denial is not None, "an unknown case is refused"
        return commands.rejected(item, denial)
    return change_case(context, item, body, case, now)


def change_case(context: CaseContext, item: Item, body: CaseCommand, case: AfterSaleCase, now: datetime) -> Event:
    """Apply one command about a case, and return its outcome."""
    if isinstance(body, AfterSaleReview):
        return review(context, item, body, case, now)
    if isinstance(body, AfterSaleInspect):
        return take_in(context, item, body, case, now)
    if isinstance(body, AfterSaleShipBack):
        return returned_goods.send_back(context, item, body, case, now)
    if isinstance(body, AfterSaleSendBack):
        return returned_goods.hand_over(context, item, body, case, now)
    trigger = PLAIN[type(body)]
    if (refusal := case_refusals.stepping(context, body, case, trigger, now)) is not None:
        return commands.rejected(item, refusal)
    who, why = authorization.who(body.actor), getattr(body, "reason_code", None)
    take = exchange_balances.end_without if trigger is T.CLOSED else steps.move
    return take(context, case.id, trigger, because=item, now=now, who=who, reason_code=why)


def apply(context: CaseContext, item: Item, body: AfterSaleApply, now: datetime) -> Event:
    """Open a case, and approve it at once if it is about a small amount. Returns the outcome."""
    lines = decide(cast(Envelope[AfterSaleApply], item), context, now)
    if isinstance(lines, Refusal):
        return commands.rejected(item, lines)
    order, rules = context.book[body.order_id], context.rules[body.order_id]
    case_id, case_no = context.numbers.next(order.user_id)
    case = AfterSaleCase(
        id=case_id,
        case_no=case_no,
        order_id=order.id,
        type=CaseType(body.type),
        source=CaseSource.USER if body.actor.type == "user" else CaseSource.CUSTOMER_SERVICE,
        reason_code=body.reason_code or "",
        merchant_fault=body.reason_code in rules.merchant_faults,
        requested_at=now,
        lines=lines,
        evidence=body.evidence,
    )
    event = steps.open_case(context, case, because=item, who=authorization.who(body.actor), now=now)
    small = rules.approve_up_to_minor_units.get(order.currency, -1)
    given = sum(other.refund_amount or 0 for other in context.cases.of(order.id))  # else a claim is cut into small ones
    if given + expected_amount(case, context.lines[order.id], context.left(order.id)) <= small:
        approve(context, item, case, SYSTEM, "small_amount", now)
    return event


def review(context: CaseContext, item: Item, body: AfterSaleReview, case: AfterSaleCase, now: datetime) -> Event:
    """Do as the seller decides, and return the outcome."""
    who, failed = authorization.who(body.actor), case.state is CaseState.INSPECT_FAILED
    if (refusal := case_refusals.reviewing(context, body, case)) is not None:
        return commands.rejected(item, refusal)
    if body.decision == "reject":
        trigger = T.CLOSED if failed else T.REJECTED
        return exchange_balances.end_without(
            context, case.id, trigger, because=item, now=now, who=who, reason_code=body.reason_code
        )
    fault = case.merchant_fault if body.merchant_fault is None else body.merchant_fault
    context.cases.amend(case.id, granted_amount=body.amount, merchant_fault=fault)
    if failed:
        return case_refunds.refund(context, context.cases[case.id], because=item, now=now, who=who)
    return approve(context, item, context.cases[case.id], who, body.reason_code, now)


def approve(  # noqa: PLR0917 (the case, whose decision it is, and why)
    context: CaseContext, item: Item, case: AfterSaleCase, who: Who, reason_code: str | None, now: datetime
) -> Event:
    """Approve a case: its money goes back, its goods are awaited first, or the wanted ones are reserved before that.

    Returns after_sale.approved.
    """
    event = steps.move(context, case.id, T.APPROVED, because=item, now=now, who=who, reason_code=reason_code)
    if case.type is CaseType.EXCHANGE:
        exchange_cases.place(context, case, {line.line_no: line.qty for line in case.lines}, because=item, now=now)
    elif case.type in RETURNS:
        returned_goods.await_goods(context, item, context.cases[case.id], now)
    else:
        case_refunds.refund(context, context.cases[case.id], because=item, now=now)
    return event


def take_in(context: CaseContext, item: Item, body: AfterSaleInspect, case: AfterSaleCase, now: datetime) -> Event:
    """Count inspected units, and let the case go on after the last one. Returns the outcome."""
    reported = [(line.line_no, line.qty, line.disposition) for line in body.lines]
    if (refusal := refuse_inspection(case, reported, operator=body.actor.type == "operator")) is not None:
        return commands.rejected(item, refusal)
    inspected = inspect(case, [(line_no, qty, disposition != "send_back") for line_no, qty, disposition in reported])
    if isinstance(inspected, Refusal):
        return commands.rejected(item, inspected)
    lines, trigger = inspected
    who = authorization.who(body.actor)
    event = steps.move(context, case.id, trigger, because=item, now=now, who=who, lines=lines)
    returned_goods.take_back(context, item, body, context.cases[case.id])
    if trigger is T.INSPECTION_PASSED and case.type is CaseType.RETURN_REFUND:
        case_refunds.refund(context, context.cases[case.id], because=item, now=now)
    elif trigger is T.INSPECTION_PASSED:
        exchange_cases.go_on(context, context.cases[case.id], because=item, now=now)
    return event


def expire(context: CaseContext, item: Item, body: AfterSaleDue, now: datetime) -> None:
    """Do as the order's policy says with a case whose time is over. A timer without a row has no effect."""
    case, due_at = context.cases.get(body.case_id), context.due.get((TimerKind.AFTER_SALE, body.case_id))
    if case is None or due_at is None or due_at > now or case.id in context.started:
        return
    if case.state is CaseState.AWAITING_RETURN:
        why = "return_overdue"
        exchange_balances.end_without(context, case.id, T.RETURN_EXPIRED, because=item, now=now, reason_code=why)
    elif case.state is CaseState.REOPENED:
        steps.move(context, case.id, T.REJECTED, because=item, now=now, reason_code="review_overdue")
    elif (again := steps.until(context, case, now)) is None:
        context.stopped.add(case.id)
    elif case.state is not CaseState.REQUESTED:
        context.started[case.id] = again
        context.news.append(outbox.event(steps.overdue(case), because=item))
    elif (rule := context.rules[case.order_id].on_unreviewed) is OnUnreviewed.APPROVE:
        if (refusal := exchange_cases.refuse_case(context, case)) is not None:
            steps.move(context, case.id, T.REJECTED, because=item, now=now, reason_code=refusal.code)
            return
        approve(context, item, case, SYSTEM, "review_overdue", now)
    elif rule is OnUnreviewed.REJECT:
        steps.move(context, case.id, T.REJECTED, because=item, now=now, reason_code="review_overdue")
    else:
        context.started[case.id] = again
        context.news.append(outbox.event(steps.overdue(case), because=item))


ROUTE = Route(queue="after-sales", handler=handle_cases)
