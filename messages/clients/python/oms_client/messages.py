"""The types of every message. Made from the contract by `oms contracts export`. Do not edit it."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class AfterSaleApplyActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleApplyAppliedLine(TypedDict):
    """`qty` units of one line of the order; for an exchange, the SKU that the buyer wants in their place."""

    line_no: int
    qty: int
    wanted_sku_id: NotRequired[str | None]


class AfterSaleApply(TypedDict):
    """Open a case."""

    actor: AfterSaleApplyActor
    description: NotRequired[str | None]
    evidence: NotRequired[list[str]]
    lines: NotRequired[list[AfterSaleApplyAppliedLine]]
    order_id: str
    reason_code: NotRequired[str | None]
    request_id: str
    type: Literal["refund_only", "return_refund", "exchange"]


class AfterSaleApprovedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleApprovedCaseLinePart(TypedDict):
    """The units of one line in a case: claimed, accepted and refused by the inspection, and given back."""

    accepted_qty: int
    line_no: int
    qty: int
    refunded_qty: int
    refused_qty: int
    sku_id: str
    wanted_sku_id: str | None


class AfterSaleApprovedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: AfterSaleApprovedActor | None
    id: str
    type: str


class AfterSaleApproved(TypedDict):
    """The seller, or the shop's policy, agreed."""

    amount: int
    case_id: str
    case_no: str
    case_reason: str
    cause: AfterSaleApprovedCause
    currency: str
    lines: list[AfterSaleApprovedCaseLinePart]
    order_id: str
    order_no: str | None
    previous: str
    reason_code: str | None
    source: str
    state: str
    type: str
    user_id: str
    version: int


class AfterSaleCancelActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleCancel(TypedDict):
    """The buyer does not want it any more: before the review, or before the goods are sent back."""

    actor: AfterSaleCancelActor
    case_id: str
    order_id: str
    request_id: str


class AfterSaleCloseActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleClose(TypedDict):
    """An operator ends a case that goes no further: nothing arrives, the goods were refused, or the refund failed."""

    actor: AfterSaleCloseActor
    case_id: str
    note: NotRequired[str | None]
    order_id: str
    reason_code: str
    request_id: str


class AfterSaleClosedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleClosedCaseLinePart(TypedDict):
    """The units of one line in a case: claimed, accepted and refused by the inspection, and given back."""

    accepted_qty: int
    line_no: int
    qty: int
    refunded_qty: int
    refused_qty: int
    sku_id: str
    wanted_sku_id: str | None


class AfterSaleClosedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: AfterSaleClosedActor | None
    id: str
    type: str


class AfterSaleClosed(TypedDict):
    """The case has ended without what was wanted."""

    amount: int
    case_id: str
    case_no: str
    case_reason: str
    cause: AfterSaleClosedCause
    currency: str
    lines: list[AfterSaleClosedCaseLinePart]
    order_id: str
    order_no: str | None
    previous: str
    reason_code: str | None
    source: str
    state: str
    type: str
    user_id: str
    version: int


class AfterSaleCompletedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleCompletedCaseLinePart(TypedDict):
    """The units of one line in a case: claimed, accepted and refused by the inspection, and given back."""

    accepted_qty: int
    line_no: int
    qty: int
    refunded_qty: int
    refused_qty: int
    sku_id: str
    wanted_sku_id: str | None


class AfterSaleCompletedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: AfterSaleCompletedActor | None
    id: str
    type: str


class AfterSaleCompleted(TypedDict):
    """The case has ended: the money is back, or the other goods have arrived."""

    amount: int
    case_id: str
    case_no: str
    case_reason: str
    cause: AfterSaleCompletedCause
    currency: str
    lines: list[AfterSaleCompletedCaseLinePart]
    order_id: str
    order_no: str | None
    previous: str
    reason_code: str | None
    source: str
    state: str
    type: str
    user_id: str
    version: int


class AfterSaleDescribedCaseLineShown(TypedDict):
    """The units of one line in a case: claimed, then accepted or refused by the inspection, given back or replaced."""

    accepted_qty: int
    line_no: int
    name: str
    qty: int
    refunded_qty: int
    refused_qty: int
    replaced_qty: int
    sku_id: str
    wanted_sku_id: str | None


class AfterSaleDescribedCaseRefundShown(TypedDict):
    """A refund of a case, under way or ended."""

    amount: AfterSaleDescribedMoneyShown
    finished_at: str | None
    provider: str
    reason_code: str | None
    refund_no: str
    requested_at: str | None
    state: str


class AfterSaleDescribedCaseShown(TypedDict):
    """One case with its lines, steps and refunds."""

    amount: AfterSaleDescribedMoneyShown | None
    carrier: str | None
    case_id: str
    case_no: str
    completed_at: str | None
    evidence: list[str]
    exchange: AfterSaleDescribedExchangeShown | None
    expected: AfterSaleDescribedMoneyShown | None
    granted: AfterSaleDescribedMoneyShown | None
    lines: list[AfterSaleDescribedCaseLineShown]
    merchant_fault: bool
    order_id: str
    order_no: str | None
    owed: AfterSaleDescribedMoneyShown | None
    processed_at: str | None
    reason_code: str
    refunds: list[AfterSaleDescribedCaseRefundShown]
    requested_at: str
    source: str
    state: str
    steps: list[AfterSaleDescribedCaseStepShown]
    tracking_no: str | None
    type: str
    units: int
    until: str | None
    user_id: str
    version: int


class AfterSaleDescribedCaseStepShown(TypedDict):
    """One step of a case."""

    actor_id: str
    actor_type: str
    at: str
    cause_id: str
    cause_type: str
    previous: str
    reason_code: str | None
    state: str
    trigger: str
    version: int
    written: str | None


class AfterSaleDescribedExchangeShown(TypedDict):
    """An exchange order: the order by which other goods go to a buyer, for the goods of a case that come back."""

    case_id: str
    case_no: str
    first_order_id: str
    first_order_no: str | None
    order_id: str
    order_no: str | None
    placed_at: str
    state: str


class AfterSaleDescribedMoneyShown(TypedDict):
    """An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY."""

    currency: str
    minor: int
    text: str


class AfterSaleDescribed(TypedDict):
    """The answer to after_sale.get: the case, or all cases of the order, the oldest first."""

    cases: list[AfterSaleDescribedCaseShown]


class AfterSaleGetActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleGet(TypedDict):
    """Ask for everything about one case, by its id or its number, or about all cases of one order."""

    actor: AfterSaleGetActor
    case: NotRequired[str | None]
    order: NotRequired[str | None]
    reveal_reason: NotRequired[str | None]


class AfterSaleInspectActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleInspectInspectedLine(TypedDict):
    """`qty` units of one line, and what becomes of them."""

    disposition: Literal["restock", "quarantine", "write_off", "send_back", "lost"]
    line_no: int
    qty: int


class AfterSaleInspect(TypedDict):
    """The warehouse has inspected units that came back."""

    actor: AfterSaleInspectActor
    case_id: str
    lines: list[AfterSaleInspectInspectedLine]
    order_id: str
    request_id: str


class AfterSaleInspectFailedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleInspectFailedCaseLinePart(TypedDict):
    """The units of one line in a case: claimed, accepted and refused by the inspection, and given back."""

    accepted_qty: int
    line_no: int
    qty: int
    refunded_qty: int
    refused_qty: int
    sku_id: str
    wanted_sku_id: str | None


class AfterSaleInspectFailedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: AfterSaleInspectFailedActor | None
    id: str
    type: str


class AfterSaleInspectFailed(TypedDict):
    """All units are inspected, and none is accepted."""

    amount: int
    case_id: str
    case_no: str
    case_reason: str
    cause: AfterSaleInspectFailedCause
    currency: str
    lines: list[AfterSaleInspectFailedCaseLinePart]
    order_id: str
    order_no: str | None
    previous: str
    reason_code: str | None
    source: str
    state: str
    type: str
    user_id: str
    version: int


class AfterSaleInspectPassedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleInspectPassedCaseLinePart(TypedDict):
    """The units of one line in a case: claimed, accepted and refused by the inspection, and given back."""

    accepted_qty: int
    line_no: int
    qty: int
    refunded_qty: int
    refused_qty: int
    sku_id: str
    wanted_sku_id: str | None


class AfterSaleInspectPassedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: AfterSaleInspectPassedActor | None
    id: str
    type: str


class AfterSaleInspectPassed(TypedDict):
    """All units are inspected, and some or all are accepted."""

    amount: int
    case_id: str
    case_no: str
    case_reason: str
    cause: AfterSaleInspectPassedCause
    currency: str
    lines: list[AfterSaleInspectPassedCaseLinePart]
    order_id: str
    order_no: str | None
    previous: str
    reason_code: str | None
    source: str
    state: str
    type: str
    user_id: str
    version: int


class AfterSaleInspectingActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleInspectingCaseLinePart(TypedDict):
    """The units of one line in a case: claimed, accepted and refused by the inspection, and given back."""

    accepted_qty: int
    line_no: int
    qty: int
    refunded_qty: int
    refused_qty: int
    sku_id: str
    wanted_sku_id: str | None


class AfterSaleInspectingCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: AfterSaleInspectingActor | None
    id: str
    type: str


class AfterSaleInspecting(TypedDict):
    """Some units are inspected, others are not yet."""

    amount: int
    case_id: str
    case_no: str
    case_reason: str
    cause: AfterSaleInspectingCause
    currency: str
    lines: list[AfterSaleInspectingCaseLinePart]
    order_id: str
    order_no: str | None
    previous: str
    reason_code: str | None
    source: str
    state: str
    type: str
    user_id: str
    version: int


class AfterSaleListActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleList(TypedDict):
    """Ask for a page of cases."""

    actor: AfterSaleListActor
    cursor: NotRequired[str | None]
    limit: NotRequired[int]
    order: NotRequired[str | None]
    requested_before: NotRequired[str | None]
    requested_from: NotRequired[str | None]
    sort: NotRequired[Literal["newest", "waiting"]]
    states: NotRequired[list[str]]
    type: NotRequired[str | None]
    user_id: NotRequired[str | None]


class AfterSaleListedCaseSummary(TypedDict):
    """One case in a list: what it is about, and how far it is."""

    amount: AfterSaleListedMoneyShown | None
    case_id: str
    case_no: str
    completed_at: str | None
    exchange: AfterSaleListedExchangeShown | None
    order_id: str
    order_no: str | None
    processed_at: str | None
    reason_code: str
    requested_at: str
    source: str
    state: str
    type: str
    units: int
    user_id: str
    version: int


class AfterSaleListedExchangeShown(TypedDict):
    """An exchange order: the order by which other goods go to a buyer, for the goods of a case that come back."""

    case_id: str
    case_no: str
    first_order_id: str
    first_order_no: str | None
    order_id: str
    order_no: str | None
    placed_at: str
    state: str


class AfterSaleListedMoneyShown(TypedDict):
    """An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY."""

    currency: str
    minor: int
    text: str


class AfterSaleListed(TypedDict):
    """The answer to after_sale.list."""

    cases: list[AfterSaleListedCaseSummary]
    next_cursor: str | None


class AfterSaleReceiveActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleReceive(TypedDict):
    """The goods of a case are at the warehouse, whatever their carrier reports."""

    actor: AfterSaleReceiveActor
    case_id: str
    order_id: str
    request_id: str


class AfterSaleRefundFailedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleRefundFailedCaseLinePart(TypedDict):
    """The units of one line in a case: claimed, accepted and refused by the inspection, and given back."""

    accepted_qty: int
    line_no: int
    qty: int
    refunded_qty: int
    refused_qty: int
    sku_id: str
    wanted_sku_id: str | None


class AfterSaleRefundFailedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: AfterSaleRefundFailedActor | None
    id: str
    type: str


class AfterSaleRefundFailed(TypedDict):
    """The provider refused the refund: an operator requests it again (refund.request) or closes the case."""

    amount: int
    case_id: str
    case_no: str
    case_reason: str
    cause: AfterSaleRefundFailedCause
    currency: str
    lines: list[AfterSaleRefundFailedCaseLinePart]
    order_id: str
    order_no: str | None
    previous: str
    reason_code: str | None
    source: str
    state: str
    type: str
    user_id: str
    version: int


class AfterSaleRefundingActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleRefundingCaseLinePart(TypedDict):
    """The units of one line in a case: claimed, accepted and refused by the inspection, and given back."""

    accepted_qty: int
    line_no: int
    qty: int
    refunded_qty: int
    refused_qty: int
    sku_id: str
    wanted_sku_id: str | None


class AfterSaleRefundingCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: AfterSaleRefundingActor | None
    id: str
    type: str


class AfterSaleRefunding(TypedDict):
    """The money is on its way back. refund.requested announces the refund itself."""

    amount: int
    case_id: str
    case_no: str
    case_reason: str
    cause: AfterSaleRefundingCause
    currency: str
    lines: list[AfterSaleRefundingCaseLinePart]
    order_id: str
    order_no: str | None
    previous: str
    reason_code: str | None
    source: str
    state: str
    type: str
    user_id: str
    version: int


class AfterSaleRejectedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleRejectedCaseLinePart(TypedDict):
    """The units of one line in a case: claimed, accepted and refused by the inspection, and given back."""

    accepted_qty: int
    line_no: int
    qty: int
    refunded_qty: int
    refused_qty: int
    sku_id: str
    wanted_sku_id: str | None


class AfterSaleRejectedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: AfterSaleRejectedActor | None
    id: str
    type: str


class AfterSaleRejected(TypedDict):
    """The seller, or the shop's policy, did not agree."""

    amount: int
    case_id: str
    case_no: str
    case_reason: str
    cause: AfterSaleRejectedCause
    currency: str
    lines: list[AfterSaleRejectedCaseLinePart]
    order_id: str
    order_no: str | None
    previous: str
    reason_code: str | None
    source: str
    state: str
    type: str
    user_id: str
    version: int


class AfterSaleReopenActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleReopen(TypedDict):
    """A rejected case is reviewed once more."""

    actor: AfterSaleReopenActor
    case_id: str
    description: NotRequired[str | None]
    order_id: str
    request_id: str


class AfterSaleReopenedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleReopenedCaseLinePart(TypedDict):
    """The units of one line in a case: claimed, accepted and refused by the inspection, and given back."""

    accepted_qty: int
    line_no: int
    qty: int
    refunded_qty: int
    refused_qty: int
    sku_id: str
    wanted_sku_id: str | None


class AfterSaleReopenedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: AfterSaleReopenedActor | None
    id: str
    type: str


class AfterSaleReopened(TypedDict):
    """A rejected case waits for a review once more."""

    amount: int
    case_id: str
    case_no: str
    case_reason: str
    cause: AfterSaleReopenedCause
    currency: str
    lines: list[AfterSaleReopenedCaseLinePart]
    order_id: str
    order_no: str | None
    previous: str
    reason_code: str | None
    source: str
    state: str
    type: str
    user_id: str
    version: int


class AfterSaleRequestedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleRequestedCaseLinePart(TypedDict):
    """The units of one line in a case: claimed, accepted and refused by the inspection, and given back."""

    accepted_qty: int
    line_no: int
    qty: int
    refunded_qty: int
    refused_qty: int
    sku_id: str
    wanted_sku_id: str | None


class AfterSaleRequestedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: AfterSaleRequestedActor | None
    id: str
    type: str


class AfterSaleRequested(TypedDict):
    """A case was opened and waits for the seller's review."""

    amount: int
    case_id: str
    case_no: str
    case_reason: str
    cause: AfterSaleRequestedCause
    currency: str
    lines: list[AfterSaleRequestedCaseLinePart]
    order_id: str
    order_no: str | None
    previous: str
    reason_code: str | None
    source: str
    state: str
    type: str
    user_id: str
    version: int


class AfterSaleReshippingActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleReshippingCaseLinePart(TypedDict):
    """The units of one line in a case: claimed, accepted and refused by the inspection, and given back."""

    accepted_qty: int
    line_no: int
    qty: int
    refunded_qty: int
    refused_qty: int
    sku_id: str
    wanted_sku_id: str | None


class AfterSaleReshippingCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: AfterSaleReshippingActor | None
    id: str
    type: str


class AfterSaleReshipping(TypedDict):
    """Other goods go to the buyer, as the order `exchange_order_id`."""

    amount: int
    case_id: str
    case_no: str
    case_reason: str
    cause: AfterSaleReshippingCause
    currency: str
    difference: int
    exchange_order_id: str
    lines: list[AfterSaleReshippingCaseLinePart]
    order_id: str
    order_no: str | None
    previous: str
    reason_code: str | None
    source: str
    state: str
    type: str
    user_id: str
    version: int


class AfterSaleReturnAwaitedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleReturnAwaitedCaseLinePart(TypedDict):
    """The units of one line in a case: claimed, accepted and refused by the inspection, and given back."""

    accepted_qty: int
    line_no: int
    qty: int
    refunded_qty: int
    refused_qty: int
    sku_id: str
    wanted_sku_id: str | None


class AfterSaleReturnAwaitedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: AfterSaleReturnAwaitedActor | None
    id: str
    type: str


class AfterSaleReturnAwaited(TypedDict):
    """The buyer has until the policy's time to send the goods back."""

    amount: int
    case_id: str
    case_no: str
    case_reason: str
    cause: AfterSaleReturnAwaitedCause
    currency: str
    lines: list[AfterSaleReturnAwaitedCaseLinePart]
    order_id: str
    order_no: str | None
    previous: str
    reason_code: str | None
    source: str
    state: str
    type: str
    user_id: str
    version: int


class AfterSaleReturnReceivedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleReturnReceivedCaseLinePart(TypedDict):
    """The units of one line in a case: claimed, accepted and refused by the inspection, and given back."""

    accepted_qty: int
    line_no: int
    qty: int
    refunded_qty: int
    refused_qty: int
    sku_id: str
    wanted_sku_id: str | None


class AfterSaleReturnReceivedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: AfterSaleReturnReceivedActor | None
    id: str
    type: str


class AfterSaleReturnReceived(TypedDict):
    """The goods are at the warehouse, which has to inspect them."""

    amount: int
    case_id: str
    case_no: str
    case_reason: str
    cause: AfterSaleReturnReceivedCause
    currency: str
    lines: list[AfterSaleReturnReceivedCaseLinePart]
    order_id: str
    order_no: str | None
    previous: str
    reason_code: str | None
    source: str
    state: str
    type: str
    user_id: str
    version: int


class AfterSaleReturnShippedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleReturnShippedCaseLinePart(TypedDict):
    """The units of one line in a case: claimed, accepted and refused by the inspection, and given back."""

    accepted_qty: int
    line_no: int
    qty: int
    refunded_qty: int
    refused_qty: int
    sku_id: str
    wanted_sku_id: str | None


class AfterSaleReturnShippedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: AfterSaleReturnShippedActor | None
    id: str
    type: str


class AfterSaleReturnShipped(TypedDict):
    """The goods are on their way back."""

    amount: int
    carrier: str
    case_id: str
    case_no: str
    case_reason: str
    cause: AfterSaleReturnShippedCause
    currency: str
    lines: list[AfterSaleReturnShippedCaseLinePart]
    order_id: str
    order_no: str | None
    previous: str
    reason_code: str | None
    source: str
    state: str
    tracking_no: str
    type: str
    user_id: str
    version: int


class AfterSaleReviewActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleReview(TypedDict):
    """The seller decides about a case."""

    actor: AfterSaleReviewActor
    amount: NotRequired[int | None]
    case_id: str
    decision: Literal["approve", "reject"]
    merchant_fault: NotRequired[bool | None]
    note: NotRequired[str | None]
    order_id: str
    reason_code: NotRequired[str | None]
    request_id: str


class AfterSaleRevokedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleRevokedCaseLinePart(TypedDict):
    """The units of one line in a case: claimed, accepted and refused by the inspection, and given back."""

    accepted_qty: int
    line_no: int
    qty: int
    refunded_qty: int
    refused_qty: int
    sku_id: str
    wanted_sku_id: str | None


class AfterSaleRevokedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: AfterSaleRevokedActor | None
    id: str
    type: str


class AfterSaleRevoked(TypedDict):
    """The buyer does not want it any more."""

    amount: int
    case_id: str
    case_no: str
    case_reason: str
    cause: AfterSaleRevokedCause
    currency: str
    lines: list[AfterSaleRevokedCaseLinePart]
    order_id: str
    order_no: str | None
    previous: str
    reason_code: str | None
    source: str
    state: str
    type: str
    user_id: str
    version: int


class AfterSaleSendBackActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleSendBack(TypedDict):
    """The warehouse has handed goods of a case to a carrier, as a parcel to the buyer with this number."""

    actor: AfterSaleSendBackActor
    carrier: str
    case_id: str
    order_id: str
    request_id: str
    tracking_no: str
    warehouse: str


class AfterSaleShipBackActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleShipBack(TypedDict):
    """The buyer has sent the goods of an approved case back, as a parcel with this number."""

    actor: AfterSaleShipBackActor
    carrier: str
    case_id: str
    order_id: str
    request_id: str
    tracking_no: str


class AfterSaleUnreturnedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class AfterSaleUnreturnedCaseLinePart(TypedDict):
    """The units of one line in a case: claimed, accepted and refused by the inspection, and given back."""

    accepted_qty: int
    line_no: int
    qty: int
    refunded_qty: int
    refused_qty: int
    sku_id: str
    wanted_sku_id: str | None


class AfterSaleUnreturnedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: AfterSaleUnreturnedActor | None
    id: str
    type: str


class AfterSaleUnreturned(TypedDict):
    """Other goods went out, as the order `exchange_order_id`, for units that did not come back or were refused."""

    amount: int
    case_id: str
    case_no: str
    case_reason: str
    cause: AfterSaleUnreturnedCause
    currency: str
    exchange_order_id: str
    lines: list[AfterSaleUnreturnedCaseLinePart]
    order_id: str
    order_no: str | None
    owed_amount: int
    previous: str
    reason_code: str | None
    source: str
    state: str
    type: str
    user_id: str
    version: int


class AlertRaised(TypedDict):
    """A person should look at something."""

    code: str
    content: str
    level: Literal["HIGH", "MEDIUM", "LOW"]
    order_id: str | None
    service: str | None
    title: str


class ArchivedOrderGetActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class ArchivedOrderGet(TypedDict):
    """Ask for an archived order, which its id, number or UUID names. order.get of one is answered ORDER_ARCHIVED."""

    actor: ArchivedOrderGetActor
    order: str


class ArchivedOrderListActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class ArchivedOrderList(TypedDict):
    """Ask for a page of a user's archived orders, the newest first."""

    actor: ArchivedOrderListActor
    cursor: NotRequired[str | None]
    limit: NotRequired[int]
    user_id: str


class ArchivedOrderListedArchivedOrderSummary(TypedDict):
    """How an archived order ended."""

    archived_at: str
    captured: ArchivedOrderListedMoneyShown
    created_at: str
    ended_at: str
    order_id: str
    order_no: str | None
    paid_at: str | None
    parent_id: str | None
    payable: ArchivedOrderListedMoneyShown
    refunded: ArchivedOrderListedMoneyShown
    state: str
    user_id: str


class ArchivedOrderListedMoneyShown(TypedDict):
    """An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY."""

    currency: str
    minor: int
    text: str


class ArchivedOrderListed(TypedDict):
    """The answer to archived_order.list."""

    next_cursor: str | None
    orders: list[ArchivedOrderListedArchivedOrderSummary]
    user_id: str


class ArchivedOrderShownArchivedLine(TypedDict):
    """One line as it was sold, and what went back of it."""

    line_no: int
    name: str
    payable: int
    qty: int
    refunded: int
    refunded_qty: int
    sku_id: str
    unit_price: int


class ArchivedOrderShownArchivedOrderSummary(TypedDict):
    """How an archived order ended."""

    archived_at: str
    captured: ArchivedOrderShownMoneyShown
    created_at: str
    ended_at: str
    order_id: str
    order_no: str | None
    paid_at: str | None
    parent_id: str | None
    payable: ArchivedOrderShownMoneyShown
    refunded: ArchivedOrderShownMoneyShown
    state: str
    user_id: str


class ArchivedOrderShownMoneyShown(TypedDict):
    """An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY."""

    currency: str
    minor: int
    text: str


class ArchivedOrderShown(TypedDict):
    """The answer to archived_order.get."""

    document: dict[str, Any] | None
    lines: list[ArchivedOrderShownArchivedLine]
    order: ArchivedOrderShownArchivedOrderSummary


class CartChanged(TypedDict):
    """The cart holds `qty` units of the SKU now; 0 if it was removed."""

    qty: int
    sku_id: str
    user_id: str


class CartGetActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class CartGet(TypedDict):
    """Ask what is in a user's cart, with the prices of now."""

    actor: CartGetActor
    user_id: str


class CartItemsRemoved(TypedDict):
    """Lines that were ordered left the cart."""

    sku_ids: list[str]
    user_id: str


class CartPutActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class CartPut(TypedDict):
    """Set the cart's line of the SKU to `qty` units."""

    actor: CartPutActor
    qty: int
    request_id: str
    sku_id: str
    user_id: str


class CartRemoveActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class CartRemove(TypedDict):
    """Remove the SKU from the cart."""

    actor: CartRemoveActor
    request_id: str
    sku_id: str
    user_id: str


class CartShownCartLineShown(TypedDict):
    """A line of a cart."""

    name: str | None
    on_sale: bool
    price: CartShownMoneyShown | None
    qty: int
    sku_id: str


class CartShownMoneyShown(TypedDict):
    """An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY."""

    currency: str
    minor: int
    text: str


class CartShown(TypedDict):
    """The answer to cart.get: the lines, by SKU; at most CART_LINES_MAX."""

    lines: list[CartShownCartLineShown]
    user_id: str


class CommandRejected(TypedDict):
    """The outcome of a command that was refused before it changed anything."""

    code: str
    command_id: str
    details: dict[str, Any]
    message: str
    type: str


class CommentMarkActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class CommentMark(TypedDict):
    """The buyer has commented on a received order, once."""

    actor: CommentMarkActor
    order_id: str
    request_id: str


class CommentMarked(TypedDict):
    """The order has a comment of its buyer."""

    order_id: str
    user_id: str


class ContactChanged(TypedDict):
    """A user is reached otherwise by this medium, or, if `removed`, not any more."""

    enabled: bool
    medium: Literal["email", "sms", "push"]
    removed: bool
    user_id: str


class ContactListActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class ContactList(TypedDict):
    """Ask how a user is reached."""

    actor: ContactListActor
    user_id: str


class ContactListedContactShown(TypedDict):
    """How a user is reached by one medium."""

    address: str | None
    enabled: bool
    language: str
    medium: Literal["email", "sms", "push"]
    opt_outs: list[str]
    quiet_hours: ContactListedQuietHours | None


class ContactListedQuietHours(TypedDict):
    """From when until when, each day, nothing is sent; `until` may be on the next day."""

    begin: str
    time_zone: str
    until: str


class ContactListed(TypedDict):
    """The answer to contact.list: at most one contact for each medium."""

    contacts: list[ContactListedContactShown]
    user_id: str


class ContactSetActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class ContactSetQuietHours(TypedDict):
    """From when until when, each day, nothing is sent; `until` may be on the next day."""

    begin: str
    time_zone: str
    until: str


class ContactSet(TypedDict):
    """Set how a user is reached by one medium."""

    actor: ContactSetActor
    address: str | None
    enabled: NotRequired[bool]
    language: NotRequired[str]
    medium: Literal["email", "sms", "push"]
    opt_outs: NotRequired[list[str]]
    quiet_hours: NotRequired[ContactSetQuietHours | None]
    request_id: str
    user_id: str


