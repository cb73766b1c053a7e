"""After-sale cases: their states, and the one table of the steps between them (S0-16).

A case is about units of one order that have left the warehouse. It changes only while its order is locked. A step that
is not in CASE_TRANSITIONS is refused and writes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from workers.domain.book import Who

C = TypeVar("C")
"""The cause of a step, such as a message."""


class CaseType(StrEnum):
    """What the buyer wants: money for goods that stay, money for goods that come back, or other goods for them."""

    REFUND_ONLY = "refund_only"
    RETURN_REFUND = "return_refund"
    EXCHANGE = "exchange"


class CaseSource(StrEnum):
    """Who opened a case: the buyer, customer service, the shop by itself, or a warehouse that got goods back (S3)."""

    USER = "user"
    CUSTOMER_SERVICE = "customer_service"
    SYSTEM = "system"
    FULFILMENT = "fulfilment"


class CaseState(StrEnum):
    """The states of a case, from the application to one of its ends."""

    REQUESTED = "requested"
    REOPENED = "reopened"
    APPROVED = "approved"
    REJECTED = "rejected"
    REVOKED = "revoked"
    AWAITING_RETURN = "awaiting_return"
    RETURN_IN_TRANSIT = "return_in_transit"
    RECEIVED = "received"
    INSPECTING = "inspecting"
    INSPECT_PASSED = "inspect_passed"
    INSPECT_FAILED = "inspect_failed"
    RESHIPPING = "reshipping"
    REFUNDING = "refunding"
    REFUND_FAILED = "refund_failed"
    COMPLETED = "completed"
    CLOSED = "closed"
    UNRETURNED = "unreturned"


class CaseTrigger(StrEnum):
    """The causes of a case's steps."""

    APPLIED = "applied"
    APPROVED = "approved"
    REJECTED = "rejected"
    REVOKED = "revoked"
    REOPENED = "reopened"
    RETURN_AWAITED = "return_awaited"
    SHIPPED_BACK = "shipped_back"
    RECEIVED = "received"
    INSPECTION_BEGAN = "inspection_began"
    INSPECTION_PASSED = "inspection_passed"
    INSPECTION_FAILED = "inspection_failed"
    REFUND_OPENED = "refund_opened"
    REFUND_FAILED = "refund_failed"
    REFUND_SUCCEEDED = "refund_succeeded"
    RETURN_EXPIRED = "return_expired"
    STOCK_REFUSED = "stock_refused"
    RESHIPPED = "reshipped"
    REPLACED = "replaced"
    CLOSED = "closed"
    NOT_RETURNED = "not_returned"


ENDED = frozenset({CaseState.COMPLETED, CaseState.REJECTED, CaseState.REVOKED, CaseState.CLOSED, CaseState.UNRETURNED})
"""A case in one of these waits for nobody. A rejected one can be reopened.

The buyer of an unreturned one has other goods for some that the shop has not got back, and owes their money. It goes on
if they come after all, and is closed once that is settled.
"""
IN_REVIEW = frozenset({CaseState.REQUESTED, CaseState.REOPENED})
AT_WAREHOUSE = frozenset({CaseState.RECEIVED, CaseState.INSPECTING})

S, T = CaseState, CaseTrigger
ALL = frozenset(CaseType)
RETURNS = frozenset({CaseType.RETURN_REFUND, CaseType.EXCHANGE})
EXCHANGES = frozenset({CaseType.EXCHANGE})


@dataclass(frozen=True)
class CaseTransition:
    """The state to which a step leads, and the types of cases that take it."""

    to: CaseState
    types: frozenset[CaseType] = ALL


