"""Queries about buyers' disputes, and their replies. Operators alone ask: buyers know theirs from the provider."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from messages.base import Actor, AnyInt, ExternalId, Moment, MoneyShown, Name, OrderId, Part, Query, Reply
from messages.roles import Role

PAGE_MAX_DISPUTES = 100
DISPUTE_STATES_MAX = 10


class DisputeGet(Query):
    """Ask for everything about a dispute, by the number that its provider gave it. Without `provider`, of any."""

    TYPE: ClassVar[str] = "dispute.get.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    actor: Actor
    dispute_no: ExternalId
    provider: Name | None = None


class DisputeList(Query):
    """Ask for a page of disputes.

    `sort` is newest, those whose state changed last first, or due: only those with a date until which to answer, the
    nearest date first.
    """

    TYPE: ClassVar[str] = "dispute.list.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    actor: Actor
    states: Annotated[tuple[ExternalId, ...], Field(max_length=DISPUTE_STATES_MAX)] = ()
    order: ExternalId | None = None
    due_before: Moment | None = None
    sort: Literal["newest", "due"] = "newest"
    limit: AnyInt = 20
    cursor: ExternalId | None = None


class DisputeOfPayment(Part):
    """A dispute about a payment, as order.get shows it, and when its provider got evidence from us (`submitted`).

    A buyer sees neither that nor `due_at`.
    """

    dispute_no: str
    state: str
    amount: MoneyShown
    reason_code: str | None
    occurred_at: Moment
    due_at: Moment | None
    submitted: tuple[Moment, ...]


class DisputeSummary(Part):
    """One dispute in a list. It came into its state at `occurred_at`, as the provider says.

    `submissions` counts how often evidence was submitted, and `order_ids` are the orders that the capture paid.
    """

    dispute_id: OrderId
    provider: str
    dispute_no: str
    trade_no: str
    order_ids: tuple[OrderId, ...]
    state: str
    amount: MoneyShown
    reason_code: str | None
    occurred_at: Moment
    recorded_at: Moment
    due_at: Moment | None
    submissions: int


class EvidenceShown(Part):
    """One submission: references to what the shop keeps, and what was `written` with it, its phone numbers masked.

    `state` is recorded if an operator gave it on the provider's own page; else sending until the provider accepted or
    refused it, for `reason_code`.
    """

    number: int
    references: tuple[str, ...]
    written: str | None
    state: Literal["recorded", "sending", "accepted", "refused"]
    reason_code: str | None
    actor_id: str
    submitted_at: Moment


class DisputeShown(DisputeSummary):
    """One dispute with all that was submitted against it. At `reminder_at` an alert is raised."""

    reminder_at: Moment | None
    evidence: tuple[EvidenceShown, ...]


class DisputeDescribed(Reply):
    """The answer to dispute.get: the dispute, or those of several providers that have this number."""

    TYPE: ClassVar[str] = "dispute.described.v1"
    disputes: tuple[DisputeShown, ...]


class DisputeListed(Reply):
    """The answer to dispute.list. `next_cursor` is the cursor of the next page, or null after the last one."""

    TYPE: ClassVar[str] = "dispute.listed.v1"
    disputes: tuple[DisputeSummary, ...]
    next_cursor: str | None


QUERIES = (DisputeGet, DisputeList)
