"""Queries and their replies. They change nothing."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from messages.base import Actor, Amount, AnyInt, CodeText, Currency, ExternalId, OrderId, Part, Query, Reply
from messages.group_queries import GroupShown
from messages.orders import LINES_MAX, Amounts, CreateLine
from messages.roles import FOR_BUYERS, Role


class OrderPreview(Query):
    """Ask what an order of these lines, or of the user's cart, would cost now (S4-03). order.create uses the same
    price.
    """

    TYPE: ClassVar[str] = "order.preview.v1"
    SENDERS: ClassVar[frozenset[Role]] = FOR_BUYERS
    actor: Actor
    user_id: ExternalId
    channel: ExternalId
    business_type: ExternalId = "normal"
    currency: Currency
    items: Annotated[tuple[CreateLine, ...], Field(max_length=LINES_MAX)] = ()
    from_cart: bool = False
    coupon_id: ExternalId | None = None
    use_points: AnyInt = 0
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    group_id: ExternalId | None = None


class PreviewUser(Part):
    """The user who would buy."""

    user_id: str
    member_level: str | None
    points_available: Amount


class PreviewLine(Part):
    """One line as it would be sold: payable = origin - promotion - coupon - points + tax + shipping share."""

    line_no: int
    sku_id: str
    name: str
    warehouse: str
    qty: int
    unit_price: Amount
    origin: Amount
    promotion: Amount
    coupon: Amount
    points: Amount
    tax: Amount
    shipping_share: Amount
    payable: Amount
    promotion_id: str | None
    promotion_text: str | None


class PreviewAddress(Part):
    """The masked delivery address of an earlier order."""

    order_id: OrderId
    country: str
    receiver: str
    phone: str
    detail: str


class PreviewCoupon(Part):
    """A coupon that the user holds. `why` names the reason why this order cannot use it."""

    coupon_id: str
    name: str
    amount: Amount
    currency: Currency
    usable: bool
    why: str | None


class PreviewRefusal(Part):
    """Why order.create would refuse such an order."""

    code: CodeText
    message: str
    details: dict[str, Any] = {}


class OrderPreviewed(Reply):
    """The answer to order.preview, for a confirm page (S4-03).

    With a `refusal` there are no amounts, and lines, if they have a price, are priced without coupon and points.
    `points_used` may be less than was requested; `points_usable` is the most that this order could use. `group` is the
    group of buyers as it is without this order; one that does not exist is as this order would open it now.
    """

    TYPE: ClassVar[str] = "order.previewed.v1"
    user: PreviewUser
    items: tuple[PreviewLine, ...]
    addresses: tuple[PreviewAddress, ...]
    coupons: tuple[PreviewCoupon, ...]
    amounts: Amounts | None
    points_used: Amount
    points_usable: Amount
    refusal: PreviewRefusal | None
    group: GroupShown | None = None
