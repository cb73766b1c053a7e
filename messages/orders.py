"""order.*: the commands that upstream sends about orders, and the events that follow."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from messages.base import (
    Actor,
    Amount,
    AnyInt,
    CodeText,
    Command,
    Currency,
    Event,
    ExternalId,
    FreeText,
    LongText,
    Moment,
    Name,
    OrderId,
    Part,
    ReasonCode,
    RequestId,
    ShortText,
    Text,
)
from messages.risk import CaptchaToken, ClientFacts
from messages.roles import FOR_BUYERS, Role

LINES_MAX = 200


class Address(Part):
    """The delivery address. It is personal data: stored encrypted, and never part of an event."""

    receiver: ShortText
    phone: Annotated[str, StringConstraints(pattern=r"^[0-9+() -]{3,32}$")]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    province: ShortText | None = None
    city: ShortText | None = None
    area: ShortText | None = None
    street: ShortText | None = None
    detail: ShortText
    postcode: Annotated[str, Text, StringConstraints(max_length=32)] | None = None


class CreateLine(Part):
    """`qty` units of one SKU. Without a warehouse they come from where warehouses.set says, else `default_warehouse`.

    A client that shows unit prices may send the one it shows: if ours differs, the order is refused and the line named.
    """

    sku_id: ExternalId
    qty: AnyInt
    warehouse: Name | None = None
    expected_unit_price: AnyInt | None = None


class ExpectedAmount(Part):
    """One term of the price as the client computed it. We compare it with ours and never compute with it (R-06)."""

    type: ExternalId
    amount: AnyInt


class PaymentChoice(Part):
    """How the buyer intends to pay (S3-09). It charges nothing."""

    method: ExternalId
    account_type: ExternalId | None = None


class OrderCreate(Command):
    """Place an order. Our price must equal `expected_pay_amount` to the minor unit (S3-13).

    The coupon and the points must be the buyer's, and `order_no` a number that order.number.issue gave to the buyer.
    The draft has the lines, the address and the remark that are left out. Once the order is created, it is used up.
    Orders with one `group_id` buy together, if their business type forms groups: all of them go on, or none.
    """

    TYPE: ClassVar[str] = "order.create.v1"
    SENDERS: ClassVar[frozenset[Role]] = FOR_BUYERS
    SCOPE: ClassVar[str] = "order.create:{user_id}"
    SHARED: ClassVar[bool] = True
    request_id: RequestId
    actor: Actor
    user_id: ExternalId
    channel: ExternalId
    source: ExternalId = "buy_now"
    business_type: ExternalId = "normal"
    seller_id: ExternalId | None = None
    currency: Currency
    items: Annotated[tuple[CreateLine, ...], Field(max_length=LINES_MAX)] = ()
    address: Address | None = None
    expected_pay_amount: AnyInt
    remark: LongText | None = None
    coupon_id: ExternalId | None = None
    use_points: AnyInt = 0
    amounts: Annotated[tuple[ExpectedAmount, ...], Field(max_length=20)] | None = None
    payments: Annotated[tuple[PaymentChoice, ...], Field(max_length=10)] | None = None
    order_no: ExternalId | None = None
    order_type: ExternalId = "normal"
    business_order_id: ExternalId | None = None
    group_id: ExternalId | None = None
    draft_id: OrderId | None = None
    draft_revision: AnyInt | None = None
    client: ClientFacts | None = None
    captcha_token: CaptchaToken | None = None

    @classmethod
    def scope_of(cls, user_id: str) -> str:
        """The scope of a user's order.create commands: every user has request ids of their own."""
        return cls.SCOPE.format(user_id=user_id)


class OrderNumberIssue(Command):
    """Give the user a new order number, for a later order.create (S3-08)."""

    TYPE: ClassVar[str] = "order.number.issue.v1"
    SENDERS: ClassVar[frozenset[Role]] = FOR_BUYERS
    SCOPE: ClassVar[str] = "order.number.issue:{user_id}"
    request_id: RequestId
    actor: Actor
    user_id: ExternalId
    channel: ExternalId
    method: ExternalId | None = None


class OrderNumberIssued(Event):
    """The number belongs to this user, for one order."""

    TYPE: ClassVar[str] = "order_number.issued.v1"
    user_id: str
    order_no: str


class OrderCommand(Command):
    """A command about one existing order."""

    SENDERS: ClassVar[frozenset[Role]] = FOR_BUYERS
    SCOPE: ClassVar[str] = "{command}:{order_id}:{actor.type}:{actor.id}"
    request_id: RequestId
    actor: Actor
    order_id: OrderId


class OrderCancel(OrderCommand):
    """Cancel an order: before payment it ends, after payment it is refunded, after shipping it is refused."""

    TYPE: ClassVar[str] = "order.cancel.v1"
    reason: FreeText | None = None
    reason_code: ReasonCode | None = None


class OrderChangeAddress(OrderCommand):
    """Change the delivery address: once, before the first unit leaves the warehouse (S3-23)."""

    TYPE: ClassVar[str] = "order.change_address.v1"
    address: Address


class OrderConfirmReceipt(OrderCommand):
    """The buyer confirms that the goods have arrived (S0-35)."""

    TYPE: ClassVar[str] = "order.confirm_receipt.v1"


