"""Decodes a delivery into envelopes, or into a failure with its reason and the JSON path of the fault."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any

import orjson
from pydantic import Field, ValidationError, create_model

from messages.base import Fact, Message, MessageKind, Moment, Part, moment_of
from messages.envelope import Envelope
from messages.reasons import Reason
from messages.roles import Role, may_send
from messages.topology import TAKEN, Names
from messages.user_roles import Trust
from outbox.wire import TIME_OUT_OF_RANGE
from workers.runtime.delivery import NO_ID, Delivery, clean, is_clean
from workers.runtime.errors import Failure, InvalidError

MESSAGE_ID_CHARS_MAX = 128
DERIVED_ID_CHARS_MAX = 255  # an id of our own may be `parent/index`


@dataclass
class Work:
    """A delivery with its envelopes, or with the failure to decode it. `packed`: the type travels in packs of items."""

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
        """The key in the inbox. It is empty only where decoding failed."""
        return self.delivery.message_id or ""

    @property
    def items(self) -> int:
        """The number of items that this delivery adds to a batch."""
        return len(self.envelopes) or 1

    @cached_property
    def pieces(self) -> tuple[bytes, ...]:
        """The items of a pack, each as the body of a pack of one. Items that do not match their model are included."""
        try:
            items = orjson.loads(self.delivery.body)["items"] if self.packed else None
            return tuple(orjson.dumps({"items": [item]}) for item in items) if isinstance(items, list) else ()
        except (ValueError, TypeError, KeyError):
            return ()


@dataclass(frozen=True)
class Decoder:
    """Decodes the messages of one queue."""

    queue: str
    names: Names
    trust: Trust
    body_max_bytes: int = 1024 * 1024

    @cached_property
    def models(self) -> Mapping[str, type[Message]]:
        """Type -> model, of the messages that the queue takes."""
        return {model.TYPE: model for model in TAKEN[self.queue]}

    def __call__(self, delivery: Delivery) -> Work:
        """Decode one delivery. It never raises, whatever the delivery holds."""
        work = Work(delivery)
        try:
            self._read(work, delivery)
        except InvalidError as error:
            work.failure = Failure.invalid(*error.args)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            path = "".join(f"[{part}]" if isinstance(part, int) else f".{_safe_name(part)}" for part in first["loc"])
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
            raise InvalidError("missing_reply_to", "a query needs a reply_to that does not start with our prefix")
        work.user = self._user(delivery, model, own)
        roles = self.trust.roles_of(work.user)
        if model.KIND is MessageKind.INTERNAL and self._ours_only(delivery) and work.user not in self.trust.own:
            # replaying a rejected message of another user does not make it ours
            raise InvalidError("forbidden_exchange", "only our own broker users may send this type")
        if issubclass(model, Fact) and not may_send(model.SENDERS, roles):
            needed = " or ".join(sorted(model.SENDERS))
            raise InvalidError("untrusted_user", f"its sender needs the role {needed}", "$", Reason.UNTRUSTED_USER)
        if len(delivery.body) > self.body_max_bytes:
            raise InvalidError("too_large", f"the body is larger than {self.body_max_bytes} bytes")
        work.packed = model.PACKABLE
        work.envelopes = _envelopes(work, model, roles)

    def _user(self, delivery: Delivery, model: type[Message], own: bool) -> str | None:
        """The broker user that sent the message first. What we republish names it in a header; without that, None."""
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
            raise InvalidError("missing_type", "the property type (or the header type) is missing")
        if (model := self.models.get(delivery.type)) is not None:
            return model
        known = delivery.type.rsplit(".", 1)[0] in {other.routing_key() for other in self.models.values()}
        raise InvalidError("unknown_version" if known else "unknown_type", f"{self.queue} does not take this type")

    def _check_origin(self, delivery: Delivery, model: type[Message], own: bool) -> None:
        """Refuse a message from an exchange, or with a routing key, that does not belong to its type."""
        exchange = self.names.exchange_of(model.KIND)
        if self._ours_only(delivery):
            if not own:
                raise InvalidError("forbidden_exchange", "only our own users may publish straight to a queue")
        elif delivery.exchange != exchange or model.KIND is MessageKind.EVENT:
            raise InvalidError("forbidden_exchange", f"messages of this type come by the exchange {exchange}")
        elif delivery.routing_key != model.routing_key():
            raise InvalidError("wrong_routing_key", f"this type needs the routing key {model.routing_key()}")


def _safe_name(name: str) -> str:
    """The name of a field, if it is an identifier. Any other key may be personal data, such as a phone number."""
    return name if name.isidentifier() and name.isascii() else "…"


def _check_frame(delivery: Delivery, id_chars_max: int) -> None:
    """Refuse what the tolerant decoders let through: texts that are not UTF-8, times out of range, unknown modes."""
    given, message_id = delivery.properties, delivery.message_id or ""
    texts = {"message_id": message_id, "type": delivery.type, "reply_to": delivery.reply_to}
    texts |= {"correlation_id": given.correlation_id, "user_id": given.user_id}
    unclean = [name for name, text in texts.items() if text and not is_clean(text)]
    faults = {
        f"no clean UTF-8 text: {', '.join(unclean)}": bool(unclean),
        "the headers cannot be read": not all(key.isprintable() for key in delivery.headers),  # see MALFORMED
        "the timestamp is out of range": given.timestamp == TIME_OUT_OF_RANGE,
        "the delivery mode is neither 1 nor 2": given.delivery_mode not in (None, 1, 2),
        f"message_id is longer than {id_chars_max} characters": len(message_id) > id_chars_max,
    }
    for fault, found in faults.items():
        if found:
            raise InvalidError("malformed_frame", fault)
    if not message_id:
        raise InvalidError(NO_ID, "the property message_id (or the header message-id) is missing")


def _envelopes(work: Work, model: type[Message], roles: frozenset[Role]) -> tuple[Envelope[Any], ...]:
    delivery, traceparent = work.delivery, work.delivery.text("traceparent")
    common: dict[str, Any] = {"message_id": work.message_id, "reply_to": work.reply_to, "attempt": work.attempt}
    common |= {"user": work.user, "roles": roles}
    if traceparent and is_clean(traceparent):  # it is sent on in our headers, which must fit in one frame
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
    """The model of a pack on the wire, `{"items": [...]}`.

    Each item carries what properties carry for a single message.
    """
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
    """The time of the header occurred-at (microseconds), else of the property timestamp (seconds), else now."""
    if "occurred-at" in delivery.headers:
        if (moment := moment_of(delivery.text("occurred-at") or "")) is None:
            raise InvalidError("time_format", "it should be a time as RFC 3339, with an offset", "headers.occurred-at")
        return moment
    moment = delivery.properties.timestamp or datetime.now(UTC)
    return moment if 1970 < moment.year < 2200 else datetime.now(UTC)  # every database can hold these years
