"""Notifications to buyers: one row for each event, user and medium, with how it ended."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from db.pool import Transaction
from db.statements import SQL, columns

WAKE_MAX_ROWS = 500


class NotificationState(StrEnum):
    """Where a notification is. Only a pending one is sent; one that failed is, if its dead letter is replayed."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class PlannedNotification:
    """A notification to store. `content` is the event as JSON; `reason` says why it is skipped."""

    cause: str
    user_id: str
    medium: str
    kind: str
    order_id: int
    content: str
    state: NotificationState
    reason: str | None
    wake_at: datetime
    expires_at: datetime

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it unique."""
        return self.cause, self.user_id, self.medium


@dataclass(frozen=True)
class WaitingNotification:
    """A stored notification. `erased`: its user was erased since. `now` is the database clock."""

    id: int
    cause: str
    user_id: str
    medium: str
    kind: str
    order_id: int
    content: dict[str, Any]
    state: NotificationState
    attempts: int
    expires_at: datetime
    now: datetime
    erased: bool


class NotificationEnd(NamedTuple):
    """What becomes of a stored notification. `wake_at` is set for one that stays pending until then."""

    id: int
    state: NotificationState
    reason: str | None
    attempts: int
    wake_at: datetime | None = None


class OwnedOrder(NamedTuple):
    """An order's user and its number, if it has one."""

    user_id: str
    order_no: str | None


class TrackedParcel(NamedTuple):
    """A parcel on its way to the buyer."""

    carrier: str
    tracking_no: str


class WokenNotification(NamedTuple):
    """A notification whose time has come, or that expired."""

    id: int
    medium: str
    kind: str
    state: NotificationState


async def owners(tx: Transaction, order_ids: Iterable[int]) -> dict[int, OwnedOrder]:
    """Order id -> its user and number. Unknown ids are missing."""
    wanted = sorted(set(order_ids))
    rows = await tx.fetch(SQL["buyer_notifications.orders"], wanted) if wanted else []
    return {row["id"]: OwnedOrder(row["user_id"], row["order_no"]) for row in rows}


async def parcels(tx: Transaction, order_ids: Iterable[int]) -> dict[int, list[TrackedParcel]]:
    """Order id -> its parcels. Orders without one are missing."""
    wanted = sorted(set(order_ids))
    found: dict[int, list[TrackedParcel]] = {}
    for row in await tx.fetch(SQL["buyer_notifications.parcels"], wanted) if wanted else ():
        found.setdefault(row["order_id"], []).append(TrackedParcel(row["carrier"], row["tracking_no"]))
    return found


async def insert(tx: Transaction, planned: Sequence[PlannedNotification]) -> dict[tuple[str, str, str], int]:
    """Store notifications. Returns the ids of those that were not stored before: (cause, user, medium) -> id."""
    if not planned:
        return {}
    rows = await tx.fetch(SQL["buyer_notifications.insert"], *columns(tuple(vars(one).values()) for one in planned))
    return {(row["cause"], row["user_id"], row["medium"]): row["id"] for row in rows}


async def read(tx: Transaction, ids: Iterable[int]) -> dict[int, WaitingNotification]:
    """Id -> the notification. Unknown ids are missing."""
    rows = await tx.fetch(SQL["buyer_notifications.read"], sorted(set(ids)))
    stored = [WaitingNotification(**dict(row)) for row in rows]
    return {
        one.id: replace(one, content=orjson.loads(one.content), state=NotificationState(one.state))  # type: ignore[arg-type]
        for one in stored
    }


async def end(tx: Transaction, ends: Sequence[NotificationEnd]) -> set[int]:
    """Write how these ended, each once. Returns those that had not been sent before."""
    last = {one.id: one for one in ends}
    if not last:
        return set()
    rows = await tx.fetch(SQL["buyer_notifications.end"], *columns(last[key] for key in sorted(last)))
    return {row["id"] for row in rows}


async def wake(tx: Transaction) -> list[WokenNotification]:
    """Take the pending notifications whose time has come, and end those that expired."""
    rows = await tx.fetch(SQL["buyer_notifications.wake"], WAKE_MAX_ROWS)
    return [WokenNotification(row["id"], row["medium"], row["kind"], NotificationState(row["state"])) for row in rows]
