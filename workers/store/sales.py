"""Reads what was sold, for plans. It locks nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from db.pool import Transaction
from db.statements import SQL, columns


@dataclass(frozen=True)
class SalesWanted:
    """The sales of a SKU in orders of these ids, by period. An empty warehouse or currency is any."""

    sku_id: str
    since: int
    before: int
    period: str
    warehouse: str = ""
    currency: str = ""


@dataclass(frozen=True)
class PeriodSales:
    """What was sold in a period: units that are not cancelled, and what all units cost after promotions.

    `lines` were read for it, also those that do not count.
    """

    lines: int
    units: int
    units_priced: int
    amount: int


async def by_period(
    tx: Transaction, wanted: Mapping[int, SalesWanted], lines_max: int, time_zone: str
) -> dict[int, dict[date, PeriodSales]]:
    """Place -> first day of a period -> what was sold in it, in one statement.

    A place whose sales have more than `lines_max` lines together has not all of them.
    """
    found: dict[int, dict[date, PeriodSales]] = {place: {} for place in wanted}
    rows: Sequence[tuple[object, ...]] = [
        (place, one.sku_id, one.since, one.before, one.period, one.warehouse, one.currency)
        for place, one in sorted(wanted.items())
    ]
    for row in await tx.fetch(SQL["sales.by_period"], *columns(rows), lines_max, time_zone) if rows else ():
        found[row["place"]][row["starts_on"]] = PeriodSales(
            row["lines"], row["units"], row["units_priced"], row["amount"]
        )
    return found
