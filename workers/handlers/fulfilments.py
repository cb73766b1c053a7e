"""Hands orders over to warehouses, and handles what these report.

    fulfilment.review: the order is   then its part at each warehouse of OMS_FULFILMENT_WAREHOUSES is
    --------------------------------  -----------------------------------------------------------------------------
    paid, fulfilling                  requested (fulfilment.requested, to the warehouse's own queue), unless it is
                                      held; anew, with a higher number, if goods or address changed before it was
                                      accepted, or after it was withdrawn; withdrawn if nothing is left to ship
    held after a warehouse refused    withdrawn, so that the last release requests it anew
    held while a warehouse works      fulfilment.held (sent with the hold), and fulfilment.released after the last hold
    cancelling                        withdrawn before it was accepted; after that fulfilment.cancel_requested
    shipped or later                  handed over, because its parcels say so; with fulfilment.withdrawn, if the rest of
                                      it is not to be shipped (withdrawn, if that is all of it)
    cancelled                         withdrawn: fulfilment.withdrawn

    the warehouse sends               then
    --------------------------------  -----------------------------------------------------------------------------
    fulfilment.accept,                the hand-over moves on, never back; a paid order becomes order.fulfilling
    fulfilment.pick, fulfilment.pack   (packed: the authorised money of the order is captured)
    fulfilment.hand_over              the same; if the order is cancelling: order.cancel_refused
    fulfilment.refuse                 the hand-over is refused, and its goods leave the parcels that wait; an alert has
                                      a person decide
    fulfilment.cancel_accepted        the hand-over is withdrawn, and its goods leave the parcels that wait; with the
                                      last of them the order is cancelled: all refunded, stock back. If the order goes
                                      on meanwhile, it is requested anew
    fulfilment.cancel_refused         order.cancel_refused: the order is fulfilling again
    fulfilment.get                    fulfilment.requested again, and fulfilment.send_back for each case whose goods it
                                      has to send back (fulfilment.resent); FULFILMENT_NOT_OPEN if nothing is open

A fact is late if it names an earlier request or a step that was passed, or refuses an earlier cancellation. It changes
nothing, and if its request is withdrawn, fulfilment.withdrawn is sent again (with an alert, if the goods were handed
over). One that contradicts what the warehouse reported before is a dead letter (fact_differs), one about an order that
was never requested from this warehouse too (hand_over_unknown), and one from a broker user of another warehouse
(untrusted_user). An unknown order is retried, at last a dead letter. While a cancellation is not answered, the timer
`cancelling` raises an alert from time to time. Address and remark are in clear in the warehouse's queue alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.base import Event
from messages.envelope import Envelope
from messages.fulfilments import (
    FulfilmentAccept,
    FulfilmentCancelAccepted,
    FulfilmentCancelRefused,
    FulfilmentFact,
    FulfilmentGet,
    FulfilmentHandOver,
    FulfilmentPack,
    FulfilmentPick,
    FulfilmentRefuse,
    FulfilmentResent,
    FulfilmentReview,
    OrderCancelRefused,
)
from messages.reasons import Reason
from workers import shop
from workers.domain.book import Book, Who
from workers.domain.codes import Code
from workers.domain.hand_overs import (
    AT_WORK,
    OPEN,
    WAY,
    Ask,
    HandOver,
    HandOverState,
    Unmoved,
    after_answer,
    after_step,
    cancel_trigger,
    review,
)
from workers.domain.order import IN_WAREHOUSE, Order, State, Trigger
from workers.domain.refusal import Refusal
from workers.domain.shipping import Parcel, ParcelState
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import (
    authorization,
    benefits,
    cancellations,
    commands,
    order_events,
    payment_authorizations,
    refunds,
    send_backs,
)
from workers.services.hand_overs import HandOverContext, alert, ask, hold_instruction
from workers.store import fulfilments as hand_over_rows
from workers.store import orders, shipments, timers, waybills
from workers.store import send_backs as send_back_rows
from workers.store.timers import Timer, TimerKind

FulfilmentMessage: TypeAlias = FulfilmentReview | FulfilmentGet | FulfilmentFact
Item: TypeAlias = Envelope[Any]
STEPS: Mapping[type[FulfilmentFact], HandOverState] = {
    FulfilmentAccept: HandOverState.ACCEPTED,
    FulfilmentRefuse: HandOverState.REFUSED,
    FulfilmentPick: HandOverState.PICKING,
    FulfilmentPack: HandOverState.PACKED,
    FulfilmentHandOver: HandOverState.HANDED_OVER,
}
"""Fact -> the state to which it moves a hand-over. The other facts answer cancellations."""
LEAVING = frozenset({HandOverState.PACKED, HandOverState.HANDED_OVER})
"""The content of the parcel is certain now, so the authorised money of the order is captured."""


def decide(hand_over: HandOver, body: FulfilmentFact) -> HandOver | Unmoved:
    """Return the hand-over after the fact, or why it does not move. No I/O."""
    if isinstance(body, FulfilmentCancelAccepted | FulfilmentCancelRefused):
        stops = isinstance(body, FulfilmentCancelAccepted)
        after = after_answer(hand_over, body.cancel_no, body.number, stops=stops)
    else:
        after = after_step(hand_over, STEPS[type(body)], body.number)
    if isinstance(after, Unmoved):
        return after
    reason_code = getattr(body, "reason_code", None)
    return replace(after, ref=body.ref or after.ref, reason_code=reason_code)


async def follow_warehouses(tx: Transaction, batch: Batch[FulfilmentMessage]) -> None:
    """Lock every order once, apply the messages in order of arrival, write each table once."""
    claims = await commands.claim(tx, batch.of(FulfilmentGet))
    fresh = {id(item) for item in claims.fresh}  # two copies of a message have the same message id
    book = Book[Item](await orders.lock(tx, {item.body.order_id for item in batch}))
    context = await read(tx, book)
    context.unsent = await send_back_rows.unsent(tx, {item.body.order_id for item in claims.fresh} & book.before.keys())
    outcomes: commands.Outcomes = {}

    for item in batch:
        body, order = item.body, book.get(item.body.order_id)
        if isinstance(body, FulfilmentGet):
            if id(item) in fresh:
                outcomes[commands.key_of(item)] = get(context, item, body), item
        elif order is None:
            batch.retry(item, Reason.ORDER_UNKNOWN, "its order is not in the database yet")
        elif isinstance(body, FulfilmentReview):
            bring_in_line(context, item, order.id, batch.now)
        else:
            apply_fact(context, batch, item, body)

    await write(tx, context, outcomes, claims, batch.now)


def apply_fact(context: HandOverContext, batch: Batch[FulfilmentMessage], item: Item, body: FulfilmentFact) -> None:
    """Apply what a warehouse reports, or say why not."""
    hand_over = context.after.get((body.order_id, body.warehouse))
    if not authorization.works_for(item, body.warehouse):
        batch.dead(item, Reason.UNTRUSTED_USER, "this broker user reports for another warehouse")
        return
    if hand_over is None:
        batch.dead(item, Reason.HAND_OVER_UNKNOWN, "the order was never requested from this warehouse")
        return
    match decide(hand_over, body):
        case HandOver() as after:
            context.move(after, item)
            if isinstance(body, FulfilmentCancelAccepted | FulfilmentRefuse):
                context.stopped.append(after)
            if after.state in LEAVING:
                context.leaving.setdefault(body.order_id, item)
            order = context.book[body.order_id]
            if order.held and hand_over.state is HandOverState.REQUESTED and after.state in AT_WORK:
                context.news.append(hold_instruction(order, after, None, item))
            take_step(context, item, body, batch.now)
        case Unmoved.LATE:
            answer_late(context, item, body, hand_over)
        case Unmoved.CONTRADICTS:
            batch.dead(item, Reason.FACT_DIFFERS, f"the warehouse reported it as {hand_over.state} before")


async def read(tx: Transaction, book: Book[Item]) -> HandOverContext:
    """Read what the decisions depend on besides the orders."""
    known = await hand_over_rows.papers(tx, book.before)
    shares, lines = await hand_over_rows.shares(tx, known)
    return HandOverContext(book, known, shares, lines, await hand_over_rows.of_orders(tx, book.before))


async def write(
    tx: Transaction, context: HandOverContext, outcomes: commands.Outcomes, claims: commands.Claims, now: datetime
) -> None:
    """Write each table once, and announce what changed."""
    book = context.book
    ended = [step.order.id for step in book.steps if step.trigger is Trigger.CANCEL_ACCEPTED]
    parcels: dict[int, list[Any]] = {}
    for parcel in await shipments.of_orders(tx, [*ended, *(one.order_id for one in context.stopped)]):
        parcels.setdefault(parcel.order_id, []).append(parcel)
    given = await cancellations.give_back(tx, book, parcels)
    await shipments.withdraw(tx, stopped_units(context, parcels))
    await waybills.stop(tx, [(one.order_id, one.warehouse) for one in context.stopped])
    await orders.save(tx, book)
    await hand_over_rows.save(tx, context.changed(), context.steps, now)
    captures = await payment_authorizations.capture(tx, book, context.leaving)
    applied = await benefits.apply(tx, book, now, given.opened, given.causes)
    due_at = now + timedelta(seconds=shop.current().fulfilment_cancel_seconds)
    waiting = [key for key in context.cancelling if book[key].state is State.CANCELLING]
    answered = [step.order.id for step in book.steps if step.previous is State.CANCELLING]
    await timers.change(
        tx,
        stopped=[(TimerKind.CANCELLING, key) for key in answered],
        started=[Timer(TimerKind.CANCELLING, key, due_at) for key in sorted(waiting)],
    )
    answers = await commands.conclude(tx, outcomes)
    ended_commands = [outbox.event(event, because=item) for event, item in outcomes.values()]
    owed = [*captures, *given.restocks, *refunds.announcements(given.opened), *benefits.announcements(applied)]
    await outbox.append(
        tx, [*order_events.steps(book), *context.news, *ended_commands, *owed, *answers, *claims.answers]
    )


def stopped_units(context: HandOverContext, parcels: Mapping[int, Sequence[Parcel]]) -> list[shipments.KeptUnits]:
    """Return what stays in parcels that a warehouse booked and that have not left, once it keeps the goods. No I/O.

    The order may go on, and then its goods are requested and booked anew. If it is cancelled, all of it goes back.
    """
    kept = []
    for one in context.stopped:
        here = {line.line_no for line in context.lines.get((one.order_id, one.warehouse), ())}
        goes_on = context.book[one.order_id].state is not State.CANCELLED
        for part in parcels.get(one.order_id, ()) if goes_on else ():
            if part.state is ParcelState.BOOKED and here & part.units.keys():
                units = {line_no: 0 if line_no in here else qty for line_no, qty in part.units.items()}
                kept += shipments.kept_units(replace(part, units=units))
    return kept


def get(context: HandOverContext, item: Item, body: FulfilmentGet) -> Event:
    """Send what is open again, the request and goods that are to go back, and return the outcome of the command."""
    order, hand_over = context.book.get(body.order_id), context.after.get((body.order_id, body.warehouse))
    if (refusal := authorization.another_warehouse(item, body.warehouse)) is not None:
        return commands.rejected(item, refusal)
    going_back = context.to_send_back(body.order_id, body.warehouse)
    if hand_over is None and going_back:
        hand_over = HandOver(body.order_id, body.warehouse, HandOverState.WITHDRAWN, 0, 0, 0)
    if order is None or hand_over is None:
        return commands.rejected(item, authorization.not_found(body.order_id))
    context.news += [send_backs.instruction(goods, context.papers[order.id], item) for goods in going_back]
    if hand_over.state in OPEN:
        ask_again(context, item, order, hand_over)
    elif not going_back:
        about = {"order_id": str(order.id), "state": hand_over.state.value}
        return commands.rejected(item, Refusal(Code.FULFILMENT_NOT_OPEN, f"the request is {hand_over.state}", about))
    return FulfilmentResent(
        order_id=order.id,
        warehouse=hand_over.warehouse,
        number=hand_over.number,
        state=hand_over.state.value,
        send_backs=len(going_back),
    )


def ask_again(context: HandOverContext, item: Item, order: Order, hand_over: HandOver) -> None:
    """Send an open request again, with what else the warehouse has to know of it."""
    ask(context, hand_over, Ask.SHIP, item)
    if hand_over.cancel_no is not None:
        ask(context, hand_over, Ask.CANCEL, item)
    if order.held and hand_over.state in AT_WORK:
        context.news.append(hold_instruction(order, hand_over, None, item))


def bring_in_line(context: HandOverContext, item: Item, order_id: int, now: datetime) -> None:
    """Ask every warehouse of the order for what its state calls for, and take the step that their answers allow."""
    order = context.book[order_id]
    for hand_over in context.of(order_id):
        after, wanted = review(order, context.share(hand_over), hand_over)
        if after != hand_over:
            context.move(after, item)
        if wanted is not None:
            ask(context, after, wanted, item)
    if order.state is not State.CANCELLING:
        return
    context.cancelling.add(order_id)
    trigger = cancel_trigger(context.of(order_id))
    if trigger is Trigger.CANCEL_REFUSED:
        refuse_cancel(context, item, order, None, now)
    elif trigger is not None:
        context.book.move(order_id, trigger, because=item, at=now, who=who(item))


def take_step(context: HandOverContext, item: Item, body: FulfilmentFact, now: datetime) -> None:
    """Take the step of the order that follows from what a warehouse did, then bring all its warehouses in line."""
    order, hand_over = context.book[body.order_id], context.after[body.order_id, body.warehouse]
    if isinstance(body, FulfilmentCancelRefused) and order.state is State.CANCELLING:
        refuse_cancel(context, item, order, body.reason_code, now)
    elif order.state is State.PAID and hand_over.state in WAY[1:]:
        context.book.move(order.id, Trigger.ACCEPTED, because=item, at=now, who=who(item))
    elif hand_over.state is HandOverState.REFUSED and order.state in IN_WAREHOUSE:
        refused = alert(hand_over, f"refused to ship it ({hand_over.reason_code})", Code.FULFILMENT_REFUSED)
        context.news.append(outbox.event(refused, because=item))
    bring_in_line(context, item, order.id, now)


def refuse_cancel(context: HandOverContext, item: Item, order: Order, reason_code: str | None, now: datetime) -> None:
    """Let the order go on: order.cancel_refused. What other warehouses have stopped is requested anew."""
    step = context.book.move(
        order.id, Trigger.CANCEL_REFUSED, because=item, at=now, who=who(item), cancel_type=None, reason_code=None
    )
    step.event = OrderCancelRefused(**order_events.common(step), reason_code=reason_code)
    bring_in_line(context, item, order.id, now)


def answer_late(context: HandOverContext, item: Item, body: FulfilmentFact, hand_over: HandOver) -> None:
    """Tell a warehouse again that its request is withdrawn, and a person, if it handed over what it should not."""
    replaced = body.number < hand_over.number
    withdrawn = hand_over.state is HandOverState.WITHDRAWN and type(body) in STEPS
    if withdrawn:
        ask(context, hand_over, Ask.WITHDRAW, item)
    if isinstance(body, FulfilmentHandOver) and (withdrawn or replaced):
        what = "handed over goods whose request was withdrawn or replaced"
        context.news.append(outbox.event(alert(hand_over, what, Code.FULFILMENT_AFTER_CANCEL), because=item))


def who(item: Item) -> Who:
    """Return the warehouse's broker user as the operate log has it."""
    return Who("system", item.user or "warehouse")


ROUTE = Route(queue="fulfilments", handler=follow_warehouses)
