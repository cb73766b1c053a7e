"""The port: the pure functions over bytes with which we book, follow and cancel parcels at a carrier.

An adapter does no I/O and reads no clock. It builds HTTP requests, which workers/providers/calls.py sends, and reads
the responses.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from messages.orders import Address
from messages.shipments import Status
from workers.providers.port import HttpRequest, HttpResponse, UnknownOutcome


@dataclass(frozen=True)
class ConsignmentLine:
    """Units of one SKU that an order has in the parcel."""

    order_no: str | None
    sku_id: str
    qty: int


@dataclass(frozen=True)
class Consignment:
    """A parcel that the carrier is to take. `number` is ours: the same number again is the same parcel.

    `address` is where it goes, None for orders without one. `warehouse` is where the carrier fetches it, None if its
    units come from several.
    """

    number: str
    order_nos: Sequence[str]
    warehouse: str | None
    lines: Sequence[ConsignmentLine]
    address: Address | None = field(repr=False)


@dataclass(frozen=True)
class ConsignmentBooked:
    """The carrier takes the parcel, under its own number. `ship_time` is when it fetches it, if it says so."""

    tracking_no: str
    ship_time: datetime | None


@dataclass(frozen=True)
class TrackedEvent:
    """What happened to a parcel. `event_id` is unique for the parcel."""

    event_id: str
    status: Status
    occurred_at: datetime
    place: str | None


@dataclass(frozen=True)
class ParcelHistory:
    """Everything that the carrier knows of a parcel, in whichever order."""

    events: Sequence[TrackedEvent]


@dataclass(frozen=True)
class ConsignmentCancelled:
    """The carrier does not take the parcel any more, or never knew of it."""


@dataclass(frozen=True)
class CarrierRefusal:
    """The carrier refused. The same request again would get the same answer. `code` is a word of its own list."""

    code: str


class CarrierAdapter(Protocol):
    """One carrier. Every method is pure."""

    name: str

    def book(self, consignment: Consignment) -> HttpRequest:
        """Book the parcel."""

    def read_booking(self, response: HttpResponse) -> ConsignmentBooked | CarrierRefusal | UnknownOutcome:
        """Read the response to `book`."""

    def track(self, number: str) -> HttpRequest:
        """Poll the parcel by our number."""

    def read_history(self, response: HttpResponse) -> ParcelHistory | CarrierRefusal | UnknownOutcome:
        """Read the response to `track`. A CarrierRefusal means that it knows no such parcel."""

    def cancel(self, number: str) -> HttpRequest:
        """Cancel the parcel by our number."""

    def read_cancellation(self, response: HttpResponse) -> ConsignmentCancelled | CarrierRefusal | UnknownOutcome:
        """Read the response to `cancel`."""