CASE_TRANSITIONS: dict[tuple[CaseState, CaseTrigger], CaseTransition] = {
    **{(state, T.APPROVED): CaseTransition(S.APPROVED) for state in IN_REVIEW},
    **{(state, T.REJECTED): CaseTransition(S.REJECTED) for state in IN_REVIEW},
    **{(state, T.REVOKED): CaseTransition(S.REVOKED) for state in IN_REVIEW},
    (S.REJECTED, T.REOPENED): CaseTransition(S.REOPENED),
    (S.APPROVED, T.REFUND_OPENED): CaseTransition(S.REFUNDING, frozenset({CaseType.REFUND_ONLY})),
    (S.APPROVED, T.RETURN_AWAITED): CaseTransition(S.AWAITING_RETURN, RETURNS),
    (S.APPROVED, T.SHIPPED_BACK): CaseTransition(S.RETURN_IN_TRANSIT, RETURNS),
    (S.APPROVED, T.STOCK_REFUSED): CaseTransition(S.REJECTED, EXCHANGES),
    (S.APPROVED, T.RECEIVED): CaseTransition(S.RECEIVED, RETURNS),
    (S.AWAITING_RETURN, T.REVOKED): CaseTransition(S.REVOKED, RETURNS),
    (S.AWAITING_RETURN, T.SHIPPED_BACK): CaseTransition(S.RETURN_IN_TRANSIT, RETURNS),
    (S.AWAITING_RETURN, T.RECEIVED): CaseTransition(S.RECEIVED, RETURNS),
    (S.AWAITING_RETURN, T.RETURN_EXPIRED): CaseTransition(S.CLOSED, RETURNS),
    (S.AWAITING_RETURN, T.CLOSED): CaseTransition(S.CLOSED, RETURNS),
    (S.RETURN_IN_TRANSIT, T.RECEIVED): CaseTransition(S.RECEIVED, RETURNS),
    (S.RETURN_IN_TRANSIT, T.INSPECTION_PASSED): CaseTransition(S.INSPECT_PASSED, RETURNS),
    (S.RETURN_IN_TRANSIT, T.CLOSED): CaseTransition(S.CLOSED, RETURNS),
    **{(state, T.INSPECTION_BEGAN): CaseTransition(S.INSPECTING, RETURNS) for state in AT_WAREHOUSE},
    **{(state, T.INSPECTION_PASSED): CaseTransition(S.INSPECT_PASSED, RETURNS) for state in AT_WAREHOUSE},
    **{(state, T.INSPECTION_FAILED): CaseTransition(S.INSPECT_FAILED, RETURNS) for state in AT_WAREHOUSE},
    (S.INSPECT_PASSED, T.REFUND_OPENED): CaseTransition(S.REFUNDING, RETURNS),
    (S.INSPECT_FAILED, T.REFUND_OPENED): CaseTransition(S.REFUNDING, RETURNS),
    (S.INSPECT_FAILED, T.CLOSED): CaseTransition(S.CLOSED, RETURNS),
    (S.INSPECT_PASSED, T.RESHIPPED): CaseTransition(S.RESHIPPING, EXCHANGES),
    (S.RESHIPPING, T.REPLACED): CaseTransition(S.COMPLETED, EXCHANGES),
    (S.RESHIPPING, T.REFUND_OPENED): CaseTransition(S.REFUNDING, EXCHANGES),
    (S.REFUNDING, T.REFUND_SUCCEEDED): CaseTransition(S.COMPLETED),
    (S.REFUNDING, T.REFUND_FAILED): CaseTransition(S.REFUND_FAILED),
    (S.REFUND_FAILED, T.REFUND_OPENED): CaseTransition(S.REFUNDING),
    (S.REFUND_FAILED, T.REFUND_SUCCEEDED): CaseTransition(S.COMPLETED),
    (S.REFUND_FAILED, T.CLOSED): CaseTransition(S.CLOSED),
    (S.CLOSED, T.REFUND_SUCCEEDED): CaseTransition(S.COMPLETED),
    (S.COMPLETED, T.REFUND_OPENED): CaseTransition(S.REFUNDING),
    **{
        (state, T.NOT_RETURNED): CaseTransition(S.UNRETURNED, EXCHANGES)
        for state in (S.AWAITING_RETURN, S.RETURN_IN_TRANSIT, S.INSPECT_FAILED, S.RESHIPPING, S.UNRETURNED)
    },
    (S.UNRETURNED, T.SHIPPED_BACK): CaseTransition(S.RETURN_IN_TRANSIT, EXCHANGES),
    (S.UNRETURNED, T.RECEIVED): CaseTransition(S.RECEIVED, EXCHANGES),
    (S.UNRETURNED, T.CLOSED): CaseTransition(S.CLOSED, EXCHANGES),
}
"""A refund that was reported as failed may succeed after its case was closed: then the money is gone, and it counts.

A case that a released part completed has a refund after all if the provider captured that part.
"""
CASE_STEPS: frozenset[tuple[str, str, str, str]] = frozenset(
    {("", T.APPLIED, S.REQUESTED, kind) for kind in ALL}
    | {(state, trigger, step.to, kind) for (state, trigger), step in CASE_TRANSITIONS.items() for kind in step.types}
)
"""Every (state before, trigger, state after, type) that the steps of a case may have."""


