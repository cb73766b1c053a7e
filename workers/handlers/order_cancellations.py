"""Handles cancellations of orders at a later time (C-29). One that is scheduled is a row with a timer.

    order is                    order.cancel_later                         order.keep
    --------------------------  -----------------------------------------  ----------------------------------------
    awaiting payment            order_cancellation.scheduled; it replaces  order_cancellation.withdrawn
                                the one that was scheduled before
    reinstating, paid or        the same, if order.cancel would take it    the same
    fulfilling
    without one                 -                                          ORDER_NOT_SCHEDULED
    scheduled by an operator    for a user: AUTH_FORBIDDEN                 for a user: AUTH_FORBIDDEN
    split                       ORDER_NOT_CANCELLABLE: its children may    as above, it may still have one
    in another state            ORDER_NOT_CANCELLABLE                      as above, it may still have one
    `at` has passed, or is too  ORDER_PARAM_INVALID                        -
    far away

At its time (order_cancellation.due) the row ends, and order_changes.py does what order.cancel of the same actor would
do to the order as it is then: it is cancelled, or order_cancellation.dropped says why not. An order that was paid after
the cancellation was scheduled is not cancelled, nor one that a late payment is about to reinstate. A parcel that has
left counts only then. A step of the order does not end the row: it ends at its time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

import outbox
from db.pool import Transaction
from messages.base import Actor, Event
from messages.cancellations import (
    OrderCancelLater,
    OrderCancellationDue,
    OrderCancellationScheduled,
    OrderCancellationWithdrawn,
    OrderCancelScheduled,
    OrderKeep,
)
from messages.envelope import Envelope
from workers import shop
from workers.domain.order import Order
from workers.domain.refusal import Refusal
from workers.domain.scheduled_cancellations import (
    ScheduledCancellation,
    is_unpaid,
    unchangeable,
    unschedulable,
    unwithdrawable,
)
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import authorization, commands
from workers.store import orders, scheduled_cancellations

CancellationMessage: TypeAlias = OrderCancelLater | OrderKeep | OrderCancellationDue
Item: TypeAlias = Envelope[OrderCancelLater | OrderKeep]


@dataclass
class ScheduleContext:
    """What one batch reads and decides with: the scheduled cancellations of its orders, as its messages change them.

    `changed` are the orders of which it saves or ends one.
    """

    orders: dict[int, Order]
    scheduled: dict[int, ScheduledCancellation]
    changed: set[int] = field(default_factory=set)


def decide(
    item: Item, order: Order | None, found: ScheduledCancellation | None, now: datetime, max_seconds: int
) -> Refusal | None:
    """Return why the command is rejected, or None. `found` is what is scheduled now. No I/O."""
    body = item.body
    denial = authorization.denied(body.actor, body.order_id, order)
    if denial is not None or order is None:
        return denial
    if isinstance(body, OrderKeep):
        return unwithdrawable(order.id, found, body.actor.type)
    refusal = unchangeable(order.id, found, body.actor.type)
    return refusal or unschedulable(order, body.actor.type, body.at, now, max_seconds)


async def schedule(tx: Transaction, batch: Batch[CancellationMessage]) -> None:
    """Lock every order once, decide in order of arrival, write each table once."""
    due = batch.of(OrderCancellationDue)
    claims = await commands.claim(tx, [item for item in batch if not isinstance(item.body, OrderCancellationDue)])
    found = await orders.lock(tx, {item.body.order_id for item in (*claims.fresh, *due)})
    context = ScheduleContext(found, await scheduled_cancellations.read(tx, found))
    outcomes: commands.Outcomes = {}

    for item in claims.fresh:
        outcomes[commands.key_of(item)] = change(context, item, batch.now), item
    cancels = take_due(context, due, batch.now)

    saved = [context.scheduled[key] for key in sorted(context.changed & context.scheduled.keys())]
    await scheduled_cancellations.change(tx, saved=saved, ended=context.changed - context.scheduled.keys())
    answers = await commands.conclude(tx, outcomes)
    events = [outbox.event(event, because=item) for event, item in outcomes.values()]
    await outbox.append(tx, [*events, *cancels, *answers, *claims.answers])


def change(context: ScheduleContext, item: Item, now: datetime) -> Event:
    """Apply one command to the context, and return its outcome."""
    body = item.body
    found = context.scheduled.get(body.order_id)
    refusal = decide(item, context.orders.get(body.order_id), found, now, shop.current().cancel_later_max_seconds)
    if refusal is not None:
        return commands.rejected(item, refusal)
    order = context.orders[body.order_id]
    context.changed.add(order.id)
    if isinstance(body, OrderKeep):
        withdrawn = context.scheduled.pop(order.id)
        return OrderCancellationWithdrawn(
            order_id=order.id, user_id=order.user_id, at=withdrawn.at, reason_code=withdrawn.reason_code
        )
    who = authorization.who(body.actor)
    context.scheduled[order.id] = ScheduledCancellation(order.id, body.at, who, is_unpaid(order), now, body.reason_code)
    return OrderCancellationScheduled(
        order_id=order.id,
        user_id=order.user_id,
        at=body.at,
        reason_code=body.reason_code,
        replaced=None if found is None else found.at,
    )


def take_due(
    context: ScheduleContext, due: Sequence[Envelope[OrderCancellationDue]], now: datetime
) -> list[outbox.Announcement]:
    """End the cancellations whose time has come, and pass them on to the handler that cancels orders."""
    cancels = []
    for item in due:
        found = context.scheduled.get(item.body.order_id)
        if found is None or found.at > now:
            continue
        context.changed.add(found.order_id)
        del context.scheduled[found.order_id]
        message = OrderCancelScheduled(
            order_id=found.order_id,
            actor=Actor(type=found.who.type, id=found.who.id),
            unpaid=found.unpaid,
            reason_code=found.reason_code,
        )
        cancels.append(outbox.internal(message, because=item))
    return cancels


ROUTE = Route(queue="order-cancellations", handler=schedule)
