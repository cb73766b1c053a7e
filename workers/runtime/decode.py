"""From a delivery to envelopes, or to the reason and the JSON path of what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from pydantic import Field, ValidationError, create_model

from messages.base import Fact, Kind, Message, Moment, Part
from messages.envelope import Envelope
from messages.topology import QUEUES, Names
from outbox.wire import MALFORMED, TIME_OUT_OF_RANGE
from workers.runtime.delivery import NO_ID, Delivery, clean, is_clean
from workers.runtime.errors import Failure

MESSAGE_ID_CHARS_MAX = 128
DERIVED_ID_CHARS_MAX = 255  # ours may be `parent/index`


@dataclass(frozen=True)
class Trust:
    """Broker users: `own` are the ones our workers and relays publish as, `trusted` may say what only they can know."""

    own: frozenset[str]
    trusted: frozenset[str] = frozenset()


@dataclass
class Work:
    """A delivery and what it says: envelopes, or a failure."""

    delivery: Delivery
    envelopes: tuple[Envelope[Any], ...] = ()
    failure: Failure | None = None
    type: str = "unknown"
    attempt: int = 0
    user: str | None = None
    reply_to: str | None = None

    @property
    def message_id(self) -> str:
        """The inbox key. Only a message that was read has one."""
        return self.delivery.message_id or ""

    @property
    def items(self) -> int:
        """What it counts for in a batch."""
        return len(self.envelopes) or 1


class InvalidError(Exception):
    """Ends the reading of one message."""

    def __init__(self, error_type: str, message: str, path: str = "$", *, reason: str = "invalid") -> None:
        super().__init__(message)
        self.failure = Failure.invalid(error_type, message, path, reason=reason)


@dataclass(frozen=True)
class Decoder:
    """Reads the messages of one queue."""

    queue: str
    names: Names
    trust: Trust
    body_max_bytes: int = 1024 * 1024
    models: Mapping[str, type[Message]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", {model.TYPE: model for model in QUEUES[self.queue]})

    def __call__(self, delivery: Delivery) -> Work:
        """Read one delivery. Never raises, whatever it holds."""
        work = Work(delivery)
        try:
            self._read(delivery, work)
        except InvalidError as error:
            work.failure = error.failure
        except ValidationError as error:
            work.failure = _schema_failure(error)
        except Exception as error:
            work.failure = Failure.invalid("unreadable", type(error).__qualname__)
        return work

    def _read(self, delivery: Delivery, work: Work) -> None:
        own = delivery.properties.user_id in self.trust.own
        if own:
            work.attempt = delivery.number("attempt")
        work.reply_to = self._reply_to(delivery)
        _check_frame(delivery)
        _check_id(delivery.message_id, DERIVED_ID_CHARS_MAX if own else MESSAGE_ID_CHARS_MAX)
        model = self._model(delivery)
        work.type = model.TYPE
        self._check_origin(delivery, model, own)
        work.user = self._user(delivery, model, own)
        trusted = work.user in self.trust.trusted or work.user in self.trust.own
        if issubclass(model, Fact) and model.TRUSTED_ONLY and not trusted:
            raise InvalidError(
                "untrusted_user", "this fact is believed from trusted users only", reason="untrusted_user"
            )
        if len(delivery.body) > self.body_max_bytes:
            raise InvalidError("too_large", f"the body is larger than {self.body_max_bytes} bytes")
        work.envelopes = _envelopes(delivery, model, work, trusted)

    def _user(self, delivery: Delivery, model: type[Message], own: bool) -> str | None:
        """Who said it first. What we republish names that user in a header; without one, nobody is vouched for."""
        if own and "origin-user" in delivery.headers:
            return delivery.text("origin-user")
        if own and model.KIND is not Kind.INTERNAL and self._ours_only(delivery):
            return None
        return delivery.properties.user_id

    def _ours_only(self, delivery: Delivery) -> bool:
        return delivery.exchange in ("", self.names.delayed, self.names.delay_plugin)

    def _reply_to(self, delivery: Delivery) -> str | None:
        reply_to = delivery.reply_to
        ours = reply_to is None or reply_to.startswith(f"{self.names.prefix}.")
        return None if ours or not is_clean(str(reply_to)) else reply_to

    def _model(self, delivery: Delivery) -> type[Message]:
        if not delivery.type:
            raise InvalidError("missing_type", "the property type (or the header type) is missing")
        model = self.models.get(delivery.type)
        if model is None:
            stem = delivery.type.rsplit(".", 1)[0]
            known = any(other.routing_key() == stem for other in self.models.values())
            raise InvalidError("unknown_version" if known else "unknown_type", f"{self.queue} does not take this type")
        return model

    def _check_origin(self, delivery: Delivery, model: type[Message], own: bool) -> None:
        """Which exchange may bring this message, and under which key."""
        names = self.names
        if self._ours_only(delivery):
            if not own:
                raise InvalidError("forbidden_exchange", "only our own users may publish straight to a queue")
        elif delivery.exchange != names.exchange_of(model.KIND) or model.KIND is Kind.EVENT:
            raise InvalidError("forbidden_exchange", f"a message of this type comes by {names.exchange_of(model.KIND)}")
        elif delivery.routing_key != model.routing_key():
            raise InvalidError("wrong_routing_key", f"the routing key of this type is {model.routing_key()}")


def _check_frame(delivery: Delivery) -> None:
    """What the tolerant decoders let through: texts that are not UTF-8, times out of range, modes that do not exist."""
    properties = delivery.properties
    texts = {
        "routing_key": delivery.routing_key,
        "message_id": delivery.message_id,
        "type": delivery.type,
        "correlation_id": properties.correlation_id,
        "reply_to": delivery.reply_to,
        "user_id": properties.user_id,
    }
    for name, text in texts.items():
        if text is not None and not is_clean(text):
            raise InvalidError("malformed_frame", f"{name} is not clean UTF-8 text")
    if MALFORMED in delivery.headers or not all(key.isprintable() for key in delivery.headers):
        raise InvalidError("malformed_frame", "the headers cannot be read")
    if properties.timestamp == TIME_OUT_OF_RANGE:
        raise InvalidError("malformed_frame", "the timestamp is out of range")
    if properties.delivery_mode not in (None, 1, 2):
        raise InvalidError("malformed_frame", "the delivery mode is neither 1 nor 2")


def _check_id(message_id: str | None, chars_max: int) -> None:
    if not message_id:
        raise InvalidError(NO_ID, "the property message_id (or the header message-id) is missing")
    if len(message_id) > chars_max:
        raise InvalidError("malformed_frame", f"message_id is longer than {chars_max} characters")


def _schema_failure(error: ValidationError) -> Failure:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{_shown(part)}" for part in first["loc"])
    return Failure.invalid(first["type"], first["msg"], clean(path))


def _shown(name: str) -> str:
    """A field as its sender called it, unless that is no name: a phone number can stand there too."""
    return name if name.isidentifier() and name.isascii() else "…"


def _envelopes(delivery: Delivery, model: type[Message], work: Work, trusted: bool) -> tuple[Envelope[Any], ...]:
    common: dict[str, Any] = {
        "message_id": work.message_id,
        "reply_to": work.reply_to,
        "user": work.user,
        "trusted": trusted,
        "attempt": work.attempt,
        "traceparent": _traceparent(delivery),
    }
    if not model.PACKABLE:
        return (
            Envelope(
                body=model.model_validate_json(delivery.body),
                correlation_id=delivery.properties.correlation_id or work.message_id,
                causation_id=delivery.text("causation-id"),
                occurred_at=_occurred_at(delivery),
                **common,
            ),
        )
    items = packed(model).model_validate_json(delivery.body).items
    return tuple(
        Envelope(
            body=item.body,
            correlation_id=item.correlation_id,
            causation_id=item.causation_id,
            occurred_at=item.occurred_at,
            index=index,
            packed=True,
            **common,
        )
        for index, item in enumerate(items)
    )


def _traceparent(delivery: Delivery) -> str | None:
    """Ignored when it is none: it travels on in our headers, which must fit in one frame."""
    text = delivery.text("traceparent")
    return text if text is not None and is_clean(text) else None


@cache
def packed(model: type[Message]) -> Any:
    """The body of a packable type on the wire: `{"items": [...]}`, each with what the properties would say of it."""
    item: Any = create_model(
        f"{model.__name__}Item",
        __base__=Part,
        correlation_id=(str, ...),
        causation_id=(str | None, None),
        occurred_at=(Moment, ...),
        body=(model, ...),
    )
    return create_model(f"{model.__name__}Pack", __base__=Part, items=(list[item], Field(min_length=1)))


def _occurred_at(delivery: Delivery) -> datetime:
    """When it happened, to the microsecond if the sender says so, else to the second, else now."""
    try:
        said = datetime.fromisoformat(delivery.text("occurred-at") or "")
    except ValueError:
        said = delivery.properties.timestamp or datetime.now(UTC)
    if not 1970 < said.year < 2200:  # what every database and time zone can hold
        return datetime.now(UTC)
    return said if said.tzinfo else said.replace(tzinfo=UTC)
