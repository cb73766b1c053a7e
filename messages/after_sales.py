"""after_sale.*: cases in which a buyer wants money back, or other goods, after the goods have left (S0-15, S1-04)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from messages.base import (
    Amount,
    AnyInt,
    Event,
    ExternalId,
    FreeText,
    Internal,
    LongText,
    Name,
    OrderId,
    Part,
    Quantity,
    ReasonCode,
)
from messages.orders import LINES_MAX, Cause, OrderCommand
from messages.refunds import ClaimText
from messages.roles import Role

EVIDENCE_SCHEMA_MAX = 100  # above this the message is malformed; below it the business answers with a code
Reference = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
"""Where the shop keeps a photo or a document: a key or an address without blanks. We neither open nor announce it."""
Disposition = Literal["restock", "quarantine", "write_off", "send_back", "lost"]
"""What becomes of a unit that came back: it is sold again, kept apart, destroyed, or refused and sent back.

A unit that is lost never arrived: it is accepted and written off, because its carrier answers for it.
"""
WarehouseRoles = frozenset({Role.WAREHOUSE, Role.OPERATOR})


class AppliedLine(Part):
    """`qty` units of one line of the order; for an exchange, the SKU that the buyer wants in their place."""

    line_no: AnyInt
    qty: AnyInt
    wanted_sku_id: ExternalId | None = None


class AfterSaleApply(OrderCommand):
    """Open a case. Without lines it is about every unit that has left and has not come back.

    `type`: money without the goods coming back, money for goods that come back, or other goods for them. We compute
    the money; no amount can be given. `evidence` names photos and documents, which we keep as references. Without a
    `reason_code` that is one, with more than 255 characters of `description` or less than 1 unit of a line it is
    REFUND_PARAM_INVALID.
    """

    TYPE: ClassVar[str] = "after_sale.apply.v1"
    type: Literal["refund_only", "return_refund", "exchange"]
    reason_code: LongText | None = None
    lines: Annotated[tuple[AppliedLine, ...], Field(max_length=LINES_MAX)] = ()
    description: ClaimText | None = None
    evidence: Annotated[tuple[Reference, ...], Field(max_length=EVIDENCE_SCHEMA_MAX)] = ()


class CaseCommand(OrderCommand):
    """A command about one case of an order."""

    case_id: OrderId


class AfterSaleCancel(CaseCommand):
    """The buyer does not want it any more: before the review, or before the goods are sent back."""

    TYPE: ClassVar[str] = "after_sale.cancel.v1"


class AfterSaleReopen(CaseCommand):
    """A rejected case is reviewed once more."""

    TYPE: ClassVar[str] = "after_sale.reopen.v1"
    description: FreeText | None = None


class AfterSaleReview(CaseCommand):
    """The seller decides about a case.

    `amount`, in minor units, replaces what we compute: lower, or higher up to what is left of the capture; the reason
    code says why. `merchant_fault` replaces what follows from the case's reason: shipping goes back with its units.
    After a failed inspection, approve gives `amount` for the refused goods, and reject sends them back. While the other
    goods of an exchange are out, approve is refused, and reject keeps the refused goods until what is owed is settled.
    """

    TYPE: ClassVar[str] = "after_sale.review.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    decision: Literal["approve", "reject"]
    reason_code: ReasonCode | None = None
    note: FreeText | None = None
    amount: Amount | None = None
    merchant_fault: bool | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> "AfterSaleReview":
        if self.amount is not None and self.decision == "reject":
            raise ValueError("amount needs the decision approve")
        return self


class AfterSaleShipBack(CaseCommand):
    """The buyer has sent the goods of an approved case back, as a parcel with this number."""

    TYPE: ClassVar[str] = "after_sale.ship_back.v1"
    carrier: Name
    tracking_no: ExternalId


class AfterSaleReceive(CaseCommand):
    """The goods of a case are at the warehouse, whatever their carrier reports."""

    TYPE: ClassVar[str] = "after_sale.receive.v1"
    SENDERS: ClassVar[frozenset[Role]] = WarehouseRoles


class InspectedLine(Part):
    """`qty` units of one line, and what becomes of them."""

    line_no: AnyInt
    qty: Quantity
    disposition: Disposition


class AfterSaleInspect(CaseCommand):
    """The warehouse has inspected units that came back. Reports add up; with the last unit the case goes on.

    If the goods never arrive, an operator reports all of them as lost.
    """

    TYPE: ClassVar[str] = "after_sale.inspect.v1"
    SENDERS: ClassVar[frozenset[Role]] = WarehouseRoles
    lines: Annotated[tuple[InspectedLine, ...], Field(min_length=1, max_length=LINES_MAX)]


class AfterSaleClose(CaseCommand):
    """An operator ends a case that goes no further: nothing arrives, the goods were refused, or the refund failed."""

    TYPE: ClassVar[str] = "after_sale.close.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    reason_code: ReasonCode
    note: FreeText | None = None


class AfterSaleDue(Internal):
    """The time for a review, or for sending goods back, is over, if the timer's row says so."""

    TYPE: ClassVar[str] = "after_sale.due.v1"
    case_id: OrderId


class AfterSaleRefundMoved(Internal):
    """The refund of a case is requested again, has succeeded or has failed, or its released money was captured."""

    TYPE: ClassVar[str] = "after_sale.refund_moved.v1"
    order_id: OrderId
    case_id: OrderId
    refund_no: str
    state: Literal["requested", "succeeded", "failed", "captured"]
    reason_code: ReasonCode | None = None


