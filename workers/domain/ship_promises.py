"""The promise that the goods of a paid order leave in time (S0-44).

    the payment comes                            the time begins         it runs
    -------------------------------------------  ----------------------  ----------------------------------------------
    before the cut-off of a working day          with the payment        on working days, from midnight to midnight in
    at the cut-off or later, on another day      at midnight of the      the time zone of the warehouse
                                                 next working day

A warehouse has the hours that warehouse_hours.set gave it. One without hours works every day, with the cut-off of the
order's policy in the time zone of the shop. Goods of several warehouses have left when those of the last one have.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY = timedelta(days=1)


@dataclass(frozen=True)
class WarehouseHours:
    """When a warehouse works. An empty cut-off is none; `working_days` are numbers of WEEKDAYS, at least one."""

    time_zone: str = "UTC"
    cutoff: str = ""
    working_days: frozenset[int] = frozenset(range(7))
    holidays: frozenset[date] = frozenset()

    def after(self, paid_at: datetime, seconds: int) -> datetime:
        """Return when so many seconds of its working days have passed since the payment."""
        now, left = self._begins(paid_at), timedelta(seconds=seconds)
        if len(self.working_days) == len(WEEKDAYS) and not self.holidays:
            return now + left
        day = now.astimezone(ZoneInfo(self.time_zone)).date()
        while not self._works(day) or left > self._midnight(day + DAY) - now:
            if self._works(day):
                left -= self._midnight(day + DAY) - now
            day += DAY
            now = self._midnight(day)
        return now + left

    def _begins(self, paid_at: datetime) -> datetime:
        local = paid_at.astimezone(ZoneInfo(self.time_zone))
        if not self.cutoff or not self._works(local.date()) or local.time() < time.fromisoformat(self.cutoff):
            return paid_at
        return self._midnight(local.date() + DAY)

    def _works(self, day: date) -> bool:
        return day.weekday() in self.working_days and day not in self.holidays

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), ZoneInfo(self.time_zone)).astimezone(UTC)


def read_hours(stored: Mapping[str, Any]) -> WarehouseHours:
    """Read the hours that warehouse_hours.set gave to a warehouse, as they are stored and as orders keep them."""
    return WarehouseHours(
        stored["time_zone"],
        stored["ship_cutoff"],
        frozenset(map(WEEKDAYS.index, stored["working_days"])),
        frozenset(map(date.fromisoformat, stored["holidays"])),
    )


@dataclass(frozen=True)
class ShipPromise:
    """Goods leave at most `within_seconds` after the payment; 0: nothing is promised.

    `hours` are those of the warehouses that the goods come from, `shop_hours` those of a warehouse without any.
    """

    within_seconds: int = 0
    shop_hours: WarehouseHours = WarehouseHours()
    hours: tuple[WarehouseHours, ...] = field(default=())

    def until(self, paid_at: datetime) -> datetime | None:
        """Return the last moment at which the goods leave in time, or None."""
        if not self.within_seconds:
            return None
        return max(one.after(paid_at, self.within_seconds) for one in self.hours or (self.shop_hours,))


NO_PROMISE = ShipPromise()


def promise_of(
    within_seconds: int, cutoff: str | None, time_zone: str | None, hours: str | None, warehouses: Iterable[str]
) -> ShipPromise:
    """Return the promise that the rules of an order make. `hours` are those of warehouses that it keeps, as JSON.

    `warehouses` are those that its goods come from.
    """
    if not within_seconds:
        return NO_PROMISE
    known, shop_hours = json.loads(hours or "{}"), WarehouseHours(time_zone or "UTC", cutoff or "")
    own = [read_hours(known[name]) if name in known else shop_hours for name in warehouses] if known else []
    return ShipPromise(within_seconds, shop_hours, tuple(own))
