"""Answers dashboard.get: the figures of a day, with three statements for all queries of a batch."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from db.pool import Transaction
from messages.base import MoneyShown, Reply
from messages.dashboards import CurrencyFigures, DashboardGet, DashboardShown
from messages.envelope import Envelope
from workers.domain.dashboard import DayFigures, DaySales, DaySteps, figures
from workers.domain.planning.decimals import written
from workers.services.answer_parts import money
from workers.services.sales_histories import SalesClock
from workers.store import dashboard
from workers.store.dashboard import DayWanted


async def answer_dashboards(tx: Transaction, items: Sequence[Envelope[DashboardGet]], clock: SalesClock) -> list[Reply]:
    """Answer each dashboard.get, in order. A day begins at midnight of the shop."""
    days = [item.body.day or clock.today for item in items]
    wanted = [_time_of(day, clock.time_zone, item.body.currency) for day, item in zip(days, items, strict=True)]
    steps, sales = await dashboard.steps(tx, wanted), await dashboard.sales(tx, wanted)
    refused = await dashboard.exceptions(tx, wanted)
    return [
        _shown(item.body, day, clock.time_zone, figures(found, sold), count)
        for item, day, found, sold, count in zip(items, days, steps, sales, refused, strict=True)
    ]


def _time_of(day: date, time_zone: str, currency: str | None) -> DayWanted:
    since, before = (datetime.combine(one, time(), ZoneInfo(time_zone)) for one in (day, day + timedelta(days=1)))
    return DayWanted(since, before, currency or "")


def _shown(body: DashboardGet, day: date, time_zone: str, found: DayFigures, refused: int | None) -> DashboardShown:
    by_currency = tuple(_in_currency(done, sales) for done, sales in found.paid_in)
    only = by_currency[0] if len(by_currency) == 1 else None
    return DashboardShown(
        day=day,
        time_zone=time_zone,
        currency=body.currency,
        total_orders=found.total_orders,
        paid_orders=found.paid_orders,
        cancelled_orders=found.cancelled_orders,
        total_amount=None if only is None else only.total_amount,
        average_amount=None if only is None else only.average_amount,
        pay_success_rate=_rate(found.pay_success_rate),
        fulfil_success_rate=_rate(found.fulfil_success_rate),
        exception_count=refused,
        timeout_count=found.timeout_count,
        by_currency=by_currency,
    )


def _in_currency(steps: DaySteps, sales: DaySales) -> CurrencyFigures:
    def shown(amount: int | None) -> MoneyShown | None:
        return None if amount is None else money(amount, steps.currency)

    return CurrencyFigures(
        paid_orders=steps.paid,
        total_amount=money(steps.amount, steps.currency),
        average_amount=shown(steps.average_amount),
        cost=shown(sales.cost),
        margin=shown(sales.margin),
        share_without_cost=_rate(sales.share_without_cost),
    )


def _rate(value: Fraction | None) -> str | None:
    return None if value is None else written(value)
