"""Whether and when a buyer is notified, and what is no address."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from workers.domain.buyer_notifications import (
    ContactChoice,
    QuietTime,
    SkipReason,
    decide,
    languages,
    repeats_its_parent,
    wrong_address,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
NIGHT = QuietTime(time(22), time(8), SHANGHAI)
NOON = QuietTime(time(12), time(14), ZoneInfo("Europe/Berlin"))


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


QUIET = [
    (NIGHT, at(10, 13, 59), None),
    (NIGHT, at(10, 14), at(11, 0)),
    (NIGHT, at(10, 20), at(11, 0)),
    (NIGHT, at(11, 0), None),
    (NOON, at(10, 11), at(10, 13)),
    (NOON, at(28, 11, 30), at(28, 13)),
    (NOON, at(29, 10), at(29, 12)),  # summer time has begun
    (QuietTime(time(9), time(9), UTC), at(10, 9), None),
]


@pytest.mark.parametrize(("quiet", "now", "ends"), QUIET)
def test_quiet_hours_end_at_their_local_time(quiet: QuietTime, now: datetime, ends: datetime | None) -> None:
    assert decide(ContactChoice(quiet=quiet), "order_paid", "transactional", now) == (ends or now)


SKIPPED = [
    (None, SkipReason.NO_CONTACT),
    (ContactChoice(enabled=False), SkipReason.DISABLED),
    (ContactChoice(opt_outs=["order_paid"]), SkipReason.OPTED_OUT),
    (ContactChoice(opt_outs=["transactional"]), SkipReason.OPTED_OUT),
    (ContactChoice(opt_outs=["order_created", "marketing"]), at(10, 12)),
]


@pytest.mark.parametrize(("choice", "expected"), SKIPPED)
def test_a_buyer_who_does_not_want_it_is_not_notified(choice: ContactChoice | None, expected: object) -> None:
    assert decide(choice, "order_paid", "transactional", at(10, 12)) == expected


def test_a_template_is_looked_for_in_the_buyers_language_then_in_the_shops() -> None:
    assert languages("zh-TW", "en") == ["zh-TW", "zh", "en"]
    assert languages("en", "en") == ["en"]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"parent_id": None, "previous": "placing"}, False),
        ({"parent_id": "7", "previous": "awaiting_payment"}, True),
        ({"parent_id": "7", "previous": "paid"}, False),
        ({"refund_no": "R1"}, False),
    ],
)
def test_a_part_of_an_order_is_of_no_interest_before_it_is_paid(event: dict[str, str], expected: bool) -> None:
    assert repeats_its_parent(event) is expected


ADDRESSES = [
    ("email", "ada@mail.example", True),
    ("email", "ada@mail.example\nBcc: eve@mail.example", False),
    ("email", "ada@mail.example, eve@mail.example", False),
    ("email", "<ada@mail.example>", False),
    ("email", "ada@localhost", False),
    ("sms", "+8613812345678", True),
    ("sms", "13812345678", False),
    ("push", '{"endpoint": "https://push.example/1"}', True),
]


@pytest.mark.parametrize(("medium", "address", "sound"), ADDRESSES)
def test_an_address_belongs_to_its_medium(medium: str, address: str, sound: bool) -> None:
    refusal = wrong_address(medium, address)
    assert (refusal is None) is sound
    assert refusal is None or address not in refusal.message
