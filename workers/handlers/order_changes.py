"""Handles commands that change an existing order.

    order is            order.cancel               order.change_address    order.confirm_receipt  order.delete
    ------------------  -------------------------  ----------------------  ---------------------  ----------------
    placing             ORDER_NOT_CANCELLABLE      ORDER_ADDRESS_LOCKED    rejected               rejected
    awaiting payment    cancelled, stock released  changed, once, within   rejected               rejected
                                                   its country
    paid, nothing out   cancelled, all refunded,   changed, once, unless   rejected               rejected
                        stock back                 its carrier has it
    fulfilling, nothing cancelling until its       ORDER_ADDRESS_LOCKED    rejected               rejected
    out                 warehouses have answered
    cancelling          ORDER_NOT_CANCELLABLE      ORDER_ADDRESS_LOCKED    rejected               rejected
    paid or fulfilling, ORDER_NOT_CANCELLABLE,     ORDER_ADDRESS_LOCKED    rejected               rejected
    a parcel out        order.cancel_rest does it
    reinstating         cancelled again, its late  ORDER_ADDRESS_LOCKED    rejected               rejected
                        payment refunded
    shipped, delivered  ORDER_NOT_CANCELLABLE      ORDER_ADDRESS_LOCKED    completed              rejected
    finished            ORDER_NOT_CANCELLABLE      ORDER_ADDRESS_LOCKED    rejected               hidden (all or none)
    split               each child that is left, all or none: orders.changed

order.cancel_scheduled: the time of a cancellation has come that order_cancellations.py keeps. It does what order.cancel
of the same actor would do; where that would be rejected, or the order was paid meanwhile, order_cancellation.dropped.

order.group_failed: the group of buyers of the order has failed. It does what order.cancel of the system would do; while
the order is being placed it is tried again, and an order that has ended stays as it is.

order.merge: several orders of one user that all await payment get one more intent, which pays all of them or none
(order.merged for each); otherwise ORDER_NOT_MERGEABLE, with the order that cannot be merged.
A child of an unpaid split order goes with its parent. Coupons, points and limited prices come back with a cancellation;
points are awarded with completion.
A parcel that was lost or refused counts as not out: the rest of its order can be cancelled.
If the order's policy never lets buyers cancel what is paid (C-16), only an operator cancels from paid to cancelling.
Users act on their own orders, operators (broker users of that role) on any; another user's order is ORDER_NOT_FOUND.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.base import CommandRejected, Event
from messages.buying_groups import OrderGroupFailed
from messages.cancellations import OrderCancellationDropped, OrderCancelScheduled
from messages.envelope import Envelope
from messages.orders import (
    Address,
    OrderCancel,
    OrderChangeAddress,
    OrderConfirmReceipt,
    OrderDelete,
    OrderMerge,
    OrderMerged,
    OrdersChanged,
    OrdersCommand,
    OrdersDeleted,
)
from messages.reasons import Reason
from workers import shop
from workers.domain.address_rules import FIELDS as ADDRESS_FIELDS
from workers.domain.address_rules import wrong_address
from workers.domain.book import Book
from workers.domain.buying_groups import REASON_FAILED
from workers.domain.order import IN_WAREHOUSE, CancelType, Effect, Order, State, Trigger
from workers.domain.order_change_rules import is_done, refuse, refuse_child_alone, refuse_paid, unmergeable
from workers.domain.refusal import Refusal
from workers.domain.scheduled_cancellations import paid_meanwhile
from workers.domain.shipping import UNDER_WAY, Parcel
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import (
    attempts,
    authorization,
    benefits,
    cancellations,
    commands,
    order_events,
    refunds,
    reinstatements,
)
from workers.store import free_texts, ids, orders, payments, shipments, timers
from workers.store.ids import NewIds
from workers.store.timers import TimerKind

OrderChange: TypeAlias = (
    OrderCancel | OrderChangeAddress | OrderConfirmReceipt | OrderDelete | OrderMerge | OrderCancelScheduled
)
Item: TypeAlias = Envelope[Any]
OURS = (OrderCancelScheduled, OrderGroupFailed)
"""The messages that are no commands."""
TIMERS = (
    (TimerKind.SAGA, Effect.SAGA_TIMER_ENDS),
    (TimerKind.PAYMENT, Effect.PAYMENT_TIMER_ENDS),
    (TimerKind.RECEIPT, Effect.RECEIPT_TIMER_ENDS),
)
TRIGGERS: dict[type[OrderChange], Trigger] = {
    OrderCancel: Trigger.CANCEL,
    OrderCancelScheduled: Trigger.CANCEL,
    OrderChangeAddress: Trigger.ADDRESS_CHANGED,
    OrderConfirmReceipt: Trigger.RECEIPT_CONFIRMED,
    OrderDelete: Trigger.DELETED,
    OrderMerge: Trigger.MERGED,
}


@dataclass
class ChangeContext:
    """What one batch reads and decides with, and the addresses and merged intents that its decisions set.

    `known` is order id -> what is known of its address.
    """

    book: Book[Item]
    parcels: Mapping[int, Sequence[Parcel]]
    known: Mapping[int, orders.KnownAddress]
    intent_ids: NewIds
    addresses: dict[int, Address] = field(default_factory=dict)
    merged: list[tuple[payments.Merged, str, datetime]] = field(default_factory=list)

    def shipped_any(self, order: Order) -> bool:
        """True if a unit has left the warehouse and may still arrive."""
        return any(parcel.out and not parcel.failed for parcel in self.parcels.get(order.id, ()))

    def shares_parcel(self, order: Order, together: Collection[int]) -> bool:
        """True if a parcel of it that is under way holds goods of an order that is not one of `together`, too."""
        mine = {parcel.id for parcel in self.parcels.get(order.id, ()) if parcel.state in UNDER_WAY}
        others = (parcel for key, found in self.parcels.items() if key not in together for parcel in found)
        return any(parcel.id in mine and parcel.state in UNDER_WAY for parcel in others)


def decide(item: Item, order: Order, context: ChangeContext) -> Refusal | None:
    """Return why this change of this order is rejected, or None. No I/O."""
    trigger = TRIGGERS[type(item.body)]
    known = context.known.get(order.id)
    changed = (known is not None and known.changes > 0) or order.id in context.addresses
    abroad = isinstance(item.body, OrderChangeAddress) and (known is None or item.body.address.country != known.country)
    at_carrier = isinstance(item.body, OrderChangeAddress) and known is not None and known.at_carrier
    shared = isinstance(item.body, OrderChangeAddress) and context.shares_parcel(
        order, targets(item, item.body.order_id, context)
    )
    refusal = refuse(
        trigger,
        order,
        shipped_any=context.shipped_any(order) or at_carrier,
        address_changed=changed,
        other_country=abroad,
        parcel_shared=shared,
    )
    if refusal is None and isinstance(item.body, OrderCancelScheduled):
        refusal = paid_meanwhile(order, unpaid=item.body.unpaid)
    if refusal is None and isinstance(item.body, OrderChangeAddress):
        address = item.body.address
        fields = {name: getattr(address, name) for name in ADDRESS_FIELDS}
        return wrong_address(address.country, fields, shop.current().address_required_fields)
    if refusal is None and trigger is Trigger.CANCEL:
        return refuse_paid(order, item.body.actor.type)
    return refusal


def targets(item: Item, order_id: int, context: ChangeContext) -> list[int]:
    """Return the orders that a command to this one changes: after a split its children, otherwise the whole family.

    Orders on which the command is done already are left out, unless it is done on all of them.
    """
    family = context.book.family(order_id)
    if isinstance(item.body, OrderMerge):
        return [order_id]
    if family[0].state is State.SPLIT and not isinstance(item.body, OrderDelete):
        family = family[1:]
    left = [each for each in family if not is_done(TRIGGERS[type(item.body)], each)]
    return [each.id for each in left or family]


async def change_orders(tx: Transaction, batch: Batch[OrderChange | OrderGroupFailed]) -> None:
    """Lock every order once, decide in order of arrival, write each table once."""
    due, failed = batch.of(OrderCancelScheduled), batch.of(OrderGroupFailed)
    claims = await commands.claim(tx, [item for item in batch if not isinstance(item.body, OURS)])
    items = (*claims.fresh, *due)
    named = {key for item in items for key in order_ids(item.body)} | {item.body.order_id for item in failed}
    book = Book[Item](await orders.lock(tx, named))
    context = await read(tx, book, items)
    outcomes: commands.Outcomes = {}

    for item in claims.fresh:
        outcomes[commands.key_of(item)] = change(context, item, batch.now), item
    dropped = [event for item in due for event in dropped_of(item, book, change(context, item, batch.now))]
    for item in failed:
        cancel_with_group(context, batch, item)

    given = await cancellations.give_back(tx, book, context.parcels)
    await orders.save(tx, book)
    await orders.change_addresses(tx, context.addresses, context.known)
    await free_texts.keep(tx, [(item, key, book[key].user_id) for key, item in cancels(outcomes)])
    await payments.open_merged(tx, context.merged)
    late = await reinstatements.end(tx, book)
    applied = await benefits.apply(tx, book, batch.now, given.opened, given.causes)
    await timers.stop(tx, [(kind, key) for kind, effect in TIMERS for key in book.ids(effect)])
    closings = await attempts.close_superseded(tx, book)
    answers = await commands.conclude(tx, outcomes)
    news = [
        *order_events.steps(book),
        *other_events(outcomes),
        *dropped,
        *order_events.hand_overs(book),  # before the stock: a review may lock coupons and points
        *order_events.stock_orders(book),
        *given.restocks,
        *refunds.announcements([*given.opened, *late]),
        *benefits.announcements(applied),
        *attempts.close_calls(closings),
    ]
    await outbox.append(tx, [*news, *answers, *claims.answers])


async def read(tx: Transaction, book: Book[Item], items: Sequence[Item]) -> ChangeContext:
    """Read what the decisions depend on besides the orders."""
    paid = [order.id for order in book.before.values() if order.state in IN_WAREHOUSE]
    moving = [item.body.order_id for item in items if isinstance(item.body, OrderChangeAddress)]
    movers = [order.id for key in moving if key in book for order in book.family(key)]
    known = await orders.addresses(tx, movers) if movers else {}
    mergers = [item for item in items if isinstance(item.body, OrderMerge)]
    booked: dict[int, list[Parcel]] = {}
    for parcel in await shipments.of_orders(tx, paid):
        booked.setdefault(parcel.order_id, []).append(parcel)
    return ChangeContext(book, booked, known, await ids.reserve(tx, len(mergers)))


def cancel_with_group(context: ChangeContext, batch: Batch[Any], item: Envelope[OrderGroupFailed]) -> None:
    """Cancel the order of a group that has failed; one that is being placed, once that is decided."""
    order = context.book.get(item.body.order_id)
    if order is not None and order.state is State.PLACING:
        batch.retry(item, Reason.ORDER_PLACING, "its order is still being placed")
    elif order is not None and order.allows(Trigger.CANCEL):
        why: dict[str, Any] = {"cancel_type": CancelType.SYSTEM, "reason_code": REASON_FAILED}
        context.book.move(order.id, Trigger.CANCEL, because=item, at=batch.now, **why)


def order_ids(body: OrderChange) -> tuple[int, ...]:
    """Return the ids of the orders that the command names."""
    return body.order_ids if isinstance(body, OrdersCommand) else (body.order_id,)


def change(context: ChangeContext, item: Item, now: datetime) -> Event:
    """Apply one command to the book, and return its outcome. Of several orders it changes all or none."""
    actor, named = item.body.actor, list(dict.fromkeys(order_ids(item.body)))
    for order_id in named:
        refusal = authorization.denied(actor, order_id, context.book.get(order_id)) or refused(context, item, order_id)
        if refusal is not None:
            return commands.rejected(item, refusal)
    if isinstance(item.body, OrderMerge):
        return merge(context, item, [context.book[order_id] for order_id in named], now)
    moved = [target for order_id in named for target in targets(item, order_id, context)]
    if isinstance(item.body, OrderChangeAddress):
        # A split order takes no step, but its address changes with those of its children.
        context.addresses[item.body.order_id] = item.body.address
    events = [step(context, item, target, now) for target in dict.fromkeys(moved)]
    return outcome(item, named, moved, events)


def refused(context: ChangeContext, item: Item, order_id: int) -> Refusal | None:
    """Return why the order, or one that the change would reach with it, cannot be changed; None if all can."""
    found = refuse_child_alone(TRIGGERS[type(item.body)], context.book[order_id])
    for target in targets(item, order_id, context):
        found = found or decide(item, context.book[target], context)
    return found


def cancels(outcomes: commands.Outcomes) -> list[tuple[int, Envelope[OrderCancel]]]:
    """Return the cancellations that were not rejected, each with the order that it names."""
    return [
        (item.body.order_id, item)
        for event, item in outcomes.values()
        if isinstance(item.body, OrderCancel) and not isinstance(event, CommandRejected)
    ]


def outcome(item: Item, named: Sequence[int], moved: Sequence[int], events: Sequence[Event]) -> Event:
    """Return the event that answers the command: the one order's own, or one that lists several orders."""
    if isinstance(item.body, OrderDelete):
        return OrdersDeleted(order_ids=item.body.order_ids)
    if moved[0] == named[0]:
        return events[0]
    return OrdersChanged(command=item.body.routing_key(), order_ids=tuple(moved))


