"""Finds what is owed to orders because a message or a timer was lost for good, and announces it again.

Coupons, points and the requests to providers are written in the transaction of the order's step, and a provider's
request is repeated by its timer; so only stock messages, timers, what becomes of groups of buyers and what
cases follow (case_repairs.py) can be owed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from uuid_utils import uuid7

import outbox
from db.pool import Transaction
from messages.base import Internal
from messages.buying_groups import GroupPaid, OrderGroupFailed, OrderGroupFormed
from messages.carrier_modes import polled
from messages.stock import RestockLine, StockCommit, StockRelease, StockRestock
from workers.domain.buying_groups import GroupState
from workers.domain.repairs import StockMessage, StockSituation, stock_owed
from workers.domain.shop import Shop
from workers.services import case_repairs
from workers.services.owed_messages import WITHOUT_TIMER, Owed
from workers.store import repairs, timers
from workers.store.repairs import BehindGroup, MissingTimer, Restock


async def plan(tx: Transaction, shop: Shop, order_ids: Sequence[int] | None, grace_seconds: float) -> list[Owed]:
    """Return everything that is owed to some orders or to all, in the order in which it is announced."""
    behind = await repairs.stock(tx, order_ids, grace_seconds)
    back = await repairs.restocks(tx, [one.order_id for one in behind])
    missing = await repairs.timers(
        tx,
        order_ids,
        saga_deadline_seconds=shop.saga_deadline_seconds,
        receipt_window_seconds=shop.receipt_window_seconds,
        polled_carriers=polled(shop.carriers),
    )
    of_orders = [*(owed for one in behind for owed in _stock(one, back)), *map(_timer, missing)]
    of_orders += map(_group, await repairs.groups(tx, order_ids, grace_seconds))
    return [*of_orders, *await case_repairs.plan(tx, order_ids, grace_seconds)]


def _stock(situation: StockSituation, back: Mapping[Restock, tuple[RestockLine, ...]]) -> list[Owed]:
    refs = [ref for order_id, ref in back if order_id == situation.order_id]
    return [
        Owed(
            situation.order_id,
            situation.order_no,
            situation.state,
            f"{kind} {ref}".rstrip(),
            f"its stock is {situation.holder or 'unknown'}",
            situation.changed_at,
            message=_message(kind, situation.order_id, ref, back.get((situation.order_id, ref), ())),
        )
        for kind, ref in stock_owed(situation, refs)
    ]


def _message(kind: StockMessage, order_id: int, ref: str, lines: tuple[RestockLine, ...]) -> Internal:
    match kind:
        case StockMessage.COMMIT:
            return StockCommit(holder_id=order_id)
        case StockMessage.RELEASE:
            return StockRelease(holder_id=order_id)
        case StockMessage.RESTOCK:
            return StockRestock(holder_id=order_id, ref=ref, lines=lines)


def _timer(missing: MissingTimer) -> Owed:
    timer = missing.timer
    return Owed(
        missing.order_id,
        missing.order_no,
        missing.state,
        f"timer {timer.kind} {timer.key}",
        WITHOUT_TIMER,
        timer.due_at,
        timer=timer,
    )


def _group(one: BehindGroup) -> Owed:
    message: Internal = GroupPaid(key=one.key)
    because = f"all of its group {one.group_id} have paid"
    if one.group_state is not GroupState.OPEN:
        ended = OrderGroupFormed if one.group_state is GroupState.FORMED else OrderGroupFailed
        message, because = ended(order_id=one.order_id), f"its group {one.group_id} has {one.group_state}"
    what = message.routing_key()
    return Owed(one.order_id, one.order_no, one.state, what, because, one.since, message=message)


async def apply(
    tx: Transaction, shop: Shop, order_ids: Sequence[int], grace_seconds: float, *, note: str, reason: str
) -> list[Owed]:
    """Lock the orders, find again what is owed to them, announce and record it. Returns what was announced.

    A message is harmless if the lost one arrives after all: the stock keeps one entry per holder, operation and ref,
    and a case that has taken a step does not take it again.
    """
    await repairs.lock(tx, order_ids)
    owed = await plan(tx, shop, order_ids, grace_seconds)
    messages = {str(uuid7()): one for one in owed if one.message is not None}
    await outbox.append(tx, [_announcement(message_id, one) for message_id, one in messages.items()])
    await timers.start(tx, [one.timer for one in owed if one.timer is not None])
    ids = {id(one): message_id for message_id, one in messages.items()}
    rows = [(one.order_id, one.what, ids.get(id(one))) for one in owed]
    await repairs.record(tx, rows, note=note, reason=reason)
    return owed


def _announcement(message_id: str, owed: Owed) -> outbox.Announcement:
    assert owed.message is not None, "a timer is no message"
    made = outbox.internal(owed.message)
    return replace(made, message_id=message_id, correlation_id=message_id)
