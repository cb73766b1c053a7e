"""Handles commands about the rest of an order: the units that have not left the warehouse.

    order is                  order.cancel_rest               order.shortage.report
    ------------------------  ------------------------------  ---------------------------------------------------------
    (paid means: paid, or fulfilling)
    paid, nothing has left    ORDER_NOT_CANCELLABLE:          the units are refunded: order.shortage_recorded;
                              order.cancel does it            if nothing else is left to ship, order.cancelled
    paid, a parcel has left   the rest is refunded and        the units are refunded: order.shortage_recorded
                              restocked: order.rest_cancelled
    split                     ORDER_NOT_CANCELLABLE           ORDER_STATE_INVALID: its children have the goods
    otherwise                 ORDER_NOT_CANCELLABLE           ORDER_STATE_INVALID

A report with `warehouse` is about the units from there; without it, LOGISTICS_WAREHOUSE_AMBIGUOUS if units are left in
several, but an operator means all of them. Who works for another warehouse gets AUTH_FORBIDDEN.
If the order's policy never lets buyers cancel what is paid (C-16), a buyer's order.cancel_rest is rejected, too.

Where the order's rule is to ask (`on_shortage`), a shortage that leaves units to ship holds the order (order.held, kind
shortage) until the buyer answers with order.shortage.decide: ship_rest releases it, cancel_rest also cancels what has
not left. After the window (timer shortage, order.shortage_due) the rule answers. Another report starts the window anew.
An answer that nothing waits for is rejected with ORDER_SHORTAGE_INVALID. An operator's order.release ships the rest.

The order goes on with what has left: if that is everything now, order.shipped follows at once, and if it has arrived,
order.delivered (receipt timer, or order.completed by its policy). Units in parcels that wait in the warehouse count as
not left; they are taken out.
Money goes back by the cumulative rule of all refunds, and shipping with the last unit of the order; points that paid
for the units come back in proportion. Cancelled units are sellable again. Short units are not: the warehouse does not
have them, so they leave its stock at once: an order that is only reserved is deducted with its first short units.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.base import Actor, CommandRejected, Event
from messages.envelope import Envelope
from messages.rests import (
    DroppedLine,
    OrderCancelRest,
    OrderRestCancelled,
    OrderShortageRecorded,
    ShortageDecide,
    ShortageDue,
    ShortageReport,
)
from messages.roles import Role
from messages.stock import StockCommit, StockRestock
from workers.domain.book import SYSTEM, Book, Who
from workers.domain.codes import Code
from workers.domain.order import IN_WAREHOUSE, CancelType, Order, Trigger
from workers.domain.order_change_rules import refuse_paid
from workers.domain.refund_amounts import BoughtLine, RefundLine, give_back, refund_units, remaining_units
from workers.domain.refusal import Refusal
from workers.domain.rests import drop, not_left, pick, several_warehouses, take_out, to_ship
from workers.domain.shipping import Parcel
from workers.domain.shop import DeductOn, OnShortage
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import authorization, benefits, commands, deliveries, hand_overs, order_events, refunds, shortages
from workers.services.parcels import advance_order
from workers.services.shortages import ShortageAnswers
from workers.store import orders, payments, shipments
from workers.store import refunds as refund_rows
from workers.store.orders import DroppedUnits
from workers.store.payments import Kept
from workers.store.refunds import RefundDue

RestMessage: TypeAlias = OrderCancelRest | ShortageReport | ShortageDecide | ShortageDue
Item: TypeAlias = Envelope[RestMessage]


@dataclass
class RestContext:
    """What one batch reads and decides with: orders, lines and parcels as its commands change them, and the effects.

    `kept` is order id -> its capture and what of it is refunded, also by this batch.
    """

    book: Book[Item]
    lines: dict[int, list[BoughtLine]]
    parcels: dict[int, dict[int, Parcel]]
    kept: dict[int, Kept]
    answers: ShortageAnswers
    emptied: dict[tuple[int, int], Parcel] = field(default_factory=dict)
    dropped: list[DroppedUnits] = field(default_factory=list)
    given: list[tuple[int, RefundLine]] = field(default_factory=list)
    dues: list[RefundDue] = field(default_factory=list)
    causes: dict[int, Item] = field(default_factory=dict)
    stock: list[outbox.Announcement] = field(default_factory=list)

    def of(self, order_id: int) -> list[Parcel]:
        """Return what the order has in parcels, as the batch has changed them."""
        return list(self.parcels.get(order_id, {}).values())

    def left_to_ship(self, order_id: int) -> bool:
        """True if the order has units that have not left the warehouse."""
        return any(not_left(self.lines[order_id], self.of(order_id)).values())


def decide(item: Item, order: Order | None, units: Mapping[int, int], parcels: Sequence[Parcel]) -> Refusal | None:
    """Return why the rest of this order is not dropped, or None. No I/O. `units` are those that the command names."""
    body = item.body
    actor = body.actor if isinstance(body, OrderCancelRest) else Actor(type="system", id="warehouse")
    denial = authorization.denied(actor, body.order_id, order)
    if denial is not None or order is None:
        return denial
    details = {"order_id": str(order.id), "state": order.state.value}
    if isinstance(body, ShortageReport):
        if order.state not in IN_WAREHOUSE:
            why = f"an order that is {order.state} has no units left to ship"
            return Refusal(Code.ORDER_STATE_INVALID, why, details)
        why = "it has fewer units of these SKUs that have not left the warehouse"
        return None if units else Refusal(Code.ORDER_SHORTAGE_INVALID, why, details)
    if order.state not in IN_WAREHOUSE:
        why = f"an order that is {order.state} has no rest that can be cancelled"
        return Refusal(Code.ORDER_NOT_CANCELLABLE, why, details)
    if not any(parcel.out for parcel in parcels):
        return Refusal(Code.ORDER_NOT_CANCELLABLE, "nothing of it has left: send order.cancel for all of it", details)
    return refuse_paid(order, actor.type)


async def drop_rests(tx: Transaction, batch: Batch[RestMessage]) -> None:
    """Lock every order once, decide in order of arrival, write each table once."""
    due = batch.of(ShortageDue)
    claims = await commands.claim(tx, [item for item in batch if not isinstance(item.body, ShortageDue)])
    book = Book[Item](await orders.lock(tx, {item.body.order_id for item in (*claims.fresh, *due)}))
    context = await read(tx, book, claims.fresh, due)
    outcomes: commands.Outcomes = {}

    for item in claims.fresh:
        outcomes[commands.key_of(item)] = drop_rest(context, item, batch.now), item
    for item in due:
        answer_for_buyer(context, item, batch.now)

    receipts = await deliveries.end(tx, book, batch.now)
    opened = await refund_rows.open_all(tx, context.dues)
    await context.answers.save(tx, receipts)
    await orders.save(tx, book)  # ends the holds that orders which end still have
    await orders.give_back_lines(tx, context.given)
    await orders.drop_units(tx, context.dropped)
    await shipments.withdraw(tx, [kept for part in context.emptied.values() for kept in shipments.kept_units(part)])
    applied = await benefits.apply(tx, book, batch.now, opened, context.causes)
    answers = await commands.conclude(tx, outcomes)
    rejections = [outbox.event(e, because=item) for e, item in outcomes.values() if isinstance(e, CommandRejected)]
    news = [*order_events.steps(book), *rejections, *context.stock, *order_events.hand_overs(book)]
    news += await hand_overs.held_at_work(tx, book)
    news += [
        *refunds.announcements(opened),
        *order_events.reduced(book, context.causes),
        *benefits.announcements(applied),
    ]
    await outbox.append(tx, [*news, *answers, *claims.answers])


async def read(tx: Transaction, book: Book[Item], items: Sequence[Item], due: Sequence[Item]) -> RestContext:
    """Read what the decisions depend on besides the orders."""
    paid = [order.id for order in book.before.values() if order.state in IN_WAREHOUSE]
    parcels: dict[int, dict[int, Parcel]] = {}
    for parcel in await shipments.of_orders(tx, paid):
        parcels.setdefault(parcel.order_id, {})[parcel.id] = parcel
    reported = [item.body.order_id for item in items if isinstance(item.body, ShortageReport)]
    answers = await shortages.read(tx, book, reported, [item.body.order_id for item in due])
    return RestContext(book, await orders.lines(tx, paid), parcels, await payments.kept(tx, paid), answers)


def drop_rest(context: RestContext, item: Item, now: datetime) -> Event:
    """Drop the units of one command from their order, and return its outcome."""
    if isinstance(item.body, ShortageDecide):
        return answer(context, item, item.body, now)
    order, lines = context.book.get(item.body.order_id), context.lines.get(item.body.order_id, [])
    parcels = context.of(item.body.order_id)
    units = wanted_units(item.body, lines, not_left(lines, parcels))
    refusal = decide(item, order, units, parcels) or misplaced(item, lines, not_left(lines, parcels), units)
    if refusal is not None or order is None:
        assert refusal is not None, "an unknown order is refused"
        return commands.rejected(item, refusal)
    event = take_step(context, item, order, units, now)
    finish(context, item, order, now)
    return event


def wanted_units(body: RestMessage, lines: Sequence[BoughtLine], left: Mapping[int, int]) -> Mapping[int, int]:
    """Return line number -> the units that a command names, of those that are left; none if they are not all left."""
    if not isinstance(body, ShortageReport):
        return left
    here = [line for line in lines if body.warehouse in (None, line.warehouse)]
    left_here = {line.line_no: left[line.line_no] for line in here if line.line_no in left}
    return pick(here, left_here, [(line.sku_id, line.qty) for line in body.lines])


def misplaced(
    item: Item, lines: Sequence[BoughtLine], left: Mapping[int, int], units: Mapping[int, int]
) -> Refusal | None:
    """Return why a shortage is not recorded that may be another warehouse's, or None."""
    body = item.body
    if not isinstance(body, ShortageReport) or Role.OPERATOR in item.roles:
        return None
    wanted = [(line.sku_id, line.qty) for line in body.lines]
    if body.warehouse is None and (possible := several_warehouses(lines, left, wanted)):
        details = {"order_id": str(body.order_id), "field": "warehouse", "warehouses": sorted(possible)}
        why = "its units are left in several warehouses: name one"
        return Refusal(Code.LOGISTICS_WAREHOUSE_AMBIGUOUS, why, details)
    return authorization.another_warehouse(item, *{line.warehouse for line in lines if line.line_no in units})


