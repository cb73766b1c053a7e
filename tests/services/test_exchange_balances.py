"""Which units of an exchange get money because the other goods for them never arrive."""

from workers.domain.after_sales import CaseLine
from workers.services.exchange_balances import unreplaced


def test_units_get_money_once_however_often_some_are_lost() -> None:
    """The order has a third unit, which is in no case: it is not paid in place of one that was paid before."""
    line = CaseLine(1, 2, accepted_qty=2, refunded_qty=1, exchange_qty=2, lost_qty=2)
    assert unreplaced((line,), {1: 2}) == {1: 1}
    assert unreplaced((line,), {1: 0}) == {1: 0}, "it went back otherwise"
