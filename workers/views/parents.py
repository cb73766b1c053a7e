"""Derives the status of a split order from its children: they carry the goods, the parent carries the money (C-31)."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from workers.domain.order import FINISHED, State
from workers.views.facets import WITH_THE_CARRIER, Facets
from workers.views.whole import Head, Whole

_LEAST_FIRST = (
    State.REINSTATING,
    State.PLACING,
    State.AWAITING_PAYMENT,
    State.PAID,
    State.FULFILLING,
    State.CANCELLING,
    State.SHIPPED,
    State.DELIVERED,
    State.DELIVERY_FAILED,
)
_CLOSED = (State.CANCELLED, State.REJECTED)


class Standing(NamedTuple):
    """State and facets of one order."""

    state: State
    facets: Facets


def derived(order: Standing, children: Collection[Standing]) -> Standing:
    """The least advanced child that is under way; without one, completed if any child was received (R-07).

    Money and cases stay the order's own. A split order is paid from its first moment, so without known children it is
    that (S3-26).
    """
    if order.state is not State.SPLIT:
        return order
    under_way = [child for child in children if child.state not in FINISHED]
    if under_way:
        least = min(under_way, key=_advance)
        return Standing(least.state, replace(order.facets, fulfilment=least.facets.fulfilment))
    if not children:
        return Standing(State.PAID, order.facets)
    received = any(child.state is State.COMPLETED for child in children)
    return Standing(State.COMPLETED if received else State.CANCELLED, order.facets)


def _advance(child: Standing) -> tuple[int, bool]:
    return _LEAST_FIRST.index(child.state), child.facets.fulfilment in WITH_THE_CARRIER


def with_times_of_children(whole: Whole) -> Head:
    """The order's row. A split order has the times at which the last of its live children reached each step."""
    head, children = whole.head, [child.head for child in whole.children]
    if head.state is not State.SPLIT or not children:
        return head
    live = [child for child in children if child.state not in _CLOSED]
    if not live:
        last = max(children, key=lambda child: child.cancelled_at or child.created_at)
        return replace(head, cancel_type=last.cancel_type, cancelled_at=last.cancelled_at)
    return replace(
        head,
        shipped_at=_last([child.shipped_at for child in live]),
        delivered_at=_last([child.delivered_at for child in live]),
        completed_at=_last([child.completed_at for child in live]),
    )


def _last(times: Sequence[datetime | None]) -> datetime | None:
    """The latest of these times, or None while one is missing."""
    known = [time for time in times if time is not None]
    return max(known) if len(known) == len(times) else None
