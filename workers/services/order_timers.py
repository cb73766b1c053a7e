"""Reads the timers of orders for their explanations, and which are missing: people cancel timers by hand.

A timer that an order must have in its state is missing whenever it does not run. One that has a provider or a carrier
polled is missing if a person has cancelled it: not everything is polled.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db.pool import Transaction
from messages.explanations import MissingTimerShown
from workers.domain.holds import HoldKind
from workers.store import explanations
from workers.views.explanation import OF_THE_PARENT, TIMERS
from workers.views.whole import Whole


@dataclass(frozen=True)
class OrderTimers:
    """The timers of an order by their kind: when those that run are due, and those that should run and do not.

    `unpolled` has those of what nobody polls any more, by their kind and the number of the attempt, refund or parcel.
    """

    due: Mapping[str, datetime]
    missing: Mapping[str, MissingTimerShown]
    unpolled: Mapping[tuple[str, str], MissingTimerShown]


async def read(tx: Transaction, orders: Iterable[Whole], holds: Mapping[int, Sequence[Any]]) -> dict[int, OrderTimers]:
    """Order id -> its timers. `holds` are those of each order. Who cancelled one is read only if one is missing."""
    wholes = list(orders)
    keys = {one.head.id for one in wholes} | {one.head.parent_id for one in wholes if one.head.parent_id is not None}
    rows = await explanations.read_timers(tx, keys)
    running = {(row["kind"], key): row["due_at"] for key, found in rows.items() for row in found}
    wanted = {one.head.id: _wanted(one, holds.get(one.head.id, ())) for one in wholes}
    lacking = {timer for timers in wanted.values() for timer in timers if timer not in running}
    since = min((one.head.created_at for one in wholes if lacking.intersection(wanted[one.head.id])), default=None)
    ended = {} if since is None else await explanations.read_cancelled_timers(tx, lacking, since)
    unpolled = await explanations.read_ended_polls(tx, wanted)
    return {
        order_id: OrderTimers(
            due={kind: running[kind, key] for kind, key in timers if (kind, key) in running},
            missing={timer[0]: _missing(timer, ended.get(timer)) for timer in timers if timer in lacking},
            unpolled={
                (row["kind"], row["ref"]): _missing((row["kind"], row["key"]), row)
                for row in unpolled.get(order_id, ())
            },
        )
        for order_id, timers in wanted.items()
    }


def _wanted(one: Whole, holds: Sequence[Any]) -> list[tuple[str, int]]:
    """The kind and key of each timer that an order in its state has."""
    head, kinds = one.head, []
    if head.state in TIMERS:
        kinds.append(TIMERS[head.state])
    if any(hold["kind"] == HoldKind.SHORTAGE and hold["released_at"] is None for hold in holds):
        kinds.append("shortage")
    return [
        (kind, head.parent_id if kind in OF_THE_PARENT and head.parent_id is not None else head.id) for kind in kinds
    ]


def _missing(timer: tuple[str, int], ended: Any | None) -> MissingTimerShown:
    at, by = (None, None) if ended is None else (ended["cancelled_at"], ended["cancelled_by"])
    return MissingTimerShown(kind=timer[0], key=timer[1], cancelled_at=at, cancelled_by=by)
