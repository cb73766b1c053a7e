"""Places and releases holds in a book: the steps of the order, and the events that announce them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from messages.envelope import Envelope
from messages.holds import OrderHeld, OrderReleased
from workers.domain.book import Book, Who
from workers.domain.holds import HoldKind, OpenHold, held_since
from workers.domain.order import FINISHED, Order, Trigger
from workers.services import order_events
from workers.store.holds import PlacedHold


@dataclass(frozen=True)
class Why:
    """Why an order is held, and for whom."""

    kind: HoldKind
    reason_code: str
    who: Who


def targets(book: Book[Any], order_id: int) -> list[Order]:
    """Return the orders that a hold of this one holds: its children that have not ended, if it has children.

    They carry the goods. If all have ended, all of them.
    """
    children = book.children(order_id)
    return [child for child in children if child.state not in FINISHED] or children or [book[order_id]]


def place(
    book: Book[Any],
    order_id: int,
    others: Sequence[OpenHold],
    hold_id: int,
    why: Why,
    *,
    because: Envelope[Any],
    now: datetime,
) -> tuple[PlacedHold, OrderHeld]:
    """Take the order's step. Returns the hold to insert and its event."""
    hold = OpenHold(hold_id, order_id, why.kind, why.reason_code, held_since(others, now))
    step = book.move(order_id, Trigger.HELD, because=because, at=now, who=why.who, held=True)
    event = OrderHeld(
        **order_events.common(step),
        hold_id=hold.id,
        kind=hold.kind,
        reason_code=hold.reason_code,
        holds=len(others) + 1,
    )
    step.event = event
    return PlacedHold(hold, because.id, now, why.who), event


def release(
    book: Book[Any],
    hold: OpenHold,
    left: int,
    reason_code: str | None,
    who: Who,
    *,
    because: Envelope[Any],
    now: datetime,
) -> OrderReleased:
    """Take the step of the hold's order, which has `left` other holds. Returns the event."""
    step = book.move(hold.order_id, Trigger.RELEASED, because=because, at=now, who=who, held=left > 0)
    event = OrderReleased(
        **order_events.common(step),
        hold_id=hold.id,
        kind=hold.kind,
        reason_code=hold.reason_code,
        holds=left,
        release_reason_code=reason_code,
    )
    step.event = event
    return event
