"""When the goods of a paid order are promised to have left (S0-44)."""

from datetime import UTC, datetime

import pytest

from tests.domain.builders import order
from workers.domain.order import State
from workers.domain.ship_promises import NO_PROMISE, ShipPromise, WarehouseHours

HOUR = 3600
PROMISE = ShipPromise(HOUR)
CASES = {
    "without a cut-off the time begins with the payment": (
        24 * HOUR,
        "",
        "UTC",
        "2026-03-01T15:59",
        "2026-03-02T15:59",
    ),
    "before the cut-off as well": (24 * HOUR, "16:00", "UTC", "2026-03-01T15:59", "2026-03-02T15:59"),
    "at the cut-off it begins at midnight": (24 * HOUR, "16:00", "UTC", "2026-03-01T16:00", "2026-03-03T00:00"),
    "at the midnight of the shop": (12 * HOUR, "16:00", "Asia/Shanghai", "2026-03-01T08:00", "2026-03-02T04:00"),
    "before it is light in the shop": (12 * HOUR, "16:00", "Asia/Shanghai", "2026-03-01T07:59", "2026-03-01T19:59"),
    "in the night when clocks go forward": (HOUR, "16:00", "Europe/Berlin", "2026-03-28T16:00", "2026-03-29T00:00"),
    "on the day when they have": (HOUR, "16:00", "Europe/Berlin", "2026-03-29T14:00", "2026-03-29T23:00"),
    "a month": (30 * 24 * HOUR, "00:00", "UTC", "2026-03-01T00:00", "2026-04-01T00:00"),
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("within", "cutoff", "zone", "paid", "until"), CASES.values(), ids=CASES)
def test_goods_leave_in_time_until(within: int, cutoff: str, zone: str, paid: str, until: str) -> None:
    assert ShipPromise(within, WarehouseHours(zone, cutoff)).until(at(paid)) == at(until)


def test_an_order_keeps_its_promise_if_it_leaves_no_later() -> None:
    paid, by = at("2026-03-01T10:00"), at("2026-03-01T11:00")

    def shipped(promise: ShipPromise = PROMISE, kind: str = "sale", minute: int = 0) -> bool | None:
        left = by.replace(minute=minute)
        return order(State.SHIPPED, promise=promise, kind=kind, paid_at=paid, shipped_at=left).on_time

    assert (shipped(), shipped(minute=1)) == (True, False)
    assert (shipped(NO_PROMISE), shipped(kind="split_parent")) == (None, None)
    assert order(State.AWAITING_PAYMENT, promise=PROMISE).ship_by is None
