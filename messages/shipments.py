"""shipment.*: parcels, as warehouses and carriers report them."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from messages.base import CodeText, Event, ExternalId, Fact, Moment, OrderId, Part, Quantity, ShortText
from messages.roles import Role


class ShipmentLine(Part):
    """`qty` units of one SKU of the order."""

    sku_id: ExternalId
    qty: Quantity


class ShipmentBook(Fact):
    """A parcel is planned, identified by (carrier, tracking_no).

    Without lines it takes all units not yet in a parcel.
    """

    TYPE: ClassVar[str] = "shipment.book.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.WAREHOUSE})
    order_id: OrderId
    carrier: ExternalId
    tracking_no: ExternalId
    warehouse: ExternalId | None = None
    lines: Annotated[tuple[ShipmentLine, ...], Field(max_length=200)] = ()


Status = Literal[
    "outbound",
    "picked_up",
    "in_transit",
    "out_for_delivery",
    "delivered",
    "delayed",
    "refused",
    "undeliverable",
    "lost",
    "returning",
    "returned",
    "loss_confirmed",
]


class ShipmentUpdate(Fact):
    """One carrier fact, identified by (carrier, tracking_no, event_id). It may come late, twice and out of order.

    `occurred_at` says when it happened: of two facts the later one counts, whichever comes first.
    """

    TYPE: ClassVar[str] = "shipment.update.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.CARRIER})
    order_id: OrderId
    carrier: ExternalId
    tracking_no: ExternalId
    event_id: ExternalId
    status: Status
    occurred_at: Moment
    place: ShortText | None = None


class ShipmentEvent(Event):
    """Something happened to one parcel of one order."""

    order_id: OrderId
    shipment_id: OrderId | None
    carrier: str
    tracking_no: str


class ShipmentBooked(ShipmentEvent):
    """A parcel is planned."""

    TYPE: ClassVar[str] = "shipment.booked.v1"
    lines: tuple[ShipmentLine, ...]


class ShipmentBookingFailed(ShipmentEvent):
    """A parcel cannot be planned: the order's state or its remaining units do not allow it (S2-11)."""

    TYPE: ClassVar[str] = "shipment.booking_failed.v1"
    code: CodeText
    details: dict[str, Any] = {}


class ShipmentUpdated(ShipmentEvent):
    """A carrier fact moved a parcel, or marked it as delayed. `after_delivery`: it had arrived before."""

    TYPE: ClassVar[str] = "shipment.updated.v1"
    status: str
    previous: str
    delayed: bool
    after_delivery: bool = False
