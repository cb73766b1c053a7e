"""Reads the sales of SKUs in whole periods before now, for answers about plans, in one statement for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from fractions import Fraction
from zoneinfo import ZoneInfo

from db.pool import Transaction
from messages.base import QueryRejected
from messages.planning import PlanQuery
from workers.domain.codes import Code
from workers.domain.ids import EPOCH_MS, make_id
from workers.domain.planning.periods import Period, history
from workers.domain.refusal import Refusal
from workers.store import sales
from workers.store.sales import PeriodSales, SalesWanted

LINES_MAX = 50_000
"""Order lines that are read for one query. So many take 0.6 s: a batch of twenty such queries holds up the other
answers of its batch for 6 s, of the 30 s that a query lives."""
NOTHING_SOLD = PeriodSales(0, 0, 0, 0)


@dataclass(frozen=True)
class SalesClock:
    """The time of the queries, and the zone whose midnight begins a day."""

    now: datetime
    time_zone: str

    @property
    def today(self) -> date:
        """The day of now."""
        return self.now.astimezone(ZoneInfo(self.time_zone)).date()

    def days(self, period: Period, count: int) -> list[date]:
        """Return the first days of the last whole periods, and of the one of now."""
        return history(period, self.today, count)

    def first_id(self, day: date) -> int:
        """Return the least id of an order that is placed on this day."""
        begins = datetime.combine(day, time(), ZoneInfo(self.time_zone))
        return make_id(max(int(begins.timestamp()) * 1000, EPOCH_MS), 0, 0)


@dataclass(frozen=True)
class SalesHistory:
    """What was sold in each whole period, the oldest first, and the first day of the one of now."""

    periods: tuple[tuple[date, PeriodSales], ...]
    today: date

    @property
    def since_first_sale(self) -> tuple[tuple[date, PeriodSales], ...]:
        """The periods without those before the first sale, in which the SKU may not have existed."""
        units = [sold.units > 0 for _, sold in self.periods]
        return self.periods[units.index(True) :] if any(units) else ()


async def read(
    tx: Transaction,
    wanted: Mapping[int, tuple[PlanQuery, str, Period, str]],
    clock: SalesClock,
) -> dict[int, SalesHistory | Refusal]:
    """Place -> the history of a query of (body, SKU, period, currency), or why there is none."""
    days = {place: clock.days(period, body.periods) for place, (body, _, period, _) in wanted.items()}
    found = await sales.by_period(
        tx,
        {
            place: SalesWanted(
                sku_id,
                clock.first_id(days[place][0]),
                clock.first_id(days[place][-1]),
                period.value,
                body.warehouse or "",
                currency,
            )
            for place, (body, sku_id, period, currency) in wanted.items()
        },
        LINES_MAX,
        clock.time_zone,
    )
    return {place: _history(days[place], found[place]) for place in wanted}


def _history(days: list[date], found: Mapping[date, PeriodSales]) -> SalesHistory | Refusal:
    if sum(sold.lines for sold in found.values()) > LINES_MAX:
        why = f"there are more than {LINES_MAX} order lines in this time: name fewer periods"
        return Refusal(Code.PLAN_SALES_TOO_MANY, why, {"field": "periods"})
    return SalesHistory(tuple((day, found.get(day, NOTHING_SOLD)) for day in days[:-1]), days[-1])


def rejected(refusal: Refusal) -> QueryRejected:
    """Build the answer to a query that has none."""
    return QueryRejected(code=refusal.code, message=refusal.message, path=f"$.{refusal.details['field']}")


def fraction(text: str | None) -> Fraction | None:
    """Return the number that a decimal text is."""
    return None if text is None else Fraction(text)
