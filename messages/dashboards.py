"""The query about the figures of one day, and its answer."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from messages.base import Actor, AnyInt, Currency, Day, MoneyShown, Part, Query, Reply
from messages.roles import Role

RateText = Annotated[str, StringConstraints(pattern=r"^[01]\.[0-9]{4}$")]
"""A share between 0 and 1 with four digits after the point."""


class DashboardGet(Query):
    """Ask for the figures of a day of the shop's time zone, without `day` of this day (S3-37).

    With `currency` only orders in this currency count.
    """

    TYPE: ClassVar[str] = "dashboard.get.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    actor: Actor
    day: Day | None = None
    currency: Currency | None = None


class CurrencyFigures(Part):
    """The orders in one currency that were paid on the day, what they cost, and what the shop earns with their goods.

    `cost` and `margin` are of the goods whose purchase price was known when they were sold, and null without such
    goods. `share_without_cost` is the part of the net sales that they leave out; null without net sales.
    """

    paid_orders: AnyInt
    total_amount: MoneyShown
    average_amount: MoneyShown | None
    cost: MoneyShown | None = None
    margin: MoneyShown | None = None
    share_without_cost: RateText | None = None


class DashboardShown(Reply):
    """The answer to dashboard.get: what happened on the day, as workers/domain/dashboard.py defines it.

    A rate without anything to count is null. `total_amount` and `average_amount` are null unless all orders that were
    paid have one currency; `by_currency` has every currency. `exception_count` is of all commands, whatever `currency`
    says, and null if commands of that day may have been deleted.
    """

    TYPE: ClassVar[str] = "dashboard.shown.v1"
    day: Day
    time_zone: str
    currency: str | None
    total_orders: AnyInt
    paid_orders: AnyInt
    cancelled_orders: AnyInt
    total_amount: MoneyShown | None
    average_amount: MoneyShown | None
    pay_success_rate: RateText | None
    fulfil_success_rate: RateText | None
    exception_count: AnyInt | None
    timeout_count: AnyInt
    by_currency: tuple[CurrencyFigures, ...]


QUERIES: tuple[type[Query], ...] = (DashboardGet,)