def answer(context: RestContext, item: Item, body: ShortageDecide, now: datetime) -> Event:
    """Do as the buyer answers to a shortage, and return the outcome."""
    order = context.book.get(body.order_id)
    denial = authorization.denied(body.actor, body.order_id, order)
    if denial is not None or order is None:
        assert denial is not None, "an unknown order is refused"
        return commands.rejected(item, denial)
    if not context.answers.waits(order.id):
        details = {"order_id": str(order.id), "state": order.state.value}
        refusal = Refusal(Code.ORDER_SHORTAGE_INVALID, "no shortage of it waits for an answer", details)
        return commands.rejected(item, refusal)
    return settle(context, item, order, body.decision, authorization.who(body.actor), now)


def answer_for_buyer(context: RestContext, item: Item, now: datetime) -> None:
    """Answer to a shortage as the order's rule says, if its time is over and nobody has answered."""
    order_id = item.body.order_id
    if context.answers.waits(order_id) and context.answers.is_over(order_id, now):
        order = context.book[order_id]
        decision = "cancel_rest" if order.on_shortage is OnShortage.ASK_THEN_CANCEL else "ship_rest"
        settle(context, item, order, decision, SYSTEM, now)
    elif not context.answers.waits(order_id):
        context.answers.stop(order_id)