def step(context: ChangeContext, item: Item, order_id: int, now: datetime) -> Event:
    """Take the step of one order that the command calls for, and return its event."""
    body, who = item.body, authorization.who(item.body.actor)
    fields: dict[str, Any] = {}
    if isinstance(body, OrderCancel | OrderCancelScheduled):
        fields = {"cancel_type": CancelType(body.actor.type), "reason_code": body.reason_code}
    elif isinstance(body, OrderDelete):
        fields = {"deleted": True}
    elif isinstance(body, OrderChangeAddress):
        context.addresses[order_id] = body.address
    return order_events.event_of(
        context.book.move(order_id, TRIGGERS[type(body)], because=item, at=now, who=who, **fields)
    )


def merge(context: ChangeContext, item: Item, found: Sequence[Order], now: datetime) -> Event:
    """Open one more intent over all these orders, until the first of them expires. Returns the outcome."""
    refusal = unmergeable(found)
    if refusal is not None:
        return commands.rejected(item, refusal)
    intent = payments.Merged(
        context.intent_ids.next(found[0].user_id), {order.id: order.payable_amount for order in found}
    )
    until = min(order.expire_at for order in found)
    context.merged.append((intent, found[0].currency, until))
    events = []
    for order in found:
        moved = context.book.move(
            order.id, Trigger.MERGED, because=item, at=now, who=authorization.who(item.body.actor)
        )
        moved.event = OrderMerged(
            **order_events.common(moved),
            intent_id=intent.id,
            order_ids=tuple(intent.shares),
            amount=intent.amount,
            pay_before=until,
        )
        events.append(moved.event)
    return events[0]


def other_events(outcomes: commands.Outcomes) -> list[outbox.Announcement]:
    """Announce the outcomes that are no step of an order."""
    return [
        outbox.event(event, because=item)
        for event, item in outcomes.values()
        if isinstance(event, CommandRejected | OrdersDeleted | OrdersChanged)
    ]


def dropped_of(item: Envelope[OrderCancelScheduled], book: Book[Item], event: Event) -> list[outbox.Announcement]:
    """Announce that a scheduled cancellation changed nothing, if `event` rejects it."""
    order = book.get(item.body.order_id)
    if order is None or not isinstance(event, CommandRejected):
        return []
    dropped = OrderCancellationDropped(
        order_id=order.id, user_id=order.user_id, code=event.code, message=event.message, details=event.details
    )
    return [outbox.event(dropped, because=item)]


ROUTE = Route(queue="order-changes", handler=change_orders)
