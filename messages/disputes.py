"""dispute.*: what the shop answers to a buyer's dispute at a provider, and until when it has to."""

from typing import Annotated, ClassVar

from pydantic import Field

from messages.after_sales import EVIDENCE_SCHEMA_MAX, Reference
from messages.base import Actor, Command, Event, ExternalId, FreeText, Internal, Moment, Name, OrderId, RequestId
from messages.roles import Role


class DisputeSubmitEvidence(Command):
    """An operator records what the shop has submitted at the provider against a dispute, such as a proof of delivery.

    Providers take evidence on their own pages: submit it there, and record it here. `evidence` names photos and
    documents, which we keep as references; `description` says what they show.
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


class DisputeEvidenceSubmitted(Event):
    """The submission `number` of a dispute is recorded, with so many `references`, which are never announced.

    `order_ids` are the orders that the disputed capture paid.
    """

    TYPE: ClassVar[str] = "dispute.evidence_submitted.v1"
    provider: str
    dispute_no: str
    trade_no: str
    order_ids: tuple[OrderId, ...]
    number: int
    references: int
    due_at: Moment | None


class DisputeDue(Internal):
    """A dispute has to be answered soon, if the timer's row says so."""

    TYPE: ClassVar[str] = "dispute.due.v1"
    dispute_id: OrderId


TAKEN = (DisputeSubmitEvidence, DisputeDue)