def settle(  # noqa: PLR0917 (the order, the answer and whose it is)
    context: RestContext, item: Item, order: Order, decision: str, who: Who, now: datetime
) -> Event:
    """Release the order from its shortage, and cancel what has not left if that is the answer. Returns the outcome."""
    released = context.answers.release(context.book, order.id, decision, who, because=item, now=now)
    lines, parcels = context.lines.get(order.id, []), context.of(order.id)
    units = {line_no: qty for line_no, qty in not_left(lines, parcels).items() if qty}
    if decision != "cancel_rest" or not units or not order.allows(Trigger.REST_CANCELLED):
        return released
    event = take_step(context, item, order, units, now)
    finish(context, item, order, now)
    return event


def finish(context: RestContext, item: Item, order: Order, now: datetime) -> None:
    """Let the order go on with what it still ships, or end it; with nothing left to ship, nothing waits any more."""
    lines, parcels = context.lines[order.id], context.of(order.id)
    if context.answers.waits(order.id) and not context.left_to_ship(order.id):
        context.answers.release(context.book, order.id, "nothing_left", SYSTEM, because=item, now=now)
    if any(to_ship(lines).values()) or any(parcel.out for parcel in parcels):
        advance_order(context.book, order.id, to_ship(lines), parcels, item, now)
        return
    cancelled: dict[str, Any] = {"cancel_type": CancelType.MERCHANT, "reason_code": "out_of_stock"}
    context.book.move(order.id, Trigger.ALL_SHORT, because=item, at=now, **cancelled)


