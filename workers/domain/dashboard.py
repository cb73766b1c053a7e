"""The figures of a day (S3-37). Each is defined here, by the steps in the operate logs whose time lies in the day.

A step is a pair of states, such as placing -> awaiting_payment. An order here is what a buyer places: parts of a split
order count with their parent, and exchange orders, which replace goods, do not count. Only `fulfilled` and
`unfulfilled` look at the orders that carry goods, which are the parts if an order was split.

    figure               is the number of
    -------------------  -----------------------------------------------------------------------------------------------
    total_orders         placing -> awaiting_payment: orders that were created. A refused order.create is none
    paid_orders          awaiting_payment -> paid, also with nothing to pay or authorised money
    cancelled_orders     any state but reinstating -> cancelled. An order that was not reinstated was cancelled before
    unpaid               awaiting_payment -> cancelled: those of `cancelled_orders` that never were paid
    fulfilled            any state -> delivered, and shipped -> completed: all goods arrived
    unfulfilled          any state -> delivery_failed: no parcel arrives; any state -> cancelled by `all_short`: the
                         warehouses had nothing
    timeout_count        placing -> rejected, awaiting_payment or reinstating -> cancelled, caused by a timer
    exception_count      commands that were refused on the day: their outcome is command.rejected or order.rejected

    figure               is
    -------------------  -----------------------------------------------------------------------------------------------
    total_amount         what the orders of `paid_orders` cost in one currency; that cannot change once they are paid
    average_amount       total_amount / paid_orders, rounded half up to a minor unit
    pay_success_rate     paid_orders / (paid_orders + unpaid)
    fulfil_success_rate  fulfilled / (fulfilled + unfulfilled)

A rate compares what was decided on the day, so it is never above 1, and a day that is over does not change any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class DaySteps:
    """What happened on a day to the orders in one currency. `amount` is what the paid ones cost, in minor units."""

    currency: str
    created: int = 0
    paid: int = 0
    cancelled: int = 0
    unpaid: int = 0
    fulfilled: int = 0
    unfulfilled: int = 0
    timed_out: int = 0
    amount: int = 0

    @property
    def average_amount(self) -> int | None:
        """What a paid order costs on average, in minor units; None if none was paid."""
        return (2 * self.amount + self.paid) // (2 * self.paid) if self.paid else None


@dataclass(frozen=True)
class DayFigures:
    """The figures of a day over all currencies. `paid_in` are the currencies in which orders were paid."""

    total_orders: int
    paid_orders: int
    cancelled_orders: int
    timeout_count: int
    pay_success_rate: Fraction | None
    fulfil_success_rate: Fraction | None
    paid_in: tuple[DaySteps, ...]


def figures(steps: Sequence[DaySteps]) -> DayFigures:
    """Return the figures of a day from its steps, one element for each currency."""
    paid, fulfilled = sum(one.paid for one in steps), sum(one.fulfilled for one in steps)
    return DayFigures(
        total_orders=sum(one.created for one in steps),
        paid_orders=paid,
        cancelled_orders=sum(one.cancelled for one in steps),
        timeout_count=sum(one.timed_out for one in steps),
        pay_success_rate=_rate(paid, sum(one.unpaid for one in steps)),
        fulfil_success_rate=_rate(fulfilled, sum(one.unfulfilled for one in steps)),
        paid_in=tuple(sorted((one for one in steps if one.paid), key=lambda one: one.currency)),
    )


def _rate(good: int, bad: int) -> Fraction | None:
    return Fraction(good, good + bad) if good + bad else None
