"""Reads the figures of days. It locks nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db.pool import Transaction
from db.statements import SQL, columns
from workers.domain.dashboard import DaySales, DaySteps


@dataclass(frozen=True)
class DayWanted:
    """The time of a day, of which `before` is no part any more. An empty currency is any."""

    since: datetime
    before: datetime
    currency: str = ""


async def steps(tx: Transaction, days: Sequence[DayWanted]) -> list[list[DaySteps]]:
    """Return the steps of each day, one element for each currency, in the order of the days."""
    found: list[list[DaySteps]] = [[] for _ in days]
    for row in await tx.fetch(SQL["dashboard.steps"], *_wanted(days)):
        place, *values = row.values()
        found[place].append(DaySteps(*values))
    return found


async def sales(tx: Transaction, days: Sequence[DayWanted]) -> list[dict[str, DaySales]]:
    """Return for each day, in order, currency -> the sales of the orders that were paid on it."""
    found: list[dict[str, DaySales]] = [{} for _ in days]
    for row in await tx.fetch(SQL["dashboard.sales"], *_wanted(days)):
        place, currency, *values = row.values()
        found[place][currency] = DaySales(currency, *values)
    return found


def _wanted(days: Sequence[DayWanted]) -> list[list[Any]]:
    return columns((place, one.since, one.before, one.currency) for place, one in enumerate(days))


async def exceptions(tx: Transaction, days: Sequence[DayWanted]) -> list[int | None]:
    """Return how many commands were refused on each day, in order; None where some may have been deleted already."""
    rows = await tx.fetch(SQL["dashboard.exceptions"], [one.since for one in days], [one.before for one in days])
    return [row["refused"] for row in rows]
