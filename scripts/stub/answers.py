"""What a stub answers: the examples of the contract, with the ids, amounts and names that the message has.

It remembers the orders that it created, so that what follows is about the same buyer, amount and version.
"""

import itertools
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from pydantic import ValidationError

from messages.base import Command, CommandRejected, Event, Fact, Instruction, Message, Query, QueryRejected, Reply
from messages.envelope import Envelope
from messages.orders import OrderCreate, OrderEvent
from messages.registry import MODELS
from messages.shipments import ShipmentBook
from messages.user_shards import shard_of_user
from scripts.commands.answers import ANSWERS
from scripts.commands.code_meanings import CODES
from scripts.stub.prices import priced
from workers.domain.money import render

Body = dict[str, Any]
EPOCH_2024_MS = 1_704_067_200_000
PAYMENT_WINDOW = timedelta(minutes=30)
LATE_REFUSALS = ("INVENTORY_INSUFFICIENT", "ORDER_SAGA_TIMEOUT", "RISK_BLOCKED", "RISK_CAPTCHA_REQUIRED")
"""Codes of an order.create that was accepted first: it ends as order.rejected, not as command.rejected."""
OF_THE_ORDER = ("order_id", "conversation_id", "parent_id", "order_no", "user_id", "amounts", "request_id", "intent_id")
REPORTED: dict[tuple[str, str], tuple[str, ...]] = {
    ("payment.result.v1", "captured"): ("order.paid.v1",),
    ("shipment.update.v1", "outbound"): ("order.shipped.v1",),
    ("shipment.update.v1", "delivered"): ("order.delivered.v1",),
}
"""Fact and its kind or status -> the events of a known order that follow."""


