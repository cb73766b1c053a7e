"""A promise counts the time that the warehouse works: its zone, cut-off, days of the week and holidays (S0-44)."""

from datetime import UTC, date, datetime

import pytest

from workers.domain.ship_promises import ShipPromise, WarehouseHours

HOUR, DAY = 3600, 86_400
CHRISTMAS = frozenset({date(2026, 12, 25)})
BERLIN = WarehouseHours("Europe/Berlin", "16:00", frozenset(range(5)), CHRISTMAS)
CASES = {
    "on a working day": (BERLIN, DAY, "2026-11-26T10:00", "2026-11-27T10:00"),
    "before the cut-off of a Friday": (BERLIN, DAY, "2026-11-27T14:59", "2026-11-30T14:59"),
    "at the cut-off of a Friday": (BERLIN, DAY, "2026-11-27T15:00", "2026-11-30T23:00"),
    "on a Saturday, early": (BERLIN, DAY, "2026-11-28T06:00", "2026-11-30T23:00"),
    "before a holiday and a weekend": (BERLIN, 2 * DAY, "2026-12-24T15:00", "2026-12-29T23:00"),
    "up to the last moment of a working day": (BERLIN, 14 * HOUR, "2026-11-27T09:00", "2026-11-27T23:00"),
    "over the night when clocks go back": (
        WarehouseHours("Europe/Berlin", "", frozenset({5, 6})),
        30 * HOUR,
        "2026-10-24T12:00",
        "2026-10-25T18:00",
    ),
    "a day of 23 hours": (
        WarehouseHours("Europe/Berlin", "", frozenset({6})),
        DAY,
        "2026-03-28T23:00",
        "2026-04-04T23:00",
    ),
    "a zone without daylight saving": (
        WarehouseHours("Asia/Shanghai", "00:00", frozenset({0})),
        HOUR,
        "2026-11-29T15:59",
        "2026-11-29T17:00",
    ),
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("hours", "within", "paid", "until"), CASES.values(), ids=CASES)
def test_goods_leave_within_the_hours_of_their_warehouse(
    hours: WarehouseHours, within: int, paid: str, until: str
) -> None:
    assert ShipPromise(within, hours=(hours,)).until(at(paid)) == at(until)


def test_goods_of_several_warehouses_have_left_when_the_last_have() -> None:
    paid = at("2026-11-27T16:00")
    assert ShipPromise(DAY, hours=(WarehouseHours(), BERLIN)).until(paid) == at("2026-11-30T23:00")
