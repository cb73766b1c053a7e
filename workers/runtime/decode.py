"""Decodes a delivery into envelopes, or into a failure with its reason and the JSON path of the fault."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from hashlib import blake2b
from typing import Any

import orjson
from pydantic import ConfigDict, Field, create_model

from db import cipher
from messages.base import Fact, Message, MessageKind, Moment, Part, moment_of
from messages.cells import CELL_HEADER, Cell
from messages.envelope import OURS_ALONE, Envelope
from messages.reasons import Reason
from messages.registry import goes_to
from messages.reply_addresses import refusal
from messages.roles import may_send
from messages.strict_json import FAULTS_MAX, REPEATED_NAME, Fault, Reading, read
from messages.topology import Names, messages_of
from messages.user_roles import ORIGIN_TOKEN, UNKNOWN, Sender, Trust
from outbox.wire import TIME_OUT_OF_RANGE
from workers.runtime.delivery import AMQP_TEXT_BYTES_MAX, HASH_BYTES, NO_ID, Delivery, clean, is_clean
from workers.runtime.errors import Failure

MESSAGE_ID_BYTES_MAX = 128
HANDED_ON = "handed-on"  # the header of what another cell got first
OURSELVES = "*"  # the sender of OURS_ALONE in the inbox; no broker user is named so
DERIVED_ID_BYTES_MAX = 255  # an id of our own may be `parent/index`


@dataclass
class Work:
    """A delivery with its envelopes, or with the failure to decode it. `packed`: the type travels in packs of items.

    `replay_of` is the id of the dead letter that is replayed, or empty. `by_us`: one of our own users published it.
    `handed_on`: another cell got it first.
    """

    delivery: Delivery
    envelopes: tuple[Envelope[Any], ...] = ()
    failure: Failure | None = None
    type: str = "unknown"
    packed: bool = False
    attempt: int = 0
    lock_waits: int = 0
    replay_of: str = ""
    user: str | None = None
    reply_to: str | None = None
    canonical_hash: bytes = b""
    sender: str = ""
    sent_by: Sender = UNKNOWN
    handed_on: bool = False
    by_us: bool = False

    @property
    def message_id(self) -> str:
        """Its id. It is empty only where decoding failed."""
        return self.delivery.message_id or ""

    @property
    def body_bytes(self) -> int:
        """The memory that the body takes."""
        return len(self.delivery.body)

    @property
    def inbox_key(self) -> tuple[str, str]:
        """The message's id and sender. Our own processes are one sender; so are all messages without `user_id`.

        Each subject of tokens is a sender of its own, through whichever broker user it sends.
        """
        return self.message_id, self.sender

    @property
    def body_hash(self) -> bytes:
        """The sealed hash that tells two messages with the same id apart, and not two ways to write the same JSON."""
        return cipher.current().seal_hash(self.canonical_hash or self.delivery.body_hash)

    def has_hash(self, stored: bytes) -> bool:
        """True if this is the hash of the message, or, as older versions stored it, of its body as it came."""
        hashes = (self.canonical_hash, self.delivery.body_hash)
        return any(cipher.current().is_hash(stored, digest) for digest in hashes)

    @property
    def items(self) -> int:
        """The number of items that this delivery adds to a batch."""
        return len(self.envelopes) or 1

    @cached_property
    def pieces(self) -> tuple[bytes, ...]:
        """The items of a pack, each as the body of a pack of one. Items that do not match their model are included."""
        if self.failure is not None and any(fault.error == REPEATED_NAME for fault in self.failure.faults):
            return ()  # which of the two values counts is unknown
        try:
            items = orjson.loads(self.delivery.body)["items"] if self.packed else None
            return tuple(orjson.dumps({"items": [item]}) for item in items) if isinstance(items, list) else ()
        except (ValueError, TypeError, KeyError):
            return ()


@dataclass(frozen=True)
class Decoder:
    """Decodes the messages of one queue, in a shop with cells those of one `cell`."""

    queue: str
    names: Names
    trust: Trust
    body_max_bytes: int = 1024 * 1024
    cell: Cell | None = None

    @cached_property
    def models(self) -> Mapping[str, type[Message]]:
        """Type -> model, of the messages that the queue takes."""
        return {model.TYPE: model for model in messages_of(self.queue)}

    def __call__(self, delivery: Delivery) -> Work:
        """Decode one delivery. It never raises, whatever the delivery holds."""
        work = Work(delivery)
        try:
            work.failure = self._read(work, delivery)
        except Exception as error:
            work.failure = Failure.invalid(Fault("$", "unreadable", type(error).__qualname__))
        return work

    def _read(self, work: Work, delivery: Delivery) -> Failure | None:
        """Fill the work in. Returns what is wrong: the one reason to refuse it unread, or every fault together."""
        own = work.by_us = delivery.user_id in self.trust.own
        work.handed_on = own and HANDED_ON in delivery.headers
        work.attempt, work.lock_waits = (delivery.number(name) if own else 0 for name in ("attempt", "lock-waits"))
        work.replay_of = (delivery.text("replay-of") or "") if own else ""
        faults = list(_frame_faults(delivery, DERIVED_ID_BYTES_MAX if own else MESSAGE_ID_BYTES_MAX))
        model = self.models.get(delivery.type or "")
        work.user = self._user(delivery, model, own)
        token, carried = (None, delivery.text(ORIGIN_TOKEN)) if own else (delivery.authorization, None)
        work.sent_by = self.trust.sender(work.user, token, carried, datetime.now(UTC))
        roles, users_roles = work.sent_by.roles, self.trust.roles_of(work.user)
        forbidden_address = refusal(delivery.reply_to, work.user, users_roles) if delivery.reply_to else None
        work.reply_to = None if forbidden_address else delivery.reply_to
        if model is None:
            return Failure.invalid(*faults, self._unknown(delivery.type))
        ours = model.KIND in OURS_ALONE
        work.type, work.sender = model.TYPE, OURSELVES if ours else work.sent_by.name(work.user)
        if (forbidden := self._forbidden(work, model, own)) is not None:
            return Failure.invalid(*faults, forbidden)
        if issubclass(model, Fact) and not may_send(model.SENDERS, roles):
            needs = f"its sender needs the role {' or '.join(sorted(model.SENDERS))}"
            token_fault = work.sent_by.token_fault
            fault = Fault("$", "untrusted_user", f"its token {token_fault}" if token_fault else needs)
            return Failure.invalid(fault, reason=Reason.UNTRUSTED_USER)
        work.packed = model.PACKABLE  # what its sender may not send is not taken apart
        faults += self._address_faults(work, model, forbidden_address)
        if len(delivery.body) > self.body_max_bytes:
            return Failure.invalid(*faults, Fault("$", "too_large", f"it is larger than {self.body_max_bytes} bytes"))
        reading: Reading[Any] = read(packed(model) if model.PACKABLE else model, delivery.body)
        if faults or reading.faults:
            return Failure.invalid(*(*faults, *reading.faults)[:FAULTS_MAX])
        work.canonical_hash = blake2b(reading.canonical_body, digest_size=HASH_BYTES).digest()
        work.envelopes = _envelopes(work, reading.message)
        return None if self.cell is None or ours else self._misplaced(work, self.cell)

    def _misplaced(self, work: Work, cell: Cell) -> Failure | None:
        """Say why a cell does not handle a message. One that belongs to one other cell is handed on to it."""
        named = "" if self._ours_only(work.delivery) else work.delivery.text(CELL_HEADER)
        cells = cell.of(work.envelopes[0].body, named)
        if cells == {cell.name}:
            return None
        other = next(iter(cells)) if len(cells) == 1 else None
        fault = Fault("$", Reason.WRONG_CELL, cell.why_not(cells))
        return Failure.invalid(fault, reason=Reason.WRONG_CELL, cell=other)

    def _user(self, delivery: Delivery, model: type[Message] | None, own: bool) -> str | None:
        """The broker user that sent the message first. What we republish names it in a header; without that, None."""
        if own and "origin-user" in delivery.headers:
            return delivery.text("origin-user")
        if own and self._ours_only(delivery) and (model is None or model.KIND not in OURS_ALONE):
            return None
        return delivery.user_id

    def _ours_only(self, delivery: Delivery) -> bool:
        return delivery.exchange in ("", self.names.delayed, self.names.delay_plugin)

    def _unknown(self, type_: str | None) -> Fault:
        if not type_:
            return Fault("$", "missing_type", "the property type (or the header type) is missing")
        known = type_.rsplit(".", 1)[0] in {other.routing_key() for other in self.models.values()}
        words = f"{self.queue} does not take this type{goes_to(type_, self.names)}"
        return Fault("$", "unknown_version" if known else "unknown_type", words)

    def _forbidden(self, work: Work, model: type[Message], own: bool) -> Fault | None:
        """Say why a message of this type may not come from this exchange."""
        exchange, direct = self.names.exchange_of(model.KIND), self._ours_only(work.delivery)
        if direct and not own:
            return Fault("$", "forbidden_exchange", "only our own users may publish straight to a queue")
        if not direct and work.delivery.exchange != exchange:
            return Fault("$", "forbidden_exchange", f"messages of this type come by the exchange {exchange}")
        if (direct or model.KIND is MessageKind.EVENT) and model.KIND in OURS_ALONE and work.user not in self.trust.own:
            # replaying a rejected message of another user does not make it ours
            return Fault("$", "forbidden_exchange", "only our own broker users may send this type")
        return None

    def _address_faults(self, work: Work, model: type[Message], forbidden_address: str | None) -> Iterator[Fault]:
        """Refuse a wrong routing key; and a forbidden reply address, unless the message has no answer anyway."""
        if not self._ours_only(work.delivery) and work.delivery.routing_key != model.routing_key():
            yield Fault("$", "wrong_routing_key", f"this type needs the routing key {model.routing_key()}")
        if model.KIND in (MessageKind.COMMAND, MessageKind.QUERY) and forbidden_address:
            yield Fault("properties.reply_to", "forbidden_reply_to", forbidden_address)
        elif model.KIND is MessageKind.QUERY and work.reply_to is None:
            yield Fault("$", "missing_reply_to", "a query needs a reply_to")


def _frame_faults(delivery: Delivery, id_bytes_max: int) -> Iterator[Fault]:
    """Find what the tolerant decoders let through: texts that are not UTF-8, times out of range, unknown modes."""
    given, message_id = delivery.properties, delivery.message_id or ""
    texts = {"message_id": message_id, "type": delivery.type, "reply_to": delivery.reply_to}
    texts |= {"correlation_id": given.correlation_id, "user_id": given.user_id}
    unclean = [name for name, text in texts.items() if text and not is_clean(text)]
    faults = {
        f"no clean UTF-8 text of at most {AMQP_TEXT_BYTES_MAX} bytes: {', '.join(unclean)}": bool(unclean),
        "the headers cannot be read": not all(key.isprintable() for key in delivery.headers),  # see MALFORMED
        "the timestamp is out of range": given.timestamp == TIME_OUT_OF_RANGE,
        "the delivery mode is neither 1 nor 2": given.delivery_mode not in (None, 1, 2),
        f"message_id is longer than {id_bytes_max} bytes": not is_clean(message_id, bytes_max=id_bytes_max)
        and "message_id" not in unclean,
    }
    yield from (Fault("$", "malformed_frame", fault) for fault, found in faults.items() if found)
    if not message_id:
        yield Fault("$", NO_ID, "the property message_id (or the header message-id) is missing")
    if "occurred-at" in delivery.headers and moment_of(delivery.text("occurred-at") or "") is None:
        yield Fault("headers.occurred-at", "time_format", "it should be a time of RFC 3339, with an offset")


def _envelopes(work: Work, body: Any) -> tuple[Envelope[Any], ...]:
    delivery = work.delivery
    common: dict[str, Any] = {"message_id": work.message_id, "reply_to": work.reply_to, "attempt": work.attempt}
    common |= {"user": work.user, "roles": work.sent_by.roles, "sender": work.sender, "replayed": bool(work.replay_of)}
    common |= work.sent_by.about
    if work.packed:
        return tuple(
            Envelope(**vars(item), index=index, packed=True, **common) for index, item in enumerate(body.items)
        )
    correlation_id, causation_id = delivery.properties.correlation_id or work.message_id, delivery.text("causation-id")
    common |= {"correlation_id": correlation_id, "causation_id": causation_id and clean(causation_id)}
    common |= delivery.trace
    return (Envelope(body, occurred_at=_occurred_at(delivery), **common),)


class PackItem(Part):
    """An item of a pack without its body. Only we write packs, so a field that is unknown is of a newer version."""

    model_config = ConfigDict(extra="ignore")
    correlation_id: str
    causation_id: str | None = None
    occurred_at: Moment
    traceparent: str | None = None
    tracestate: str | None = None


@cache
def packed(model: type[Message]) -> Any:
    """The model of a pack on the wire, `{"items": [...]}`.

    Each item carries what properties carry for a single message.
    """
    item: Any = create_model(f"{model.__name__}Item", __base__=PackItem, body=(model, ...))
    return create_model(f"{model.__name__}Pack", __base__=Part, items=(list[item], Field(min_length=1)))


def _occurred_at(delivery: Delivery) -> datetime:
    """The time of the header occurred-at (microseconds), else of the property timestamp (seconds), else now."""
    if (named := delivery.text("occurred-at")) and (happened := moment_of(named)):
        return happened
    moment = delivery.properties.timestamp or datetime.now(UTC)
    return moment if 1970 < moment.year < 2200 else datetime.now(UTC)  # every database can hold these years
