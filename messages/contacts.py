"""contact.*: where and how a buyer wants to be notified."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from messages.account_queries import AccountQuery
from messages.base import Actor, Command, Event, ExternalId, LongText, Part, Reply, RequestId
from messages.media import Medium
from messages.roles import FOR_BUYERS, Role

OPT_OUTS_MAX = 50
ClockTime = Annotated[str, StringConstraints(pattern=r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$")]
"""An hour and a minute of the day, such as 22:30."""
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})?$")]
"""A language, such as zh, or one of a place, such as zh-TW."""
MediumWord = Annotated[Medium, Field(strict=False)]


class QuietHours(Part):
    """From when until when, each day, nothing is sent; `until` may be on the next day. Both are of the time zone."""

    begin: ClockTime
    until: ClockTime
    time_zone: ExternalId


class ContactSet(Command):
    """Set how a user is reached by one medium. Without an address the contact is removed.

    The address of email is that of a mailbox, of sms a number such as +8613812345678, of push whatever the shop's push
    service takes. It is kept encrypted and never announced. `opt_outs` are the kinds and categories of notifications
    that the user does not want there.
    """

    TYPE: ClassVar[str] = "contact.set.v1"
    SENDERS: ClassVar[frozenset[Role]] = FOR_BUYERS
    SCOPE: ClassVar[str] = "contact:{user_id}"
    request_id: RequestId
    actor: Actor
    user_id: ExternalId
    medium: MediumWord
    address: LongText | None
    language: Language = "en"
    enabled: bool = True
    quiet_hours: QuietHours | None = None
    opt_outs: Annotated[tuple[ExternalId, ...], Field(max_length=OPT_OUTS_MAX)] = ()


class ContactChanged(Event):
    """A user is reached otherwise by this medium, or, if `removed`, not any more. The address is not announced."""

    TYPE: ClassVar[str] = "contact.changed.v1"
    user_id: str
    medium: MediumWord
    removed: bool
    enabled: bool


class ContactList(AccountQuery):
    """Ask how a user is reached."""

    TYPE: ClassVar[str] = "contact.list.v1"


class ContactShown(Part):
    """How a user is reached by one medium. `address` is masked: its owner recognises it; null if it cannot be read."""

    medium: MediumWord
    address: str | None
    language: str
    enabled: bool
    quiet_hours: QuietHours | None
    opt_outs: tuple[str, ...]


class ContactsListed(Reply):
    """The answer to contact.list: at most one contact for each medium."""

    TYPE: ClassVar[str] = "contact.listed.v1"
    user_id: str
    contacts: tuple[ContactShown, ...]
