"""Finds what is owed to after-sale cases and disputes because a message or a timer was lost for good.

lost                              it is owed while                                 then
--------------------------------  -----------------------------------------------  -------------------------------
after_sale.refund_moved           a case is not where its refunds are              its case follows the refund
after_sale.exchange_moved         a case does not know where its exchange order is its case follows that order
after_sale.exchange_decided       an exchange order waits, and its case has        it goes out, or ends
                                  decided
after_sale.parcel_moved           a parcel of a case, or one that came back, is at its case has its goods, or one is
                                  the warehouse or on its way there, or failed     opened or ended
the timer of a case               it waits for a person, a carrier or a warehouse  it starts with the time it had
the timer of a dispute            people are to be reminded of it                  the same

An alert is not repeated: parcels that arrive for a case that has ended otherwise are owed nothing.
"""

from collections.abc import Sequence

from db.pool import Transaction
from messages.after_sales import AfterSaleParcelMoved, AfterSaleRefundMoved, ReturnedLine
from messages.base import Internal
from messages.replacements import AfterSaleExchangeDecided, AfterSaleExchangeMoved
from workers.domain.after_sale_rules import claimable, due_at
from workers.domain.case_repairs import concerns_cases
from workers.services.owed_messages import WITHOUT_TIMER, Owed
from workers.store import after_sales, case_repairs, orders, shipments
from workers.store.case_repairs import BehindOrder, UndecidedExchange, UnknownExchange, UnknownParcel, UnknownRefund
from workers.store.timers import Timer, TimerKind


async def plan(tx: Transaction, order_ids: Sequence[int] | None, grace_seconds: float) -> list[Owed]:
    """Return everything that is owed to the cases and disputes of some orders, or of all."""
    exchanges = await case_repairs.exchanges(tx, order_ids, grace_seconds)
    refunds = await case_repairs.refunds(tx, order_ids, grace_seconds)
    parcels = await _followed(tx, await case_repairs.parcels(tx, order_ids, grace_seconds))
    return [
        *map(_exchange, exchanges),
        *map(_refund, refunds),
        *map(_parcel, parcels),
        *await _case_timers(tx, order_ids),
        *await _dispute_timers(tx, order_ids),
    ]


async def _followed(tx: Transaction, found: Sequence[UnknownParcel]) -> list[UnknownParcel]:
    """Leave out the parcels that came back and need no case."""
    alone = {one.order.id for one in found if one.alone}
    if not alone:
        return list(found)
    cases = await after_sales.of_orders(tx, alone)
    lines, parcels = await orders.lines(tx, alone), await shipments.of_orders(tx, alone)
    needed = []
    for one in found:
        key = one.order.id
        own = [case for case in cases if case.order_id == key]
        if not one.alone or concerns_cases(
            one.order.state,
            one.units,
            claimable(lines[key], [parcel for parcel in parcels if parcel.order_id == key], own),
            own,
            one.order.since,
        ):
            needed.append(one)
    return needed


async def _case_timers(tx: Transaction, order_ids: Sequence[int] | None) -> list[Owed]:
    untimed = await case_repairs.cases(tx, order_ids)
    rules = await after_sales.rules_of(tx, [one.order.id for one in untimed])
    found = []
    for one in untimed:
        due = due_at(one.state, rules[one.order.id], one.order.since, sends_back=True)
        assert due is not None, "the statement and the rules name the same states"
        found.append(_timer(one.order, Timer(TimerKind.AFTER_SALE, one.case_id, due)))
    return found


async def _dispute_timers(tx: Transaction, order_ids: Sequence[int] | None) -> list[Owed]:
    untimed = await case_repairs.disputes(tx, order_ids)
    return [_timer(one.order, Timer(TimerKind.DISPUTE, one.dispute_id, one.remind_at)) for one in untimed]


def _timer(order: BehindOrder, timer: Timer) -> Owed:
    what = f"timer {timer.kind} {timer.key}"
    return Owed(order.id, order.order_no, order.state, what, WITHOUT_TIMER, timer.due_at, timer=timer)


def _message(order: BehindOrder, what: str, because: str, message: Internal) -> Owed:
    return Owed(order.id, order.order_no, order.state, what, because, order.since, message=message)


def _refund(one: UnknownRefund) -> Owed:
    moved = AfterSaleRefundMoved(order_id=one.order.id, case_id=one.case_id, refund_no=one.refund_no, state=one.news)
    what = f"after_sale.refund_moved {one.refund_no} {one.news}"
    return _message(one.order, what, f"its case {one.case_id} is {one.state}", moved)


def _exchange(one: UnknownExchange | UndecidedExchange) -> Owed:
    because = f"for its case the exchange order is {one.state}"
    if isinstance(one, UndecidedExchange):
        decided = AfterSaleExchangeDecided(exchange_order_id=one.exchange_order_id, decision=one.decision)
        what = f"after_sale.exchange_decided {one.exchange_order_id} {one.decision}"
        return _message(one.order, what, because, decided)
    moved = AfterSaleExchangeMoved(exchange_order_id=one.exchange_order_id, state=one.news)
    what = f"after_sale.exchange_moved {one.exchange_order_id} {one.news}"
    return _message(one.order, what, because, moved)


def _parcel(one: UnknownParcel) -> Owed:
    moved = AfterSaleParcelMoved(
        order_id=one.order.id,
        shipment_id=one.shipment_id,
        case_id=one.case_id,
        carrier=one.carrier,
        tracking_no=one.tracking_no,
        outcome=one.outcome,
        lines=tuple(ReturnedLine(line_no=line_no, qty=qty) for line_no, qty in sorted(one.units.items())),
    )
    about = "no case of it" if one.case_id is None else f"its case {one.case_id} does not"
    because = f"{about} follows parcel {one.shipment_id}" if one.case_id is None else f"{about} follow its parcel"
    return _message(one.order, f"after_sale.parcel_moved {one.shipment_id} {one.outcome}", because, moved)