class CouponChanged(TypedDict):
    """A coupon is held for an order, used by it, given back before or after its use, or expired."""

    coupon_id: str
    order_id: str | None
    state: Literal["locked", "used", "released", "returned", "expired"]
    user_id: str


class CouponIssue(TypedDict):
    """Give a user one coupon of a template."""

    coupon_id: str
    template_id: str
    user_id: str


class CouponIssued(TypedDict):
    """The user has the coupon, under these terms."""

    amount: int
    coupon_id: str
    currency: str
    min_amount: int
    name: str
    template_id: str
    user_id: str
    valid_from: str
    valid_to: str


class CouponListActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class CouponList(TypedDict):
    """Ask for the coupons of a user in these states: without `states` for issued ones, with an empty list for all."""

    actor: CouponListActor
    states: NotRequired[list[str]]
    user_id: str


class CouponListedCouponShown(TypedDict):
    """A coupon."""

    amount: CouponListedMoneyShown
    channels: list[str]
    coupon_id: str
    min_amount: CouponListedMoneyShown
    name: str
    order_id: str | None
    scope: str
    scope_ids: list[str]
    state: str
    valid_from: str
    valid_to: str


class CouponListedMoneyShown(TypedDict):
    """An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY."""

    currency: str
    minor: int
    text: str


class CouponListed(TypedDict):
    """The answer to coupon.list: the coupons, those that end first come first; at most COUPONS_MAX."""

    coupons: list[CouponListedCouponShown]
    user_id: str


class CouponTemplateChanged(TypedDict):
    """New coupons have the terms of this revision."""

    revision: int
    template_id: str


class CouponTemplateUnchanged(TypedDict):
    """The revision is not above the stored one."""

    current_revision: int
    revision: int
    template_id: str


class CouponTemplateUpsert(TypedDict):
    """Set the terms of coupons that are issued from now on."""

    amount: int
    channels: NotRequired[list[str]]
    count: NotRequired[int | None]
    currency: str
    member_levels: NotRequired[list[str]]
    min_amount: NotRequired[int]
    name: str
    per_user_limit: NotRequired[int | None]
    revision: int
    scope: Literal["all", "category", "sku"]
    scope_ids: NotRequired[list[str]]
    template_id: str
    valid_from: str
    valid_to: str


class DashboardGetActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class DashboardGet(TypedDict):
    """Ask for the figures of a day of the shop's time zone, without `day` of this day."""

    actor: DashboardGetActor
    currency: NotRequired[str | None]
    day: NotRequired[str | None]


class DashboardShownCurrencyFigures(TypedDict):
    """The orders in one currency that were paid on the day, what they cost, and what the shop earns with their good…"""

    average_amount: DashboardShownMoneyShown | None
    cost: DashboardShownMoneyShown | None
    margin: DashboardShownMoneyShown | None
    paid_orders: int
    share_without_cost: str | None
    total_amount: DashboardShownMoneyShown


class DashboardShownMoneyShown(TypedDict):
    """An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY."""

    currency: str
    minor: int
    text: str


class DashboardShown(TypedDict):
    """The answer to dashboard.get: what happened on the day, as workers/domain/dashboard.py defines it."""

    average_amount: DashboardShownMoneyShown | None
    by_currency: list[DashboardShownCurrencyFigures]
    cancelled_orders: int
    currency: str | None
    day: str
    exception_count: int | None
    fulfil_success_rate: str | None
    paid_orders: int
    pay_success_rate: str | None
    time_zone: str
    timeout_count: int
    total_amount: DashboardShownMoneyShown | None
    total_orders: int


class DeadLetterDecided(TypedDict):
    """A person decided about dead letters, or saw them in clear."""

    action: Literal["replay", "pause", "resume", "cancel", "discard", "restore", "edit", "import", "reveal"]
    actor: str
    ids: list[str]
    letters: int
    run_id: str | None
    terminal_user: str


class DisputeDescribedDisputeShown(TypedDict):
    """One dispute with all that was submitted against it."""

    amount: DisputeDescribedMoneyShown
    dispute_id: str
    dispute_no: str
    due_at: str | None
    evidence: list[DisputeDescribedEvidenceShown]
    occurred_at: str
    order_ids: list[str]
    provider: str
    reason_code: str | None
    recorded_at: str
    reminder_at: str | None
    state: str
    submissions: int
    trade_no: str


class DisputeDescribedEvidenceShown(TypedDict):
    """One submission: references to what the shop keeps, and what was `written` with it, its phone numbers masked."""

    actor_id: str
    number: int
    reason_code: str | None
    references: list[str]
    state: Literal["recorded", "sending", "accepted", "refused"]
    submitted_at: str
    written: str | None


class DisputeDescribedMoneyShown(TypedDict):
    """An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY."""

    currency: str
    minor: int
    text: str


class DisputeDescribed(TypedDict):
    """The answer to dispute.get: the dispute, or those of several providers that have this number."""

    disputes: list[DisputeDescribedDisputeShown]


class DisputeEvidenceAnswered(TypedDict):
    """The provider accepted the submission `number` of a dispute that we gave it, or refused it."""

    dispute_no: str
    number: int
    order_ids: list[str]
    provider: str
    reason_code: str | None
    state: Literal["accepted", "refused"]
    trade_no: str


class DisputeEvidenceSubmitted(TypedDict):
    """The submission `number` of a dispute is recorded, with so many `references`, which are never announced."""

    dispute_no: str
    due_at: str | None
    number: int
    order_ids: list[str]
    provider: str
    references: int
    to_provider: bool
    trade_no: str


class DisputeGetActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class DisputeGet(TypedDict):
    """Ask for everything about a dispute, by the number that its provider gave it."""

    actor: DisputeGetActor
    dispute_no: str
    provider: NotRequired[str | None]


class DisputeListActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class DisputeList(TypedDict):
    """Ask for a page of disputes."""

    actor: DisputeListActor
    cursor: NotRequired[str | None]
    due_before: NotRequired[str | None]
    limit: NotRequired[int]
    order: NotRequired[str | None]
    sort: NotRequired[Literal["newest", "due"]]
    states: NotRequired[list[str]]


class DisputeListedDisputeSummary(TypedDict):
    """One dispute in a list."""

    amount: DisputeListedMoneyShown
    dispute_id: str
    dispute_no: str
    due_at: str | None
    occurred_at: str
    order_ids: list[str]
    provider: str
    reason_code: str | None
    recorded_at: str
    state: str
    submissions: int
    trade_no: str


class DisputeListedMoneyShown(TypedDict):
    """An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY."""

    currency: str
    minor: int
    text: str


class DisputeListed(TypedDict):
    """The answer to dispute.list."""

    disputes: list[DisputeListedDisputeSummary]
    next_cursor: str | None


class DisputeSubmitEvidenceActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class DisputeSubmitEvidence(TypedDict):
    """An operator submits something at the provider against a dispute, such as a proof of delivery, or records that."""

    actor: DisputeSubmitEvidenceActor
    description: NotRequired[str | None]
    dispute_no: str
    evidence: NotRequired[list[str]]
    provider: str
    request_id: str
    to_provider: NotRequired[bool]


class FulfilmentAccept(TypedDict):
    """The warehouse will ship it: order.fulfilling."""

    number: int
    occurred_at: str
    order_id: str
    ref: NotRequired[str | None]
    warehouse: str


class FulfilmentCancelAccepted(TypedDict):
    """The warehouse has stopped and keeps the goods: it answers fulfilment.cancel_requested."""

    cancel_no: int
    number: int
    occurred_at: str
    order_id: str
    ref: NotRequired[str | None]
    warehouse: str


class FulfilmentCancelRefused(TypedDict):
    """It is too late to stop: it answers fulfilment.cancel_requested."""

    cancel_no: int
    number: int
    occurred_at: str
    order_id: str
    reason_code: str
    ref: NotRequired[str | None]
    warehouse: str


class FulfilmentCancelRequested(TypedDict):
    """Please stop, and say whether you could: fulfilment.cancel_accepted or .cancel_refused, with this `cancel_no`."""

    cancel_no: int
    number: int
    order_id: str
    order_no: str | None
    reason_code: str | None
    warehouse: str


class FulfilmentGet(TypedDict):
    """A warehouse asks for what it has to do for an order again."""

    order_id: str
    request_id: str
    warehouse: str


class FulfilmentHandOver(TypedDict):
    """The goods are with the carrier, whose facts about the parcels say when they leave."""

    number: int
    occurred_at: str
    order_id: str
    ref: NotRequired[str | None]
    warehouse: str


class FulfilmentHeld(TypedDict):
    """The order is held: let nothing leave until fulfilment.released."""

    number: int
    order_id: str
    order_no: str | None
    reason_code: str | None
    warehouse: str


class FulfilmentPack(TypedDict):
    """The goods are packed."""

    number: int
    occurred_at: str
    order_id: str
    ref: NotRequired[str | None]
    warehouse: str


class FulfilmentPick(TypedDict):
    """The goods are being picked."""

    number: int
    occurred_at: str
    order_id: str
    ref: NotRequired[str | None]
    warehouse: str


class FulfilmentRefuse(TypedDict):
    """The warehouse will not ship it."""

    number: int
    occurred_at: str
    order_id: str
    reason_code: str
    ref: NotRequired[str | None]
    warehouse: str


class FulfilmentReleased(TypedDict):
    """The last hold of the order is released: go on with the newest request."""

    number: int
    order_id: str
    order_no: str | None
    warehouse: str


class FulfilmentRequestedAddress(TypedDict):
    """The delivery address."""

    area: str | None
    city: str | None
    country: str
    detail: str
    phone: str
    postcode: str | None
    province: str | None
    receiver: str
    street: str | None


class FulfilmentRequestedFulfilmentLine(TypedDict):
    """`qty` units of one SKU that have not left yet."""

    line_no: int
    name: str
    qty: int
    sku_id: str


class FulfilmentRequested(TypedDict):
    """Please ship these lines to this address, and accept first."""

    address: FulfilmentRequestedAddress | None
    lines: list[FulfilmentRequestedFulfilmentLine]
    number: int
    order_id: str
    order_no: str | None
    remark: str | None
    warehouse: str


class FulfilmentResent(TypedDict):
    """The outcome of fulfilment.get: what is open is in the warehouse's queue again."""

    number: int
    order_id: str
    send_backs: int
    state: str
    warehouse: str


class FulfilmentSendBackAddress(TypedDict):
    """The delivery address."""

    area: str | None
    city: str | None
    country: str
    detail: str
    phone: str
    postcode: str | None
    province: str | None
    receiver: str
    street: str | None


class FulfilmentSendBackSendBackLine(TypedDict):
    """`qty` units of one line of the order, which go back to the buyer."""

    line_no: int
    qty: int
    sku_id: str


class FulfilmentSendBack(TypedDict):
    """Please send these goods of an after-sale case back to the buyer, to this address: they were not taken back."""

    address: FulfilmentSendBackAddress | None
    case_id: str
    case_no: str
    lines: list[FulfilmentSendBackSendBackLine]
    number: int
    order_id: str
    order_no: str | None
    warehouse: str


class FulfilmentUpdated(TypedDict):
    """The hand-over of an order to a warehouse took a step."""

    number: int
    order_id: str
    previous: str
    reason_code: str | None
    state: str
    warehouse: str


class FulfilmentWithdrawn(TypedDict):
    """The request is withdrawn: ship nothing of it that has not left."""

    number: int
    order_id: str
    order_no: str | None
    warehouse: str


class GroupDescribed(TypedDict):
    """The answer to group.get."""

    deadline: str
    ended_at: str | None
    group_id: str
    opened_at: str
    order_ids: list[str]
    paid: int
    seated: int
    size: int
    spu_id: str
    state: str


class GroupFailed(TypedDict):
    """Fewer of its orders than it has seats were paid until the deadline."""

    deadline: str
    group_id: str
    order_ids: list[str]
    paid: int
    size: int
    spu_id: str


class GroupFormed(TypedDict):
    """As many of its orders are paid as it has seats."""

    deadline: str
    group_id: str
    order_ids: list[str]
    paid: int
    size: int
    spu_id: str


class GroupGetActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class GroupGet(TypedDict):
    """Ask how full a group of buyers is."""

    actor: GroupGetActor
    group_id: str


class MemberChanged(TypedDict):
    """The user has this level from now on, and may order unless blocked."""

    blocked: bool
    level: str
    revision: int
    user_id: str


class MemberUnchanged(TypedDict):
    """The revision is not above the stored one."""

    current_revision: int
    revision: int
    user_id: str


class MemberUpsert(TypedDict):
    """Set the level of a member, and whether the member may order."""

    blocked: bool
    level: str
    revision: int
    user_id: str


class NotificationFailed(TypedDict):
    """It was not sent."""

    cause: str
    kind: str
    medium: Literal["email", "sms", "push"]
    notification_id: str
    order_id: str
    reason_code: str
    user_id: str


class NotificationSent(TypedDict):
    """The server of the medium accepted it."""

    cause: str
    kind: str
    medium: Literal["email", "sms", "push"]
    notification_id: str
    order_id: str
    user_id: str


class OrderAddressChangedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderAddressChangedAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderAddressChangedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderAddressChangedActor | None
    id: str
    type: str


class OrderAddressChanged(TypedDict):
    """Its delivery address changed."""

    amounts: OrderAddressChangedAmounts
    cause: OrderAddressChangedCause
    conversation_id: str
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    state: str
    user_id: str
    version: int


class OrderAmountAdjustActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderAmountAdjustLineToAdjust(TypedDict):
    """One line of the order, and what comes off the price of its goods; less than 0 raises it."""

    discount: int
    line_no: int


