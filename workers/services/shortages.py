"""The buyer's answer to a shortage: while it is awaited the order is held, and a timer ends the wait."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from db.pool import Transaction
from messages.envelope import Envelope
from messages.holds import OrderReleased
from workers.domain.book import SYSTEM, Book, Who
from workers.domain.holds import HoldKind, OpenHold
from workers.domain.order import Order
from workers.domain.shop import OnShortage
from workers.services import holds as hold_steps
from workers.store import holds, ids, timers
from workers.store.holds import HoldEnd, PlacedHold
from workers.store.ids import NewIds
from workers.store.timers import Timer, TimerKind

REASON = "shortage"


@dataclass
class ShortageAnswers:
    """What one batch knows of awaited answers, and what it changes.

    `open` is order id -> its open holds, of any kind.
    """

    open: dict[int, list[OpenHold]]
    due: dict[timers.Key, datetime]
    hold_ids: NewIds
    placed: list[PlacedHold] = field(default_factory=list)
    ends: list[HoldEnd] = field(default_factory=list)
    started: dict[int, datetime] = field(default_factory=dict)
    stopped: set[int] = field(default_factory=set)

    def waits(self, order_id: int) -> bool:
        """True if the order is held until its buyer answers."""
        return self._hold(order_id) is not None

    def is_over(self, order_id: int, now: datetime) -> bool:
        """True if the time for the answer is over."""
        due_at = self.started.get(order_id, self.due.get((TimerKind.SHORTAGE, order_id)))
        return due_at is not None and due_at <= now

    def ask(self, book: Book[Any], order: Order, *, because: Envelope[Any], now: datetime) -> datetime | None:
        """Hold the order and start its window, if its rule is to ask. Returns until when the buyer may answer."""
        if order.on_shortage is OnShortage.SHIP_REST:
            return None
        if not self.waits(order.id):
            others, why = self.open.setdefault(order.id, []), hold_steps.Why(HoldKind.SHORTAGE, REASON, SYSTEM)
            new_id = self.hold_ids.next(order.user_id)
            placed, _ = hold_steps.place(book, order.id, others, new_id, why, because=because, now=now)
            self.placed.append(placed)
            others.append(placed.hold)
        until = self.started[order.id] = now + timedelta(seconds=order.shortage_window_seconds)
        self.stopped.discard(order.id)
        return until

    def release(
        self, book: Book[Any], order_id: int, answer: str, who: Who, *, because: Envelope[Any], now: datetime
    ) -> OrderReleased:
        """Release the order from its shortage, and stop its window. The caller has seen that it waits."""
        hold = self._hold(order_id)
        assert hold is not None, "no answer is awaited"
        left = self.open[order_id] = [one for one in self.open[order_id] if one is not hold]
        self.ends.append(HoldEnd(hold.id, now, who, answer))
        self.stop(order_id)
        return hold_steps.release(book, hold, len(left), answer, who, because=because, now=now)

    def stop(self, order_id: int) -> None:
        """Stop the window of an order."""
        self.started.pop(order_id, None)
        self.stopped.add(order_id)

    async def save(self, tx: Transaction, others: Sequence[Timer]) -> None:
        """Write the holds, and change the timers; `others` are started with them."""
        await holds.place(tx, self.placed)
        await holds.release(tx, self.ends)
        started = [Timer(TimerKind.SHORTAGE, key, due_at) for key, due_at in self.started.items()]
        await timers.change(
            tx, stopped=[(TimerKind.SHORTAGE, key) for key in self.stopped], started=[*others, *started]
        )

    def _hold(self, order_id: int) -> OpenHold | None:
        found = (hold for hold in self.open.get(order_id, ()) if hold.kind is HoldKind.SHORTAGE)
        return next(found, None)


async def read(tx: Transaction, book: Book[Any], reported: Sequence[int], due: Iterable[int]) -> ShortageAnswers:
    """Read the open holds of the locked orders, and the windows that may be over. `reported` may begin to wait."""
    held = [order.id for order in book.before.values() if order.held]
    asking = [key for key in reported if key in book and book[key].on_shortage != OnShortage.SHIP_REST]
    return ShortageAnswers(
        await holds.open_of(tx, held),
        await timers.read(tx, [(TimerKind.SHORTAGE, key) for key in due]),
        await ids.reserve(tx, len(asking)),
    )