def take_step(context: RestContext, item: Item, order: Order, units: Mapping[int, int], now: datetime) -> Event:
    """Drop the units: refund them, take them out of waiting parcels, restock them if they exist. Returns the event."""
    short, actor = isinstance(item.body, ShortageReport), getattr(item.body, "actor", None)
    trigger = Trigger.SHORTAGE if short else Trigger.REST_CANCELLED
    who = authorization.who(actor) if actor else Who("system", item.user or "warehouse") if short else SYSTEM
    moved = context.book.move(order.id, trigger, because=item, at=now, who=who)
    ref = f"{'short' if short else 'rest'}:{moved.order.version}"
    lines = context.lines[order.id]
    bought = remaining_units(lines)
    parts = refund_units(lines, {line_no: min(qty, bought[line_no]) for line_no, qty in units.items()})
    context.lines[order.id] = left = drop(give_back(lines, parts), units)
    for parcel in take_out(left, context.of(order.id)):
        context.parcels[order.id][parcel.id] = context.emptied[parcel.id, order.id] = parcel
    kind = "short" if short else "cancelled"
    context.dropped += [DroppedUnits(order.id, ref, line_no, kind, qty) for line_no, qty in sorted(units.items())]
    context.given += [(order.id, part) for part in parts]
    context.causes[order.id] = item
    if short and order.deduct_on == DeductOn.SHIP and not any(parcel.out for parcel in context.of(order.id)):
        context.stock.append(outbox.internal(StockCommit(holder_id=order.id), because=item))
    if not short:
        back = order_events.restock_lines(lines, units)
        context.stock.append(outbox.internal(StockRestock(holder_id=order.id, ref=ref, lines=back), because=item))
    amount = refund(context, item, order, ref, parts)
    skus = {line.line_no: line.sku_id for line in lines}
    gone = tuple(DroppedLine(line_no=n, sku_id=skus[n], qty=qty) for n, qty in sorted(units.items()))
    about = order_events.common(moved) | {"lines": gone, "refund_amount": amount}
    until = (
        context.answers.ask(context.book, order, because=item, now=now)
        if short and context.left_to_ship(order.id)
        else None
    )
    event = OrderShortageRecorded(**about, decide_before=until) if short else OrderRestCancelled(**about)
    moved.event = event
    return event


def refund(context: RestContext, item: Item, order: Order, cause: str, parts: Sequence[RefundLine]) -> int:
    """Refund the lines, never more than is left of the order's capture. Returns the amount in minor units."""
    capture = context.kept.get(order.id)
    if capture is None:
        return 0
    whole = sum(part.amount for part in parts)
    amount = min(whole, capture.left)  # an operator may have refunded some of it already
    context.kept[order.id] = replace(capture, owed=capture.owed + amount)
    lines = parts if amount == whole else ()
    context.dues.append(refunds.due(order, capture, cause, amount, because=item, lines=lines))
    return amount


ROUTE = Route(queue="partial-orders", handler=drop_rests)
