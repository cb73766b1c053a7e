"""Notifications that go to buyers: which events cause one, the calls that send them, and how they end."""

from enum import StrEnum
from typing import ClassVar, NamedTuple

from messages import after_sales, orders, refunds
from messages.base import Event, Internal, OrderId
from messages.contacts import MediumWord


class NotificationCategory(StrEnum):
    """Why a buyer is notified: about money and the contract, about the progress of goods, or to sell something."""

    TRANSACTIONAL = "transactional"
    SERVICE = "service"
    MARKETING = "marketing"


class NotificationKind(NamedTuple):
    """What a buyer is notified of. `name` is a word of its own list; opt-outs and metrics use it."""

    name: str
    category: NotificationCategory


NOTIFIED: dict[type[Event], NotificationKind] = {
    orders.OrderCreated: NotificationKind("order_created", NotificationCategory.TRANSACTIONAL),
    orders.OrderPaid: NotificationKind("order_paid", NotificationCategory.TRANSACTIONAL),
    orders.OrderShipped: NotificationKind("order_shipped", NotificationCategory.SERVICE),
    orders.OrderDelivered: NotificationKind("order_delivered", NotificationCategory.SERVICE),
    orders.OrderCancelled: NotificationKind("order_cancelled", NotificationCategory.TRANSACTIONAL),
    refunds.RefundSucceeded: NotificationKind("refund_succeeded", NotificationCategory.TRANSACTIONAL),
    after_sales.AfterSaleApproved: NotificationKind("after_sale_approved", NotificationCategory.SERVICE),
    after_sales.AfterSaleRejected: NotificationKind("after_sale_rejected", NotificationCategory.SERVICE),
}
"""Event -> what buyers are notified of. Each kind has a template under its name in each language."""
KINDS = {kind.name: kind for kind in NOTIFIED.values()}


class BuyerNotificationSend(Internal):
    """Send one notification by its medium. It does no harm if it comes twice."""

    TYPE: ClassVar[str] = "buyer_notification.send.v1"
    notification_id: OrderId


class NotificationEvent(Event):
    """A notification to a buyer ended. `cause` is the id of the event that it is about."""

    notification_id: OrderId
    order_id: OrderId
    user_id: str
    medium: MediumWord
    kind: str
    cause: str


class NotificationSent(NotificationEvent):
    """The server of the medium accepted it. Whether it arrived is not known here."""

    TYPE: ClassVar[str] = "notification.sent.v1"


class NotificationFailed(NotificationEvent):
    """It was not sent. `reason_code` is what the server answered (SMTP_550, HTTP_410), or why we gave up."""

    TYPE: ClassVar[str] = "notification.failed.v1"
    reason_code: str
