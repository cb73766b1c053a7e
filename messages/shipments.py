"""shipment.*: parcels, as warehouses and carriers report them."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from messages.base import (
    CodeText,
    Command,
    Event,
    ExternalId,
    Fact,
    Moment,
    OrderId,
    Part,
    Quantity,
    RequestId,
    ShortText,
)
from messages.roles import Role

PARCEL_LINES_MAX = 200  # as many as an order may have


class ShipmentLine(Part):
    """`qty` units of one SKU of the order."""

    sku_id: ExternalId
    qty: Quantity


class ShipmentBookLine(ShipmentLine):
    """`qty` units of one SKU for the parcel. They are those of `order_id`; without it, of the booking's own order."""

    order_id: OrderId | None = None


class ParcelPlan(Part):
    """What a parcel is to hold, and who carries it.

    It takes the lines; of an order without lines it takes all units that are not yet in a parcel, with `warehouse`
    those of this warehouse, which must be named if there are some in several. A parcel may hold goods of several orders
    of one user, if they have the same address and come from the same warehouse: name them in `order_ids` or in the
    lines. An order may join a parcel until it has left.
    """

    order_id: OrderId
    carrier: ExternalId
    warehouse: ExternalId | None = None
    lines: Annotated[tuple[ShipmentBookLine, ...], Field(max_length=PARCEL_LINES_MAX)] = ()
    order_ids: Annotated[tuple[OrderId, ...], Field(max_length=100)] = ()


class ShipmentCreate(ParcelPlan, Command):
    """Book a parcel at one of the carriers that OMS_CARRIERS names, which gives it its number (S1-33).

    It ends in shipment.booked with the number, or in shipment.booking_failed, whose number is empty. It books all its
    orders or none.
    """

    TYPE: ClassVar[str] = "shipment.create.v1"
    SCOPE: ClassVar[str] = "{command}:{order_id}"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.WAREHOUSE, Role.OPERATOR})
    request_id: RequestId


class ShipmentBook(ParcelPlan, Fact):
    """A parcel is planned, identified by (carrier, tracking_no) until it has ended. Then its number is free again.

    Several orders may book the same parcel, each with a message of its own. A message books all its orders or none.
    What follows is shipment.booked, or shipment.booking_failed with a code.
    """

    TYPE: ClassVar[str] = "shipment.book.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.WAREHOUSE})
    tracking_no: ExternalId


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

    It moves the goods of all orders in the parcel. `order_id` may name any of them; without it, the fact is about the
    newest parcel with this number. `occurred_at` says when it happened: of two facts the later one counts, whichever
    comes first. What follows is shipment.updated; order.shipped when the last unit has left, and order.delivered when
    all parcels have arrived.
    """

    TYPE: ClassVar[str] = "shipment.update.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.CARRIER})
    order_id: OrderId | None = None
    carrier: ExternalId
    tracking_no: ExternalId
    event_id: ExternalId
    status: Status
    occurred_at: Moment
    place: ShortText | None = None


class ShipmentEvent(Event):
    """Something happened to one parcel of one order. A parcel with goods of several orders has an event for each."""

    order_id: OrderId
    shipment_id: OrderId | None
    carrier: str
    tracking_no: str


class ShipmentBooked(ShipmentEvent):
    """A parcel is planned. `ship_time` is when the carrier fetches it, if we booked it there and it says so."""

    TYPE: ClassVar[str] = "shipment.booked.v1"
    lines: tuple[ShipmentLine, ...]
    ship_time: Moment | None = None


class ShipmentBookingFailed(ShipmentEvent):
    """A parcel cannot be planned: the order does not allow it, or the carrier refuses (S2-11).

    `tracking_no` is empty if the carrier gave none.
    """

    TYPE: ClassVar[str] = "shipment.booking_failed.v1"
    code: CodeText
    details: dict[str, Any] = {}


class ShipmentUpdated(ShipmentEvent):
    """A carrier fact moved a parcel, or marked it as delayed. `after_delivery`: it had arrived before.

    A parcel with a `case_id` brings goods of an after-sale case back: delivered is then arrived at the warehouse. With
    `to_buyer` it takes goods that were not taken back to the buyer.
    """

    TYPE: ClassVar[str] = "shipment.updated.v1"
    status: str
    previous: str
    delayed: bool
    after_delivery: bool = False
    case_id: OrderId | None = None
    to_buyer: bool = False
