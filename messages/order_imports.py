"""order.import: orders that another system took and ended, as they are there."""

from hashlib import blake2b
from typing import Annotated, ClassVar

from pydantic import Field

from messages.base import (
    Actor,
    Amount,
    Command,
    Currency,
    Event,
    ExternalId,
    LongText,
    Moment,
    MoneyShown,
    Name,
    OrderId,
    Part,
    Quantity,
    ShortText,
)
from messages.orders import LINES_MAX, Address
from messages.roles import Role

REFUNDS_MAX = 100


class ImportedLine(Part):
    """One line as it was sold, in minor units.

    payable = qty * unit_price - promotion - coupon - points + shipping + tax
    """

    sku_id: ExternalId
    spu_id: ExternalId | None = None
    name: ShortText
    product_type: ExternalId = "normal"
    seller_id: ExternalId | None = None
    warehouse: Name | None = None
    qty: Quantity
    unit_price: Amount
    promotion: Amount = 0
    coupon: Amount = 0
    points: Amount = 0
    shipping: Amount = 0
    tax: Amount = 0
    payable: Amount


class ImportedPayment(Part):
    """The capture that paid the order: the whole of what it cost, under the number of its provider."""

    provider: ExternalId
    trade_no: ExternalId
    amount: Amount


class ImportedRefundLine(Part):
    """What a refund gave back of one line: units, and money with its share of shipping and tax. Lines count from 1."""

    line_no: Annotated[int, Field(ge=1, le=LINES_MAX)]
    qty: Annotated[int, Field(ge=0, le=1_000_000)]
    amount: Amount


class ImportedRefund(Part):
    """A refund that succeeded: the sum of its lines, under the number of its provider."""

    refund_no: ExternalId
    refunded_at: Moment
    lines: Annotated[tuple[ImportedRefundLine, ...], Field(min_length=1, max_length=LINES_MAX)]


class OrderImport(Command):
    """Take an order of another system as it is: completed or cancelled, its prices facts, its payment and refunds made.

    It moves no stock, coupon or points, and calls no provider. `source` is the other system, `external_no` the order's
    number there: the same order again is a repeat. One that was rejected may be sent again, corrected.
    """

    TYPE: ClassVar[str] = "order.import.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    SCOPE: ClassVar[str] = "order.import:{source}"
    KEY: ClassVar[str] = "external_no"
    actor: Actor
    source: Name
    external_no: ExternalId
    user_id: ExternalId
    channel: ExternalId
    currency: Currency
    state: ExternalId
    lines: Annotated[tuple[ImportedLine, ...], Field(max_length=LINES_MAX)]
    payment: ImportedPayment | None = None
    refunds: Annotated[tuple[ImportedRefund, ...], Field(max_length=REFUNDS_MAX)] = ()
    address: Address | None = None
    remark: LongText | None = None
    created_at: Moment
    paid_at: Moment | None = None
    shipped_at: Moment | None = None
    delivered_at: Moment | None = None
    completed_at: Moment | None = None
    cancelled_at: Moment | None = None

    def command_key(self, subject: str | None = None) -> str:
        """The number of the order and a digest of what was sold, so that a correction is not taken for a repeat.

        Who brings it does not matter. What is personal is left out: a digest lets its reader try guesses.
        """
        sold = self.model_dump_json(exclude={"actor", "address", "remark"}, exclude_defaults=True)
        return f"{super().command_key(subject)}/{blake2b(sold.encode(), digest_size=16).hexdigest()}"


class OrderImportRecorded(Event):
    """The order of another system is here, under an id and a number of ours. It is no step of an order."""

    TYPE: ClassVar[str] = "order_import.recorded.v1"
    order_id: OrderId
    order_no: str
    source: str
    external_no: str
    user_id: str
    state: str
    payable: MoneyShown
    captured: MoneyShown
    refunded: MoneyShown


TO_US = (OrderImport,)
"""What the queue of imports takes."""