@dataclass(frozen=True)
class CaseLine:
    """The units of one line of the order in a case.

    Inspected units are accepted or refused. `refunded_qty` units were given back by this case; they are in the line's
    own `refunded_qty`, too. For `replaced_qty` units other goods were sent, of the SKU `wanted_sku_id`. `sending_qty`
    units are to go back to the buyer; `sent_qty` of them have left the warehouse.

    The newest exchange order has `exchange_qty` units for this line. They count for `exchange_value`, of which
    `exchange_credit` pays for the other goods, in minor units. `lost_qty` of these never arrived, or came back.
    """

    line_no: int
    qty: int
    accepted_qty: int = 0
    refused_qty: int = 0
    refunded_qty: int = 0
    replaced_qty: int = 0
    wanted_sku_id: str | None = None
    sending_qty: int = 0
    sent_qty: int = 0
    exchange_qty: int = 0
    exchange_value: int = 0
    exchange_credit: int = 0
    lost_qty: int = 0

    @property
    def settled(self) -> int:
        """The units that the buyer has not got back from an ended case: paid for, replaced, or at the warehouse."""
        return self.refunded_qty + self.replaced_qty + max(self.sending_qty, self.refused_qty) - self.sent_qty

    @property
    def uninspected(self) -> int:
        """The units that the warehouse has not inspected."""
        return self.qty - self.accepted_qty - self.refused_qty


@dataclass(frozen=True)
class AfterSaleCase:
    """One case of one order, as its rows hold it. Amounts are minor units of the order's currency.

    `granted_amount` is what the reviewer set in place of our computation. `refund_amount` is what was requested from
    the provider. `processed_at` is the last review, `completed_at` the end. `received_at` is when its goods came back
    to the warehouse. `parcel_id` is the parcel of the order that came back without a case. `balance_amount` is what an
    exchange leaves once its goods are out: above 0 it has gone back to the buyer, below 0 the buyer owes it.
    """

    id: int
    case_no: str
    order_id: int
    type: CaseType
    source: CaseSource
    reason_code: str
    merchant_fault: bool
    requested_at: datetime
    state: CaseState = CaseState.REQUESTED
    version: int = 1
    lines: tuple[CaseLine, ...] = ()
    evidence: tuple[str, ...] = ()
    granted_amount: int | None = None
    refund_amount: int | None = None
    carrier: str | None = None
    tracking_no: str | None = None
    processed_at: datetime | None = None
    completed_at: datetime | None = None
    received_at: datetime | None = None
    parcel_id: int | None = None
    balance_amount: int | None = None

    def allows(self, trigger: CaseTrigger) -> bool:
        """True if CASE_TRANSITIONS has this step for a case of this type.

        Goods that are at the warehouse do not arrive once more: those of an unreturned case were refused.
        """
        transition = CASE_TRANSITIONS.get((self.state, trigger))
        arrived = self.state is S.UNRETURNED and self.received_at is not None
        if arrived and trigger in (CaseTrigger.SHIPPED_BACK, CaseTrigger.RECEIVED):
            return False
        return transition is not None and self.type in transition.types

    @property
    def ended(self) -> bool:
        """True if the case waits for nobody."""
        return self.state in ENDED

    @property
    def sends_back(self) -> bool:
        """True if a warehouse has to send goods of the case back to the buyer, and has not."""
        return any(line.sending_qty > line.sent_qty for line in self.lines)

    @property
    def owed_amount(self) -> int:
        """What the buyer owes, in minor units."""
        return max(0, -(self.balance_amount or 0))

    def claims(self, line_no: int) -> int:
        """The units of a line that no other case may name: all of a live case, of an ended one those it settled.

        The buyer has other goods for the units of an unreturned case, and cannot claim any more for them.
        """
        lines = [line for line in self.lines if line.line_no == line_no]
        return sum(line.settled if self.ended and self.state is not S.UNRETURNED else line.qty for line in lines)

    def become(self, trigger: CaseTrigger, at: datetime, **changes: object) -> "AfterSaleCase":
        """The case after the step, with `changes`. The caller must check `allows` first: another step is its defect."""
        assert self.allows(trigger), f"a case of type {self.type} that is {self.state} does not allow {trigger}"
        state = CASE_TRANSITIONS[self.state, trigger].to
        reviewed = trigger in (CaseTrigger.APPROVED, CaseTrigger.REJECTED)
        at = max(at, self.processed_at or self.requested_at)
        fields: dict[str, object] = {
            "state": state,
            "version": self.version + 1,
            "processed_at": at if reviewed else self.processed_at,
            "completed_at": at if state in ENDED else None,
            "balance_amount": None if self.state is S.UNRETURNED and state not in ENDED else self.balance_amount,
            "received_at": at if trigger is CaseTrigger.RECEIVED and self.received_at is None else self.received_at,
        }
        return replace(self, **(fields | changes))  # type: ignore[arg-type]


