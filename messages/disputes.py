"""dispute.*: what the shop answers to a buyer's dispute at a provider, and until when it has to."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from messages.after_sales import EVIDENCE_SCHEMA_MAX, Reference
from messages.base import (
    Actor,
    Command,
    Event,
    ExternalId,
    FreeText,
    Internal,
    Moment,
    Name,
    OrderId,
    Quantity,
    ReasonCode,
    RequestId,
)
from messages.roles import Role


class DisputeSubmitEvidence(Command):
    """An operator submits something at the provider against a dispute, such as a proof of delivery, or records that.

    With `to_provider` we give `description` to the provider, with the numbers of the parcels that left (PayPal and
    Stripe take it; Stripe once for a dispute). Without it, the operator has submitted it on the provider's own page.
    `evidence` names photos and documents, which we keep as references: they can be given on that page alone.
    """

    TYPE: ClassVar[str] = "dispute.submit_evidence.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    SCOPE: ClassVar[str] = "dispute.submit_evidence:{provider}:{dispute_no}"
    request_id: RequestId
    actor: Actor
    provider: Name
    dispute_no: ExternalId
    evidence: Annotated[tuple[Reference, ...], Field(max_length=EVIDENCE_SCHEMA_MAX)] = ()
    description: FreeText | None = None
    to_provider: bool = False


class DisputeEvidenceSubmitted(Event):
    """The submission `number` of a dispute is recorded, with so many `references`, which are never announced.

    `order_ids` are the orders that the disputed capture paid. With `to_provider` dispute.evidence_answered follows.
    """

    TYPE: ClassVar[str] = "dispute.evidence_submitted.v1"
    provider: str
    dispute_no: str
    trade_no: str
    order_ids: tuple[OrderId, ...]
    number: int
    references: int
    to_provider: bool = False
    due_at: Moment | None


class DisputeEvidenceObserved(Internal):
    """The provider's answer to the submission `number` of a dispute."""

    TYPE: ClassVar[str] = "dispute.evidence_observed.v1"
    provider: Name
    dispute_no: ExternalId
    number: Quantity
    state: Literal["accepted", "refused"]
    reason_code: ReasonCode | None = None


class DisputeEvidenceAnswered(Event):
    """The provider accepted the submission `number` of a dispute that we gave it, or refused it.

    After a refusal an alert asks a person to answer on the provider's own page.
    """

    TYPE: ClassVar[str] = "dispute.evidence_answered.v1"
    provider: str
    dispute_no: str
    trade_no: str
    order_ids: tuple[OrderId, ...]
    number: int
    state: Literal["accepted", "refused"]
    reason_code: str | None


class DisputeDue(Internal):
    """A dispute has to be answered soon, if the timer's row says so."""

    TYPE: ClassVar[str] = "dispute.due.v1"
    dispute_id: OrderId


TAKEN = (DisputeSubmitEvidence, DisputeEvidenceObserved, DisputeDue)
