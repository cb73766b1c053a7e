"""The parcels of carriers' ledgers are compared with those that the order system booked there."""

import pytest

from scripts.demo.carrier_check import differences

KEY = ("air", "W1")
Found = tuple[str, str | None] | None


@pytest.mark.parametrize(
    ("ours", "theirs", "wrong"),
    [
        (("booked", "AIR1"), ("booked", "AIR1"), 0),
        (("cancelled", "AIR1"), ("cancelled", "AIR1"), 0),
        (("refused", None), None, 0),
        (("booked", "AIR1"), ("booked", "AIR2"), 1),
        (("booked", "AIR1"), ("cancelled", "AIR1"), 1),
        (("unused", "AIR1"), ("booked", "AIR1"), 1),
        (("booked", "AIR1"), None, 1),
        (("refused", None), ("booked", "AIR1"), 1),
        (None, ("booked", "AIR1"), 1),
    ],
)
def test_a_parcel_that_only_one_side_knows_or_knows_otherwise_is_a_difference(
    ours: Found, theirs: tuple[str, str] | None, wrong: int
) -> None:
    found = differences({KEY: ours} if ours else {}, {KEY: theirs} if theirs else {})
    assert len(found) == wrong
