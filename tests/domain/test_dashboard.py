"""The figures of a day, from its steps in each currency."""

from fractions import Fraction

import pytest

from workers.domain.dashboard import DaySales, DaySteps, figures


def test_a_day_on_which_nothing_happened_has_no_rates() -> None:
    found = figures([], {})
    assert (found.total_orders, found.paid_orders, found.cancelled_orders, found.timeout_count) == (0, 0, 0, 0)
    assert (found.pay_success_rate, found.fulfil_success_rate, found.paid_in) == (None, None, ())


def test_counts_add_up_over_currencies_and_amounts_do_not() -> None:
    yuan = DaySteps("CNY", 5, 2, 2, 1, 3, 1, 1, amount=301)
    dollars = DaySteps("USD", 1, 1, 0, 0, 0, 0, 0, amount=7)
    sold = DaySales("CNY", 400, 100, 250)
    found = figures([dollars, yuan, DaySteps("EUR", created=1, cancelled=1, unpaid=1)], {"CNY": sold})
    assert (found.total_orders, found.paid_orders, found.cancelled_orders, found.timeout_count) == (7, 3, 3, 1)
    assert (found.pay_success_rate, found.fulfil_success_rate) == (Fraction(3, 5), Fraction(3, 4))
    assert found.paid_in == ((yuan, sold), (dollars, DaySales("USD")))


@pytest.mark.parametrize(
    ("sales", "margin", "share"),
    [
        (DaySales("CNY"), None, None),
        (DaySales("CNY", 400, 100, 250), 50, Fraction(1, 4)),
        (DaySales("CNY", 400, 400, None), None, Fraction(1)),
        (DaySales("CNY", 0, 0, 70), -70, None),
        (DaySales("CNY", 400, 0, 0), 400, Fraction(0)),
    ],
)
def test_a_margin_is_of_the_sales_whose_cost_is_known(sales: DaySales, margin: int | None, share: object) -> None:
    assert (sales.margin, sales.share_without_cost) == (margin, share)


@pytest.mark.parametrize(
    ("amount", "paid", "average"), [(0, 0, None), (0, 2, 0), (301, 2, 151), (100, 3, 33), (200, 3, 67)]
)
def test_the_average_is_rounded_half_up_to_a_minor_unit(amount: int, paid: int, average: int | None) -> None:
    assert DaySteps("CNY", paid=paid, amount=amount).average_amount == average
