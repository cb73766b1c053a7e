"""What the broker did not take, for all lanes of a relay: logs, metrics and alerts, each with a limit."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson
import structlog

from messages.base import AlertRaised, MessageCode
from messages.trace_context import TRACEPARENT, trace_id
from outbox import metrics
from outbox.announcement import Announcement, event
from outbox.outcome import Answer, PublishOutcome

if TYPE_CHECKING:
    from asyncpg import Record

log = structlog.get_logger(__name__)

LOG_SECONDS = 10.0  # between two warnings about one address; 500 messages for a full queue are one line, not 500
ALERTS_MAX = 20  # alerts in ALERTS_SECONDS, so that a flood of refused messages does not become a flood of alerts
ALERTS_SECONDS = 60.0
EXCHANGE_ALERT_SECONDS = 600.0  # between two alerts about one exchange
ADDRESSES_MAX = 1_000  # addresses that are remembered; strangers may name any number of reply queues
TEXT_MAX_CHARACTERS = 200
FINAL = tuple(f"{outcome}: " for outcome in PublishOutcome if outcome.is_final)

SERVICE = "relay"  # what its alerts name in the place of a queue
Address = tuple[str, str]
"""The destination and the routing key of a row."""


@dataclass(frozen=True)
class Unpublished:
    """A row that was not published: the outcome, the reason in the broker's words, and whether people know of it."""

    outcome: PublishOutcome
    reason: str
    alert: Announcement | None = None


def was_final(reason: str | None) -> bool:
    """True if a hold with this reason is about a message that fails whenever it is sent."""
    return reason is not None and reason.startswith(FINAL)


def named(row: "Record") -> dict[str, Any]:
    """Name the message of a row as lines of the log do. The stream of an event is the id of its root order."""
    headers = _headers(row)
    fields = {name: row[name] for name in ("message_id", "type", "destination", "routing_key", "correlation_id")}
    fields |= {"causation_id": headers.get("causation-id"), "trace_id": trace_id(headers.get(TRACEPARENT))}
    fields["order_id"] = row["stream"] if row["stream"] != row["message_id"] else None
    return {name: value for name, value in fields.items() if value is not None}


def _headers(row: "Record") -> dict[str, Any]:
    """Return the headers of a row; none if they cannot be read, which is what its line is about."""
    try:
        found = orjson.loads(row["headers"])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def address_of(row: "Record") -> Address:
    """Where the row goes."""
    return row["destination"], row["routing_key"]


class Refusals:
    """Remembers what was refused. `refusing` holds the addresses for which rows are held, as far as this relay knows.

    `dropped` counts the events, by routing key, that at least one subscriber's queue has refused since the last look.
    """

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        self.refusing: set[Address] = set()
        self.dropped: Counter[str] = Counter()
        self.event_dropped = asyncio.Event()
        self._now = now or asyncio.get_running_loop().time
        self._logged: dict[Address, tuple[float, int]] = {}
        self._alerted: list[float] = []
        self._exchange_alerts: dict[str, float] = {}

    def note(self, row: "Record", answer: Answer) -> Unpublished:
        """Record that the broker did not take a row."""
        destination, routing_key = address_of(row)
        failure = Unpublished(
            answer.outcome, _shown(f"{answer.outcome}: {answer.reason or f'{destination} {routing_key}'}")
        )
        self._log(row, failure.reason)
        if answer.outcome.is_final:
            metrics.REFUSED.labels(destination).inc()
        else:
            if len(self.refusing) >= ADDRESSES_MAX:
                self.refusing.clear()
            self.refusing.add((destination, routing_key))
        if answer.outcome is PublishOutcome.NO_EXCHANGE:
            return replace(failure, alert=self._exchange_alert(destination, failure.reason))
        if answer.outcome.needs_person and not (row["held_reason"] or "").startswith(f"{answer.outcome}: "):
            return replace(failure, alert=self._alert(row, failure.reason))
        return failure

    def note_dropped_event(self, row: "Record") -> None:
        """Record that a subscriber's queue has refused an event, which all other subscribers have."""
        self.dropped[row["routing_key"]] += 1
        self.event_dropped.set()

    def _log(self, row: "Record", reason: str) -> None:
        address, now = address_of(row), self._now()
        if len(self._logged) >= ADDRESSES_MAX:
            self._logged.clear()
        logged_at, more = self._logged.get(address, (-LOG_SECONDS, 0))
        if now - logged_at < LOG_SECONDS:
            self._logged[address] = (logged_at, more + 1)
            return
        self._logged[address] = (now, 0)
        log.warning("broker did not take a message, its stream waits", **named(row), reason=reason, more_since=more)

    def _alert(self, row: "Record", reason: str) -> Announcement | None:
        """Build the alert about a message that a person must look at, unless it is an alert itself."""
        what = f"{row['type']} {row['message_id']} to {row['destination']} {row['routing_key']}"
        return self._raise(
            row["type"],
            title="A message cannot be published",
            content=f"{_shown(what)} is held, because {reason}. `oms outbox list` shows it.",
            code=MessageCode.MESSAGE_REFUSED,
        )

    def _exchange_alert(self, destination: str, reason: str) -> Announcement | None:
        if self._exchange_alerts.get(destination, -EXCHANGE_ALERT_SECONDS) > self._now() - EXCHANGE_ALERT_SECONDS:
            return None
        self._exchange_alerts[destination] = self._now()
        return self._raise(
            "",
            title="An exchange takes no messages",
            content=f"All messages for the destination {destination} wait: {reason}. See `oms topology declare`.",
            code=MessageCode.EXCHANGE_REFUSED,
        )

    def _raise(self, about: str, *, title: str, content: str, code: str) -> Announcement | None:
        self._alerted = [at for at in self._alerted if at > self._now() - ALERTS_SECONDS]
        if about == AlertRaised.TYPE or len(self._alerted) >= ALERTS_MAX:
            return None
        self._alerted.append(self._now())
        return event(AlertRaised.of(title=title, content=content, code=code, service=SERVICE), because=None)


def refused_by(queue: str, why: str, counts: Mapping[str, int]) -> Announcement:
    """Build the alert about a subscriber's queue that refuses events."""
    keys = ", ".join(f"{key} ({count})" for key, count in sorted(counts.items())[:10])
    content = f"{_shown(queue)} has not received these events, and never will: {keys}. {why}"
    return event(
        AlertRaised.of(
            title="A subscriber refuses events",
            content=content,
            code=MessageCode.SUBSCRIBER_REFUSES,
            service=SERVICE,
        ),
        because=None,
    )


def _shown(text: str) -> str:
    """Foreign text, without control characters and not too long."""
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return shown if len(shown) <= TEXT_MAX_CHARACTERS else shown[:TEXT_MAX_CHARACTERS] + "..."
