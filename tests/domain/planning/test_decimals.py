"""Decimal texts and whole numbers from exact values."""

from fractions import Fraction
from math import isqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.domain.planning.decimals import ceiling, ceiling_root, half_up, written, written_root

VALUES = st.fractions(0, 10**12, max_denominator=10**6)


@pytest.mark.parametrize(
    ("value", "text"),
    [("2.00005", "2.0001"), ("2.00004", "2.0000"), ("-2.00005", "-2.0001"), ("-0.00001", "0.0000"), ("0", "0.0000")],
)
def test_a_text_has_four_digits_and_halves_go_away_from_zero(value: str, text: str) -> None:
    assert written(Fraction(value)) == text


@given(VALUES, st.integers(1, 12))
def test_a_text_is_at_most_half_a_digit_away(value: Fraction, digits: int) -> None:
    assert abs(Fraction(written(value, digits)) - value) * 2 <= Fraction(1, 10**digits)
    assert abs(half_up(value) - value) * 2 <= 1
    assert ceiling(value) - 1 < value <= ceiling(value)


@given(VALUES)
def test_a_root_is_at_most_half_a_digit_away(square: Fraction) -> None:
    root, half = Fraction(written_root(square)), Fraction(1, 20_000)
    assert max(root - half, Fraction(0)) ** 2 <= square < (root + half) ** 2
    whole = ceiling_root(square)
    assert (whole - 1) ** 2 < square <= whole**2 or (whole == 0 and square == 0)


def test_roots_of_whole_squares_are_exact() -> None:
    assert [ceiling_root(Fraction(n * n)) for n in range(50)] == list(range(50))
    assert written_root(Fraction(2)) == "1.4142"
    assert isqrt(2 * 10**8) == 14142
