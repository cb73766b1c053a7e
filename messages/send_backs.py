"""Goods of after-sale cases that go back to the buyer: refused ones, and those of a case that ended without them."""

from typing import ClassVar

from messages.after_sales import COMMANDS, INTERNAL, CaseCommand, WarehouseRoles
from messages.base import Event, ExternalId, Message, Name, OrderId
from messages.fulfilments import SendBackLine
from messages.replacements import AfterSaleExchangeMoved
from messages.roles import Role


class AfterSaleSendBack(CaseCommand):
    """The warehouse has handed goods of a case to a carrier, as a parcel to the buyer with this number."""

    TYPE: ClassVar[str] = "after_sale.send_back.v1"
    SENDERS: ClassVar[frozenset[Role]] = WarehouseRoles
    warehouse: ExternalId
    carrier: Name
    tracking_no: ExternalId


class SendBackEvent(Event):
    """Goods of a case go back to the buyer from a warehouse. The case itself takes no step."""

    case_id: OrderId
    case_no: str
    order_id: OrderId
    order_no: str | None
    user_id: str
    warehouse: str
    lines: tuple[SendBackLine, ...]


class SendBackRequested(SendBackEvent):
    """The warehouse is to send them: it answers with after_sale.send_back.

    A warehouse with a queue of its own gets fulfilment.send_back, with the address.
    """

    TYPE: ClassVar[str] = "send_back.requested.v1"


class SendBackShipped(SendBackEvent):
    """They are on their way, as a parcel of the case. A new case may name them."""

    TYPE: ClassVar[str] = "send_back.shipped.v1"
    shipment_id: OrderId
    carrier: str
    tracking_no: str


TO_AFTER_SALES: tuple[type[Message], ...] = (*COMMANDS, AfterSaleSendBack, *INTERNAL, AfterSaleExchangeMoved)
"""What the queue of after-sale cases takes."""
