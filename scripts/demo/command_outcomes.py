"""The outcomes of all commands as events show them: each command must end in exactly one."""

import asyncio
import random
import time
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field

from scripts.amqp_client import OutgoingMessage, ReceivedMessage

OUTCOMES = {
    "order.create.v1": {"order.created.v1", "order.rejected.v1"},
    "order.cancel.v1": {"order.cancelled.v1", "order.cancelling.v1", "orders.changed.v1"},
    "order.change_address.v1": {"order.address_changed.v1", "orders.changed.v1"},
    "order.confirm_receipt.v1": {"order.completed.v1", "orders.changed.v1"},
    "order.delete.v1": {"orders.deleted.v1"},
    "order.hold.v1": {"order.held.v1", "orders.changed.v1"},
    "order.release.v1": {"order.released.v1", "orders.changed.v1"},
    "order.shortage.report.v1": {"order.shortage_recorded.v1"},
    "order.shortage.decide.v1": {"order.released.v1", "order.rest_cancelled.v1"},
    "order.cancel_rest.v1": {"order.rest_cancelled.v1"},
    "order.merge.v1": {"order.merged.v1"},
    "after_sale.apply.v1": {"after_sale.requested.v1"},
    "after_sale.cancel.v1": {"after_sale.revoked.v1"},
    "after_sale.reopen.v1": {"after_sale.reopened.v1"},
    "after_sale.review.v1": {"after_sale.approved.v1", "after_sale.rejected.v1", "after_sale.closed.v1"},
    "after_sale.close.v1": {"after_sale.closed.v1"},
    "after_sale.ship_back.v1": {"after_sale.return_shipped.v1"},
    "after_sale.receive.v1": {"after_sale.return_received.v1"},
    "after_sale.inspect.v1": {
        "after_sale.inspecting.v1",
        "after_sale.inspect_passed.v1",
        "after_sale.inspect_failed.v1",
    },
    "after_sale.send_back.v1": {"send_back.shipped.v1"},
    "refund.request.v1": {"refund.requested.v1"},
    "contact.set.v1": {"contact.changed.v1"},
    "payment.start.v1": {"payment.started.v1"},
    "sku.upsert.v1": {"sku.changed.v1", "sku.unchanged.v1"},
    "shipment.create.v1": {"shipment.booked.v1", "shipment.booking_failed.v1"},
    "stock.receive.v1": {"stock.received.v1"},
    "warehouses.set.v1": {"warehouses.changed.v1", "warehouses.unchanged.v1"},
    "settings.set.v1": {"settings.changed.v1", "settings.unchanged.v1"},
    "promotion.upsert.v1": {"promotion.changed.v1", "promotion.unchanged.v1"},
    "coupon_template.upsert.v1": {"coupon_template.changed.v1", "coupon_template.unchanged.v1"},
    "coupon.issue.v1": {"coupon.issued.v1"},
    "points.grant.v1": {"points.changed.v1"},
}
REFUSED = "command.rejected.v1"
DECIDING = frozenset({REFUSED}).union(*OUTCOMES.values())
REMEMBERED_MAX = 50_000
RECENT_SECONDS = 10


@dataclass
class PendingCommand:
    """A command without an outcome yet. `order_id` is the order that it changes, if there is one."""

    type: str
    at: float
    order_id: str | None = None
    received: ReceivedMessage | None = None
    decided: asyncio.Event = field(default_factory=asyncio.Event)

    async def outcome(self) -> ReceivedMessage:
        """Wait for the outcome: an event of the command, or command.rejected."""
        await self.decided.wait()
        assert self.received is not None
        return self.received

    def is_decided_by(self, received: ReceivedMessage) -> bool:
        """Tell whether this event is the outcome.

        One command can change several orders, such as the parts of a split order: only the event of its own order is
        the outcome.
        """
        if received.type == REFUSED:
            return True
        if received.type not in OUTCOMES[self.type]:
            return False
        if self.order_id is None:
            return received.body.get("parent_id") is None
        return received.body.get("order_id") in (None, self.order_id)


class CommandOutcomes:
    """Open commands by correlation id, which is the id of the message that carried the command."""

    def __init__(self) -> None:
        self.open: dict[str, PendingCommand] = {}
        self.sent: Counter[str] = Counter()
        self.decided: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.contradictions: list[str] = []
        self.latency = Latency()
        self._known: OrderedDict[str, str] = OrderedDict()
        self._moved = asyncio.Event()

    def remember(self, message: OutgoingMessage) -> PendingCommand:
        """Remember a command that is about to be sent."""
        order_id = None if isinstance(message.body, bytes) else message.body.get("order_id")
        sent = self.open[message.message_id] = PendingCommand(message.type, time.monotonic(), order_id)
        self.sent[message.type] += 1
        return sent

    async def fewer_than(self, limit: int) -> None:
        """Wait until fewer commands than this are open."""
        while len(self.open) >= limit:
            self._moved.clear()
            await self._moved.wait()

    def receive(self, received: ReceivedMessage) -> None:
        """Handle an event, which may be the outcome of a command."""
        sent = self.open.get(received.correlation_id)
        if sent is None:
            self._compare(received)
        elif sent.is_decided_by(received):
            del self.open[received.correlation_id]
            self._decide(received, sent)

    def _decide(self, received: ReceivedMessage, sent: PendingCommand) -> None:
        sent.received = received
        sent.decided.set()
        self._moved.set()
        self.decided[f"{sent.type} -> {received.type}"] += 1
        if "code" in received.body:
            self.refusals[f"{sent.type}: {received.body['code']}"] += 1
        if received.type == "order.created.v1":
            self.latency.add(time.monotonic() - sent.at)
        self._known[received.correlation_id] = received.type
        if len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)

    def _compare(self, received: ReceivedMessage) -> None:
        """Record a command that was refused and has another outcome too."""
        before = self._known.get(received.correlation_id)
        if before is None or before == received.type or received.type not in DECIDING:
            return
        if REFUSED in (before, received.type):
            self.contradictions.append(f"{received.correlation_id}: {before}, then {received.type}")

    def oldest(self, limit: int = 5) -> list[str]:
        """Return the commands that wait longest, as text."""
        waiting = list(self.open.items())[:limit]
        return [f"{sent.type} {key} without an outcome for {time.monotonic() - sent.at:.0f} s" for key, sent in waiting]


class Latency:
    """Seconds from the first publish of a command to its outcome: of the last ten seconds, and a sample of the run."""

    def __init__(self, sample_max: int = 20_000) -> None:
        self._recent: deque[tuple[float, float]] = deque(maxlen=5_000)
        self._sample: list[float] = []
        self._sample_max, self._count = sample_max, 0

    def add(self, seconds: float) -> None:
        """Add one measurement."""
        self._recent.append((time.monotonic(), seconds))
        self._count += 1
        if len(self._sample) < self._sample_max:
            self._sample.append(seconds)
        elif (place := random.randrange(self._count)) < self._sample_max:
            self._sample[place] = seconds

    def recent(self) -> dict[str, float | None]:
        """Return the percentiles of the last ten seconds."""
        since = time.monotonic() - RECENT_SECONDS
        return percentiles([seconds for at, seconds in self._recent if at >= since])

    def all(self) -> dict[str, float | None]:
        """Return the percentiles of the whole run."""
        return percentiles(self._sample)


def percentiles(seconds: list[float]) -> dict[str, float | None]:
    """Return p50 and p99, None for both if there are no measurements."""
    if not seconds:
        return {"p50": None, "p99": None}
    ordered = sorted(seconds)
    return {"p50": ordered[len(ordered) // 2], "p99": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]}
