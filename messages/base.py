"""The base of every message: strict frozen models, the kinds of messages, and the field types of the wire."""

import re
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache, cached_property
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetPydanticSchema,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import SchemaValidator, core_schema

from messages.alert_levels import AlertLevel, level_of
from messages.roles import BETWEEN, Role

ID_MAX = 2**63 - 1
AMOUNT_MAX = 10**15  # minor units: far above any order, and a sum of 200 lines still fits into 64 bits
QUANTITY_MAX = 1_000_000


_DIGITS = core_schema.chain_schema(
    [
        core_schema.str_schema(pattern=r"^[0-9]{1,19}$", strict=True),
        core_schema.int_schema(ge=1, le=ID_MAX, strict=False),
    ]
)
_ID = core_schema.json_or_python_schema(
    json_schema=_DIGITS,
    python_schema=core_schema.union_schema(
        [core_schema.int_schema(ge=1, le=ID_MAX, strict=True), _DIGITS], mode="left_to_right"
    ),
    serialization=core_schema.to_string_ser_schema(when_used="json"),
)
OrderId = Annotated[int, GetPydanticSchema(lambda _source, _handler: _ID)]
"""Our ids are 64-bit integers that cross the wire as strings, because JavaScript cannot hold them (S1-55).

Written as a core schema, because there are many in every message: a Python function for each would be half the cost of
reading one.
"""
Text = StringConstraints(min_length=1, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")
ExternalId = Annotated[str, Text, StringConstraints(max_length=64)]
NAME = StringConstraints(min_length=1, max_length=64, pattern=r"^[^:\x00-\x1f\x7f]*$")
Name = Annotated[str, NAME]
"""An external id without a colon, because colons join the parts of our keys."""
RequestId = Annotated[str, Text, StringConstraints(max_length=128)]
ShortText = Annotated[str, Text, StringConstraints(max_length=255)]
LongText = Annotated[str, Text, StringConstraints(max_length=2000)]
OneLine = Annotated[
    str, StringConstraints(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$")
]
"""A text in one line that is not blank."""
FREE_TEXT = "free text"
FREE_TEXT_CHARS_MAX = 255
FreeText = Annotated[str, Text, StringConstraints(max_length=FREE_TEXT_CHARS_MAX), FREE_TEXT]
"""What a person or a stranger wrote, which may hold a name or a number.

It is kept encrypted in the table free_texts, and never announced, logged or stored in an outcome.
"""
_REASON_CODE = r"^(?:[A-Za-z_.]|[0-9]{1,4}(?:[A-Za-z_.]|$))+$"
REASON_CODE_CHARS_MAX = 64
ReasonCode = Annotated[str, StringConstraints(max_length=REASON_CODE_CHARS_MAX, pattern=_REASON_CODE)]
"""A word of the sender's own list, such as CHANGED_MIND. It is announced, so five digits in a row are too many."""
CodeText = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z_]{1,63}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Amount = Annotated[int, Field(ge=0, le=AMOUNT_MAX)]
Quantity = Annotated[int, Field(ge=1, le=QUANTITY_MAX)]
AnyInt = Annotated[int, Field(ge=-ID_MAX, le=ID_MAX)]
"""A number that the schema accepts and that the business may refuse with a code of its own."""

_DATE = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_HOUR_AND_MINUTE = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = rf"{_HOUR_AND_MINUTE}:[0-5][0-9](?:\.[0-9]{{1,9}})?"
_RFC_3339 = rf"^{_DATE}[Tt]{_TIME}(?:[Zz]|[+-]{_HOUR_AND_MINUTE})$"


def _from_text(pattern: str, name: str, example: str, value: core_schema.CoreSchema) -> core_schema.CoreSchema:
    """A schema of a text that must match the pattern before it is parsed.

    The parser alone takes more than the contract: digits as seconds since 1970, times without seconds, a comma.
    """
    text = core_schema.custom_error_schema(
        core_schema.str_schema(pattern=pattern, strict=True),
        custom_error_type=f"{name}_format",
        custom_error_message=f"Input should be a {name} such as {example}",
    )
    return core_schema.chain_schema([text, value])


def _moment_schema(*, strict: bool) -> core_schema.CoreSchema:
    earliest, end = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
    return core_schema.datetime_schema(strict=strict, tz_constraint="aware", ge=earliest, lt=end)


_MOMENT_TEXT = _from_text(
    _RFC_3339, "time", "2026-11-28T20:00:00Z (RFC 3339, with an offset)", _moment_schema(strict=False)
)
_MOMENT = core_schema.json_or_python_schema(json_schema=_MOMENT_TEXT, python_schema=_moment_schema(strict=True))
Moment = Annotated[datetime, GetPydanticSchema(lambda _source, _handler: _MOMENT)]
"""A point in time that every database and every time zone can hold.

On the wire it is a text of RFC 3339 with an offset. `T` and `Z` may be small letters; a fraction of a second has up to
nine digits, of which six count. 24:00 and leap seconds are refused, because no database stores them.
"""


def _day_schema(*, strict: bool) -> core_schema.CoreSchema:
    return core_schema.date_schema(strict=strict, ge=date(2000, 1, 1), lt=date(2200, 1, 1))


_DAY = core_schema.json_or_python_schema(
    json_schema=_from_text(rf"^{_DATE}$", "date", "2026-11-28", _day_schema(strict=False)),
    python_schema=_day_schema(strict=True),
)
Day = Annotated[date, GetPydanticSchema(lambda _source, _handler: _DAY)]
"""A day of the calendar, on the wire with dashes."""

_read_moment = SchemaValidator(_MOMENT_TEXT).validate_python


def moment_of(text: str) -> datetime | None:
    """The time that a text outside a body names, by the same rules as `Moment`; None if it names none."""
    try:
        moment: datetime = _read_moment(text)
    except ValidationError:
        return None
    return moment


class MessageKind(StrEnum):
    """The kind of a message decides who may write it and which exchange carries it."""

    COMMAND = "command"
    FACT = "fact"
    INTERNAL = "internal"
    EVENT = "event"
    QUERY = "query"
    REPLY = "reply"
    INSTRUCTION = "instruction"


class Part(BaseModel):
    """A part of a message. It refuses unknown fields, floats for integers and strings for numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _marks(field: FieldInfo) -> tuple[Any, ...]:
    """The marks of a field's type, also where it is optional."""
    inner = (mark for part in get_args(field.annotation) for mark in getattr(part, "__metadata__", ()))
    return (*field.metadata, *inner)


@cache
def free_text_fields(model: type[Part]) -> tuple[str, ...]:
    """The names of the fields of a message that hold a FreeText."""
    return tuple(name for name, field in model.model_fields.items() if FREE_TEXT in _marks(field))


def as_reason_code(word: str | None) -> str | None:
    """The word, if it is a ReasonCode: what a provider gives as a reason is announced only then."""
    fits = word is not None and len(word) <= REASON_CODE_CHARS_MAX and re.fullmatch(_REASON_CODE, word)
    return word if fits else None


class MoneyShown(Part):
    """An amount in minor units, and as people write it: 1234 is "12.34" in EUR and "1234" in JPY."""

    minor: AnyInt
    currency: str
    text: str


class Message(Part):
    """One message. `TYPE` is the AMQP `type`; the type without its version is the routing key."""

    TYPE: ClassVar[str]
    KIND: ClassVar[MessageKind]
    PACKABLE: ClassVar[bool] = False
    SENDERS: ClassVar[frozenset[Role]]
    """The roles that may send it: of every command, fact and query. All other kinds are ours alone and have none."""

    @classmethod
    def routing_key(cls) -> str:
        """`order.create.v1` -> `order.create`."""
        return cls.TYPE.rsplit(".", 1)[0]

    @cached_property
    def json_bytes(self) -> bytes:
        """The body on the wire. It is made once, because an event is stored as an outcome, replied and announced."""
        return self.__pydantic_serializer__.to_json(self)


class Actor(Part):
    """On whose behalf a command comes. A user acts on own orders only; others need the role operator."""

    type: Literal["user", "operator", "system"]
    id: ExternalId


class Command(Message):
    """A command ends in exactly one outcome, stored under (scope, request id). A repeat gets the same outcome again."""

    KIND: ClassVar[MessageKind] = MessageKind.COMMAND
    SCOPE: ClassVar[str]
    """The space in which the request id is unique, as a format string of its fields. `{command}` is the routing key."""
    KEY: ClassVar[str] = "request_id"
    """The field that is the request id within the scope."""
    SHARED: ClassVar[bool] = False
    """True if the request ids of the scope belong to its user, whoever sends the command."""

    def command_scope(self) -> str:
        """The space in which this command's request id is unique."""
        return self.SCOPE.format_map(self.__dict__ | {"command": self.routing_key()})

    def command_key(self, subject: str | None = None) -> str:
        """The request id within the scope; of a message with a token, with the subject of the token.

        Two people who send through one broker user so have request ids of their own, unless the scope names them
        already. A revision, a delivery note or a coupon's id is nobody's own: these are keys of what they are about.
        """
        key = str(getattr(self, self.KEY))
        if subject is None or self.SHARED or self.KEY != "request_id":
            return key
        is_named = "{actor.id}" in self.SCOPE and getattr(self, "actor").id == subject  # noqa: B009 (the scope has one)
        return key if is_named else f"{key}{BETWEEN}{subject}"


def without_subject(key: str) -> str:
    """A request id, or a cause or reference made of it, as its sender wrote it: no buyer sees who of the shop acted."""
    return key.partition(BETWEEN)[0]


class Fact(Message):
    """A fact reports what happened outside. Its business key makes a repeat a no-op."""

    KIND: ClassVar[MessageKind] = MessageKind.FACT


class Internal(Message):
    """An internal message goes from one of our queues to another. Upstream has no right to write it."""

    KIND: ClassVar[MessageKind] = MessageKind.INTERNAL


class Event(Message):
    """An event announces what happened, to every subscriber."""

    KIND: ClassVar[MessageKind] = MessageKind.EVENT


class Query(Message):
    """A query changes nothing and needs a `reply_to`. Its sender repeats it if no answer comes in time."""

    KIND: ClassVar[MessageKind] = MessageKind.QUERY


class Reply(Message):
    """A reply answers one query, at its `reply_to`."""

    KIND: ClassVar[MessageKind] = MessageKind.REPLY


class Instruction(Message):
    """An instruction asks one outside system for work, in a queue of ours that this system alone reads.

    It may hold personal data in clear: it is stored encrypted until it is published.
    """

    KIND: ClassVar[MessageKind] = MessageKind.INSTRUCTION


class MessageCode(StrEnum):
    """Answers to messages that no handler could decide, and our own alerts; workers/domain/codes.py has the others."""

    number: int

    def __new__(cls, code: str, number: int) -> Self:
        """Make a code of its text and its number."""
        made = str.__new__(cls, code)
        made._value_, made.number = code, number
        return made

    AUTH_REQUIRED = "AUTH_REQUIRED", 101002  # also a code of the business: a handler may find an unknown sender
    MESSAGE_INVALID = "MESSAGE_INVALID", 112001
    MESSAGE_EXPIRED = "MESSAGE_EXPIRED", 112002
    QUERY_INVALID = "QUERY_INVALID", 112003
    SYSTEM_ERROR = "SYSTEM_ERROR", 112004
    MESSAGE_REFUSED = "MESSAGE_REFUSED", 112005
    EXCHANGE_REFUSED = "EXCHANGE_REFUSED", 112006
    SUBSCRIBER_REFUSES = "SUBSCRIBER_REFUSES", 112007
    DEAD_LETTERS_NEW = "DEAD_LETTERS_NEW", 112008
    DEAD_LETTERS_OLD = "DEAD_LETTERS_OLD", 112009


class QueryRejected(Reply):
    """The reply to a query that we cannot read, that its sender may not send, or that failed here."""

    TYPE: ClassVar[str] = "query.rejected.v1"
    code: CodeText
    message: str
    path: str | None = None


class CommandRejected(Event):
    """The outcome of a command that was refused before it changed anything."""

    TYPE: ClassVar[str] = "command.rejected.v1"
    command_id: str
    type: str
    code: CodeText
    message: str
    details: dict[str, Any] = {}


class AlertRaised(Event):
    """A person should look at something (S3-38).

    `service` is the queue whose handler raised it, or `relay`. The time is that of every event: `occurred-at`.
    """

    TYPE: ClassVar[str] = "alert.raised.v1"
    title: str
    content: str
    level: AlertLevel
    code: CodeText
    order_id: OrderId | None = None
    service: str | None = None

    @classmethod
    def of(
        cls, *, code: str, title: str, content: str, order_id: int | None = None, service: str | None = None
    ) -> "AlertRaised":
        """Return the alert with the level of its code."""
        return cls(title=title, content=content, level=level_of(code), code=code, order_id=order_id, service=service)

    @model_validator(mode="after")
    def _level_is_that_of_the_code(self) -> "AlertRaised":
        if self.level != level_of(self.code):
            raise ValueError(f"an alert of code {self.code} has the level {level_of(self.code)}")
        return self