class OrderAmountAdjust(TypedDict):
    """Lower or raise what an unpaid order costs, in minor units of its currency."""

    actor: OrderAmountAdjustActor
    currency: NotRequired[str | None]
    discount: NotRequired[int | None]
    expected_version: NotRequired[int | None]
    lines: NotRequired[list[OrderAmountAdjustLineToAdjust]]
    order_id: str
    reason: NotRequired[str | None]
    reason_code: str
    request_id: str
    shipping: NotRequired[int | None]


class OrderAmountChangedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderAmountChangedAdjustedLine(TypedDict):
    """A line whose price changed: what it costs with its part of the shipping, before and now."""

    line_no: int
    payable: int
    payable_before: int


class OrderAmountChangedAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderAmountChangedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderAmountChangedActor | None
    id: str
    type: str


class OrderAmountChanged(TypedDict):
    """An operator changed what the order costs, from `before` to `amounts`; of a split order, its children as well."""

    amounts: OrderAmountChangedAmounts
    before: OrderAmountChangedAmounts
    cause: OrderAmountChangedCause
    conversation_id: str
    lines: list[OrderAmountChangedAdjustedLine]
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    reason_code: str
    state: str
    user_id: str
    version: int


class OrderAsOfActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderAsOf(TypedDict):
    """Ask how an order was at a time, as far as it was known then."""

    actor: OrderAsOfActor
    at: str
    min_version: NotRequired[int]
    order: str


class OrderCancelActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderCancel(TypedDict):
    """Cancel an order: before payment it ends, after payment it is refunded, after shipping it is refused."""

    actor: OrderCancelActor
    order_id: str
    reason: NotRequired[str | None]
    reason_code: NotRequired[str | None]
    request_id: str


class OrderCancelLaterActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderCancelLater(TypedDict):
    """Cancel an order at a time, unless order.keep comes before."""

    actor: OrderCancelLaterActor
    at: str
    order_id: str
    reason_code: NotRequired[str | None]
    request_id: str


class OrderCancelRefusedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderCancelRefusedAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderCancelRefusedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderCancelRefusedActor | None
    id: str
    type: str


class OrderCancelRefused(TypedDict):
    """It goes on: a warehouse refused to cancel it, or a parcel of it has left."""

    amounts: OrderCancelRefusedAmounts
    cause: OrderCancelRefusedCause
    conversation_id: str
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    reason_code: str | None
    state: str
    user_id: str
    version: int


class OrderCancelRestActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderCancelRest(TypedDict):
    """Cancel the units of a partly shipped order that have not left the warehouse."""

    actor: OrderCancelRestActor
    order_id: str
    request_id: str


class OrderCancelledActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderCancelledAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderCancelledCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderCancelledActor | None
    id: str
    type: str


class OrderCancelled(TypedDict):
    """It ends without goods."""

    amounts: OrderCancelledAmounts
    cancel_type: str
    cause: OrderCancelledCause
    conversation_id: str
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    reason_code: str | None
    state: str
    user_id: str
    version: int


class OrderCancellingActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderCancellingAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderCancellingCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderCancellingActor | None
    id: str
    type: str


class OrderCancelling(TypedDict):
    """It is to be cancelled, and its warehouses have to answer. order.cancelled or order.cancel_refused follows."""

    amounts: OrderCancellingAmounts
    cancel_type: str
    cause: OrderCancellingCause
    conversation_id: str
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    reason_code: str | None
    state: str
    user_id: str
    version: int


class OrderCaptchaAnswerActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderCaptchaAnswer(TypedDict):
    """Answer the captcha that the order waits for."""

    actor: OrderCaptchaAnswerActor
    captcha_token: str
    order_id: str
    request_id: str


class OrderChangeAddressActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderChangeAddressAddress(TypedDict):
    """The delivery address."""

    area: NotRequired[str | None]
    city: NotRequired[str | None]
    country: str
    detail: str
    phone: str
    postcode: NotRequired[str | None]
    province: NotRequired[str | None]
    receiver: str
    street: NotRequired[str | None]


class OrderChangeAddress(TypedDict):
    """Change the delivery address: once, before the first unit leaves the warehouse."""

    actor: OrderChangeAddressActor
    address: OrderChangeAddressAddress
    order_id: str
    request_id: str


class OrderChangeNoteActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderChangeNote(TypedDict):
    """Change the operators' note about an order, or remove it."""

    actor: OrderChangeNoteActor
    note: str | None
    order_id: str
    request_id: str


class OrderChangeRemarkActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderChangeRemark(TypedDict):
    """Change the buyer's remark, or remove it, until a warehouse has it or a parcel has left."""

    actor: OrderChangeRemarkActor
    order_id: str
    remark: str | None
    request_id: str


class OrderCompletedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderCompletedAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderCompletedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderCompletedActor | None
    id: str
    type: str


class OrderCompleted(TypedDict):
    """The buyer confirmed the receipt, the receipt window ended, or the delivery completed the order by its policy."""

    amounts: OrderCompletedAmounts
    cause: OrderCompletedCause
    conversation_id: str
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    state: str
    user_id: str
    version: int


class OrderConfirmReceiptActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderConfirmReceipt(TypedDict):
    """The buyer confirms that the goods have arrived."""

    actor: OrderConfirmReceiptActor
    order_id: str
    request_id: str


class OrderCreateActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderCreateAddress(TypedDict):
    """The delivery address."""

    area: NotRequired[str | None]
    city: NotRequired[str | None]
    country: str
    detail: str
    phone: str
    postcode: NotRequired[str | None]
    province: NotRequired[str | None]
    receiver: str
    street: NotRequired[str | None]


class OrderCreateClientFacts(TypedDict):
    """What the client knows about the device and the behaviour of the buyer, for the risk check alone."""

    behaviour_score: NotRequired[int | None]
    device_kind: NotRequired[Literal["computer", "phone", "tablet", "other"] | None]
    device_known_seconds: NotRequired[int | None]
    device_ref: NotRequired[str | None]
    network_ref: NotRequired[str | None]


class OrderCreateCreateLine(TypedDict):
    """`qty` units of one SKU."""

    expected_unit_price: NotRequired[int | None]
    qty: int
    sku_id: str
    warehouse: NotRequired[str | None]


class OrderCreateExpectedAmount(TypedDict):
    """One term of the price as the client computed it."""

    amount: int
    type: str


class OrderCreatePaymentChoice(TypedDict):
    """How the buyer intends to pay."""

    account_type: NotRequired[str | None]
    method: str


class OrderCreate(TypedDict):
    """Place an order."""

    actor: OrderCreateActor
    address: NotRequired[OrderCreateAddress | None]
    amounts: NotRequired[list[OrderCreateExpectedAmount] | None]
    business_order_id: NotRequired[str | None]
    business_type: NotRequired[str]
    captcha_token: NotRequired[str | None]
    channel: str
    client: NotRequired[OrderCreateClientFacts | None]
    coupon_id: NotRequired[str | None]
    currency: str
    draft_id: NotRequired[str | None]
    draft_revision: NotRequired[int | None]
    expected_pay_amount: int
    group_id: NotRequired[str | None]
    items: NotRequired[list[OrderCreateCreateLine]]
    order_no: NotRequired[str | None]
    order_type: NotRequired[str]
    payments: NotRequired[list[OrderCreatePaymentChoice] | None]
    remark: NotRequired[str | None]
    request_id: str
    seller_id: NotRequired[str | None]
    source: NotRequired[str]
    use_points: NotRequired[int]
    user_id: str


class OrderCreatedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderCreatedAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderCreatedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderCreatedActor | None
    id: str
    type: str


class OrderCreatedEventLine(TypedDict):
    """One line as it was sold."""

    line_no: int
    name: str
    payable: int
    qty: int
    sku_id: str
    unit_price: int


class OrderCreated(TypedDict):
    """Its stock is reserved, and it can be paid until `pay_before`."""

    amounts: OrderCreatedAmounts
    cause: OrderCreatedCause
    children: list[str]
    conversation_id: str
    intent_id: str
    lines: list[OrderCreatedEventLine]
    order_id: str
    order_no: str | None
    parent_id: str | None
    pay_before: str
    previous: str
    request_id: str
    state: str
    user_id: str
    version: int


class OrderDeleteActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderDelete(TypedDict):
    """Hide finished orders from their buyer, all of them or none."""

    actor: OrderDeleteActor
    order_ids: list[str]
    request_id: str


class OrderDeletedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderDeletedAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderDeletedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderDeletedActor | None
    id: str
    type: str


class OrderDeleted(TypedDict):
    """It is hidden from its buyer."""

    amounts: OrderDeletedAmounts
    cause: OrderDeletedCause
    conversation_id: str
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    state: str
    user_id: str
    version: int


class OrderDeliveredActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderDeliveredAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderDeliveredCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderDeliveredActor | None
    id: str
    type: str


class OrderDelivered(TypedDict):
    """Every parcel of it that did not fail has arrived."""

    amounts: OrderDeliveredAmounts
    cause: OrderDeliveredCause
    conversation_id: str
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    state: str
    user_id: str
    version: int


class OrderDeliveryFailedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderDeliveryFailedAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderDeliveryFailedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderDeliveryFailedActor | None
    id: str
    type: str


class OrderDeliveryFailed(TypedDict):
    """None of its parcels arrived and none is under way."""

    amounts: OrderDeliveryFailedAmounts
    cause: OrderDeliveryFailedCause
    conversation_id: str
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    state: str
    user_id: str
    version: int


class OrderDescribedAddressShown(TypedDict):
    """The delivery address, masked unless there is a `reveal_reason`."""

    changes: int
    country: str
    detail: str
    phone: str
    receiver: str


class OrderDescribedAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderDescribedAttemptShown(TypedDict):
    """One attempt to pay through a provider."""

    amount: OrderDescribedMoneyShown
    attempt_id: str
    expire_at: str
    provider: str
    reason_code: str | None
    scene: str
    started_at: str
    state: str


class OrderDescribedCaseSummary(TypedDict):
    """One case in a list: what it is about, and how far it is."""

    amount: OrderDescribedMoneyShown | None
    case_id: str
    case_no: str
    completed_at: str | None
    exchange: OrderDescribedExchangeShown | None
    order_id: str
    order_no: str | None
    processed_at: str | None
    reason_code: str
    requested_at: str
    source: str
    state: str
    type: str
    units: int
    user_id: str
    version: int


class OrderDescribedDisputeOfPayment(TypedDict):
    """A dispute about a payment, as order.get shows it, and when its provider got evidence from us (`submitted`)."""

    amount: OrderDescribedMoneyShown
    dispute_no: str
    due_at: str | None
    occurred_at: str
    reason_code: str | None
    state: str
    submitted: list[str]


class OrderDescribedExchangeShown(TypedDict):
    """An exchange order: the order by which other goods go to a buyer, for the goods of a case that come back."""

    case_id: str
    case_no: str
    first_order_id: str
    first_order_no: str | None
    order_id: str
    order_no: str | None
    placed_at: str
    state: str


class OrderDescribedFacetsShown(TypedDict):
    """What the state alone does not say: money, goods, stock, each computed from its rows."""

    aftersale: str
    fulfilment: str
    hold: str
    payment: str
    stock: str


class OrderDescribedGroupShown(TypedDict):
    """The group of buyers of an order, as in group.described."""

    deadline: str
    group_id: str
    otherwise: str | None
    paid: int
    seated: int
    size: int
    state: str


class OrderDescribedHandOverShown(TypedDict):
    """The part of an order that one warehouse ships, and how far it is there."""

    order_id: str
    requested_at: str
    state: str
    updated_at: str
    warehouse: str


class OrderDescribedHoldShown(TypedDict):
    """A hold."""

    hold_id: str
    kind: str
    order_id: str
    placed_at: str
    reason_code: str | None
    released_at: str | None


class OrderDescribedLineShown(TypedDict):
    """One line as it was sold, and what has gone back of it."""

    adjustment: int
    cancelled_qty: int
    line_no: int
    margin: int | None
    name: str
    order_id: str
    payable: int
    purchase_price: int | None
    qty: int
    refunded: int
    refunded_qty: int
    short_qty: int
    sku_id: str
    unit_price: int
    warehouse: str


class OrderDescribedMoneyShown(TypedDict):
    """An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY."""

    currency: str
    minor: int
    text: str


class OrderDescribedParcelLine(TypedDict):
    """Units of one line in a parcel."""

    line_no: int
    order_id: str
    qty: int


class OrderDescribedParcelShown(TypedDict):
    """One parcel with the units of this order and the reports of its carrier; a return names its case in `case_id`."""

    booked_at: str | None
    carrier: str
    case_id: str | None
    delayed: bool
    delivered_at: str | None
    facts: list[OrderDescribedTrackedFact]
    lines: list[OrderDescribedParcelLine]
    outbound_at: str | None
    state: str
    to_buyer: bool
    tracking_no: str


class OrderDescribedPaymentShown(TypedDict):
    """What a provider reported: `kind` is captured or failed, `verdict` what it was for us; and disputes about it."""

    amount: OrderDescribedMoneyShown
    disputes: list[OrderDescribedDisputeOfPayment]
    kind: str
    occurred_at: str
    provider: str
    reason_code: str | None
    trade_no: str
    verdict: str


class OrderDescribedRefundShown(TypedDict):
    """One refund, under way or ended."""

    amount: OrderDescribedMoneyShown
    cause: str
    finished_at: str | None
    order_id: str
    provider: str
    reason_code: str | None
    refund_no: str
    replaces: str | None
    requested_at: str | None
    state: str


class OrderDescribedTrackedFact(TypedDict):
    """What the carrier reported: the parcel's state, where and when."""

    occurred_at: str
    place: str | None
    stale: bool
    status: str


