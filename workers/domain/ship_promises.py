"""The promise that the goods of a paid order leave in time (S0-44)."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class ShipPromise:
    """Goods leave at most `within_seconds` after the payment; 0: nothing is promised.

    A payment at `cutoff` (HH:MM in `time_zone`) or later counts as one at the next midnight there, because a warehouse
    begins with it on the next day. An empty cut-off is none.
    """

    within_seconds: int = 0
    cutoff: str = ""
    time_zone: str = "UTC"

    def until(self, paid_at: datetime) -> datetime | None:
        """Return the last moment at which the goods leave in time, or None."""
        if not self.within_seconds:
            return None
        return self._begins(paid_at) + timedelta(seconds=self.within_seconds)

    def _begins(self, paid_at: datetime) -> datetime:
        zone = ZoneInfo(self.time_zone)
        local = paid_at.astimezone(zone)
        if not self.cutoff or local.time() < time.fromisoformat(self.cutoff):
            return paid_at
        return datetime.combine(local.date() + timedelta(days=1), time(), zone).astimezone(UTC)


NO_PROMISE = ShipPromise()


def promise_of(within_seconds: int, cutoff: str | None, time_zone: str | None) -> ShipPromise:
    """Return the promise that the rules of an order make."""
    return ShipPromise(within_seconds, cutoff or "", time_zone or "UTC") if within_seconds else NO_PROMISE
