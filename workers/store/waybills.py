"""Waybills: parcels that we book at their carriers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from db.pool import Transaction
from db.statements import SQL, columns
from messages.shipments import ParcelPlan


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
    """One waybill as its row holds it. Its id becomes that of its parcel. `command` is that of its shipment.create."""

    id: int
    order_id: int
    command: tuple[str, str]
    plan: ParcelPlan
    state: WaybillState = WaybillState.REQUESTED
    tracking_no: str | None = None
    order_no: str | None = None
    parcel_ended: bool = False

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
            row["order_no"],
            row["parcel_ended"],
        )
        for row in rows
    }


async def request(tx: Transaction, new: Sequence[Waybill]) -> None:
    """Insert waybills that their carriers are to book. Their orders are locked."""
    if new:
        rows = [
            (one.id, one.order_id, *one.command, one.plan.carrier, one.plan.model_dump_json(exclude_defaults=True))
            for one in new
        ]
        await tx.execute(SQL["waybills.request"], *columns(rows))


async def answer(tx: Transaction, answers: Sequence[WaybillAnswer], at: datetime) -> None:
    """Write what carriers answered. The caller has locked their orders."""
    if answers:
        rows = [(one.id, one.state, one.tracking_no, one.ship_time, one.refusal) for one in answers]
        await tx.execute(SQL["waybills.answer"], *columns(rows), at)


async def close(tx: Transaction, closed: Sequence[tuple[int, WaybillState]]) -> None:
    """Write what became of unused waybills: (id, state)."""
    if closed:
        await tx.execute(SQL["waybills.close"], *columns(sorted(closed)))