class OrderDescribed(TypedDict):
    """The answer to order.get."""

    address: OrderDescribedAddressShown | None
    amounts: OrderDescribedAmounts
    attempts: list[OrderDescribedAttemptShown]
    business_type: str
    cancelled_at: str | None
    captured: OrderDescribedMoneyShown
    cases: list[OrderDescribedCaseSummary]
    channel: str
    children: list[str]
    commented: bool
    completed_at: str | None
    created_at: str
    deleted: bool
    delivered_at: str | None
    exchanges: list[OrderDescribedExchangeShown]
    expire_at: str
    facets: OrderDescribedFacetsShown
    group: OrderDescribedGroupShown | None
    hand_overs: list[OrderDescribedHandOverShown]
    held: bool
    holds: list[OrderDescribedHoldShown]
    lines: list[OrderDescribedLineShown]
    note: str | None
    order_id: str
    order_no: str | None
    order_uuid: str
    paid_at: str | None
    parcels: list[OrderDescribedParcelShown]
    payable: OrderDescribedMoneyShown
    payments: list[OrderDescribedPaymentShown]
    reason_code: str | None
    refunded: OrderDescribedMoneyShown
    refunds: list[OrderDescribedRefundShown]
    replaces: OrderDescribedExchangeShown | None
    request_id: str
    ship_by: str | None
    shipped_at: str | None
    state: str
    user_id: str
    version: int


class OrderDraftDeleteActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderDraftDelete(TypedDict):
    """Delete a draft."""

    actor: OrderDraftDeleteActor
    draft_id: str
    request_id: str
    revision: NotRequired[int | None]
    user_id: str


class OrderDraftGetActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderDraftGet(TypedDict):
    """Ask for one draft."""

    actor: OrderDraftGetActor
    draft_id: str
    user_id: str


class OrderDraftListActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderDraftList(TypedDict):
    """Ask for all drafts of a user."""

    actor: OrderDraftListActor
    user_id: str


class OrderDraftSaveActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderDraftSaveAddress(TypedDict):
    """The delivery address."""

    area: NotRequired[str | None]
    city: NotRequired[str | None]
    country: str
    detail: str
    phone: str
    postcode: NotRequired[str | None]
    province: NotRequired[str | None]
    receiver: str
    street: NotRequired[str | None]


class OrderDraftSaveDraftLine(TypedDict):
    """`qty` units of one SKU that the buyer means to order, from this warehouse if it names one."""

    qty: int
    sku_id: str
    warehouse: NotRequired[str | None]


class OrderDraftSave(TypedDict):
    """Save a new draft, or with a `draft_id` replace one."""

    actor: OrderDraftSaveActor
    address: NotRequired[OrderDraftSaveAddress | None]
    channel: str
    currency: str
    draft_id: NotRequired[str | None]
    items: list[OrderDraftSaveDraftLine]
    keep: NotRequired[list[Literal["address", "remark"]]]
    remark: NotRequired[str | None]
    request_id: str
    revision: NotRequired[int | None]
    user_id: str


class OrderExplainActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderExplain(TypedDict):
    """Ask why an order is in its state, what it waits for, and what can move it."""

    actor: OrderExplainActor
    min_version: NotRequired[int]
    order: str


class OrderExplainedAwaitedShown(TypedDict):
    """One thing that the order waits for: `what`, and `whom` it must come from."""

    case_no: str | None
    missing_timer: OrderExplainedMissingTimerShown | None
    moved_by: list[str]
    name: str | None
    order_id: str
    otherwise: str | None
    ref: str | None
    since: str | None
    until: str | None
    what: str
    whom: str


class OrderExplainedDiedShown(TypedDict):
    """A message about the order that was dead-lettered."""

    dead_letter_id: str
    decision: str
    died_at: str
    queue: str
    reason: str
    type: str | None


class OrderExplainedExchangeShown(TypedDict):
    """An exchange order: the order by which other goods go to a buyer, for the goods of a case that come back."""

    case_id: str
    case_no: str
    first_order_id: str
    first_order_no: str | None
    order_id: str
    order_no: str | None
    placed_at: str
    state: str


class OrderExplainedGroupShown(TypedDict):
    """The group of buyers of an order, as in group.described."""

    deadline: str
    group_id: str
    otherwise: str | None
    paid: int
    seated: int
    size: int
    state: str


class OrderExplainedHistoryStep(TypedDict):
    """One step."""

    actor_id: str
    actor_type: str
    at: str
    case_id: str | None
    case_no: str | None
    case_state: str | None
    cause_id: str
    cause_type: str
    discount: int | None
    operate_type: int
    previous: str
    refund_no: str | None
    state: str
    trigger: str
    version: int


class OrderExplainedMissingTimerShown(TypedDict):
    """A timer that should end a wait and does not run, so that nothing ends it but a message: `oms repair` starts i…"""

    cancelled_at: str | None
    cancelled_by: str | None
    key: str
    kind: str


class OrderExplainedMoneyShown(TypedDict):
    """An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY."""

    currency: str
    minor: int
    text: str


class OrderExplainedOpenStepShown(TypedDict):
    """A step that the order can take: its trigger, and the state to which it leads."""

    to: str
    trigger: str


class OrderExplained(TypedDict):
    """The answer to order.explain."""

    awaits: list[OrderExplainedAwaitedShown]
    died: list[OrderExplainedDiedShown]
    entered: OrderExplainedHistoryStep | None
    exchanges: list[OrderExplainedExchangeShown]
    group: OrderExplainedGroupShown | None
    next: list[OrderExplainedOpenStepShown]
    order_id: str
    order_no: str | None
    payable: OrderExplainedMoneyShown
    replaces: OrderExplainedExchangeShown | None
    state: str
    version: int


class OrderFulfillingActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderFulfillingAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderFulfillingCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderFulfillingActor | None
    id: str
    type: str


class OrderFulfilling(TypedDict):
    """A warehouse has accepted it and works on it."""

    amounts: OrderFulfillingAmounts
    cause: OrderFulfillingCause
    conversation_id: str
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    state: str
    user_id: str
    version: int


class OrderGetActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderGet(TypedDict):
    """Ask for everything about one order."""

    actor: OrderGetActor
    min_version: NotRequired[int]
    order: str
    reveal_reason: NotRequired[str | None]


class OrderHeldActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderHeldAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderHeldCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderHeldActor | None
    id: str
    type: str


class OrderHeld(TypedDict):
    """The order is held once more."""

    amounts: OrderHeldAmounts
    cause: OrderHeldCause
    conversation_id: str
    hold_id: str
    holds: int
    kind: str
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    reason_code: str
    state: str
    user_id: str
    version: int


class OrderHistoryActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderHistory(TypedDict):
    """Ask what has happened to an order: every step, who took it and why."""

    actor: OrderHistoryActor
    min_version: NotRequired[int]
    order: str


class OrderHistoryListedExchangeShown(TypedDict):
    """An exchange order: the order by which other goods go to a buyer, for the goods of a case that come back."""

    case_id: str
    case_no: str
    first_order_id: str
    first_order_no: str | None
    order_id: str
    order_no: str | None
    placed_at: str
    state: str


class OrderHistoryListedHistoryStep(TypedDict):
    """One step."""

    actor_id: str
    actor_type: str
    at: str
    case_id: str | None
    case_no: str | None
    case_state: str | None
    cause_id: str
    cause_type: str
    discount: int | None
    operate_type: int
    previous: str
    refund_no: str | None
    state: str
    trigger: str
    version: int


class OrderHistoryListed(TypedDict):
    """The answer to order.history: the steps of the order, oldest first."""

    exchanges: list[OrderHistoryListedExchangeShown]
    order_id: str
    order_no: str | None
    replaces: OrderHistoryListedExchangeShown | None
    state: str
    steps: list[OrderHistoryListedHistoryStep]
    version: int


class OrderHoldActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderHold(TypedDict):
    """Stop an order: while it is held, nothing of it is handed over or booked, and it is not completed by time."""

    actor: OrderHoldActor
    order_id: str
    reason: NotRequired[str | None]
    reason_code: str
    request_id: str


class OrderImportActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderImportAddress(TypedDict):
    """The delivery address."""

    area: NotRequired[str | None]
    city: NotRequired[str | None]
    country: str
    detail: str
    phone: str
    postcode: NotRequired[str | None]
    province: NotRequired[str | None]
    receiver: str
    street: NotRequired[str | None]


class OrderImportImportedLine(TypedDict):
    """One line as it was sold, in minor units."""

    coupon: NotRequired[int]
    name: str
    payable: int
    points: NotRequired[int]
    product_type: NotRequired[str]
    promotion: NotRequired[int]
    qty: int
    seller_id: NotRequired[str | None]
    shipping: NotRequired[int]
    sku_id: str
    spu_id: NotRequired[str | None]
    tax: NotRequired[int]
    unit_price: int
    warehouse: NotRequired[str | None]


class OrderImportImportedPayment(TypedDict):
    """The capture that paid the order: the whole of what it cost, under the number of its provider."""

    amount: int
    provider: str
    trade_no: str


class OrderImportImportedRefund(TypedDict):
    """A refund that succeeded: the sum of its lines, under the number of its provider."""

    lines: list[OrderImportImportedRefundLine]
    refund_no: str
    refunded_at: str


class OrderImportImportedRefundLine(TypedDict):
    """What a refund gave back of one line: units, and money with its share of shipping and tax."""

    amount: int
    line_no: int
    qty: int


class OrderImport(TypedDict):
    """Take an order of another system as it is: completed or cancelled, its prices facts, its payment and refunds m…"""

    actor: OrderImportActor
    address: NotRequired[OrderImportAddress | None]
    cancelled_at: NotRequired[str | None]
    channel: str
    completed_at: NotRequired[str | None]
    created_at: str
    currency: str
    delivered_at: NotRequired[str | None]
    external_no: str
    lines: list[OrderImportImportedLine]
    paid_at: NotRequired[str | None]
    payment: NotRequired[OrderImportImportedPayment | None]
    refunds: NotRequired[list[OrderImportImportedRefund]]
    remark: NotRequired[str | None]
    shipped_at: NotRequired[str | None]
    source: str
    state: str
    user_id: str


class OrderKeepActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderKeep(TypedDict):
    """Withdraw the scheduled cancellation of an order."""

    actor: OrderKeepActor
    order_id: str
    request_id: str


class OrderListActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderList(TypedDict):
    """Ask for a page of orders, the newest first."""

    actor: OrderListActor
    created_before: NotRequired[str | None]
    created_from: NotRequired[str | None]
    cursor: NotRequired[str | None]
    limit: NotRequired[int]
    order_no: NotRequired[str | None]
    request_id: NotRequired[str | None]
    sku_id: NotRequired[str | None]
    states: NotRequired[list[str]]
    tracking_no: NotRequired[str | None]
    trade_no: NotRequired[str | None]
    user_id: NotRequired[str | None]


class OrderListedMoneyShown(TypedDict):
    """An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY."""

    currency: str
    minor: int
    text: str


class OrderListedOrderSummary(TypedDict):
    """One order in a list."""

    channel: str
    created_at: str
    deleted: bool
    delivered_at: str | None
    first_line: str | None
    held: bool
    lines: int
    order_id: str
    order_no: str | None
    paid_at: str | None
    payable: OrderListedMoneyShown
    shipped_at: str | None
    state: str
    units: int
    user_id: str
    version: int


class OrderListed(TypedDict):
    """The answer to order.list."""

    next_cursor: str | None
    orders: list[OrderListedOrderSummary]


class OrderMergeActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderMerge(TypedDict):
    """Pay several unpaid orders of one user with one payment, all or none."""

    actor: OrderMergeActor
    order_ids: list[str]
    request_id: str


class OrderMergedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderMergedAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderMergedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderMergedActor | None
    id: str
    type: str


class OrderMerged(TypedDict):
    """One payment of `amount` for `intent_id` before `pay_before` pays all of `order_ids`."""

    amount: int
    amounts: OrderMergedAmounts
    cause: OrderMergedCause
    conversation_id: str
    intent_id: str
    order_id: str
    order_ids: list[str]
    order_no: str | None
    parent_id: str | None
    pay_before: str
    previous: str
    state: str
    user_id: str
    version: int


class OrderNumberIssueActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderNumberIssue(TypedDict):
    """Give the user a new order number, for a later order.create."""

    actor: OrderNumberIssueActor
    channel: str
    method: NotRequired[str | None]
    request_id: str
    user_id: str


class OrderPaidActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderPaidAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderPaidCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderPaidActor | None
    id: str
    type: str


class OrderPaid(TypedDict):
    """Its whole amount is captured, or it costs nothing."""

    amounts: OrderPaidAmounts
    cause: OrderPaidCause
    conversation_id: str
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    ship_by: str | None
    state: str
    user_id: str
    version: int


class OrderPreviewActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderPreviewCreateLine(TypedDict):
    """`qty` units of one SKU."""

    expected_unit_price: NotRequired[int | None]
    qty: int
    sku_id: str
    warehouse: NotRequired[str | None]


class OrderPreview(TypedDict):
    """Ask what an order of these lines, or of the user's cart, would cost now. order.create uses the same price."""

    actor: OrderPreviewActor
    business_type: NotRequired[str]
    channel: str
    country: NotRequired[str | None]
    coupon_id: NotRequired[str | None]
    currency: str
    from_cart: NotRequired[bool]
    group_id: NotRequired[str | None]
    items: NotRequired[list[OrderPreviewCreateLine]]
    use_points: NotRequired[int]
    user_id: str


class OrderPreviewedAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderPreviewedGroupShown(TypedDict):
    """The group of buyers of an order, as in group.described."""

    deadline: str
    group_id: str
    otherwise: str | None
    paid: int
    seated: int
    size: int
    state: str


class OrderPreviewedPreviewAddress(TypedDict):
    """The masked delivery address of an earlier order."""

    country: str
    detail: str
    order_id: str
    phone: str
    receiver: str


class OrderPreviewedPreviewCoupon(TypedDict):
    """A coupon that the user holds."""

    amount: int
    coupon_id: str
    currency: str
    name: str
    usable: bool
    why: str | None


