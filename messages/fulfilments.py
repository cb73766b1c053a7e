"""fulfilment.*: orders are handed over to warehouses, which report how far they are.

What we ask a warehouse for comes in a queue of its own, `oms.warehouse.<warehouse>`. What it reports names the order,
the warehouse and the `number` of the request that it answers.
"""

from typing import ClassVar

from messages.base import (
    Command,
    Event,
    ExternalId,
    Fact,
    Instruction,
    Internal,
    Message,
    Moment,
    OrderId,
    Part,
    Quantity,
    ReasonCode,
    RequestId,
)
from messages.orders import Address, OrderEvent
from messages.roles import Role


class FulfilmentReview(Internal):
    """An order changed: bring its hand-overs in line with it. It does no harm if it comes twice."""

    TYPE: ClassVar[str] = "fulfilment.review.v1"
    PACKABLE: ClassVar[bool] = True
    order_id: OrderId


class FulfilmentLine(Part):
    """`qty` units of one SKU that have not left yet. `line_no` is the line of the order."""

    line_no: int
    sku_id: str
    name: str
    qty: int


class FulfilmentInstruction(Instruction):
    """What we want of a warehouse, for its part of an order."""

    order_id: OrderId
    order_no: str | None
    warehouse: str
    number: int


class FulfilmentRequested(FulfilmentInstruction):
    """Please ship these lines to this address, and accept first.

    If it comes again with a higher `number`, goods or address have changed, and it must be accepted anew; with the same
    number, its lines replace those before. The highest number counts, and facts repeat it.
    """

    TYPE: ClassVar[str] = "fulfilment.requested.v1"
    lines: tuple[FulfilmentLine, ...]
    address: Address | None = None
    remark: str | None = None


class FulfilmentCancelRequested(FulfilmentInstruction):
    """Please stop, and say whether you could: fulfilment.cancel_accepted or .cancel_refused, with this `cancel_no`."""

    TYPE: ClassVar[str] = "fulfilment.cancel_requested.v1"
    cancel_no: int
    reason_code: str | None = None


class FulfilmentWithdrawn(FulfilmentInstruction):
    """The request is withdrawn: ship nothing of it that has not left. There is nothing to answer."""

    TYPE: ClassVar[str] = "fulfilment.withdrawn.v1"


class FulfilmentHeld(FulfilmentInstruction):
    """The order is held: let nothing leave until fulfilment.released. Parcels of it are not booked (ORDER_HELD)."""

    TYPE: ClassVar[str] = "fulfilment.held.v1"
    reason_code: str | None = None


class FulfilmentReleased(FulfilmentInstruction):
    """The last hold of the order is released: go on with the newest request."""

    TYPE: ClassVar[str] = "fulfilment.released.v1"


class SendBackLine(Part):
    """`qty` units of one line of the order, which go back to the buyer."""

    line_no: int
    sku_id: str
    qty: int


class FulfilmentSendBack(FulfilmentInstruction):
    """Please send these goods of an after-sale case back to the buyer, to this address: they were not taken back.

    Answer with after_sale.send_back once the parcel is with its carrier. `number` is the version of the case. If the
    address was erased or deleted, there is none: the goods wait until people know where to send them.
    """

    TYPE: ClassVar[str] = "fulfilment.send_back.v1"
    case_id: OrderId
    case_no: str
    lines: tuple[SendBackLine, ...]
    address: Address | None = None


class FulfilmentGet(Command):
    """A warehouse asks for what it has to do for an order again.

    An open request comes in the warehouse's queue as fulfilment.requested, goods that wait to be sent back to the buyer
    as fulfilment.send_back, once for each case.
    """

    TYPE: ClassVar[str] = "fulfilment.get.v1"
    SCOPE: ClassVar[str] = "{command}:{warehouse}"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.WAREHOUSE})
    request_id: RequestId
    order_id: OrderId
    warehouse: ExternalId


