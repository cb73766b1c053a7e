"""What happens when somebody wants an existing order changed.

    order is            order.cancel               order.change_address    order.confirm_receipt  order.delete
    ------------------  -------------------------  ----------------------  ---------------------  ----------------
    placing             ORDER_NOT_CANCELLABLE      ORDER_ADDRESS_LOCKED    refused                refused
    awaiting payment    cancelled, stock released  changed, once           refused                refused
    paid, nothing out   cancelled, all refunded,   changed, once           refused                refused
                        stock back
    paid, a parcel out  ORDER_NOT_CANCELLABLE      ORDER_ADDRESS_LOCKED    refused                refused
    shipped, delivered  ORDER_NOT_CANCELLABLE      ORDER_ADDRESS_LOCKED    completed              refused
    finished            ORDER_NOT_CANCELLABLE      ORDER_ADDRESS_LOCKED    refused                hidden (all or none)

A parcel that is lost or refused counts as not out: what is left of its order can be cancelled.
Users act on their own orders, operators (from trusted broker users) on any; another user's order is ORDER_NOT_FOUND.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.base import CommandRejected, Event
from messages.envelope import Envelope
from messages.orders import Address, OrderCancel, OrderChangeAddress, OrderConfirmReceipt, OrderDelete, OrdersDeleted
from messages.stock import RestockLine, StockRestock
from workers.domain.book import Book
from workers.domain.order import FINISHED, Effect, Order, State, Trigger
from workers.domain.refunding import BoughtLine, RefundLine, refund_units, remaining_units
from workers.domain.refusal import Refusal
from workers.domain.shipping import Parcel, unpacked
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.store import access, announce, commands, orders, payments, refunds, shipments, timers

Change: TypeAlias = OrderCancel | OrderChangeAddress | OrderConfirmReceipt | OrderDelete
Item: TypeAlias = Envelope[Change]
TIMERS = (("payment", Effect.PAYMENT_TIMER_ENDS), ("receipt", Effect.RECEIPT_TIMER_ENDS))


@dataclass
class Desk:
    """What the decisions of one batch read, and the addresses they set."""

    book: Book[Item]
    parcels: Mapping[int, Sequence[Parcel]]
    address_changes: Mapping[int, int]
    addresses: dict[int, Address] = field(default_factory=dict)

    def shipped_any(self, order: Order) -> bool:
        """Whether a unit has left the warehouse and may still arrive."""
        return any(parcel.out and not parcel.failed for parcel in self.parcels.get(order.id, ()))


def decide(item: Item, order: Order, desk: Desk) -> Refusal | None:
    """Why this change of this order is refused, or None. No I/O."""
    state = {"order_id": str(order.id), "state": order.state.value}
    match item.body:
        case OrderCancel():
            if not order.allows(Trigger.CANCEL) or desk.shipped_any(order):
                return Refusal("ORDER_NOT_CANCELLABLE", f"an order that is {order.state} cannot be cancelled", state)
        case OrderChangeAddress():
            if not order.allows(Trigger.ADDRESS_CHANGED) or desk.shipped_any(order):
                return Refusal("ORDER_ADDRESS_LOCKED", f"the address of an order that is {order.state} stays", state)
            if desk.address_changes.get(order.id, 0) or order.id in desk.addresses:
                return Refusal("ORDER_ADDRESS_ALREADY_CHANGED", "an address can be changed once", state)
        case OrderConfirmReceipt():
            if not order.allows(Trigger.RECEIPT_CONFIRMED):
                return Refusal("ORDER_STATE_INVALID", f"an order that is {order.state} cannot be confirmed", state)
        case OrderDelete():
            if order.state not in FINISHED or order.deleted:
                return Refusal("ORDER_NOT_DELETABLE", f"an order that is {order.state} stays visible", state)
    return None


async def change_orders(tx: Transaction, batch: Batch[Change]) -> None:
    """Lock every order once, decide in order of arrival, write each table once."""
    claims = await commands.claim(tx, batch)
    book = Book[Item](await orders.lock(tx, {key for item in claims.fresh for key in order_ids(item.body)}))
    paid = [order.id for order in book.before.values() if order.state is State.PAID]
    moving = [i.body.order_id for i in claims.fresh if isinstance(i.body, OrderChangeAddress)]
    changes = await orders.address_changes(tx, moving) if moving else {}
    desk = Desk(book, await shipments.of_orders(tx, paid), changes)
    outcomes: commands.Outcomes = {}

    for item in claims.fresh:
        outcomes[commands.key_of(item.body)] = change(desk, item, batch.now), item

    refunded = book.ids(Effect.REFUND_ALL)
    lines = await orders.lines(tx, refunded)
    back = {key: refund_units(lines[key], remaining_units(lines[key])) for key in refunded}
    dues = whole_refunds(book, await payments.kept(tx, refunded), back)
    opened = await refunds.open_all(tx, dues)
    await orders.save(tx, book)
    await orders.change_addresses(tx, desk.addresses)
    await orders.give_back_lines(tx, [(key, part) for key in refunded for part in back[key]])
    await shipments.cancel_booked(tx, refunded)
    await timers.stop(tx, [(kind, key) for kind, effect in TIMERS for key in book.ids(effect)])
    answers = await commands.conclude(tx, outcomes)
    restocks = [
        outbox.internal(restock(s.order, lines, desk), because=s.because) for s in book.owing(Effect.STOCK_RESTOCK)
    ]
    news = [
        *announce.steps(book),
        *other_events(outcomes),
        *announce.stock_orders(book),
        *restocks,
        *refunds.announcements(opened),
    ]
    await outbox.append(tx, [*news, *answers, *claims.answers])


def order_ids(body: Change) -> tuple[int, ...]:
    """Whom the command is about."""
    return body.order_ids if isinstance(body, OrderDelete) else (body.order_id,)


def change(desk: Desk, item: Item, now: datetime) -> Event:
    """Fold one command into the book; its outcome. Several orders are changed all or none."""
    actor = item.body.actor
    for order_id in order_ids(item.body):
        order = desk.book.get(order_id)
        refusal = access.denied(actor, order_id, order)
        if refusal is None and order is not None:
            refusal = decide(item, order, desk)
        if refusal is not None:
            return commands.rejected(item, refusal)
    events = [step(desk, item, order_id, now) for order_id in dict.fromkeys(order_ids(item.body))]
    return OrdersDeleted(order_ids=order_ids(item.body)) if isinstance(item.body, OrderDelete) else events[0]


def step(desk: Desk, item: Item, order_id: int, now: datetime) -> Event:
    """The one step of one order that the command asks for."""
    body, who = item.body, access.who(item.body.actor)
    trigger = {
        OrderCancel: Trigger.CANCEL,
        OrderChangeAddress: Trigger.ADDRESS_CHANGED,
        OrderConfirmReceipt: Trigger.RECEIPT_CONFIRMED,
        OrderDelete: Trigger.DELETED,
    }[type(body)]
    fields: dict[str, Any] = {}
    if isinstance(body, OrderCancel):
        fields = {"cancel_type": body.actor.type, "reason": body.reason}
    elif isinstance(body, OrderDelete):
        fields = {"deleted": True}
    elif isinstance(body, OrderChangeAddress):
        desk.addresses[order_id] = body.address
    return announce.event_of(desk.book.move(order_id, trigger, because=item, at=now, who=who, **fields))


def restock(order: Order, lines: Mapping[int, Sequence[BoughtLine]], desk: Desk) -> StockRestock:
    """What never left is sellable again. What a failed parcel took comes back with the parcel, or not at all."""
    out = [parcel for parcel in desk.parcels.get(order.id, ()) if parcel.out]
    here = unpacked({line.line_no: line.qty for line in lines[order.id]}, out)
    back = tuple(
        RestockLine(sku_id=line.sku_id, warehouse=line.warehouse, qty=here[line.line_no])
        for line in lines[order.id]
        if line.line_no in here
    )
    return StockRestock(holder_id=order.id, ref="cancel", lines=back)


def whole_refunds(
    book: Book[Item], kept: Mapping[int, payments.Kept], back: Mapping[int, Sequence[RefundLine]]
) -> list[refunds.Due]:
    """Everything that is left of each cancelled order's capture goes back. A free order has none."""
    dues = []
    for owing in book.owing(Effect.REFUND_ALL):
        order, capture = owing.order, kept.get(owing.order.id)
        if capture is not None:
            cause, parts = f"cancel:{order.id}", back[order.id]
            dues.append(refunds.of(order, capture, cause, capture.left, because=owing.because, lines=parts))
    return dues


def other_events(outcomes: commands.Outcomes) -> list[outbox.Announcement]:
    """Outcomes that are no step of an order."""
    return [
        outbox.event(event, because=item)
        for event, item in outcomes.values()
        if isinstance(event, CommandRejected | OrdersDeleted)
    ]


ROUTE = Route(queue="order-changes", handler=change_orders)