class OrderPreviewedPreviewLine(TypedDict):
    """One line as it would be sold: payable = origin - promotion - coupon - points + tax + shipping share."""

    coupon: int
    line_no: int
    name: str
    origin: int
    payable: int
    points: int
    promotion: int
    promotion_id: str | None
    promotion_text: str | None
    qty: int
    shipping_share: int
    sku_id: str
    tax: int
    unit_price: int
    warehouse: str


class OrderPreviewedPreviewRefusal(TypedDict):
    """Why order.create would refuse such an order."""

    code: str
    details: dict[str, Any]
    message: str


class OrderPreviewedPreviewUser(TypedDict):
    """The user who would buy."""

    member_level: str | None
    points_available: int
    user_id: str


class OrderPreviewed(TypedDict):
    """The answer to order.preview, for a confirm page."""

    addresses: list[OrderPreviewedPreviewAddress]
    amounts: OrderPreviewedAmounts | None
    coupons: list[OrderPreviewedPreviewCoupon]
    group: OrderPreviewedGroupShown | None
    items: list[OrderPreviewedPreviewLine]
    points_usable: int
    points_used: int
    refusal: OrderPreviewedPreviewRefusal | None
    user: OrderPreviewedPreviewUser


class OrderReinstatedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderReinstatedAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderReinstatedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderReinstatedActor | None
    id: str
    type: str


class OrderReinstated(TypedDict):
    """It has its goods again and keeps the late payment. order.paid follows at once."""

    amounts: OrderReinstatedAmounts
    cause: OrderReinstatedCause
    conversation_id: str
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    state: str
    user_id: str
    version: int


class OrderReinstatingActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderReinstatingAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderReinstatingCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderReinstatingActor | None
    id: str
    type: str


class OrderReinstating(TypedDict):
    """A payment came after its window."""

    amounts: OrderReinstatingAmounts
    cause: OrderReinstatingCause
    conversation_id: str
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    state: str
    user_id: str
    version: int


class OrderRejectedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderRejectedAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderRejectedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderRejectedActor | None
    id: str
    type: str


class OrderRejected(TypedDict):
    """The order could not be placed."""

    amounts: OrderRejectedAmounts
    cause: OrderRejectedCause
    code: str
    conversation_id: str
    details: dict[str, Any]
    message: str
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    request_id: str
    state: str
    user_id: str
    version: int


class OrderReleaseActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderRelease(TypedDict):
    """Release one hold of an order."""

    actor: OrderReleaseActor
    hold_id: NotRequired[str | None]
    order_id: str
    reason: NotRequired[str | None]
    reason_code: NotRequired[str | None]
    request_id: str


class OrderReleasedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderReleasedAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderReleasedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderReleasedActor | None
    id: str
    type: str


class OrderReleased(TypedDict):
    """One hold is released; with `holds` 0 the order goes on."""

    amounts: OrderReleasedAmounts
    cause: OrderReleasedCause
    conversation_id: str
    hold_id: str
    holds: int
    kind: str
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    reason_code: str
    release_reason_code: str | None
    state: str
    user_id: str
    version: int


class OrderRestCancelledActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderRestCancelledAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderRestCancelledCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderRestCancelledActor | None
    id: str
    type: str


class OrderRestCancelledDroppedLine(TypedDict):
    """`qty` units of one line that the order will not ship."""

    line_no: int
    qty: int
    sku_id: str


class OrderRestCancelled(TypedDict):
    """The units that had not left are cancelled: refunded, and sellable again."""

    amounts: OrderRestCancelledAmounts
    cause: OrderRestCancelledCause
    conversation_id: str
    lines: list[OrderRestCancelledDroppedLine]
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    refund_amount: int
    state: str
    user_id: str
    version: int


class OrderShippedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderShippedAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderShippedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderShippedActor | None
    id: str
    type: str


class OrderShipped(TypedDict):
    """Its last unit has left the warehouse: `on_time`, or after `ship_by`."""

    amounts: OrderShippedAmounts
    cause: OrderShippedCause
    conversation_id: str
    on_time: bool | None
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    ship_by: str | None
    state: str
    user_id: str
    version: int


class OrderShortageDecideActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderShortageDecide(TypedDict):
    """The buyer's answer to a shortage, before `decide_before`: ship what is there, or cancel all that has not left."""

    actor: OrderShortageDecideActor
    decision: Literal["ship_rest", "cancel_rest"]
    order_id: str
    request_id: str


class OrderShortageReportShortLine(TypedDict):
    """`qty` units of one SKU of the order that the warehouse does not have."""

    qty: int
    sku_id: str


class OrderShortageReport(TypedDict):
    """The warehouse does not have these units of a paid order; without lines, none of those that have not left."""

    lines: NotRequired[list[OrderShortageReportShortLine]]
    order_id: str
    request_id: str
    warehouse: NotRequired[str | None]


class OrderShortageRecordedActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderShortageRecordedAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderShortageRecordedCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderShortageRecordedActor | None
    id: str
    type: str


class OrderShortageRecordedDroppedLine(TypedDict):
    """`qty` units of one line that the order will not ship."""

    line_no: int
    qty: int
    sku_id: str


class OrderShortageRecorded(TypedDict):
    """The warehouse does not have some units: they are refunded."""

    amounts: OrderShortageRecordedAmounts
    cause: OrderShortageRecordedCause
    conversation_id: str
    decide_before: str | None
    lines: list[OrderShortageRecordedDroppedLine]
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    refund_amount: int
    state: str
    user_id: str
    version: int


class OrderShownAsOfCaseAsOf(TypedDict):
    """The state of an after-sale case at that time, and the number of its last step until then."""

    case_id: str
    case_no: str
    order_id: str
    state: str
    type: str
    version: int


class OrderShownAsOfHistoryStep(TypedDict):
    """One step."""

    actor_id: str
    actor_type: str
    at: str
    case_id: str | None
    case_no: str | None
    case_state: str | None
    cause_id: str
    cause_type: str
    discount: int | None
    operate_type: int
    previous: str
    refund_no: str | None
    state: str
    trigger: str
    version: int


class OrderShownAsOfMoneyShown(TypedDict):
    """An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY."""

    currency: str
    minor: int
    text: str


class OrderShownAsOfParcelAsOf(TypedDict):
    """The state of a parcel at that time."""

    carrier: str
    state: str
    tracking_no: str


class OrderShownAsOf(TypedDict):
    """The answer to order.as_of."""

    at: str
    captured: OrderShownAsOfMoneyShown
    cases: list[OrderShownAsOfCaseAsOf]
    last: OrderShownAsOfHistoryStep
    order_id: str
    order_no: str | None
    parcels: list[OrderShownAsOfParcelAsOf]
    payable: OrderShownAsOfMoneyShown
    refunded: OrderShownAsOfMoneyShown
    state: str
    version: int


class OrderSplitActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderSplitAmounts(TypedDict):
    """The terms of a price, in minor units of one currency: payable = origin - the reductions + shipping + tax."""

    adjustment: int
    coupon: int
    currency: str
    origin: int
    payable: int
    points: int
    promotion: int
    shipping: int
    tax: int


class OrderSplitCause(TypedDict):
    """Why the order moved: type and id of the message that caused it, and on whose behalf it came."""

    actor: OrderSplitActor | None
    id: str
    type: str


class OrderSplit(TypedDict):
    """It is paid."""

    amounts: OrderSplitAmounts
    cause: OrderSplitCause
    conversation_id: str
    order_id: str
    order_no: str | None
    parent_id: str | None
    previous: str
    state: str
    user_id: str
    version: int


class OrderStuckActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderStuck(TypedDict):
    """Ask for a page of what waits longer than the limit of its kind, the oldest first."""

    actor: OrderStuckActor
    cursor: NotRequired[str | None]
    limit: NotRequired[int]
    longer_than_seconds: NotRequired[int | None]
    what: NotRequired[list[str]]


class OrderStuckListedMissingTimerShown(TypedDict):
    """A timer that should end a wait and does not run, so that nothing ends it but a message: `oms repair` starts i…"""

    cancelled_at: str | None
    cancelled_by: str | None
    key: str
    kind: str


class OrderStuckListedStuckCount(TypedDict):
    """How many things wait for `what` longer than the limit, at most 10,000, and since when the oldest does."""

    count: int
    longer_than_seconds: int
    oldest: str
    what: str


class OrderStuckListedStuckShown(TypedDict):
    """One thing that waits too long, with the fields that order.explained shows of it, and the limit that it passed."""

    case_no: str | None
    longer_than_seconds: int
    missing_timer: OrderStuckListedMissingTimerShown | None
    moved_by: list[str]
    name: str | None
    order_id: str
    order_no: str | None
    otherwise: str | None
    ref: str | None
    since: str | None
    state: str
    until: str | None
    what: str
    whom: str


class OrderStuckListed(TypedDict):
    """The answer to order.stuck: a page of what waits, and `counts` of all pages by what is awaited."""

    counts: list[OrderStuckListedStuckCount]
    next_cursor: str | None
    stuck: list[OrderStuckListedStuckShown]


class OrderTrackActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class OrderTrack(TypedDict):
    """Ask where the parcels of an order are."""

    actor: OrderTrackActor
    min_version: NotRequired[int]
    order: str


class OrderTrackedParcelLine(TypedDict):
    """Units of one line in a parcel."""

    line_no: int
    order_id: str
    qty: int


class OrderTrackedParcelShown(TypedDict):
    """One parcel with the units of this order and the reports of its carrier; a return names its case in `case_id`."""

    booked_at: str | None
    carrier: str
    case_id: str | None
    delayed: bool
    delivered_at: str | None
    facts: list[OrderTrackedTrackedFact]
    lines: list[OrderTrackedParcelLine]
    outbound_at: str | None
    state: str
    to_buyer: bool
    tracking_no: str


class OrderTrackedTrackedFact(TypedDict):
    """What the carrier reported: the parcel's state, where and when."""

    occurred_at: str
    place: str | None
    stale: bool
    status: str


class OrderTracked(TypedDict):
    """The answer to order.track."""

    order_id: str
    order_no: str | None
    parcels: list[OrderTrackedParcelShown]
    state: str
    version: int


class OrderCancellationDropped(TypedDict):
    """The time of a scheduled cancellation came, and the order stays as it is; `code` is what order.cancel answers."""

    code: str
    details: dict[str, Any]
    message: str
    order_id: str
    user_id: str


class OrderCancellationScheduled(TypedDict):
    """The order will be cancelled `at` this time."""

    at: str
    order_id: str
    reason_code: str | None
    replaced: str | None
    user_id: str


class OrderCancellationWithdrawn(TypedDict):
    """The order will not be cancelled by time."""

    at: str
    order_id: str
    reason_code: str | None
    user_id: str


class OrderCaptchaAnswered(TypedDict):
    """The answer is at the risk check, which has not judged it yet."""

    captcha_answers: int
    order_id: str
    user_id: str


class OrderCaptchaRequired(TypedDict):
    """The order of this `request_id` waits: send order.captcha.answer before `until`, else it is rejected."""

    captcha_answers: int
    order_id: str
    request_id: str
    until: str
    user_id: str


class OrderDraftDeleted(TypedDict):
    """The draft is deleted."""

    draft_id: str
    user_id: str


class OrderDraftListedDraftAddress(TypedDict):
    """The address of a draft, masked."""

    country: str
    detail: str
    phone: str
    receiver: str


class OrderDraftListedDraftLine(TypedDict):
    """`qty` units of one SKU that the buyer means to order, from this warehouse if it names one."""

    qty: int
    sku_id: str
    warehouse: str | None


class OrderDraftListedDraftShown(TypedDict):
    """A draft."""

    address: OrderDraftListedDraftAddress | None
    channel: str
    currency: str
    delete_at: str
    draft_id: str
    has_remark: bool
    items: list[OrderDraftListedDraftLine]
    order_id: str | None
    revision: int
    saved_at: str


class OrderDraftListed(TypedDict):
    """The answer to order.draft.list: the drafts, the last saved one first."""

    drafts: list[OrderDraftListedDraftShown]
    user_id: str


class OrderDraftSaved(TypedDict):
    """The draft is saved under this revision."""

    draft_id: str
    revision: int
    user_id: str


class OrderDraftShownDraftAddress(TypedDict):
    """The address of a draft, masked."""

    country: str
    detail: str
    phone: str
    receiver: str


class OrderDraftShownDraftLine(TypedDict):
    """`qty` units of one SKU that the buyer means to order, from this warehouse if it names one."""

    qty: int
    sku_id: str
    warehouse: str | None


class OrderDraftShownDraftShown(TypedDict):
    """A draft."""

    address: OrderDraftShownDraftAddress | None
    channel: str
    currency: str
    delete_at: str
    draft_id: str
    has_remark: bool
    items: list[OrderDraftShownDraftLine]
    order_id: str | None
    revision: int
    saved_at: str


class OrderDraftShown(TypedDict):
    """The answer to order.draft.get."""

    draft: OrderDraftShownDraftShown
    user_id: str


class OrderImportRecordedMoneyShown(TypedDict):
    """An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY."""

    currency: str
    minor: int
    text: str


class OrderImportRecorded(TypedDict):
    """The order of another system is here, under an id and a number of ours."""

    captured: OrderImportRecordedMoneyShown
    external_no: str
    order_id: str
    order_no: str
    payable: OrderImportRecordedMoneyShown
    refunded: OrderImportRecordedMoneyShown
    source: str
    state: str
    user_id: str


class OrderNoteChanged(TypedDict):
    """The order has another note of operators, or none."""

    order_id: str
    user_id: str


class OrderNumberIssued(TypedDict):
    """The number belongs to this user, for one order."""

    order_no: str
    user_id: str


class OrderRemarkChanged(TypedDict):
    """The order has another remark, or none."""

    order_id: str
    user_id: str


class OrdersChanged(TypedDict):
    """The outcome of a command about a split order: the orders it changed."""

    command: str
    order_ids: list[str]


class OrdersDeleted(TypedDict):
    """The outcome of order.delete: all named orders are hidden."""

    order_ids: list[str]