class ReturnedLine(Part):
    """`qty` units of one line of the order, in a parcel."""

    line_no: AnyInt
    qty: Quantity


class AfterSaleParcelMoved(Internal):
    """A parcel brings goods of an order back, has arrived at the warehouse, or failed before it was with the buyer.

    `case_id` is the case that the parcel was booked for; without it, the parcel left for the buyer.
    """

    TYPE: ClassVar[str] = "after_sale.parcel_moved.v1"
    order_id: OrderId
    shipment_id: OrderId
    case_id: OrderId | None = None
    carrier: str
    tracking_no: str
    outcome: Literal["on_its_way", "arrived", "failed"]
    lines: tuple[ReturnedLine, ...]


class CaseLinePart(Part):
    """The units of one line in a case: claimed, accepted and refused by the inspection, and given back."""

    line_no: int
    sku_id: str
    qty: int
    accepted_qty: int
    refused_qty: int
    refunded_qty: int
    wanted_sku_id: str | None = None


class AfterSaleEvent(Event):
    """A case took one step. `version` grows by one with every step of the case; `cause` says why.

    `amount`, in minor units, is what goes back, once that is decided; before, it is what would go back now.
    """

    case_id: OrderId
    case_no: str
    order_id: OrderId
    order_no: str | None
    user_id: str
    type: str
    source: str
    case_reason: str
    state: str
    previous: str
    version: int
    amount: Amount
    currency: str
    lines: tuple[CaseLinePart, ...]
    reason_code: str | None = None
    cause: Cause


class AfterSaleRequested(AfterSaleEvent):
    """A case was opened and waits for the seller's review."""

    TYPE: ClassVar[str] = "after_sale.requested.v1"


class AfterSaleApproved(AfterSaleEvent):
    """The seller, or the shop's policy, agreed."""

    TYPE: ClassVar[str] = "after_sale.approved.v1"


class AfterSaleRejected(AfterSaleEvent):
    """The seller, or the shop's policy, did not agree. The case can be reopened."""

    TYPE: ClassVar[str] = "after_sale.rejected.v1"


class AfterSaleRevoked(AfterSaleEvent):
    """The buyer does not want it any more."""

    TYPE: ClassVar[str] = "after_sale.revoked.v1"


class AfterSaleReopened(AfterSaleEvent):
    """A rejected case waits for a review once more."""

    TYPE: ClassVar[str] = "after_sale.reopened.v1"


class AfterSaleReturnAwaited(AfterSaleEvent):
    """The buyer has until the policy's time to send the goods back."""

    TYPE: ClassVar[str] = "after_sale.return_awaited.v1"


class AfterSaleReturnShipped(AfterSaleEvent):
    """The goods are on their way back."""

    TYPE: ClassVar[str] = "after_sale.return_shipped.v1"
    carrier: str
    tracking_no: str


class AfterSaleReturnReceived(AfterSaleEvent):
    """The goods are at the warehouse, which has to inspect them."""

    TYPE: ClassVar[str] = "after_sale.return_received.v1"


class AfterSaleInspecting(AfterSaleEvent):
    """Some units are inspected, others are not yet."""

    TYPE: ClassVar[str] = "after_sale.inspecting.v1"


class AfterSaleInspectPassed(AfterSaleEvent):
    """All units are inspected, and some or all are accepted."""

    TYPE: ClassVar[str] = "after_sale.inspect_passed.v1"


class AfterSaleInspectFailed(AfterSaleEvent):
    """All units are inspected, and none is accepted. No money moves before a person decides (S1-22)."""

    TYPE: ClassVar[str] = "after_sale.inspect_failed.v1"


class AfterSaleReshipping(AfterSaleEvent):
    """Other goods go to the buyer, as the order `exchange_order_id`.

    `difference`, in minor units, is their price less what the goods that came back count for. Above 0 the buyer has
    paid it, below 0 it goes back.
    """

    TYPE: ClassVar[str] = "after_sale.reshipping.v1"
    exchange_order_id: OrderId
    difference: int


class AfterSaleRefunding(AfterSaleEvent):
    """The money is on its way back. refund.requested announces the refund itself."""

    TYPE: ClassVar[str] = "after_sale.refunding.v1"


class AfterSaleRefundFailed(AfterSaleEvent):
    """The provider refused the refund: an operator requests it again (refund.request) or closes the case."""

    TYPE: ClassVar[str] = "after_sale.refund_failed.v1"


class AfterSaleCompleted(AfterSaleEvent):
    """The case has ended: the money is back, or the other goods have arrived."""

    TYPE: ClassVar[str] = "after_sale.completed.v1"


class AfterSaleClosed(AfterSaleEvent):
    """The case has ended without what was wanted."""

    TYPE: ClassVar[str] = "after_sale.closed.v1"


COMMANDS: tuple[type[OrderCommand], ...] = (
    AfterSaleApply,
    AfterSaleCancel,
    AfterSaleReopen,
    AfterSaleReview,
    AfterSaleShipBack,
    AfterSaleReceive,
    AfterSaleInspect,
    AfterSaleClose,
)
INTERNAL: tuple[type[Internal], ...] = (AfterSaleDue, AfterSaleRefundMoved, AfterSaleParcelMoved)
