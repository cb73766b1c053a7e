"""subject.*: what is kept about a user is exported or erased."""

from typing import ClassVar

from messages.base import Actor, Command, Event, ExternalId, RequestId
from messages.roles import Role


class SubjectErase(Command):
    """Make everything that a user entered or that names the user unreadable. History and sums stay.

    It is refused while an order, a payment, a refund or a dispute of the user is under way: SUBJECT_HAS_LIVE_ORDERS
    lists them. Ask again, with another request_id, when they have ended.
    """

    TYPE: ClassVar[str] = "subject.erase.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    SCOPE: ClassVar[str] = "subject.erase:{user_id}"
    request_id: RequestId
    actor: Actor
    user_id: ExternalId


class SubjectErased(Event):
    """The user's data key and everything under it are gone. Other systems of the shop should erase the user too.

    `orders` is how many of the user's orders stay, without addresses and texts.
    """

    TYPE: ClassVar[str] = "subject.erased.v1"
    user_id: str
    orders: int
