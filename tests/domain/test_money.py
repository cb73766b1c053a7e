"""Minor units of every currency, exactly (S1-52)."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.domain.money import Rounding, exponent, render, share

DIGITS = [
    ("JPY", 0), ("KRW", 0), ("VND", 0), ("ISK", 0), ("XOF", 0), ("CNY", 2), ("EUR", 2), ("USD", 2), ("MRU", 2),
    ("KWD", 3), ("BHD", 3), ("TND", 3), ("CLF", 4), ("UYW", 4), ("UYI", 0), ("ZZZ", 2),
]  # fmt: skip


@pytest.mark.parametrize(("currency", "digits"), DIGITS)
def test_each_currency_has_the_decimals_that_iso_4217_gives_it(currency: str, digits: int) -> None:
    assert exponent(currency) == digits


WRITTEN = [
    (0, "CNY", "0.00"), (5, "CNY", "0.05"), (100_000, "CNY", "1000.00"), (12_000, "EUR", "120.00"), (1, "JPY", "1"),
    (0, "JPY", "0"), (1234, "JPY", "1234"), (1234, "KWD", "1.234"), (7, "KWD", "0.007"), (7, "CLF", "0.0007"),
    (-5, "CNY", "-0.05"), (-1234, "JPY", "-1234"), (10**15, "CNY", "10000000000000.00"),
]  # fmt: skip


@pytest.mark.parametrize(("amount", "currency", "text"), WRITTEN)
def test_amounts_are_written_with_all_their_decimals(amount: int, currency: str, text: str) -> None:
    assert render(amount, currency) == text


@given(st.integers(-(10**18), 10**18), st.sampled_from(["JPY", "CNY", "KWD", "CLF"]))
def test_what_is_written_is_the_amount(amount: int, currency: str) -> None:
    assert Decimal(render(amount, currency)) * 10 ** exponent(currency) == amount


BY_DECIMAL = {
    Rounding.HALF_UP: ROUND_HALF_UP,
    Rounding.HALF_EVEN: ROUND_HALF_EVEN,
    Rounding.DOWN: ROUND_DOWN,
    Rounding.UP: ROUND_UP,
}


@given(
    st.one_of(st.integers(0, 10**4), st.integers(0, 10**15)),
    st.one_of(st.integers(0, 20_000), st.sampled_from([500, 2_500, 5_000])),
    st.sampled_from(Rounding),
)
def test_a_share_is_the_exact_one_rounded_by_the_rule(amount: int, basis_points: int, rounding: Rounding) -> None:
    with localcontext(prec=40):
        exact = Decimal(amount * basis_points) / 10_000
        assert share(amount, basis_points, rounding) == int(exact.quantize(Decimal(1), BY_DECIMAL[rounding]))


HALVES = [(Rounding.HALF_EVEN, [0, 2, 2, 4]), (Rounding.HALF_UP, [1, 2, 3, 4]), (Rounding.DOWN, [0, 1, 2, 3])]


@pytest.mark.parametrize(("rounding", "rounded"), HALVES)
def test_a_half_goes_where_the_rule_says(rounding: Rounding, rounded: list[int]) -> None:
    assert [share(amount, 5_000, rounding) for amount in (1, 3, 5, 7)] == rounded
