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
    cost, margin         of the lines of `paid_orders` with a known cost, as workers/domain/margins.py defines them
    share_without_cost   the net sales of the other lines / the net sales of all lines

A rate compares what was decided on the day, so it is never above 1, and a day that is over does not change any more.
"""

from collections.abc import Mapping, Sequence
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
class DaySales:
    """The lines of the orders in one currency that were paid on a day: their net sales, in minor units.

    `without_cost` of them are of lines whose cost is not known. `cost` is that of the others, None if there are none.
    """

    currency: str
    net_sales: int = 0
    without_cost: int = 0
    cost: int | None = None

    @property
    def margin(self) -> int | None:
        """What the shop earns with the lines whose cost is known, in minor units."""
        return None if self.cost is None else self.net_sales - self.without_cost - self.cost

    @property
    def share_without_cost(self) -> Fraction | None:
        """The part of the net sales whose cost is not known; None without net sales."""
        return Fraction(self.without_cost, self.net_sales) if self.net_sales else None


@dataclass(frozen=True)
class DayFigures:
    """The figures of a day over all currencies. `paid_in` are the currencies in which orders were paid, with sales."""

    total_orders: int
    paid_orders: int
    cancelled_orders: int
    timeout_count: int
    pay_success_rate: Fraction | None
    fulfil_success_rate: Fraction | None
    paid_in: tuple[tuple[DaySteps, DaySales], ...]


def figures(steps: Sequence[DaySteps], sales: Mapping[str, DaySales]) -> DayFigures:
    """Return the figures of a day from its steps, one element for each currency, and its sales by currency."""
    paid, fulfilled = sum(one.paid for one in steps), sum(one.fulfilled for one in steps)
    return DayFigures(
        total_orders=sum(one.created for one in steps),
        paid_orders=paid,
        cancelled_orders=sum(one.cancelled for one in steps),
        timeout_count=sum(one.timed_out for one in steps),
        pay_success_rate=_rate(paid, sum(one.unpaid for one in steps)),
        fulfil_success_rate=_rate(fulfilled, sum(one.unfulfilled for one in steps)),
        paid_in=tuple(
            (one, sales.get(one.currency, DaySales(one.currency)))
            for one in sorted(steps, key=lambda one: one.currency)
            if one.paid
        ),
    )


def _rate(good: int, bad: int) -> Fraction | None:
    return Fraction(good, good + bad) if good + bad else None
