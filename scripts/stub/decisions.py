"""What a stub decides about a message: how oms would read it, and what it answers. No broker."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from messages.base import Command, CommandRejected, Event, Fact, Message, MessageCode, MessageKind, Query, QueryRejected
from messages.envelope import Envelope
from messages.orders import OrderCreate, OrderCreated, OrderEvent
from messages.registry import MODELS
from messages.strict_json import Fault, why_unread
from messages.topology import TAKEN, Names
from messages.user_roles import Trust
from scripts.stub.answers import StubOrders
from scripts.stub.scenario import Dice, Scenario
from scripts.stub.shelf import StubShelf, shortages
from workers.domain.codes import Code
from workers.domain.order import State
from workers.runtime.decode import Decoder, Work
from workers.runtime.delivery import Delivery
from workers.runtime.errors import Failure
from workers.services import authorization
from workers.services.commands import CONFLICT

QUEUE_OF = {model.TYPE: queue for queue, models in TAKEN.items() for model in models}
KEYS = {model.routing_key() for models in TAKEN.values() for model in models if model.KIND is not MessageKind.INTERNAL}
UNROUTABLE = Fault("properties.routing_key", "unroutable", "no queue takes this routing key")


@dataclass(frozen=True)
class StubDecision:
    """What to send: a reply to the sender, whose body may differ from its message, and events for everyone."""

    reply: Message | None = None
    events: tuple[Event, ...] = ()
    body: bytes | None = None

    @property
    def answer(self) -> str | None:
        """The type of what answers the message."""
        answers = (*(() if self.reply is None else (self.reply,)), *self.events)
        return answers[0].TYPE if answers else None


class StubDecisions:
    """Decides messages one after the other, and knows the outcome of each command that it decided."""

    def __init__(self, names: Names, trust: Trust, examples: Mapping[str, Any], scenario: Scenario) -> None:
        self.orders = StubOrders(examples)
        self._names, self._trust = names, trust
        self._shelf = StubShelf(scenario)
        self._outcomes: dict[tuple[str, str], tuple[bytes, Event]] = {}
        self.follow(scenario)

    def follow(self, scenario: Scenario) -> None:
        """Follow another scenario from now on."""
        self.scenario, self._dice = scenario, Dice(scenario)
        self.orders.prices = scenario.price
        self._shelf.follow(scenario)

    def read(self, delivery: Delivery) -> Work:
        """Read a message as the worker of its queue would."""
        asks = delivery.exchange == self._names.queries
        queue = QUEUE_OF.get(delivery.type or "") or ("queries" if asks else self._names.commands)
        work = Decoder(queue, self._names, self._trust)(delivery)
        if not asks and delivery.routing_key not in KEYS:
            work.failure = Failure.invalid(UNROUTABLE, *(work.failure.faults if work.failure else ()))
        return work

    def decide(self, work: Work) -> StubDecision:
        """Decide about a message that was read."""
        if work.failure is not None:
            return self._unread(work, work.failure)
        item = work.envelopes[0]
        body: Message = item.body
        if body.TYPE in self.scenario.silent:
            return StubDecision()
        if isinstance(body, Fact):
            return StubDecision(events=tuple(self.orders.reported(body)))
        refusal = authorization.unvouched(item)
        if isinstance(body, Query):
            code = refusal.code if refusal else self._dice.refusal(body.TYPE)
            return StubDecision(self.orders.refused(body, code, item) if code else self.orders.reply(body))
        assert isinstance(body, Command)
        if refusal is not None:
            return _outcome(_rejected(item, refusal.code, refusal.message))
        return self._decided(item, body, work.canonical_hash)

    def _decided(self, item: Envelope[Any], body: Command, payload: bytes) -> StubDecision:
        """Decide a command, or answer its repeat with the stored outcome, as `workers/services/commands.py` does."""
        key = body.command_scope(), body.command_key(item.subject)
        if key in self._outcomes:
            known, outcome = self._outcomes[key]
            if known != payload:
                return _outcome(_rejected(item, CONFLICT.code, CONFLICT.message))
            return StubDecision(outcome, body=orjson.dumps(orjson.loads(outcome.json_bytes) | {"duplicate": True}))
        made = self._made(item, body)
        self._outcomes[key] = payload, made
        return _outcome(made)

    def _made(self, item: Envelope[Any], body: Command) -> Event:
        code, details = self._dice.refusal(body.TYPE), None
        if code is None and isinstance(body, OrderCreate):
            code, details = self._shelf.refusal(body) or (None, None)
        elif code == Code.INVENTORY_INSUFFICIENT and isinstance(body, OrderCreate):
            details = shortages(body, dict.fromkeys((item.sku_id for item in body.items), 0))
        made = self.orders.refused(body, code, item, details) if code else self.orders.outcome(body, item)
        assert isinstance(made, Event)
        if isinstance(made, OrderCreated) and isinstance(body, OrderCreate):
            self._shelf.hold(str(made.order_id), body)
        return self._shelved(made)

    def event(self, type_: str, given: Mapping[str, Any]) -> Event:
        """Return an event that the test or the scenario wants, and not a message."""
        return self._shelved(self.orders.event(type_, given, cause="stub"))

    def _shelved(self, made: Event) -> Event:
        """The event itself. An order that is cancelled gives its units back."""
        if isinstance(made, OrderEvent) and made.state == State.CANCELLED:
            self._shelf.release(str(made.order_id))
        return made

    def _unread(self, work: Work, failure: Failure) -> StubDecision:
        """Answer a message that cannot be read, as oms does. A fact has no answer."""
        delivery, faults = work.delivery, failure.faults
        model = MODELS.get(delivery.type or "")
        if delivery.exchange == self._names.queries:
            code, message = why_unread(faults, MessageCode.QUERY_INVALID)
            return StubDecision(QueryRejected(code=code, message=message, path=failure.path))
        code, message = why_unread(faults, MessageCode.MESSAGE_INVALID)
        details = {"error": faults[0].error, "path": faults[0].path, "faults": [vars(fault) for fault in faults]}
        named = {"command_id": delivery.message_id or "", "type": "" if model is None else model.TYPE}
        return _outcome(CommandRejected(code=code, message=message, details=details, **named))


def _outcome(event: Event) -> StubDecision:
    return StubDecision(event, (event,))


def _rejected(item: Envelope[Any], code: str, message: str) -> CommandRejected:
    return CommandRejected(command_id=item.message_id, type=item.body.TYPE, code=code, message=message)
