"""subject.*: what is kept about a user is exported or erased."""

from typing import Annotated, Any, ClassVar

from pydantic import StringConstraints

from messages.base import Actor, Command, Event, ExternalId, Query, ReasonCode, Reply, RequestId
from messages.roles import Role


class SubjectErase(Command):
    """Make everything that a user entered or that names the user unreadable. History and sums stay.

    It is refused while an order, a payment, a refund, a dispute, a case or a waybill of the user is under way:
    SUBJECT_HAS_LIVE_ORDERS lists them. Ask again, with another request_id, when they have ended. `reason_code` is
    announced.
    """

    TYPE: ClassVar[str] = "subject.erase.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    SCOPE: ClassVar[str] = "subject.erase:{user_id}"
    request_id: RequestId
    actor: Actor
    user_id: ExternalId
    reason_code: ReasonCode | None = None


class SubjectErased(Event):
    """The user's data key and everything under it are gone. Other systems of the shop should erase the user too.

    `orders` is how many of the user's orders stay, without addresses and texts.
    """

    TYPE: ClassVar[str] = "subject.erased.v1"
    user_id: str
    orders: int
    reason_code: str | None = None


class SubjectExport(Query):
    """Ask for everything that is kept about a user, in clear, part by part.

    The first part has no cursor; each other one has the `next` of the part before.
    """

    TYPE: ClassVar[str] = "subject.export.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    actor: Actor
    user_id: ExternalId
    cursor: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}(?:\.[^\x00-\x1e\x7f]{0,400})?$")] | None = None


class SubjectExported(Reply):
    """One part: table -> rows as they are stored, with what is encrypted in clear. `next` is null in the last part."""

    TYPE: ClassVar[str] = "subject.exported.v1"
    user_id: str
    data: dict[str, list[dict[str, Any]]]
    next: str | None = None
