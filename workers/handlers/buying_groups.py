"""Handles groups of buyers: all of a group's orders go on, or none.

    the group is            group.paid: an order is paid             group.due: its deadline may have passed
    ----------------------  ----------------------------------------  --------------------------------------------------
    open, all have paid     formed: group.formed, and each order is   the same
                            released (order.group_formed)
    open, some have paid    nothing                                   failed: group.failed, and each order is cancelled
                                                                      and refunded (order.group_failed)
    open, full, but not     nothing                                   woken again a second later, until payments that
    all have paid                                                     were reported in time are handled; then as above
    open, not due yet       -                                         nothing
    formed                  orders that it still holds are released   the same
    failed                  orders that are left are cancelled        the same
    unknown                 nothing: it ended long ago                nothing

A seat is taken by each order of the group that is neither cancelled nor rejected: order_creation.py gives seats under
the lock of the group. A paid order is held for its group (services/buying_groups.py). order_holds.py releases it, and
order_changes.py cancels it.
Whoever locks orders never waits for a group, and this queue locks no order: what it takes and what it announces goes by
the broker (`by_broker`), because a chain that locked orders after groups could wait for one that locks them otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

import outbox
from db.pool import Transaction
from messages.buying_groups import (
    GroupDue,
    GroupEnded,
    GroupFailed,
    GroupFormed,
    GroupPaid,
    OrderGroupFailed,
    OrderGroupFormed,
)
from messages.envelope import Envelope
from workers.domain import buying_groups as rules
from workers.domain.buying_groups import BuyingGroup, GroupOrder, GroupState, GroupStep
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.store import buying_groups, timers
from workers.store.timers import TimerKind

Item: TypeAlias = Envelope[GroupPaid | GroupDue]
LOOK_AGAIN = timedelta(seconds=1)
ENDS = {GroupStep.FORMS: GroupState.FORMED, GroupStep.FAILS: GroupState.FAILED}


@dataclass
class GroupContext:
    """What one batch reads and decides with: groups with their orders, and what it decides about them."""

    groups: Mapping[int, BuyingGroup]
    orders: Mapping[int, Sequence[GroupOrder]]
    handled_until: datetime
    ended: list[tuple[int, GroupState]] = field(default_factory=list)
    waiting: list[timers.Key] = field(default_factory=list)
    news: list[outbox.Announcement] = field(default_factory=list)


async def count_paid(tx: Transaction, batch: Batch[GroupPaid | GroupDue]) -> None:
    """Lock every group once, decide about each once, and write each table once."""
    groups = await buying_groups.lock(tx, [item.body.key for item in batch])
    handled_until = await timers.progress(tx)  # before the orders: what was handled by then is among them
    context = GroupContext(groups, await buying_groups.orders_of(tx, groups), handled_until)

    for item in {item.body.key: item for item in batch if item.body.key in groups}.values():
        look_at(context, groups[item.body.key], item, batch.now)

    await buying_groups.end(tx, context.ended, batch.now)
    await timers.postpone(tx, context.waiting, batch.now + LOOK_AGAIN)
    await outbox.append(tx, context.news)


def look_at(context: GroupContext, group: BuyingGroup, item: Item, now: datetime) -> None:
    """Decide about one group, and announce what follows for it and its orders."""
    orders, state = context.orders.get(group.key, ()), group.state
    if state is GroupState.OPEN:
        step = rules.step_of(group, orders, now, context.handled_until)
        if step is GroupStep.WAITS:
            context.waiting.append((TimerKind.GROUP, group.key))
        if step not in ENDS:
            return
        state = ENDS[step]
        context.ended.append((group.key, state))
        context.news.append(outbox.event(ended(group, orders, state), because=item))
    message = OrderGroupFormed if state is GroupState.FORMED else OrderGroupFailed
    owed = rules.owed(state, orders)
    context.news += [outbox.internal(message(order_id=order_id), because=item) for order_id in owed]


def ended(group: BuyingGroup, orders: Sequence[GroupOrder], state: GroupState) -> GroupEnded:
    """Build group.formed or group.failed."""
    assert group.spu_id is not None, "a group has the goods of its first order"
    event = GroupFormed if state is GroupState.FORMED else GroupFailed
    return event(
        group_id=group.group_id,
        spu_id=group.spu_id,
        size=group.size,
        deadline=group.deadline,
        paid=sum(order.paid for order in orders),
        order_ids=tuple(order.order_id for order in orders if order.seated),
    )


ROUTE = Route(queue="buying-groups", handler=count_paid, by_broker=True)
