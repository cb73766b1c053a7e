"""What a client knows of the system: the commands that it sent, and the replies and events that it received.

`History` recounts money and stock from the events alone, and `faults` names each promise of the wire that they break:
one outcome per command, streams without a gap and in order, a repeat that is the same message again.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

OUTCOMES = {
    "order.create": ("order.created", "order.rejected", "command.rejected"),
    "order.cancel": ("order.cancelled", "command.rejected"),
}
"""Command -> the events that can be its outcome."""
HOLDING, SOLD = "awaiting_payment", ("paid", "shipped", "delivered", "completed")
FAULTS_MAX = 20  # one lost event breaks several rules; more lines do not help to find it


@dataclass(frozen=True)
class Received:
    """One delivery. `about` is the message that it answers (a reply's correlation id)."""

    type: str
    message_id: str
    body: Mapping[str, Any]
    about: str | None = None
    stream: str | None = None
    seq: int | None = None

    @property
    def content(self) -> bytes:
        """The body without the mark of a repeated answer."""
        return orjson.dumps(
            {name: value for name, value in self.body.items() if name != "duplicate"}, option=orjson.OPT_SORT_KEYS
        )


class Sent(NamedTuple):
    """One command: its type and the request that it makes. A client that repeats it makes the same request."""

    type: str
    request: str


class Units(NamedTuple):
    """The counters of one SKU."""

    on_hand: int
    locked: int


class Money(NamedTuple):
    """The money of one order in minor units: captured from the buyer, and promised or given back."""

    captured: int
    returned: int


@dataclass
class History:
    """Deliveries in the order in which the client's queues had them, over all tests of a deployment."""

    sent: dict[str, Sent] = field(default_factory=dict)
    events: list[Received] = field(default_factory=list)
    replies: list[Received] = field(default_factory=list)

    def faults(self) -> list[str]:
        """Every broken promise, in words; empty if there is none."""
        found = [*self._repeats(), *self._streams(), *self._unanswered(), *self._outcomes()]
        return found[:FAULTS_MAX]

    def unanswered(self) -> set[str]:
        """The message ids of commands that have no reply yet."""
        return self.sent.keys() - {str(reply.about) for reply in self.replies}

    def first(self) -> Iterator[Received]:
        """Each event once, at its first delivery."""
        seen: set[str] = set()
        for event in self.events:
            if event.message_id not in seen:
                seen.add(event.message_id)
                yield event

    def _repeats(self) -> Iterator[str]:
        known: dict[str, Received] = {}
        facts: dict[tuple[str, bytes], str] = {}
        for event in self.events:
            before = known.setdefault(event.message_id, event)
            if (before.type, before.content) != (event.type, event.content):
                yield f"{event.type} {event.message_id} came again with another body"
            same = facts.setdefault((event.type, event.content), event.message_id)
            if event.type.startswith("order.") and same != event.message_id:
                yield f"{event.type} of order {event.body['order_id']} came under two ids"

    def _streams(self) -> Iterator[str]:
        last: dict[str, int] = defaultdict(int)
        for event in self.first():
            if event.stream is None or event.seq is None:
                continue
            if event.seq != last[event.stream] + 1:
                yield f"stream {event.stream}: {event.type} has seq {event.seq} after {last[event.stream]}"
            last[event.stream] = event.seq

    def _unanswered(self) -> Iterator[str]:
        for message_id in self.unanswered():
            yield f"{self.sent[message_id].type} {message_id} has no reply"

    def _outcomes(self) -> Iterator[str]:
        announced = Counter((event.type, event.content) for event in self.first())
        by_request: dict[Sent, set[tuple[str, bytes]]] = defaultdict(set)
        for reply in self.replies:
            if (sent := self.sent.get(str(reply.about))) is None:
                yield f"{reply.type} answers {reply.about}, which was not sent"
                continue
            if reply.type not in OUTCOMES[sent.type]:
                yield f"{reply.type} answers {sent.type}"
            by_request[sent].add((reply.type, reply.content))
        for sent, outcomes in by_request.items():
            if len(outcomes) != 1:
                yield f"{sent.type} {sent.request} has {len(outcomes)} outcomes"
            for outcome in outcomes:
                if (times := announced[outcome]) != 1:
                    yield f"{sent.type} {sent.request}: its outcome {outcome[0]} is announced {times} times"

    # the books, from events alone

    def states(self) -> dict[str, tuple[str, int]]:
        """Order -> its state and its version after the last event."""
        return {
            event.body["order_id"]: (event.body["state"], event.body["version"])
            for event in self.first()
            if event.type.startswith("order.") and "version" in event.body
        }

    def money(self) -> dict[str, Money]:
        """Order -> its money. A refund counts from the moment it is promised."""
        sums: dict[str, Money] = defaultdict(lambda: Money(0, 0))
        for event in self.first():
            order, amount = str(event.body.get("order_id")), int(event.body.get("amount", 0))
            before = sums[order] if event.type in ("payment.captured", "refund.requested") else Money(0, 0)
            if event.type == "payment.captured":
                sums[order] = before._replace(captured=before.captured + amount)
            if event.type == "refund.requested":
                sums[order] = before._replace(returned=before.returned + amount)
        return dict(sums)

    def stock(self) -> dict[str, Units]:
        """SKU -> its counters: what was received, less what paid orders took, with what unpaid orders hold."""
        lines: dict[str, Any] = {}
        units: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for event in self.first():
            if event.type == "stock.received":
                units[event.body["sku_id"]][0] += event.body["qty"]
            if event.type == "order.created":
                lines[event.body["order_id"]] = event.body["lines"]
        states = self.states()
        for order, of_order in lines.items():
            state, _ = states[order]
            for line in of_order:
                units[line["sku_id"]][0] -= line["qty"] if state in SOLD else 0
                units[line["sku_id"]][1] += line["qty"] if state == HOLDING else 0
        return {sku: Units(*counters) for sku, counters in units.items()}