class OrdersCommand(Command):
    """A command about several orders. It changes all of them or none."""

    SENDERS: ClassVar[frozenset[Role]] = FOR_BUYERS
    SCOPE: ClassVar[str] = "{command}:{actor.type}:{actor.id}"
    request_id: RequestId
    actor: Actor
    order_ids: Annotated[tuple[OrderId, ...], Field(min_length=1, max_length=100)]


class OrderDelete(OrdersCommand):
    """Hide finished orders from their buyer, all of them or none (S3-22). Rows and events stay (S4-28)."""

    TYPE: ClassVar[str] = "order.delete.v1"


class OrderMerge(OrdersCommand):
    """Pay several unpaid orders of one user with one payment, all or none (R-09)."""

    TYPE: ClassVar[str] = "order.merge.v1"


class Amounts(Part):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax.

    `adjustment` is a reduction, too, of goods and shipping together; less than 0 if operators raised the price.
    """

    currency: Currency
    origin: Amount
    promotion: Amount
    coupon: Amount
    points: Amount
    shipping: Amount
    tax: Amount
    adjustment: AnyInt = 0
    payable: Amount


class Cause(Part):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    type: str
    id: str
    actor: Actor | None = None


class OrderEvent(Event):
    """An order took one step. `version` grows by one with every event of the order.

    `parent_id` names the order that this one was split from: buyers pay the parent, warehouses ship the children.
    `conversation_id` is the correlation id of the order.create that began it all.
    """

    order_id: OrderId
    conversation_id: str
    parent_id: OrderId | None = None
    order_no: str | None
    user_id: str
    state: str
    previous: str
    version: int
    amounts: Amounts
    cause: Cause


class EventLine(Part):
    """One line as it was sold."""

    line_no: int
    sku_id: str
    name: str
    qty: int
    unit_price: int
    payable: int


class OrderCreated(OrderEvent):
    """Its stock is reserved, and it can be paid until `pay_before`. A split order names its `children`."""

    TYPE: ClassVar[str] = "order.created.v1"
    request_id: str
    intent_id: OrderId
    pay_before: Moment
    lines: tuple[EventLine, ...]
    children: tuple[OrderId, ...] = ()


class OrderRejected(OrderEvent):
    """The order could not be placed. It holds no stock, coupon or points."""

    TYPE: ClassVar[str] = "order.rejected.v1"
    request_id: str
    code: CodeText
    message: str
    details: dict[str, Any] = {}


class OrderPaid(OrderEvent):
    """Its whole amount is captured, or it costs nothing. It is to leave until `ship_by`; split ones promise nothing."""

    TYPE: ClassVar[str] = "order.paid.v1"
    ship_by: Moment | None = None


class OrderSplit(OrderEvent):
    """It is paid. From here on its children carry the goods, each on its own."""

    TYPE: ClassVar[str] = "order.split.v1"


class OrderMerged(OrderEvent):
    """One payment of `amount` for `intent_id` before `pay_before` pays all of `order_ids`. Each can be paid alone."""

    TYPE: ClassVar[str] = "order.merged.v1"
    intent_id: OrderId
    order_ids: tuple[OrderId, ...]
    amount: Amount
    pay_before: Moment


class OrderShipped(OrderEvent):
    """Its last unit has left the warehouse: `on_time`, or after `ship_by`. Both are null if nothing was promised."""

    TYPE: ClassVar[str] = "order.shipped.v1"
    ship_by: Moment | None = None
    on_time: bool | None = None


class OrderDelivered(OrderEvent):
    """Every parcel of it that did not fail has arrived."""

    TYPE: ClassVar[str] = "order.delivered.v1"


class OrderCompleted(OrderEvent):
    """The buyer confirmed the receipt, the receipt window ended, or the delivery completed the order by its policy."""

    TYPE: ClassVar[str] = "order.completed.v1"


class OrderDeliveryFailed(OrderEvent):
    """None of its parcels arrived and none is under way."""

    TYPE: ClassVar[str] = "order.delivery_failed.v1"


class OrderCancelled(OrderEvent):
    """It ends without goods. `cancel_type` is user, operator, timeout, payment_failed, delivery_failed, merchant (the
    warehouse had none of its goods), aftersale or system (its group failed). `reason_code` is the sender's, or ours.
    """

    TYPE: ClassVar[str] = "order.cancelled.v1"
    cancel_type: str
    reason_code: str | None = None


class OrderAddressChanged(OrderEvent):
    """Its delivery address changed. The address itself is never part of an event."""

    TYPE: ClassVar[str] = "order.address_changed.v1"


class OrderDeleted(OrderEvent):
    """It is hidden from its buyer."""

    TYPE: ClassVar[str] = "order.deleted.v1"


class OrdersDeleted(Event):
    """The outcome of order.delete: all named orders are hidden."""

    TYPE: ClassVar[str] = "orders.deleted.v1"
    order_ids: tuple[OrderId, ...]


class OrdersChanged(Event):
    """The outcome of a command about a split order: the orders it changed. Each also has an event of its own."""

    TYPE: ClassVar[str] = "orders.changed.v1"
    command: str
    order_ids: tuple[OrderId, ...]