class PaymentAttemptClosed(TypedDict):
    """A buyer cannot pay the attempt any more."""

    attempt_id: str
    order_id: str
    provider: str
    reason_code: str


class PaymentAuthorized(TypedDict):
    """A provider reserves the money until `expire_at`; `trade_no` is its number of the authorisation."""

    amount: int
    currency: str
    expire_at: str
    intent_id: str | None
    order_id: str
    provider: str
    trade_no: str
    verdict: Literal["kept", "late", "duplicate", "mismatch"]


class PaymentCallback(TypedDict):
    """A provider's notification as upstream's HTTP edge received it, neither parsed nor re-encoded."""

    body: str
    headers: dict[str, Any]
    provider: str
    received_at: str


class PaymentCallbackRejected(TypedDict):
    """A notification is not believed."""

    code: str
    message: str
    notification_id: str
    provider: str
    received_at: str


class PaymentCaptureActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class PaymentCapture(TypedDict):
    """An operator takes the money of an authorised payment now: before the goods leave, or after a capture failed."""

    actor: PaymentCaptureActor
    order_id: str
    request_id: str


class PaymentCaptureRequested(TypedDict):
    """The money of an authorised payment is being taken."""

    amount: int
    attempt_id: str
    currency: str
    order_id: str
    provider: str


class PaymentCaptured(TypedDict):
    """Money came in."""

    amount: int
    currency: str
    intent_id: str | None
    order_id: str
    provider: str
    trade_no: str
    verdict: Literal["kept", "late", "duplicate", "mismatch", "waiting"]


class PaymentDescribedAttemptShown(TypedDict):
    """One attempt to pay through a provider."""

    amount: PaymentDescribedMoneyShown
    attempt_id: str
    expire_at: str
    provider: str
    reason_code: str | None
    scene: str
    started_at: str
    state: str


class PaymentDescribedDisputeOfPayment(TypedDict):
    """A dispute about a payment, as order.get shows it, and when its provider got evidence from us (`submitted`)."""

    amount: PaymentDescribedMoneyShown
    dispute_no: str
    due_at: str | None
    occurred_at: str
    reason_code: str | None
    state: str
    submitted: list[str]


class PaymentDescribedMoneyShown(TypedDict):
    """An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY."""

    currency: str
    minor: int
    text: str


class PaymentDescribedPaymentShown(TypedDict):
    """What a provider reported: `kind` is captured or failed, `verdict` what it was for us; and disputes about it."""

    amount: PaymentDescribedMoneyShown
    disputes: list[PaymentDescribedDisputeOfPayment]
    kind: str
    occurred_at: str
    provider: str
    reason_code: str | None
    trade_no: str
    verdict: str


class PaymentDescribedRefundShown(TypedDict):
    """One refund, under way or ended."""

    amount: PaymentDescribedMoneyShown
    cause: str
    finished_at: str | None
    order_id: str
    provider: str
    reason_code: str | None
    refund_no: str
    replaces: str | None
    requested_at: str | None
    state: str


class PaymentDescribed(TypedDict):
    """The answer to payment.get."""

    attempts: list[PaymentDescribedAttemptShown]
    captured: PaymentDescribedMoneyShown
    expire_at: str
    order_id: str
    order_no: str | None
    payable: PaymentDescribedMoneyShown
    payments: list[PaymentDescribedPaymentShown]
    refunded: PaymentDescribedMoneyShown
    refunds: list[PaymentDescribedRefundShown]
    state: str
    version: int


class PaymentDiscrepancyFound(TypedDict):
    """A statement and our books differ in one capture or refund: it is missing on one side, or amount or currency d…"""

    currency: str
    day: str
    kind: Literal["missing_here", "missing_there", "amount"]
    line: int | None
    movement: Literal["capture", "refund"]
    number: str | None
    order_id: str | None
    ours: int | None
    provider: str
    their_currency: str | None
    theirs: int | None
    trade_no: str


class PaymentDisputed(TypedDict):
    """A buyer disputes `amount` of a capture, or the dispute has ended: won by the merchant, lost, or closed otherw…"""

    amount: int
    currency: str
    dispute_no: str
    due_at: str | None
    intent_id: str | None
    order_id: str
    provider: str
    reason_code: str | None
    state: Literal["opened", "won", "lost", "closed"]
    trade_no: str


class PaymentFailed(TypedDict):
    """An attempt failed."""

    amount: int
    currency: str
    intent_id: str | None
    order_id: str
    provider: str
    reason_code: str | None
    trade_no: str


class PaymentGetActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class PaymentGet(TypedDict):
    """Ask how an order is paid: what was attempted, what came in, what went back."""

    actor: PaymentGetActor
    min_version: NotRequired[int]
    order: str


class PaymentReconcileActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class PaymentReconcile(TypedDict):
    """A provider's whole statement of one day."""

    actor: PaymentReconcileActor
    content: str
    day: str
    provider: str
    request_id: str


class PaymentReconciled(TypedDict):
    """A statement was compared with our books."""

    day: str
    differences: int
    matched: int
    provider: str
    rows: int


class PaymentReleased(TypedDict):
    """A part of an authorised amount will not be captured, because the order does not want it any more."""

    amount: int
    cause: str
    currency: str
    order_id: str
    provider: str
    refund_no: str
    trade_no: str


class PaymentResult(TypedDict):
    """A payment result from the shop's payment adapter. (provider, trade_no, kind) identifies it for ever."""

    amount: int
    currency: str
    intent_id: NotRequired[str | None]
    kind: Literal["captured", "failed"]
    occurred_at: str
    order_id: str
    provider: str
    reason: NotRequired[str | None]
    reason_code: NotRequired[str | None]
    trade_no: str


class PaymentStartActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class PaymentStart(TypedDict):
    """The buyer wants to pay now: open an attempt at a provider. payment.started has what the client needs."""

    actor: PaymentStartActor
    amount: int
    client_ip: NotRequired[str | None]
    currency: str
    intent_id: NotRequired[str | None]
    order_id: str
    payer: NotRequired[str | None]
    provider: str
    request_id: str
    return_url: NotRequired[str | None]
    scene: str


class PaymentStarted(TypedDict):
    """An attempt is open."""

    amount: int
    attempt_id: str
    currency: str
    fields: dict[str, Any]
    intent_id: str
    kind: Literal["redirect", "qr", "form", "app"]
    order_id: str
    out_trade_no: str
    pay_before: str
    provider: str
    scene: str
    url: str | None


class PaymentVoided(TypedDict):
    """An authorisation has ended: none of its money was captured, or will be."""

    amount: int
    currency: str
    intent_id: str | None
    order_id: str
    provider: str
    reason_code: str | None
    trade_no: str


class PlanForecastActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class PlanForecast(TypedDict):
    """Ask how much of a SKU will be sold in each of the next periods, or how a `series` of demands goes on."""

    actor: PlanForecastActor
    alpha: NotRequired[str | None]
    first_forecast: NotRequired[str | None]
    horizon: NotRequired[int]
    period: NotRequired[str]
    periods: NotRequired[int]
    series: NotRequired[list[int]]
    sku_id: NotRequired[str | None]
    warehouse: NotRequired[str | None]


class PlanForecastShownDemandPoint(TypedDict):
    """A past period: what was sold, and what the forecast for it was."""

    forecast: str
    starts_on: str | None
    units: int


class PlanForecastShownForecastPoint(TypedDict):
    """A period to come."""

    forecast: str
    starts_on: str | None


class PlanForecastShown(TypedDict):
    """The answer to plan.forecast."""

    alpha: str
    forecast: list[PlanForecastShownForecastPoint]
    history: list[PlanForecastShownDemandPoint]
    mean_absolute_error: str
    period: str
    root_mean_square_error: str
    sku_id: str | None
    time_zone: str


class PlanPriceActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class PlanPricePricePoint(TypedDict):
    """Units that were sold in a period at a price in minor units."""

    price: int
    units: int


class PlanPrice(TypedDict):
    """Ask at which price a SKU earns most in a period, by a line through what was sold at which price."""

    actor: PlanPriceActor
    at_prices: NotRequired[list[int]]
    currency: str
    period: NotRequired[str]
    periods: NotRequired[int]
    points: NotRequired[list[PlanPricePricePoint]]
    price_max: NotRequired[int | None]
    price_min: NotRequired[int | None]
    sku_id: NotRequired[str | None]
    warehouse: NotRequired[str | None]


class PlanPriceShownMoneyShown(TypedDict):
    """An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY."""

    currency: str
    minor: int
    text: str


class PlanPriceShownPricePrediction(TypedDict):
    """What would be sold and earned in a period at a price, by the line."""

    price: PlanPriceShownMoneyShown
    revenue: PlanPriceShownMoneyShown
    units: str


class PlanPriceShownPricedDemand(TypedDict):
    """What was sold in a period, and its mean price in minor units with four digits."""

    price: str
    starts_on: str | None
    units: int


class PlanPriceShown(TypedDict):
    """The answer to plan.price: units = beta0 + beta1 x price in minor units, and the price that earns most."""

    best: PlanPriceShownPricePrediction
    beta0: str
    beta1: str
    currency: str
    flag: str
    history: list[PlanPriceShownPricedDemand]
    period: str
    predictions: list[PlanPriceShownPricePrediction]
    r_squared: str
    sku_id: str | None
    time_zone: str


class PlanReorderActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class PlanReorder(TypedDict):
    """Ask whether to order more of a SKU, and how much."""

    actor: PlanReorderActor
    alpha: NotRequired[str | None]
    available: NotRequired[int | None]
    currency: str
    holding_cost: int
    lead_time_days: int
    on_order: NotRequired[int]
    order_cost: int
    period: NotRequired[str]
    periods: NotRequired[int]
    service_level: NotRequired[str]
    sku_id: str
    warehouse: NotRequired[str | None]


class PlanReorderShownMoneyShown(TypedDict):
    """An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY."""

    currency: str
    minor: int
    text: str


class PlanReorderShown(TypedDict):
    """The answer to plan.reorder: order `suggested` units now, which are whole lots; 0 is none."""

    alpha: str
    annual_demand: str
    available: int
    economic_quantity: str
    forecast: str
    lead_time_demand: str
    lot: int
    on_order: int
    period: str
    reorder_point: int
    safety_stock: int
    sku_id: str
    suggested: int
    time_zone: str
    warehouse: str | None
    yearly_cost: PlanReorderShownMoneyShown


class PointsAdjustActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class PointsAdjust(TypedDict):
    """An operator corrects a user's points: by `points` up, or down if they are below 0."""

    actor: PointsAdjustActor
    points: int
    reason: str
    reason_code: str
    request_id: str
    user_id: str


class PointsChanged(TypedDict):
    """One entry of a user's points ledger, and the account after it."""

    balance: int
    growth: int
    held: int
    op: Literal["grant", "hold", "use", "release", "return", "reclaim", "award", "revoke", "restore", "add", "deduct"]
    order_id: str | None
    points: int
    reason_code: str | None
    user_id: str


class PointsGetActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class PointsGet(TypedDict):
    """Ask how many points a user has, and for the newest changes."""

    actor: PointsGetActor
    user_id: str


class PointsGrant(TypedDict):
    """Give a user points outside of orders."""

    points: int
    reason: str
    request_id: str
    user_id: str


class PointsShownPointsEntry(TypedDict):
    """One change of a user's points, with its cause: `ref`, and the order if one caused it."""

    at: str
    growth: int
    op: str
    order_id: str | None
    points: int
    ref: str


class PointsShown(TypedDict):
    """The answer to points.get."""

    balance: int
    entries: list[PointsShownPointsEntry]
    growth: int
    held: int
    level: str | None
    user_id: str


class PromotionChanged(TypedDict):
    """The promotion has the terms of this revision."""

    promo_id: str
    revision: int


class PromotionUnchanged(TypedDict):
    """The revision is not above the stored one."""

    current_revision: int
    promo_id: str
    revision: int


class PromotionUpsertLadderStep(TypedDict):
    """From `count` units on, buyers pay this part of the price: 7500 basis points are 75 % (7.5 折)."""

    count: int
    pay_basis_points: int


class PromotionUpsertReductionStep(TypedDict):
    """From an amount of `full` on, buyers pay `reduce` less; both in minor units."""

    full: int
    reduce: int


class PromotionUpsert(TypedDict):
    """Set a promotion."""

    currency: str
    ends_at: str
    kind: Literal["none", "single", "member", "ladder", "full_reduction", "flash"]
    member_prices: NotRequired[dict[str, Any]]
    name: str
    per_user_limit: NotRequired[int | None]
    prices: NotRequired[dict[str, Any]]
    promo_id: str
    quantity: NotRequired[int | None]
    revision: int
    scope: Literal["spu", "category", "all"]
    scope_id: NotRequired[str | None]
    starts_at: str
    steps: NotRequired[list[PromotionUpsertLadderStep | PromotionUpsertReductionStep]]


class QueryRejected(TypedDict):
    """The reply to a query that we cannot read, that its sender may not send, or that failed here."""

    code: str
    message: str
    path: str | None


class RefundFailed(TypedDict):
    """The provider refused the refund."""

    amount: int
    cause: str
    currency: str
    order_id: str
    provider: str
    reason_code: str | None
    refund_no: str
    trade_no: str


class RefundRequestActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class RefundRequest(TypedDict):
    """An operator refunds money, never more than is captured and not yet refunded."""

    actor: RefundRequestActor
    amount: int
    order_id: str
    reason: NotRequired[str | None]
    reason_code: NotRequired[str | None]
    refund_no: NotRequired[str | None]
    replaces: NotRequired[str | None]
    request_id: str


class RefundRequested(TypedDict):
    """Money is owed."""

    amount: int
    cause: str
    currency: str
    order_id: str
    provider: str
    refund_no: str
    replaces: str | None
    trade_no: str


