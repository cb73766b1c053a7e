"""Reads the figures of days. It locks nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Transaction
from db.statements import SQL, columns
from workers.domain.dashboard import DaySteps


@dataclass(frozen=True)
class DayWanted:
    """The time of a day, of which `before` is no part any more. An empty currency is any."""

    since: datetime
    before: datetime
    currency: str = ""


async def steps(tx: Transaction, days: Sequence[DayWanted]) -> list[list[DaySteps]]:
    """Return the steps of each day, one element for each currency, in the order of the days."""
    found: list[list[DaySteps]] = [[] for _ in days]
    rows = [(place, one.since, one.before, one.currency) for place, one in enumerate(days)]
    for row in await tx.fetch(SQL["dashboard.steps"], *columns(rows)):
        place, *values = row.values()
        found[place].append(DaySteps(*values))
    return found


async def exceptions(tx: Transaction, days: Sequence[DayWanted]) -> list[int | None]:
    """Return how many commands were refused on each day, in order; None where some may have been deleted already."""
    rows = await tx.fetch(SQL["dashboard.exceptions"], [one.since for one in days], [one.before for one in days])
    return [row["refused"] for row in rows]
