"""Counts alerts and rejections by their codes, once their transaction has committed (S3-38)."""

from collections import Counter as Tally
from collections.abc import Callable, Sequence

from prometheus_client import Counter

from messages.base import AlertRaised, CommandRejected
from messages.registry import MODELS
from outbox.announcement import Announcement
from outbox.bounded_label import OTHER, BoundedLabel

CODES_MAX = 200  # a shop's own stock may answer with codes of its own: those beyond share the label `other`
ALERTS = Counter("oms_alerts_total", "Alerts raised, by code and level", ["code", "level"])
REJECTIONS = Counter(
    "oms_rejections_total", "Commands and queries that were rejected, by type and code", ["message_type", "code"]
)
_CODES, _ALERT_CODES = BoundedLabel(CODES_MAX), BoundedLabel(CODES_MAX)  # apart: those of alerts are all ours


class Noted:
    """What a transaction has appended to the outbox: the shards that have new rows, and the codes of its events.

    `later` is called after these were counted.
    """

    def __init__(self) -> None:
        self.shards: set[int] = set()
        self.later: list[Callable[[], None]] = []
        self._alerts: Tally[tuple[str, str]] = Tally()
        self._rejections: Tally[tuple[str, str]] = Tally()

    def note(self, announcements: Sequence[Announcement]) -> None:
        """Note the codes of the events among these.

        Those of order.rejected are not noted here: workers/services/order_counts.py knows which of them reject an
        order.create, and not a part of one or an exchange order.
        """
        for body in (one.body for one in announcements if one.destination == "events"):
            match body:
                case AlertRaised():
                    self._alerts[body.code, body.level] += 1
                case CommandRejected():
                    self._rejections[body.type, body.code] += 1

    def count(self) -> None:
        """Count what was noted."""
        for (code, level), number in self._alerts.items():
            ALERTS.labels(_ALERT_CODES.of(code), level).inc(number)
        for (message_type, code), number in self._rejections.items():
            rejected(message_type, code, number)
        for count in self.later:
            count()


def rejected(message_type: str, code: str, number: int = 1) -> None:
    """Count rejections. A type that is none of ours comes from a stranger, and has the label `other`."""
    REJECTIONS.labels(message_type if message_type in MODELS else OTHER, _CODES.of(code)).inc(number)
