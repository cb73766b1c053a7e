"""What a batch about hand-overs reads and changes, and the messages to the warehouses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.base import AlertRaised
from messages.envelope import Envelope
from messages.fulfilments import (
    FulfilmentCancelRequested,
    FulfilmentHeld,
    FulfilmentInstruction,
    FulfilmentLine,
    FulfilmentReleased,
    FulfilmentRequested,
    FulfilmentUpdated,
    FulfilmentWithdrawn,
)
from messages.topology import warehouse_queue
from workers import shop
from workers.domain.book import Book
from workers.domain.codes import Code
from workers.domain.hand_overs import AT_WORK, Ask, HandOver, HandOverState, WarehouseShare
from workers.domain.order import Order, State, Trigger
from workers.store import fulfilments as hand_over_rows
from workers.store.fulfilments import HandOverKey, HandOverStep, Papers
from workers.store.send_backs import UnsentGoods

Item: TypeAlias = Envelope[Any]


@dataclass
class HandOverContext:
    """What one batch reads and decides with: orders and their hand-overs as its messages change them, and the effects.

    `cancelling` are the orders whose warehouses have to answer a cancellation, `stopped` the hand-overs of which a
    warehouse keeps the goods. `unsent` are goods of cases that warehouses have to send back to the buyer, if one asks
    for what it has to do. `leaving` are orders that are packed or handed over, with the message that says so.
    """

    book: Book[Item]
    papers: Mapping[int, Papers]
    shares: Mapping[HandOverKey, WarehouseShare]
    lines: Mapping[HandOverKey, Sequence[FulfilmentLine]]
    before: Mapping[HandOverKey, HandOver]
    after: dict[HandOverKey, HandOver] = field(init=False)
    steps: list[HandOverStep] = field(default_factory=list)
    cancelling: set[int] = field(default_factory=set)
    stopped: list[HandOver] = field(default_factory=list)
    news: list[outbox.Announcement] = field(default_factory=list)
    leaving: dict[int, Item] = field(default_factory=dict)
    unsent: Sequence[UnsentGoods] = ()

    def __post_init__(self) -> None:
        self.after = dict(self.before)

    def of(self, order_id: int) -> list[HandOver]:
        """Return all hand-overs of an order, as the batch has changed them, also those that are to begin.

        A warehouse that does not work by requests has none. One that begins has the number 0, and is withdrawn.
        """
        at_work = {warehouse for key, warehouse in self.after if key == order_id}
        configured = shop.current().fulfilment_warehouses
        named = at_work | {warehouse for key, warehouse in self.shares if key == order_id and warehouse in configured}
        new = HandOver(order_id, "", HandOverState.WITHDRAWN, 0, 0, 0)
        return [self.after.get((order_id, name), replace(new, warehouse=name)) for name in sorted(named)]

    def to_send_back(self, order_id: int, warehouse: str) -> list[UnsentGoods]:
        """Return what a warehouse has to send back, case by case. One without a queue sees the events only."""
        has_queue = warehouse in shop.current().fulfilment_warehouses
        return [one for one in self.unsent if has_queue and (one.order_id, one.warehouse) == (order_id, warehouse)]

    def share(self, hand_over: HandOver) -> WarehouseShare:
        """Return what the order has at the hand-over's warehouse now."""
        nothing = WarehouseShare(0, 0, self.papers[hand_over.order_id].address_changes)
        return self.shares.get((hand_over.order_id, hand_over.warehouse), nothing)

    def move(self, after: HandOver, item: Item) -> None:
        """Change a hand-over. A new state or a new request is a step of its history, and is announced."""
        key = after.order_id, after.warehouse
        before = self.after.get(key)
        self.after[key] = after
        if before is not None and (before.state, before.number) == (after.state, after.number):
            return
        previous = before.state.value if before else ""
        happened_at = getattr(item.body, "occurred_at", item.occurred_at)
        self.steps.append(
            HandOverStep(
                *key,
                previous,
                after.state,
                after.number,
                item.body.TYPE,
                item.id,
                after.reason_code,
                happened_at,
            )
        )
        event = FulfilmentUpdated(
            order_id=after.order_id,
            warehouse=after.warehouse,
            number=after.number,
            state=after.state.value,
            previous=previous,
            reason_code=after.reason_code,
        )
        self.news.append(outbox.event(event, because=item, stream=self.book[after.order_id].root_id))

    def changed(self) -> list[HandOver]:
        """Return the hand-overs that must be written."""
        return [one for key, one in sorted(self.after.items()) if one != self.before.get(key)]


def ask(context: HandOverContext, hand_over: HandOver, wanted: Ask, item: Item) -> None:
    """Ask the warehouse for it, in its own queue. What concerns one order comes there in its order."""
    order, papers = context.book[hand_over.order_id], context.papers[hand_over.order_id]
    about: dict[str, Any] = {
        "order_id": order.id,
        "order_no": order.order_no,
        "warehouse": hand_over.warehouse,
        "number": hand_over.number,
    }
    message: FulfilmentInstruction
    match wanted:
        case Ask.SHIP:
            lines = tuple(context.lines.get((order.id, hand_over.warehouse), ()))
            message = FulfilmentRequested(**about, lines=lines, address=papers.address(), remark=papers.remark())
        case Ask.CANCEL:
            assert hand_over.cancel_no is not None, "a cancellation has a number"
            message = FulfilmentCancelRequested(**about, cancel_no=hand_over.cancel_no, reason_code=order.reason_code)
        case Ask.WITHDRAW:
            message = FulfilmentWithdrawn(**about)
    queue = warehouse_queue(hand_over.warehouse)
    context.news.append(outbox.instruction(message, queue=queue, stream=-order.id, because=item))


async def held_at_work(tx: Transaction, book: Book[Any]) -> list[outbox.Announcement]:
    """Have the warehouses stop, or go on, that work on orders which are held now, or are not any more.

    A request that is not accepted is withdrawn instead. It reads only if there is such an order.
    """
    changed = {key for key, before in book.before.items() if book[key].held != before.held}
    last = {step.order.id: step for step in book.steps if step.trigger in {Trigger.HELD, Trigger.RELEASED}}
    at_work = [key for key in sorted(changed & last.keys()) if book[key].state in {State.FULFILLING, State.CANCELLING}]
    known = await hand_over_rows.of_orders(tx, at_work)
    return [
        hold_instruction(book[key], hand_over, getattr(last[key].event, "reason_code", None), last[key].because)
        for (key, _), hand_over in sorted(known.items())
        if hand_over.state in AT_WORK
    ]


def hold_instruction(order: Order, hand_over: HandOver, reason_code: str | None, item: Item) -> outbox.Announcement:
    """Have a warehouse stop while its order is held, or go on."""
    about: dict[str, Any] = {
        "order_id": order.id,
        "order_no": order.order_no,
        "warehouse": hand_over.warehouse,
        "number": hand_over.number,
    }
    message = FulfilmentHeld(**about, reason_code=reason_code) if order.held else FulfilmentReleased(**about)
    return outbox.instruction(message, queue=warehouse_queue(hand_over.warehouse), stream=-order.id, because=item)


def alert(hand_over: HandOver, what: str, code: Code) -> AlertRaised:
    """Build alert.raised: a person must look at a hand-over."""
    content = f"the warehouse {hand_over.warehouse} {what}"
    return AlertRaised.of(title="hand-over", content=content, code=code, order_id=hand_over.order_id)
