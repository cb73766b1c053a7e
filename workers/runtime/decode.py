"""From a delivery to envelopes, or to the reason and the JSON path of what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any

import orjson
from pydantic import Field, ValidationError, create_model

from messages.base import Fact, Message, MessageKind, Moment, Part
from messages.envelope import Envelope
from messages.reasons import Reason
from messages.topology import TAKEN, Names
from outbox.wire import TIME_OUT_OF_RANGE
from workers.runtime.delivery import NO_ID, Delivery, clean, is_clean
from workers.runtime.errors import Failure, RefusedError

MESSAGE_ID_CHARS_MAX = 128
DERIVED_ID_CHARS_MAX = 255  # ours may be `parent/index`


@dataclass(frozen=True)
class Trust:
    """Broker users: `own` are the ones our workers and relays publish as, `trusted` may say what only they can know."""

    own: frozenset[str]
    trusted: frozenset[str] = frozenset()


@dataclass
class Work:
    """A delivery and what it says: envelopes, or a failure. `packed`: its body should be a pack of items."""

    delivery: Delivery
    envelopes: tuple[Envelope[Any], ...] = ()
    failure: Failure | None = None
    type: str = "unknown"
    packed: bool = False
    attempt: int = 0
    user: str | None = None
    reply_to: str | None = None

    @property
    def message_id(self) -> str:
        """The inbox key. Only a message whose properties are sound has one."""
        return self.delivery.message_id or ""

    @property
    def items(self) -> int:
        """What it counts for in a batch."""
        return len(self.envelopes) or 1

    @cached_property
    def pieces(self) -> tuple[bytes, ...]:
        """The items of a pack, each as the body of a pack of its own, also those nobody can read."""
        try:
            items = orjson.loads(self.delivery.body)["items"] if self.packed else None
            return tuple(orjson.dumps({"items": [item]}) for item in items) if isinstance(items, list) else ()
        except (ValueError, TypeError, KeyError):
            return ()


@dataclass(frozen=True)
class Decoder:
    """Reads the messages of one queue."""

    queue: str
    names: Names
    trust: Trust
    body_max_bytes: int = 1024 * 1024

    @cached_property
    def models(self) -> Mapping[str, type[Message]]:
        """What the queue takes."""
        return {model.TYPE: model for model in TAKEN[self.queue]}

    def __call__(self, delivery: Delivery) -> Work:
        """Read one delivery. Never raises, whatever it holds."""
        work = Work(delivery)
        try:
            self._read(work, delivery)
        except RefusedError as error:
            work.failure = Failure.invalid(*error.args)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            path = "".join(f"[{part}]" if isinstance(part, int) else f".{_shown(part)}" for part in first["loc"])
            work.failure = Failure.invalid(first["type"], first["msg"], clean(f"${path}"))
        except Exception as error:
            work.failure = Failure.invalid("unreadable", type(error).__qualname__)
        return work

    def _read(self, work: Work, delivery: Delivery) -> None:
        own = delivery.user_id in self.trust.own
        work.attempt = delivery.number("attempt") if own else 0
        work.reply_to = self._reply_to(delivery.reply_to)
        _check_frame(delivery, DERIVED_ID_CHARS_MAX if own else MESSAGE_ID_CHARS_MAX)
        model = self._model(delivery)
        work.type = model.TYPE
        self._check_origin(delivery, model, own)
        if model.KIND is MessageKind.QUERY and work.reply_to is None:
            raise RefusedError("missing_reply_to", "a question needs a reply_to that does not begin with our prefix")
        work.user = self._user(delivery, model, own)
        trusted = work.user in self.trust.trusted or work.user in self.trust.own
        if model.KIND is MessageKind.INTERNAL and self._ours_only(delivery) and work.user not in self.trust.own:
            # a stranger's message that was refused does not become ours by being replayed
            raise RefusedError("forbidden_exchange", "only our own users may say this")
        if issubclass(model, Fact) and model.TRUSTED_ONLY and not trusted:
            raise RefusedError("untrusted_user", "only trusted users may report this fact", "$", Reason.UNTRUSTED_USER)
        if len(delivery.body) > self.body_max_bytes:
            raise RefusedError("too_large", f"the body is larger than {self.body_max_bytes} bytes")
        work.packed = model.PACKABLE
        work.envelopes = _envelopes(work, model, trusted)

    def _user(self, delivery: Delivery, model: type[Message], own: bool) -> str | None:
        """Who said it first. What we republish names that user in a header; without one, nobody is vouched for."""
        if own and "origin-user" in delivery.headers:
            return delivery.text("origin-user")
        if own and model.KIND is not MessageKind.INTERNAL and self._ours_only(delivery):
            return None
        return delivery.user_id

    def _ours_only(self, delivery: Delivery) -> bool:
        return delivery.exchange in ("", self.names.delayed, self.names.delay_plugin)

    def _reply_to(self, reply_to: str | None) -> str | None:
        sound = reply_to and is_clean(reply_to) and not reply_to.startswith(f"{self.names.prefix}.")
        return reply_to if sound else None

    def _model(self, delivery: Delivery) -> type[Message]:
        if not delivery.type:
            raise RefusedError("missing_type", "the property type (or the header type) is missing")
        if (model := self.models.get(delivery.type)) is not None:
            return model
        known = delivery.type.rsplit(".", 1)[0] in {other.routing_key() for other in self.models.values()}
        raise RefusedError("unknown_version" if known else "unknown_type", f"{self.queue} does not take this type")

    def _check_origin(self, delivery: Delivery, model: type[Message], own: bool) -> None:
        """Which exchange may bring this message, and under which key."""
        exchange = self.names.exchange_of(model.KIND)
        if self._ours_only(delivery):
            if not own:
                raise RefusedError("forbidden_exchange", "only our own users may publish straight to a queue")
        elif delivery.exchange != exchange or model.KIND is MessageKind.EVENT:
            raise RefusedError("forbidden_exchange", f"a message of this type comes by {exchange}")
        elif delivery.routing_key != model.routing_key():
            raise RefusedError("wrong_routing_key", f"the routing key of this type is {model.routing_key()}")


def _shown(name: str) -> str:
    """A field as its sender called it, unless that is no name: a phone number can stand there too."""
    return name if name.isidentifier() and name.isascii() else "…"


def _check_frame(delivery: Delivery, id_chars_max: int) -> None:
    """What the tolerant decoders let through: texts that are not UTF-8, times out of range, modes that do not exist."""
    said, message_id = delivery.properties, delivery.message_id or ""
    texts = {"message_id": message_id, "type": delivery.type, "reply_to": delivery.reply_to}
    texts |= {"correlation_id": said.correlation_id, "user_id": said.user_id}
    unclean = [name for name, text in texts.items() if text and not is_clean(text)]
    faults = {
        f"no clean UTF-8 text: {', '.join(unclean)}": bool(unclean),
        "the headers cannot be read": not all(key.isprintable() for key in delivery.headers),  # as is MALFORMED
        "the timestamp is out of range": said.timestamp == TIME_OUT_OF_RANGE,
        "the delivery mode is neither 1 nor 2": said.delivery_mode not in (None, 1, 2),
        f"message_id is longer than {id_chars_max} characters": len(message_id) > id_chars_max,
    }
    for fault, found in faults.items():
        if found:
            raise RefusedError("malformed_frame", fault)
    if not message_id:
        raise RefusedError(NO_ID, "the property message_id (or the header message-id) is missing")


def _envelopes(work: Work, model: type[Message], trusted: bool) -> tuple[Envelope[Any], ...]:
    delivery, traceparent = work.delivery, work.delivery.text("traceparent")
    common: dict[str, Any] = {"message_id": work.message_id, "reply_to": work.reply_to, "attempt": work.attempt}
    common |= {"user": work.user, "trusted": trusted}
    if traceparent and is_clean(traceparent):  # it travels on in our headers, which must fit in one frame
        common["traceparent"] = traceparent
    if model.PACKABLE:
        items = packed(model).model_validate_json(delivery.body).items
        return tuple(Envelope(**vars(item), index=index, packed=True, **common) for index, item in enumerate(items))
    body = model.model_validate_json(delivery.body)
    correlation_id = delivery.properties.correlation_id or work.message_id
    common |= {"correlation_id": correlation_id, "causation_id": delivery.text("causation-id")}
    return (Envelope(body, occurred_at=_occurred_at(delivery), **common),)


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
