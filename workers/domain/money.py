"""Amounts are whole minor units of a currency. ISO 4217 says how many minor units one unit has (S1-52)."""

from enum import StrEnum

_EXPONENTS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_EXPONENT = {currency: digits for digits, currencies in _EXPONENTS.items() for currency in currencies.split()}
WHOLE = 10_000  # basis points


class Rounding(StrEnum):
    """The ways to round an amount between two minor units."""

    HALF_UP = "half_up"
    HALF_EVEN = "half_even"
    DOWN = "down"
    UP = "up"


def exponent(currency: str) -> int:
    """The decimals of the currency: 0, 2, 3 or 4. Every currency that is not in the table has 2, unknown codes too."""
    return _EXPONENT.get(currency, 2)


def render(amount: int, currency: str) -> str:
    """Write an amount as a decimal number: 1234 minor units are "12.34" EUR, "1234" JPY and "1.234" KWD."""
    digits = exponent(currency)
    sign, text = "-" if amount < 0 else "", str(abs(amount)).rjust(digits + 1, "0")
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else sign + text


def share(amount: int, basis_points: int, rounding: Rounding) -> int:
    """`amount` x `basis_points` / 10000 in whole minor units. `amount` is not below zero."""
    return _divided(amount * basis_points, WHOLE, rounding)


def included(total: int, basis_points: int, rounding: Rounding) -> int:
    """The part of `total` that was added to the rest of it by `share`, in whole minor units.

    It undoes `share`: included(amount + share(amount)) is share(amount). Some totals are no such sum; then the rest has
    the part that comes closest, so that the two parts always are the total.
    """
    return _divided(total * basis_points, WHOLE + basis_points, rounding)


def _divided(amount: int, by: int, rounding: Rounding) -> int:
    parts, rest = divmod(amount, by)
    match rounding:
        case Rounding.DOWN:
            return parts
        case Rounding.UP:
            return parts + (rest > 0)
        case Rounding.HALF_UP:
            return parts + (2 * rest >= by)
        case Rounding.HALF_EVEN:
            return parts + (2 * rest > by or (2 * rest == by and parts % 2 == 1))