class FulfilmentFact(Fact):
    """A warehouse reports a step of its part of an order. `ref` is its own number for it."""

    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.WAREHOUSE})
    order_id: OrderId
    warehouse: ExternalId
    number: Quantity
    occurred_at: Moment
    ref: ExternalId | None = None


class FulfilmentAccept(FulfilmentFact):
    """The warehouse will ship it: order.fulfilling."""

    TYPE: ClassVar[str] = "fulfilment.accept.v1"


class FulfilmentRefuse(FulfilmentFact):
    """The warehouse will not ship it. A person decides what becomes of the order.

    It may be cancelled, or shipped otherwise. If it is held and then released, the warehouse is requested anew.
    """

    TYPE: ClassVar[str] = "fulfilment.refuse.v1"
    reason_code: ReasonCode


class FulfilmentPick(FulfilmentFact):
    """The goods are being picked. This, .pack and .hand_over imply that the warehouse has accepted."""

    TYPE: ClassVar[str] = "fulfilment.pick.v1"


class FulfilmentPack(FulfilmentFact):
    """The goods are packed."""

    TYPE: ClassVar[str] = "fulfilment.pack.v1"


class FulfilmentHandOver(FulfilmentFact):
    """The goods are with the carrier, whose facts about the parcels say when they leave."""

    TYPE: ClassVar[str] = "fulfilment.hand_over.v1"


class FulfilmentCancelAccepted(FulfilmentFact):
    """The warehouse has stopped and keeps the goods: it answers fulfilment.cancel_requested.

    Parcels that it has booked and that have not left lose them. If the order goes on, the goods are booked anew; so it
    answers once its bookings are answered.
    """

    TYPE: ClassVar[str] = "fulfilment.cancel_accepted.v1"
    cancel_no: Quantity


class FulfilmentCancelRefused(FulfilmentFact):
    """It is too late to stop: it answers fulfilment.cancel_requested."""

    TYPE: ClassVar[str] = "fulfilment.cancel_refused.v1"
    cancel_no: Quantity
    reason_code: ReasonCode


class FulfilmentUpdated(Event):
    """The hand-over of an order to a warehouse took a step. `previous` is empty when it is new."""

    TYPE: ClassVar[str] = "fulfilment.updated.v1"
    order_id: OrderId
    warehouse: str
    number: int
    state: str
    previous: str
    reason_code: str | None = None


class FulfilmentResent(Event):
    """The outcome of fulfilment.get: what is open is in the warehouse's queue again.

    `number` and `state` are those of the request, also of one that is done; 0 and withdrawn if the warehouse has none.
    `send_backs` is the number of cases whose goods it has to send back.
    """

    TYPE: ClassVar[str] = "fulfilment.resent.v1"
    order_id: OrderId
    warehouse: str
    number: int
    state: str
    send_backs: int = 0


class OrderFulfilling(OrderEvent):
    """A warehouse has accepted it and works on it."""

    TYPE: ClassVar[str] = "order.fulfilling.v1"


class OrderCancelling(OrderEvent):
    """It is to be cancelled, and its warehouses have to answer. order.cancelled or order.cancel_refused follows."""

    TYPE: ClassVar[str] = "order.cancelling.v1"
    cancel_type: str
    reason_code: str | None = None


class OrderCancelRefused(OrderEvent):
    """It goes on: a warehouse refused to cancel it, or a parcel of it has left."""

    TYPE: ClassVar[str] = "order.cancel_refused.v1"
    reason_code: str | None = None


TO_US: tuple[type[Message], ...] = (
    FulfilmentReview,
    FulfilmentGet,
    FulfilmentAccept,
    FulfilmentRefuse,
    FulfilmentPick,
    FulfilmentPack,
    FulfilmentHandOver,
    FulfilmentCancelAccepted,
    FulfilmentCancelRefused,
)
"""What warehouses send to us, and what we send to ourselves about their work."""
