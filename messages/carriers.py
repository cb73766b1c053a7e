"""carrier.*: calls that we make to a carrier. Each carrier has its own queue; the messages are addressed to it."""

from typing import ClassVar

from messages.base import ExternalId, Internal, Moment, OrderId, Quantity, ShortText
from messages.shipments import ParcelPlan, Status


class CarrierCall(Internal):
    """A call about one waybill."""

    waybill_id: OrderId


class CarrierBook(CarrierCall):
    """Book the waybill. The carrier treats the same number of ours as the same waybill."""

    TYPE: ClassVar[str] = "carrier.book.v1"


class CarrierTrack(CarrierCall):
    """Poll what happened to the waybill's parcel."""

    TYPE: ClassVar[str] = "carrier.track.v1"


class CarrierCancel(CarrierCall):
    """Cancel the waybill: no parcel uses it.

    `bookings` is how often the carrier had answered by then that it booked it. If it books it again, this cancellation
    does not end the waybill: the booking may have passed it.
    """

    TYPE: ClassVar[str] = "carrier.cancel.v1"
    bookings: Quantity = 1


class WaybillAnswered(ParcelPlan, Internal):
    """The carrier booked the waybill under this number, or it refused and there is none.

    `refusal` is the carrier's word for the reason.
    """

    TYPE: ClassVar[str] = "waybill.answered.v1"
    waybill_id: OrderId
    tracking_no: ExternalId | None = None
    ship_time: Moment | None = None
    refusal: ExternalId | None = None


class ShipmentObserved(Internal):
    """A poll of the carrier showed this fact. It has the fields of shipment.update, and the same effect."""

    TYPE: ClassVar[str] = "shipment.observed.v1"
    order_id: OrderId
    carrier: ExternalId
    tracking_no: ExternalId
    event_id: ExternalId
    status: Status
    occurred_at: Moment
    place: ShortText | None = None
