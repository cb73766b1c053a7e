"""Waybills: parcels that we book at their carriers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from db.pool import Transaction
from db.statements import SQL, columns
from messages.shipments import ParcelPlan

FOLLOWED_MAX = 10_000  # timers in one transaction; the sweeper wakes so many within ten seconds


class WaybillState(StrEnum):
    """The states of a waybill.

    No parcel has an unused one: it is cancelled at its carrier, or stays uncancelled if the carrier refuses that.
    """

    REQUESTED = "requested"
    BOOKED = "booked"
    REFUSED = "refused"
    UNUSED = "unused"
    CANCELLED = "cancelled"
    UNCANCELLED = "uncancelled"


@dataclass(frozen=True)
class Waybill:
    """One waybill as its row holds it. Its id becomes that of its parcel. `command` is that of its shipment.create.

    `bookings` counts the carrier's answers that it booked it. `stopped`: its warehouse does not ship its goods now.
    """

    id: int
    order_id: int
    command: tuple[str, str]
    plan: ParcelPlan
    state: WaybillState = WaybillState.REQUESTED
    tracking_no: str | None = None
    parcel_ended: bool = False
    bookings: int = 0
    stopped: bool = False

    @property
    def number(self) -> str:
        """Our number for it at the carrier. The same number again is the same waybill."""
        return f"W{self.id}"


@dataclass(frozen=True)
class WaybillAnswer:
    """What a carrier answered, and the state that the waybill has now."""

    id: int
    state: WaybillState
    tracking_no: str | None
    ship_time: datetime | None
    refusal: str | None
    bookings: int


async def read(tx: Transaction, ids: Iterable[int]) -> dict[int, Waybill]:
    """Id -> waybill, for those of these ids that exist. They are not locked."""
    wanted = sorted(set(ids))
    rows = await tx.fetch(SQL["waybills.read"], wanted) if wanted else []
    return {
        row["id"]: Waybill(
            row["id"],
            row["order_id"],
            (row["scope"], row["request_id"]),
            ParcelPlan.model_validate_json(row["plan"]),
            WaybillState(row["state"]),
            row["tracking_no"],
            row["parcel_ended"],
            row["bookings"],
            row["stopped"],
        )
        for row in rows
    }


async def request(tx: Transaction, new: Sequence[Waybill]) -> None:
    """Insert waybills that their carriers are to book. All orders of their plans are locked."""
    if new:
        rows = [
            (one.id, one.order_id, *one.command, one.plan.carrier, one.plan.model_dump_json(exclude_defaults=True))
            for one in new
        ]
        await tx.execute(SQL["waybills.request"], *columns(rows))


async def answer(tx: Transaction, answers: Sequence[WaybillAnswer], at: datetime) -> None:
    """Write what carriers answered. The caller has locked their orders."""
    if answers:
        rows = [(one.id, one.state, one.tracking_no, one.ship_time, one.refusal, one.bookings) for one in answers]
        await tx.execute(SQL["waybills.answer"], *columns(rows), at)


async def follow(tx: Transaction, carriers: Sequence[str]) -> list[int]:
    """Start the timers of booked waybills of these carriers that have none. Returns the ids of some, or of all."""
    return [row["key"] for row in await tx.fetch(SQL["waybills.follow"], carriers, FOLLOWED_MAX)] if carriers else []


async def stop(tx: Transaction, stopped: Sequence[tuple[int, str]]) -> None:
    """Mark the unanswered waybills of (order, warehouse): the warehouse keeps the goods. The orders are locked."""
    if stopped:
        await tx.execute(SQL["waybills.stop"], *columns(stopped))


async def close(tx: Transaction, closed: Sequence[tuple[int, WaybillState, int]]) -> set[int]:
    """Write what became of unused waybills: (id, state, the bookings that the cancellation counts for).

    Returns the ids of those that closed. One that the carrier booked again meanwhile stays unused.
    """
    rows = await tx.fetch(SQL["waybills.close"], *columns(sorted(closed))) if closed else []
    return {row["id"] for row in rows}