class StubOrders:
    """The orders that a stub knows, by id, as their newest event has them; and the messages that it makes of them.

    `prices` are those of the scenario: SKU -> minor units.
    """

    def __init__(self, examples: Mapping[str, Any]) -> None:
        self.prices: Mapping[str, int] = {}
        self._examples = examples
        self._orders: dict[str, Body] = {}
        self._parcels: dict[tuple[str, str], str] = {}  # carrier and number -> the order it was booked for
        self._sequence = itertools.count(1)

    def outcome(self, body: Command, item: Envelope[Any]) -> Event:
        """Return the event that ends a command."""
        given = _json(body)
        if isinstance(body, OrderCreate):
            return self._created(given, item.correlation_id)
        return self.event(ANSWERS[body.TYPE].types[0], given | {"command": body.routing_key()}, cause=body.TYPE)

    def reply(self, body: Query) -> Reply:
        """Return the answer to a query, about the order that it names if that is known."""
        given = _json(body)
        known = self._orders.get(str(given.get("order") or given.get("order_id") or ""), {})
        if known:
            amounts = known["amounts"]
            minor, currency = amounts["payable"], amounts["currency"]
            money = {"minor": minor, "currency": currency, "text": render(minor, currency)}
            given |= {name: known[name] for name in ("order_id", "order_no", "user_id", "state", "version")}
            given |= {"amounts": amounts, "payable": money}
        reply = self._filled(ANSWERS[body.TYPE].types[0], given)
        assert isinstance(reply, Reply)
        return reply

    def refused(
        self, body: Message, code: str, item: Envelope[Any], details: Mapping[str, Any] | None = None
    ) -> Event | Reply:
        """Return the refusal of a command or a query with a code, and with the details that oms gives with it."""
        message = f"the stub refuses it: {CODES[code]}"
        if isinstance(body, Query):
            return QueryRejected(code=code, message=message)
        if isinstance(body, OrderCreate) and code in LATE_REFUSALS:
            fields = self._placed(_json(body), item.correlation_id)
            fields |= {"code": code, "message": message, "details": dict(details or {})}
            return self.event("order.rejected.v1", fields, cause=body.TYPE)
        named = {"order_id": str(order_id)} if (order_id := getattr(body, "order_id", None)) else {}
        given = {**named, **(details or {})}
        return CommandRejected(command_id=item.message_id, type=body.TYPE, code=code, message=message, details=given)

    def reported(self, body: Fact) -> Iterator[Event]:
        """Yield the events that follow from a fact about a known order, or about a parcel that was booked for it."""
        given = _json(body)
        what, parcel = (
            given.get("kind") or given.get("status"),
            (str(given.get("carrier")), str(given.get("tracking_no"))),
        )
        order_id = str(given.get("order_id") or self._parcels.get(parcel))
        if isinstance(body, ShipmentBook):
            self._parcels[parcel] = order_id
        if order_id in self._orders:
            for type_ in REPORTED.get((body.TYPE, str(what)), ()):
                yield self.event(type_, {"order_id": order_id}, cause=body.TYPE)

    def event(self, type_: str, given: Mapping[str, Any], *, cause: str) -> Event:
        """Return an event with these fields; one about an order that is known is its next version."""
        fields = dict(given)
        if issubclass(MODELS[type_], OrderEvent):
            known = self._orders.get(str(given.get("order_id", "")), {})
            fields = {name: known[name] for name in OF_THE_ORDER if name in known} | fields
            fields |= {"cause": {**self._examples[type_]["cause"], "type": cause}}
            if known:
                fields |= {"previous": known["state"], "version": known["version"] + 1}
        event = self._filled(type_, fields)
        assert isinstance(event, Event)
        if isinstance(event, OrderEvent):
            self._orders[str(event.order_id)] = self._orders.get(str(event.order_id), {}) | _json(event)
        return event

    def instruction(self, type_: str, given: Mapping[str, Any]) -> Instruction:
        """Return an instruction for a warehouse."""
        made = self._filled(type_, given)
        assert isinstance(made, Instruction)
        return made

    def _created(self, given: Body, correlation_id: str) -> Event:
        fields = self._placed(given, correlation_id)
        fields |= {"children": [], "intent_id": self._id(given["user_id"])}
        fields |= {"pay_before": (datetime.now(UTC) + PAYMENT_WINDOW).isoformat(), "version": 2}
        created = self._filled("order.created.v1", fields)
        assert isinstance(created, OrderEvent)
        self._orders[str(created.order_id)] = _json(created)
        return created

    def _placed(self, given: Body, correlation_id: str) -> Body:
        """The fields of a new order."""
        user_id = given["user_id"]
        lines, amounts = priced(given, self.prices)
        now = datetime.now(UTC)
        return {
            "order_id": self._id(user_id),
            "order_no": given.get("order_no") or f"{now:%Y%m%d}{next(self._sequence):08}{shard_of_user(user_id):02}",
            "conversation_id": correlation_id,
            "parent_id": None,
            "user_id": user_id,
            "request_id": given["request_id"],
            "amounts": amounts,
            "lines": lines,
        }

    def _id(self, user_id: str) -> str:
        """A new id as oms makes them: milliseconds since 2024, the user's shard, a sequence."""
        since_ms = int(time.time() * 1000) - EPOCH_2024_MS
        return str(since_ms << 22 | shard_of_user(user_id) << 16 | next(self._sequence) & 0xFFFF)

    def _filled(self, type_: str, given: Mapping[str, Any]) -> Message:
        """The example of a type with the fields that are given. A field that does not fit there keeps its example."""
        body = dict(self._examples[type_])
        fitting = {name: value for name, value in given.items() if name in MODELS[type_].model_fields}
        while True:
            try:
                return MODELS[type_].model_validate_json(orjson.dumps(body | fitting))
            except ValidationError as error:
                wrong = {fault["loc"][0] for fault in error.errors(include_url=False, include_input=False)}
                if not wrong & fitting.keys():
                    raise
                fitting = {name: value for name, value in fitting.items() if name not in wrong}


def _json(body: Message) -> Body:
    fields: Body = orjson.loads(body.json_bytes)
    return fields
