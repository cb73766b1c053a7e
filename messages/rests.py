"""The rest of a partly shipped order: commands about the units that have not left, and the events that follow."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from messages.base import Amount, Command, ExternalId, Internal, Moment, OrderId, Part, Quantity, RequestId
from messages.orders import LINES_MAX, OrderCommand, OrderEvent
from messages.roles import Role


class OrderCancelRest(OrderCommand):
    """Cancel the units of a partly shipped order that have not left the warehouse. The others stay bought."""

    TYPE: ClassVar[str] = "order.cancel_rest.v1"


class ShortLine(Part):
    """`qty` units of one SKU of the order that the warehouse does not have."""

    sku_id: ExternalId
    qty: Quantity


class ShortageReport(Command):
    """The warehouse does not have these units of a paid order; without lines, none of those that have not left (S3-44).

    With `warehouse` only what comes from there is short; it must be named if units are left in several, but an operator
    may mean all of them. Reports add up. What parcels hold that have not left may be reported, too: it is taken out of
    them.
    """

    TYPE: ClassVar[str] = "order.shortage.report.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.WAREHOUSE, Role.OPERATOR})
    SCOPE: ClassVar[str] = "order.shortage.report:{order_id}"
    request_id: RequestId
    order_id: OrderId
    warehouse: ExternalId | None = None
    lines: Annotated[tuple[ShortLine, ...], Field(max_length=LINES_MAX)] = ()


class ShortageDecide(OrderCommand):
    """The buyer's answer to a shortage, before `decide_before`: ship what is there, or cancel all that has not left.

    Until then the order is held. Without an answer the order's own rule decides (`on_shortage` of its business type).
    """

    TYPE: ClassVar[str] = "order.shortage.decide.v1"
    decision: Literal["ship_rest", "cancel_rest"]


class ShortageDue(Internal):
    """The time for the buyer's answer to a shortage is over, if the timer's row says so."""

    TYPE: ClassVar[str] = "order.shortage_due.v1"
    order_id: OrderId


class DroppedLine(Part):
    """`qty` units of one line that the order will not ship."""

    line_no: int
    sku_id: str
    qty: int


class RestEvent(OrderEvent):
    """The order goes on without some units. `refund_amount` of the paid money goes back for them."""

    lines: tuple[DroppedLine, ...]
    refund_amount: Amount


class OrderRestCancelled(RestEvent):
    """The units that had not left are cancelled: refunded, and sellable again."""

    TYPE: ClassVar[str] = "order.rest_cancelled.v1"


class OrderShortageRecorded(RestEvent):
    """The warehouse does not have some units: they are refunded. If nothing else is left, order.cancelled follows.

    With `decide_before` the buyer may answer until then (order.shortage.decide), and the order is held.
    """

    TYPE: ClassVar[str] = "order.shortage_recorded.v1"
    decide_before: Moment | None = None
