"""Handles what is noted with an order and moves no step of it.

    order is                     order.change_remark                       comment.mark
    ---------------------------  ----------------------------------------  ------------------------------
    awaiting payment             order_remark.changed                      ORDER_STATE_INVALID
    paid, or split and paid      the same, unless a warehouse has it, or   ORDER_STATE_INVALID
                                 a parcel has left
    delivered, completed         ORDER_STATE_INVALID                       comment.marked, once
    a child                      ORDER_STATE_INVALID: its parent has it    as every order
    in another state             ORDER_STATE_INVALID                       ORDER_STATE_INVALID

order.change_note of an operator changes the one note of an order in any state (order_note.changed); of a user it is
AUTH_FORBIDDEN. Remarks and notes are stored encrypted with the key of the buyer: remarks go to warehouses only, notes
to operators only. Users act on their own orders, operators on any; another user's order is ORDER_NOT_FOUND.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

import outbox
from db.pool import Transaction
from messages.annotations import (
    CommentMark,
    CommentMarked,
    OrderChangeNote,
    OrderChangeRemark,
    OrderNoteChanged,
    OrderRemarkChanged,
)
from messages.base import Event
from messages.envelope import Envelope
from workers.domain.book import Book
from workers.domain.order_annotations import uncommentable, unremarkable
from workers.domain.refusal import Refusal
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import authorization, commands
from workers.store import buyers, fulfilments, order_annotations, orders, shipments
from workers.store.order_annotations import Note

Annotation: TypeAlias = OrderChangeRemark | CommentMark | OrderChangeNote
Item: TypeAlias = Envelope[Annotation]


@dataclass
class AnnotationContext:
    """What one batch reads and decides with, and the remarks and notes that it sets.

    `handed_over` are the orders of which a warehouse has a request or a parcel has left; `commented` are those with a
    comment, as the batch changes them.
    """

    book: Book[Item]
    handed_over: set[int]
    commented: set[int]
    remarks: dict[int, str | None] = field(default_factory=dict)
    marked: list[int] = field(default_factory=list)
    notes: dict[int, Note | None] = field(default_factory=dict)


def decide(item: Item, context: AnnotationContext) -> Refusal | None:
    """Return why the command is rejected, or None. No I/O."""
    body = item.body
    order = context.book.get(body.order_id)
    denial = authorization.denied(body.actor, body.order_id, order)
    if denial is not None or order is None:
        return denial
    if isinstance(body, CommentMark):
        return uncommentable(order, commented=order.id in context.commented)
    if isinstance(body, OrderChangeNote):
        return authorization.FORBIDDEN if body.actor.type == "user" else None
    family = context.book.family(order.id)
    return unremarkable(family, handed_over=any(one.id in context.handed_over for one in family))


async def annotate(tx: Transaction, batch: Batch[Annotation]) -> None:
    """Lock every order once, decide in order of arrival, write each order once."""
    claims = await commands.claim(tx, batch)
    book = Book[Item](await orders.lock(tx, {item.body.order_id for item in claims.fresh}))
    context = await read(tx, book)
    outcomes: commands.Outcomes = {}

    for item in claims.fresh:
        outcomes[commands.key_of(item)] = change(context, item), item

    users = {key: book[key].user_id for key in (*context.remarks, *context.notes)}
    keys = await buyers.keys(tx, users.values())
    await order_annotations.change_remarks(tx, context.remarks, users, keys)
    await order_annotations.change_notes(tx, context.notes, users, keys, batch.now)
    await order_annotations.mark_commented(tx, context.marked)
    answers = await commands.conclude(tx, outcomes)
    events = [outbox.event(event, because=item) for event, item in outcomes.values()]
    await outbox.append(tx, [*events, *answers, *claims.answers])


async def read(tx: Transaction, book: Book[Item]) -> AnnotationContext:
    """Read what the decisions depend on besides the orders."""
    requested = {order_id for order_id, _ in await fulfilments.of_orders(tx, book.before)}
    left = {parcel.order_id for parcel in await shipments.of_orders(tx, list(book.before)) if parcel.out}
    return AnnotationContext(book, requested | left, await order_annotations.commented(tx, book.before))


def change(context: AnnotationContext, item: Item) -> Event:
    """Apply one command to the context, and return its outcome."""
    refusal = decide(item, context)
    if refusal is not None:
        return commands.rejected(item, refusal)
    body, order = item.body, context.book[item.body.order_id]
    if isinstance(body, CommentMark):
        context.commented.add(order.id)
        context.marked.append(order.id)
        return CommentMarked(order_id=order.id, user_id=order.user_id)
    if isinstance(body, OrderChangeNote):
        context.notes[order.id] = None if body.note is None else Note(body.note, body.actor.id)
        return OrderNoteChanged(order_id=order.id, user_id=order.user_id)
    context.remarks[order.id] = body.remark
    return OrderRemarkChanged(order_id=order.id, user_id=order.user_id)


ROUTE = Route(queue="order-annotations", handler=annotate)
