"""Exact numbers of plans: integers and fractions inside, decimal texts on the wire.

A text has a fixed number of digits after the point and is rounded half away from zero: 2.00005 with four digits is
"2.0001". Roots are rounded in the same way from their exact square, so that no digit depends on a floating point unit.
"""

from fractions import Fraction
from math import isqrt

DIGITS = 4
"""Digits after the point of units and of shares: a thousandth of a unit is already more than a forecast knows."""
SLOPE_DIGITS = 12
"""Digits after the point of units per minor unit: prices have up to 10 digits, so a slope may begin that far right."""


def written(value: Fraction, digits: int = DIGITS) -> str:
    """Write a value with so many digits after the point."""
    top, bottom = abs(value.numerator) * 10**digits, value.denominator
    return _pointed((2 * top + bottom) // (2 * bottom), digits, negative=value < 0)


def written_root(square: Fraction, digits: int = DIGITS) -> str:
    """Write the root of a value, which is not below zero, with so many digits after the point."""
    scaled = square.numerator * 4 * 10 ** (2 * digits) // square.denominator  # the square of twice the digits
    return _pointed((isqrt(scaled) + 1) // 2, digits, negative=False)


def ceiling(value: Fraction) -> int:
    """Return the least whole number that is not below the value."""
    return -(-value.numerator // value.denominator)


def ceiling_root(square: Fraction) -> int:
    """Return the least whole number that is not below the root of the value, which is not below zero."""
    whole = ceiling(square)
    root = isqrt(whole)
    return root if root * root == whole else root + 1


def half_up(value: Fraction) -> int:
    """Round a value to a whole number, halves away from zero."""
    whole = (2 * abs(value.numerator) + value.denominator) // (2 * value.denominator)
    return -whole if value < 0 else whole


def _pointed(scaled: int, digits: int, *, negative: bool) -> str:
    text = str(scaled).rjust(digits + 1, "0")
    return f"{'-' if negative and scaled else ''}{text[:-digits]}.{text[-digits:]}"
