"""Holds paid orders of groups until their group has formed, and has the group count who has paid.

The hold is placed in the transaction of the payment, so that nothing of the order leaves before. A group is locked by
its own queue, after that transaction: who locks orders never waits for a group.
"""

from datetime import datetime
from typing import Any

import outbox
from db.pool import Transaction
from messages.buying_groups import GroupPaid
from messages.envelope import Envelope
from workers.domain.book import SYSTEM, Book
from workers.domain.buying_groups import REASON_FORMING
from workers.domain.holds import HoldKind
from workers.domain.order import State
from workers.services import holds as hold_steps
from workers.services.holds import Why
from workers.store import holds, ids

WHY = Why(HoldKind.GROUP, REASON_FORMING, SYSTEM)


async def hold_paid(tx: Transaction, book: Book[Envelope[Any]], now: datetime) -> list[outbox.Announcement]:
    """Hold the orders of groups that have become paid. Returns group.paid for each; save the book after it.

    Without such an order it does nothing.
    """
    paid = [
        step
        for step in book.steps
        if step.order.group_key is not None and step.order.state is State.PAID and step.previous is not State.PAID
    ]
    if not paid:
        return []
    others = await holds.open_of(tx, [step.order.id for step in paid if step.order.held])
    hold_ids = await ids.reserve(tx, len(paid))
    placed = []
    for step in paid:
        order, because = step.order, step.because
        hold_id = hold_ids.next(order.user_id)
        hold, _ = hold_steps.place(book, order.id, others.get(order.id, ()), hold_id, WHY, because=because, now=now)
        placed.append(hold)
    await holds.place(tx, placed)
    keys = {step.order.group_key: step.because for step in paid if step.order.group_key is not None}
    return [outbox.internal(GroupPaid(key=key), because=because) for key, because in sorted(keys.items())]