@dataclass(frozen=True)
class CaseStep(Generic[C]):
    """One step: the case after it, the state before it (empty for a new case), its cause and its actor."""

    case: AfterSaleCase
    previous: str
    trigger: CaseTrigger
    because: C
    who: Who
    at: datetime
    reason_code: str | None = None


class CaseBook(Generic[C]):
    """The cases of the locked orders of a batch while they change, and the steps that they take in it."""

    def __init__(self, cases: Iterable[AfterSaleCase]) -> None:
        self.before: Mapping[int, AfterSaleCase] = {case.id: case for case in cases}
        self.after: dict[int, AfterSaleCase] = dict(self.before)
        self.steps: list[CaseStep[C]] = []

    def __getitem__(self, case_id: int) -> AfterSaleCase:
        return self.after[case_id]

    def get(self, case_id: int) -> AfterSaleCase | None:
        """The case as it is now, or None if no locked order has such a case."""
        return self.after.get(case_id)

    def of(self, order_id: int) -> list[AfterSaleCase]:
        """The cases of an order, the oldest first."""
        return sorted((case for case in self.after.values() if case.order_id == order_id), key=lambda case: case.id)

    def open(self, case: AfterSaleCase, *, because: C, who: Who, at: datetime) -> CaseStep[C]:
        """Add a new case."""
        self.after[case.id] = case
        return self._log(CaseStep(case, "", CaseTrigger.APPLIED, because, who, at, case.reason_code))

    def move(
        self,
        case_id: int,
        trigger: CaseTrigger,
        *,
        because: C,
        who: Who,
        at: datetime,
        reason_code: str | None = None,
        **changes: object,
    ) -> CaseStep[C]:
        """Take one step with one case. `changes` are further fields that the step sets."""
        before = self.after[case_id]
        after = self.after[case_id] = before.become(trigger, at, **changes)
        return self._log(CaseStep(after, before.state, trigger, because, who, at, reason_code))

    def amend(self, case_id: int, **changes: object) -> None:
        """Change fields without a step."""
        self.after[case_id] = replace(self.after[case_id], **changes)  # type: ignore[arg-type]

    @property
    def changed(self) -> list[AfterSaleCase]:
        """The cases that are new or changed and must be written, sorted by id."""
        return [case for key, case in sorted(self.after.items()) if case != self.before.get(key)]

    def _log(self, step: CaseStep[C]) -> CaseStep[C]:
        self.steps.append(step)
        return step
