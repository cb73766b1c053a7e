"""Handles holds of orders, which stop their goods. A hold is a row; the order keeps its state.

    order is             order.hold                                order.release
    -------------------  ----------------------------------------  -------------------------------------------------
    placing to delivered held: order.held, one row                 one hold ends: order.released; after the last one
                                                                   the order goes on
    not held             -                                         ORDER_NOT_HELD
    held several times   held once more                            the hold with this id; ORDER_HOLD_AMBIGUOUS without
    finished             ORDER_STATE_INVALID                       ORDER_NOT_HELD: its holds ended with it
    split, or to be      each child that has not ended             the named hold, or the only one of each held child

While an order is held, no parcel of it is booked, nothing of it is handed over (`held` of workers/domain/order.py), and
the receipt timer waits: the time until the last release is added to its window. A warehouse that works on it already
gets fulfilment.held with the reason, and fulfilment.released after the last hold. Payment, cancellation and receipt go
on as always, and the payment window does not stop. Cancelling or completing the order ends its holds. The verdict
`held` of the risk check places a hold, too (risk_results.py). Only operators hold and release.
A paid order whose group of buyers has not formed is held for it: no operator releases that hold (GROUP_NOT_FORMED),
order.group_formed does (buying_groups.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

import outbox
from db.pool import Transaction
from messages.base import CommandRejected, Event
from messages.buying_groups import OrderGroupFormed
from messages.envelope import Envelope
from messages.holds import HoldEvent, OrderHeld, OrderHold, OrderRelease, OrderReleased
from messages.orders import OrdersChanged
from outbox.shared_gauge import SharedGauge
from workers.domain.book import SYSTEM, Book, Who
from workers.domain.buying_groups import REASON_FORMED
from workers.domain.holds import HoldKind, OpenHold, pick, resumed, unholdable
from workers.domain.order import Order, State
from workers.domain.refusal import Refusal
from workers.runtime.batch import Batch
from workers.runtime.route import Every, Route
from workers.services import authorization, commands, hand_overs, order_events
from workers.services import holds as hold_steps
from workers.store import free_texts, holds, ids, orders, timers
from workers.store.holds import HoldEnd, PlacedHold
from workers.store.ids import NewIds
from workers.store.timers import Timer, TimerKind

Item: TypeAlias = Envelope[OrderHold | OrderRelease | OrderGroupFormed]
HoldCommand: TypeAlias = Envelope[OrderHold | OrderRelease]
HELD = SharedGauge("oms_orders_holds", "Open holds by reason code, the 20 most frequent and `other`", "reason_code")
REASONS_SHOWN = 20  # senders choose the codes, so their number has to be limited here
OTHER = "other"


@dataclass
class HoldContext:
    """What one batch reads and decides with: orders and their open holds as its commands change them."""

    book: Book[Item]
    open: dict[int, list[OpenHold]]
    due: dict[timers.Key, datetime]
    hold_ids: NewIds
    placed: list[PlacedHold] = field(default_factory=list)
    ends: list[HoldEnd] = field(default_factory=list)
    resumed: dict[int, datetime] = field(default_factory=dict)

    def of(self, order_id: int) -> list[OpenHold]:
        """Return the open holds of an order, as the batch has changed them."""
        return self.open.get(order_id, [])


def decide(
    item: HoldCommand, targets: Sequence[Order], holds: Mapping[int, Sequence[OpenHold]]
) -> list[OpenHold] | Refusal:
    """Return the holds that a release ends (none for order.hold), or why the command is rejected. No I/O."""
    body = item.body
    if body.actor.type == "user":
        return authorization.FORBIDDEN
    if isinstance(body, OrderHold):
        return unholdable(targets[0]) or []
    return pick(body.order_id, targets, holds, body.hold_id)


async def hold_orders(tx: Transaction, batch: Batch[OrderHold | OrderRelease | OrderGroupFormed]) -> None:
    """Lock every order once, decide in order of arrival, write each table once."""
    formed = batch.of(OrderGroupFormed)
    claims = await commands.claim(tx, [item for item in batch if not isinstance(item.body, OrderGroupFormed)])
    book = Book[Item](await orders.lock(tx, {item.body.order_id for item in (*claims.fresh, *formed)}))
    context = await read(tx, book, claims.fresh)
    outcomes: commands.Outcomes = {}

    for item in claims.fresh:
        outcomes[commands.key_of(item)] = change(context, item, batch.now), item
    for item in formed:
        for hold in [one for one in context.of(item.body.order_id) if one.kind is HoldKind.GROUP]:
            release(context, item, hold, who=SYSTEM, reason_code=REASON_FORMED, now=batch.now)

    taken = [item for event, item in outcomes.values() if not isinstance(event, CommandRejected)]
    await orders.save(tx, book)
    await holds.place(tx, context.placed)
    await holds.release(tx, context.ends)
    await free_texts.keep(tx, [(item, item.body.order_id, book[item.body.order_id].user_id) for item in taken])
    await timers.start(tx, [Timer(TimerKind.RECEIPT, key, due_at) for key, due_at in context.resumed.items()])
    answers = await commands.conclude(tx, outcomes)
    others = [
        outbox.event(event, because=item)
        for event, item in outcomes.values()
        if isinstance(event, CommandRejected | OrdersChanged)
    ]
    await outbox.append(
        tx,
        [
            *order_events.steps(book),
            *order_events.hand_overs(book),
            *await hand_overs.held_at_work(tx, book),
            *others,
            *answers,
            *claims.answers,
        ],
    )


async def read(tx: Transaction, book: Book[Item], items: Sequence[HoldCommand]) -> HoldContext:
    """Read what the decisions depend on besides the orders."""
    held = [order.id for order in book.before.values() if order.held]
    delivered = [order.id for order in book.before.values() if order.held and order.state is State.DELIVERED]
    wanted = [item.body for item in items if isinstance(item.body, OrderHold) and item.body.order_id in book]
    placing = sum(len(hold_steps.targets(book, body.order_id)) for body in wanted)
    return HoldContext(
        book,
        await holds.open_of(tx, held),
        await timers.read(tx, [(TimerKind.RECEIPT, key) for key in delivered]),
        await ids.reserve(tx, placing),
    )


def change(context: HoldContext, item: HoldCommand, now: datetime) -> Event:
    """Apply one command to the book, and return its outcome."""
    body = item.body
    denial = authorization.denied(body.actor, body.order_id, context.book.get(body.order_id))
    if denial is not None:
        return commands.rejected(item, denial)
    targets = hold_steps.targets(context.book, body.order_id)
    decision = decide(item, targets, context.open)
    if isinstance(decision, Refusal):
        return commands.rejected(item, decision)
    events: Sequence[HoldEvent]
    if isinstance(body, OrderHold):
        events = [place(context, item, body, order, now) for order in targets]
    else:
        who = authorization.who(body.actor)
        reason_code = body.reason_code
        events = [release(context, item, hold, who=who, reason_code=reason_code, now=now) for hold in decision]
    changed = [event.order_id for event in events]
    if changed[0] == body.order_id:
        return events[0]
    return OrdersChanged(command=body.routing_key(), order_ids=tuple(changed))


def place(context: HoldContext, item: HoldCommand, body: OrderHold, order: Order, now: datetime) -> OrderHeld:
    """Place one hold of one order, and return its event."""
    why = hold_steps.Why(HoldKind.OPERATOR, body.reason_code, authorization.who(body.actor))
    placed, event = hold_steps.place(
        context.book, order.id, context.of(order.id), context.hold_ids.next(order.user_id), why, because=item, now=now
    )
    context.placed.append(placed)
    context.open.setdefault(order.id, []).append(placed.hold)
    return event


def release(
    context: HoldContext, item: Item, hold: OpenHold, *, who: Who, reason_code: str | None, now: datetime
) -> OrderReleased:
    """Release one hold, let the receipt window go on after the last one, and return the event."""
    left = [one for one in context.of(hold.order_id) if one is not hold]
    context.open[hold.order_id] = left
    context.ends.append(HoldEnd(hold.id, now, who, reason_code))
    event = hold_steps.release(context.book, hold, len(left), reason_code, who, because=item, now=now)
    due_at = context.due.get((TimerKind.RECEIPT, hold.order_id))
    if not left and due_at is not None:
        delivered_at = context.book[hold.order_id].delivered_at
        context.resumed[hold.order_id] = resumed(due_at, delivered_at, hold.held_since, now)
    return event


async def measure(tx: Transaction) -> None:
    """Show Prometheus how many holds are open, by reason code."""
    found = list((await holds.count(tx)).items())
    shown, rest = dict(found[:REASONS_SHOWN]), sum(count for _, count in found[REASONS_SHOWN:])
    HELD.set_each(shown | {OTHER: rest + shown.get(OTHER, 0)})


ROUTE = Route(queue="order-holds", handler=hold_orders, every=(Every(10.0, measure),))