class RefundResult(TypedDict):
    """The result of a refund."""

    amount: int
    currency: str
    occurred_at: str
    provider: NotRequired[str | None]
    reason: NotRequired[str | None]
    reason_code: NotRequired[str | None]
    refund_no: str
    status: Literal["succeeded", "failed"]
    trade_no: NotRequired[str | None]


class RefundReturned(TypedDict):
    """The money of a reversal came back to the merchant, who won the dispute."""

    amount: int
    cause: str
    currency: str
    order_id: str
    provider: str
    refund_no: str
    trade_no: str


class RefundSucceeded(TypedDict):
    """The provider has refunded the money."""

    amount: int
    cause: str
    currency: str
    excess_amount: int
    order_id: str
    provider: str
    refund_no: str
    trade_no: str


class RevisionChanged(TypedDict):
    """The stored revision of an entry was set."""

    id: str
    kind: str
    previous_revision: int
    revision: int


class RevisionReset(TypedDict):
    """Set the stored revision of one entry of the catalogue, so that a message with a revision above it counts agai…"""

    id: str
    kind: Literal["sku", "promotion", "coupon_template", "member", "settings", "warehouses", "warehouse_hours"]
    reason: str
    request_id: str
    revision: int


class RiskRequestedClientFacts(TypedDict):
    """What the client knows about the device and the behaviour of the buyer, for the risk check alone."""

    behaviour_score: int | None
    device_kind: Literal["computer", "phone", "tablet", "other"] | None
    device_known_seconds: int | None
    device_ref: str | None
    network_ref: str | None


class RiskRequested(TypedDict):
    """An order needs a risk check."""

    amount: int
    answer_before: str
    business_type: str
    captcha_answers: int
    captcha_token: str | None
    channel: str
    client: RiskRequestedClientFacts | None
    country: str | None
    currency: str
    order_id: str
    units: int
    user_id: str


class RiskResult(TypedDict):
    """The risk check's verdict about one order."""

    captcha_answers: NotRequired[int | None]
    order_id: str
    reason: NotRequired[str | None]
    verdict: Literal["passed", "held", "rejected", "captcha_required"]


class SendBackRequestedSendBackLine(TypedDict):
    """`qty` units of one line of the order, which go back to the buyer."""

    line_no: int
    qty: int
    sku_id: str


class SendBackRequested(TypedDict):
    """The warehouse is to send them: it answers with after_sale.send_back."""

    case_id: str
    case_no: str
    lines: list[SendBackRequestedSendBackLine]
    order_id: str
    order_no: str | None
    user_id: str
    warehouse: str


class SendBackShippedSendBackLine(TypedDict):
    """`qty` units of one line of the order, which go back to the buyer."""

    line_no: int
    qty: int
    sku_id: str


class SendBackShipped(TypedDict):
    """They are on their way, as a parcel of the case."""

    carrier: str
    case_id: str
    case_no: str
    lines: list[SendBackShippedSendBackLine]
    order_id: str
    order_no: str | None
    shipment_id: str
    tracking_no: str
    user_id: str
    warehouse: str


class SettingsChanged(TypedDict):
    """New orders of the business type follow this revision."""

    business_type: str
    revision: int


class SettingsSetAfterSaleSettings(TypedDict):
    """After-sale rules of one business type."""

    approve_up_to_minor_units: NotRequired[dict[str, Any] | None]
    exchange_ships: NotRequired[Literal["after_inspection", "at_approval"] | None]
    full_refund_closes: NotRequired[bool | None]
    merchant_faults: NotRequired[list[str] | None]
    on_unreviewed: NotRequired[Literal["approve", "reject", "wait"] | None]
    reasons: NotRequired[list[str] | None]
    return_seconds: NotRequired[int | None]
    review_seconds: NotRequired[int | None]
    window_seconds: NotRequired[int | None]


class SettingsSet(TypedDict):
    """Set the rules of new orders of one business type."""

    after_sale: NotRequired[SettingsSetAfterSaleSettings | None]
    allow_coupon: NotRequired[bool | None]
    allow_points: NotRequired[bool | None]
    business_type: str
    cancel_paid: NotRequired[Literal["until_handed_over", "never"] | None]
    capture_on: NotRequired[Literal["payment", "hand_over"] | None]
    complete_on: NotRequired[Literal["receipt", "delivered"] | None]
    deduct_on: NotRequired[Literal["create", "pay", "ship"] | None]
    group_size: NotRequired[int | None]
    group_window_seconds: NotRequired[int | None]
    on_late_payment: NotRequired[Literal["refund", "reinstate_if_stock"] | None]
    on_payment_failure: NotRequired[Literal["keep_open", "cancel"] | None]
    on_shortage: NotRequired[Literal["ship_rest", "ask_then_ship", "ask_then_cancel"] | None]
    payment_window_seconds: NotRequired[int | None]
    rate_limit_orders: NotRequired[int | None]
    rate_limit_window_seconds: NotRequired[int | None]
    revision: int
    ship_cutoff: NotRequired[str | None]
    ship_within_seconds: NotRequired[int | None]
    shortage_window_seconds: NotRequired[int | None]
    units_max_per_line: NotRequired[int | None]


class SettingsUnchanged(TypedDict):
    """The revision is not above the stored one."""

    business_type: str
    current_revision: int
    revision: int


class ShipmentBookShipmentBookLine(TypedDict):
    """`qty` units of one SKU for the parcel."""

    order_id: NotRequired[str | None]
    qty: int
    sku_id: str


class ShipmentBook(TypedDict):
    """A parcel is planned, identified by (carrier, tracking_no) until it has ended."""

    carrier: str
    lines: NotRequired[list[ShipmentBookShipmentBookLine]]
    order_id: str
    order_ids: NotRequired[list[str]]
    tracking_no: str
    warehouse: NotRequired[str | None]


class ShipmentBookedShipmentLine(TypedDict):
    """`qty` units of one SKU of the order."""

    qty: int
    sku_id: str


class ShipmentBooked(TypedDict):
    """A parcel is planned."""

    carrier: str
    lines: list[ShipmentBookedShipmentLine]
    order_id: str
    ship_time: str | None
    shipment_id: str | None
    tracking_no: str


class ShipmentBookingFailed(TypedDict):
    """A parcel cannot be planned: the order does not allow it, or the carrier refuses."""

    carrier: str
    code: str
    details: dict[str, Any]
    order_id: str
    shipment_id: str | None
    tracking_no: str


class ShipmentCreateShipmentBookLine(TypedDict):
    """`qty` units of one SKU for the parcel."""

    order_id: NotRequired[str | None]
    qty: int
    sku_id: str


class ShipmentCreate(TypedDict):
    """Book a parcel at one of the carriers that OMS_CARRIERS names, which gives it its number."""

    carrier: str
    lines: NotRequired[list[ShipmentCreateShipmentBookLine]]
    order_id: str
    order_ids: NotRequired[list[str]]
    request_id: str
    warehouse: NotRequired[str | None]


class ShipmentUpdate(TypedDict):
    """One carrier fact, identified by (carrier, tracking_no, event_id)."""

    carrier: str
    event_id: str
    occurred_at: str
    order_id: NotRequired[str | None]
    place: NotRequired[str | None]
    status: Literal["outbound", "picked_up", "in_transit", "out_for_delivery", "delivered", "delayed", "refused", "undeliverable", "lost", "returning", "returned", "loss_confirmed"]
    tracking_no: str


class ShipmentUpdated(TypedDict):
    """A carrier fact moved a parcel, or marked it as delayed."""

    after_delivery: bool
    carrier: str
    case_id: str | None
    delayed: bool
    order_id: str
    previous: str
    shipment_id: str | None
    status: str
    to_buyer: bool
    tracking_no: str


class SkuChanged(TypedDict):
    """The SKU has the values of this revision."""

    revision: int
    sku_id: str


class SkuUnchanged(TypedDict):
    """The revision is not above the stored one."""

    current_revision: int
    revision: int
    sku_id: str


class SkuUpsert(TypedDict):
    """Set a SKU: name, price in minor units, whether it is on sale."""

    category_id: NotRequired[str | None]
    currency: str
    gift_growth: NotRequired[int]
    gift_points: NotRequired[int]
    image_url: NotRequired[str | None]
    name: str
    points_limit: NotRequired[int | None]
    price: int
    product_type: NotRequired[str]
    purchase_price: NotRequired[int | None]
    revision: int
    seller_id: NotRequired[str | None]
    sku_id: str
    specs: NotRequired[dict[str, Any]]
    spu_id: str
    status: Literal["on_sale", "off_sale"]
    tax_class: NotRequired[str | None]
    unit: NotRequired[str | None]


class StockAdjust(TypedDict):
    """Correct a counter after a stock-take."""

    delta: int
    reason: str
    request_id: str
    sku_id: str
    warehouse: str


class StockAdjusted(TypedDict):
    """A correction is written."""

    delta: int
    locked: int
    on_hand: int
    quarantined: int
    request_id: str
    sku_id: str
    warehouse: str


class StockDiscrepancy(TypedDict):
    """The holder's state does not allow a stock message."""

    details: dict[str, Any]
    holder_id: str
    op: str
    state: str


class StockEndQuarantine(TypedDict):
    """The warehouse has decided about units in quarantine: they are sold again, or written off."""

    outcome: Literal["sellable", "written_off"]
    qty: int
    reason_code: str
    request_id: str
    sku_id: str
    warehouse: str


class StockGetActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class StockGet(TypedDict):
    """Ask how much of some SKUs each warehouse has."""

    actor: StockGetActor
    sku_ids: list[str]


class StockLow(TypedDict):
    """The units that can be sold there fell to the threshold or below: announced again once they rose."""

    sellable: int
    sku_id: str
    threshold: int
    warehouse: str


class StockQuarantineEnded(TypedDict):
    """These units are not in quarantine any more: they are on hand, or gone for good."""

    locked: int
    on_hand: int
    outcome: str
    qty: int
    quarantined: int
    reason_code: str
    request_id: str
    sku_id: str
    warehouse: str


class StockReceive(TypedDict):
    """Goods arrived in a warehouse."""

    qty: int
    ref: str
    sku_id: str
    warehouse: str


class StockReceived(TypedDict):
    """Received goods are on hand."""

    locked: int
    on_hand: int
    qty: int
    quarantined: int
    ref: str
    sku_id: str
    warehouse: str


class StockShownStockOfSku(TypedDict):
    """What a warehouse has of a SKU: `available` is what is on hand and not locked for an order."""

    available: int
    locked: int | None
    on_hand: int | None
    quarantined: int | None
    sku_id: str
    threshold: int | None
    warehouse: str


class StockShown(TypedDict):
    """The answer to stock.get, by SKU and warehouse."""

    stock: list[StockShownStockOfSku]


class StockSoldOut(TypedDict):
    """The last unit that could be sold there is locked or gone."""

    sku_id: str
    warehouse: str


class StockThresholdSet(TypedDict):
    """Announce stock.low when so few units of the SKU can be sold there, 0: never. null: as the shop's setting says."""

    request_id: str
    sku_id: str
    units: int | None
    warehouse: str


class StockThresholdChanged(TypedDict):
    """The threshold of the SKU in this warehouse; null stands for the shop's."""

    request_id: str
    sku_id: str
    units: int | None
    warehouse: str


class StockTransferTransferLine(TypedDict):
    """`qty` units of one SKU."""

    qty: int
    sku_id: str


class StockTransfer(TypedDict):
    """Goods moved from one warehouse to another: all lines are booked or none."""

    lines: list[StockTransferTransferLine]
    request_id: str
    to_warehouse: str
    warehouse: str


class StockTransferredTransferredSku(TypedDict):
    """Units of one SKU that moved, and what is on hand now in the warehouse that they left and in the other one."""

    on_hand: int
    qty: int
    sku_id: str
    to_on_hand: int


class StockTransferred(TypedDict):
    """These units are in the other warehouse."""

    lines: list[StockTransferredTransferredSku]
    request_id: str
    to_warehouse: str
    warehouse: str


class SubjectEraseActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class SubjectErase(TypedDict):
    """Make everything that a user entered or that names the user unreadable."""

    actor: SubjectEraseActor
    reason_code: NotRequired[str | None]
    request_id: str
    user_id: str


class SubjectErased(TypedDict):
    """The user's data key and everything under it are gone."""

    orders: int
    reason_code: str | None
    user_id: str


class SubjectExportActor(TypedDict):
    """On whose behalf a command comes."""

    id: str
    type: Literal["user", "operator", "system"]


class SubjectExport(TypedDict):
    """Ask for everything that is kept about a user, in clear, part by part."""

    actor: SubjectExportActor
    cursor: NotRequired[str | None]
    user_id: str


class SubjectExported(TypedDict):
    """One part: table -> rows as they are stored, with what is encrypted in clear."""

    data: dict[str, Any]
    next: str | None
    user_id: str


class WarehouseHoursChanged(TypedDict):
    """New orders from the warehouse are promised by the hours of this revision."""

    revision: int
    warehouse: str


class WarehouseHoursSet(TypedDict):
    """Say when a warehouse works: in its time zone, on these days of the week, but not on holidays."""

    holidays: NotRequired[list[str]]
    revision: int
    ship_cutoff: NotRequired[str]
    time_zone: str
    warehouse: str
    working_days: list[Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]]


class WarehouseHoursUnchanged(TypedDict):
    """The revision is not above the stored one."""

    current_revision: int
    revision: int
    warehouse: str


class WarehousesChanged(TypedDict):
    """New orders come from the warehouses of this revision."""

    country: str
    province: str
    revision: int
    sku_id: str


class WarehousesSet(TypedDict):
    """Say from which warehouses an order line comes that names none, the best first."""

    country: NotRequired[str]
    province: NotRequired[str]
    revision: int
    sku_id: NotRequired[str]
    warehouses: list[str]


class WarehousesUnchanged(TypedDict):
    """The revision is not above the stored one."""

    country: str
    current_revision: int
    province: str
    revision: int
    sku_id: str
