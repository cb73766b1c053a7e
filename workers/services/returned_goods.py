"""Goods of after-sale cases that come back: the parcels that bring them, and what stock learns of them.

a parcel                                    then
------------------------------------------  -----------------------------------------------------------------------
booked for a case, arrives                  after_sale.return_received; a rejected case sends the goods back, and if it
                                            ended otherwise, an alert
came back after delivery, with open cases   those that cover its units follow it
with goods that go back, handed over        send_back.shipped: they are the buyer's again, and a new case may name them
came back after delivery, without a case    after_sale.requested, from fulfilment, once: for its units that have not
                                            gone back and are in no case
failed before it was with the buyer         cases of which nothing is left are rejected or closed
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias, get_args

import outbox
from messages.after_sales import AfterSaleInspect, AfterSaleParcelMoved, AfterSaleShipBack
from messages.base import AlertRaised, Event
from messages.envelope import Envelope
from messages.send_backs import AfterSaleSendBack
from messages.stock import RestockLine, StockDisposition, StockRestock
from workers.domain.after_sale_rules import CLAIMABLE, LOST, nothing_left, refuse_step
from workers.domain.after_sales import (
    IN_REVIEW,
    RETURNS,
    AfterSaleCase,
    CaseLine,
    CaseSource,
    CaseState,
    CaseTrigger,
    CaseType,
)
from workers.domain.book import SYSTEM
from workers.domain.codes import Code
from workers.domain.refusal import Refusal
from workers.domain.send_backs import unsent
from workers.domain.shipping import Parcel, ParcelState
from workers.services import after_sales as steps
from workers.services import authorization, commands, exchange_balances, order_events, refunds
from workers.services.after_sales import CaseContext

Item: TypeAlias = Envelope[Any]
T = CaseTrigger
DISPOSITIONS: tuple[StockDisposition, ...] = get_args(StockDisposition)
CAME_BACK_REASON = "delivery_refused"
"""The reason of a case that a parcel opens. The reviewer may decide otherwise who pays shipping."""
LINKED = IN_REVIEW | {CaseState.AWAITING_RETURN, CaseState.UNRETURNED}
"""The states of a case that follows a parcel which comes back."""
BEFORE_ARRIVAL = IN_REVIEW | {CaseState.REJECTED, CaseState.AWAITING_RETURN, CaseState.RETURN_IN_TRANSIT}


def send_back(context: CaseContext, item: Item, body: AfterSaleShipBack, case: AfterSaleCase, now: datetime) -> Event:
    """Book the parcel that brings the goods of a case back. Returns the outcome."""
    key = body.carrier, body.tracking_no
    refusal = refuse_step(case, T.SHIPPED_BACK)
    if refusal is None and key in context.in_use:
        refusal = number_in_use(body)
    if refusal is not None:
        return commands.rejected(item, refusal)
    context.in_use.add(key)
    parcel_id, _ = context.numbers.next(context.book[case.order_id].user_id)
    units = {line.line_no: line.qty for line in case.lines}
    context.returns.append(Parcel(parcel_id, case.order_id, *key, ParcelState.BOOKED, False, units, case_id=case.id))
    who = authorization.who(body.actor)
    parcel: dict[str, Any] = {"carrier": body.carrier, "tracking_no": body.tracking_no}
    return steps.move(context, case.id, T.SHIPPED_BACK, because=item, now=now, who=who, **parcel)


def hand_over(context: CaseContext, item: Item, body: AfterSaleSendBack, case: AfterSaleCase, now: datetime) -> Event:
    """Book the parcel that takes goods of a case to the buyer, whose they are again. Returns the outcome.

    With the last of them the time ends that the warehouses have.
    """
    key = body.carrier, body.tracking_no
    lines = context.lines[case.order_id]
    units = unsent(case.lines, {line.line_no: line.warehouse for line in lines}, body.warehouse)
    if not units:
        details = {"case_id": str(case.id), "state": case.state.value, "warehouse": body.warehouse}
        why = "this warehouse has no goods of the case to send back"
        return commands.rejected(item, Refusal(Code.AFTERSALE_STATE_INVALID, why, details))
    if key in context.in_use:
        return commands.rejected(item, number_in_use(body))
    context.in_use.add(key)
    parcel_id, _ = context.numbers.next(context.book[case.order_id].user_id)
    parcel = Parcel(parcel_id, case.order_id, *key, ParcelState.BOOKED, False, units, case_id=case.id, to_buyer=True)
    context.returns.append(parcel)
    sent = tuple(replace(line, sent_qty=line.sent_qty + units.get(line.line_no, 0)) for line in case.lines)
    context.cases.amend(case.id, lines=sent)
    if steps.until(context, context.cases[case.id], now) is None:
        steps.stop_time(context, case.id)
    who = authorization.who(body.actor)
    return context.send_backs.hand_over(case, context.book[case.order_id], lines, parcel, item, who)


def number_in_use(body: AfterSaleShipBack | AfterSaleSendBack) -> Refusal:
    """Refuse a number that another parcel has."""
    details = {"carrier": body.carrier, "tracking_no": body.tracking_no}
    return Refusal(Code.LOGISTICS_NUMBER_IN_USE, "a parcel that has not ended has this number", details)


def await_goods(context: CaseContext, item: Item, case: AfterSaleCase, now: datetime) -> None:
    """Let an approved case wait for its goods, unless a parcel brings them already, or has brought them."""
    if case.received_at is not None:
        steps.move(context, case.id, T.RECEIVED, because=item, now=now)
    elif (parcel := next((p for p in context.parcels.get(case.order_id, []) if p.id == case.parcel_id), None)) is None:
        steps.move(context, case.id, T.RETURN_AWAITED, because=item, now=now)
    else:
        number: dict[str, Any] = {"carrier": parcel.carrier, "tracking_no": parcel.tracking_no}
        steps.move(context, case.id, T.SHIPPED_BACK, because=item, now=now, **number)


def follow_parcel(context: CaseContext, item: Item, body: AfterSaleParcelMoved, now: datetime) -> None:
    """Let the cases of an order follow one of its parcels, or open one if none covers what came back."""
    cases = context.cases.of(body.order_id)
    if body.outcome == "failed":
        for case in cases:
            fail(context, item, case, now)
        return
    followers = [case for case in cases if case.id == body.case_id or case.parcel_id == body.shipment_id]
    if not followers and body.case_id is None:
        followers = [*link(context, body, cases), *open_returned(context, item, body, now)]
    for case in followers:
        bring(context, item, body, context.cases[case.id], now)


def link(context: CaseContext, body: AfterSaleParcelMoved, cases: Sequence[AfterSaleCase]) -> list[AfterSaleCase]:
    """Have the open cases follow a parcel that cover units in it and have not received their goods."""
    numbers = {line.line_no for line in body.lines}
    found = []
    for case in cases:
        waits = case.type in RETURNS and case.state in LINKED and case.received_at is None
        if waits and numbers & {line.line_no for line in case.lines}:
            context.cases.amend(case.id, parcel_id=body.shipment_id)
            found.append(case)
    return found


def open_returned(context: CaseContext, item: Item, body: AfterSaleParcelMoved, now: datetime) -> list[AfterSaleCase]:
    """Open a case for review with the units of a parcel that came back. None if all went back, or are in cases."""
    order, rules = context.book[body.order_id], context.rules[body.order_id]
    free = context.free(order.id)
    units = {line.line_no: min(line.qty, free.get(line.line_no, 0)) for line in body.lines}
    case_id, case_no = context.numbers.next(order.user_id)
    if order.state not in CLAIMABLE or not any(units.values()):
        return []
    case = AfterSaleCase(
        id=case_id,
        case_no=case_no,
        order_id=order.id,
        type=CaseType.RETURN_REFUND,
        source=CaseSource.FULFILMENT,
        reason_code=CAME_BACK_REASON,
        merchant_fault=CAME_BACK_REASON in rules.merchant_faults,
        requested_at=now,
        lines=tuple(CaseLine(line_no, qty) for line_no, qty in sorted(units.items()) if qty),
        parcel_id=body.shipment_id,
    )
    steps.open_case(context, case, because=item, who=SYSTEM, now=now)
    return [case]


def bring(context: CaseContext, item: Item, body: AfterSaleParcelMoved, case: AfterSaleCase, now: datetime) -> None:
    """Let a case follow the parcel that brings its goods: on their way, or arrived."""
    if body.outcome == "on_its_way":
        if case.state in {CaseState.AWAITING_RETURN, CaseState.UNRETURNED}:
            number: dict[str, Any] = {"carrier": body.carrier, "tracking_no": body.tracking_no}
            steps.move(context, case.id, T.SHIPPED_BACK, because=item, now=now, **number)
    elif case.allows(T.RECEIVED):
        steps.move(context, case.id, T.RECEIVED, because=item, now=now)
    elif case.received_at is None and case.state in BEFORE_ARRIVAL:
        context.cases.amend(case.id, received_at=now)
        steps.give_goods_back(context, case.id, None, item, now)
    elif case.received_at is None:
        content = f"parcel {body.carrier} {body.tracking_no} arrived for case {case.case_no}, which is {case.state}"
        context.news.append(outbox.event(unexpected(case, content), because=item))


def unexpected(case: AfterSaleCase, content: str) -> AlertRaised:
    """Build alert.raised: goods are at the warehouse, and no case waits for them."""
    code = Code.AFTERSALE_GOODS_UNEXPECTED
    return AlertRaised.of(title="goods without a case", content=content, code=code, order_id=case.order_id)


def fail(context: CaseContext, item: Item, case: AfterSaleCase, now: datetime) -> None:
    """End a case whose units went back all, because the parcel that they are in never reached the buyer."""
    if case.ended or not nothing_left(case, context.lines[case.order_id]):
        return
    for trigger in (T.REJECTED, T.CLOSED):
        if case.allows(trigger) and case.state in BEFORE_ARRIVAL:
            why = "delivery_failed"
            exchange_balances.end_without(context, case.id, trigger, because=item, now=now, reason_code=why)
            return


def take_back(context: CaseContext, item: Item, body: AfterSaleInspect, case: AfterSaleCase) -> None:
    """Have stock take back the inspected units that were accepted. Each report of an inspection counts once.

    Units that were lost on their way back are written off.
    """
    back: list[RestockLine] = []
    for disposition in DISPOSITIONS:
        units: dict[int, int] = {}
        for line in body.lines:
            if line.disposition == disposition or (line.disposition == LOST and disposition == "write_off"):
                units[line.line_no] = units.get(line.line_no, 0) + line.qty
        back += order_events.restock_lines(context.lines[case.order_id], units, disposition)
    if back:
        ref = f"{refunds.CASE_CAUSE}:{case.id}:{case.version}"
        restock = StockRestock(holder_id=case.order_id, ref=ref, lines=tuple(back))
        context.news.append(outbox.internal(restock, because=item))
