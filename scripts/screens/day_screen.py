"""The screen of `oms stats`: the figures of days, side by side."""

from collections.abc import Sequence
from typing import Any

from messages.dashboards import DashboardShown
from scripts.screens.layout import Column, Lines, section, title
from scripts.screens.timeline import text_of

FIGURES = {
    "orders": "total_orders",
    "paid": "paid_orders",
    "cancelled": "cancelled_orders",
    "pay success": "pay_success_rate",
    "fulfil success": "fulfil_success_rate",
    "exceptions": "exception_count",
    "timeouts": "timeout_count",
}
"""The name on the screen -> the field of an answer."""
AMOUNTS = {"amount": "total_amount", "average": "average_amount", "cost": "cost", "margin": "margin"}
"""The same for the fields of one currency. "no cost" is the share of the sales whose cost is not known."""


def day_screen(found: Sequence[DashboardShown], width: int) -> Lines:
    """Return a table with a column for each day, and a row for each figure and for each currency's amounts."""
    columns = [Column(""), *(Column(str(one.day), right=True) for one in found)]
    rows: list[Sequence[Any]] = [(name, *(getattr(one, field) for one in found)) for name, field in FIGURES.items()]
    for currency in sorted({part.total_amount.currency for one in found for part in one.by_currency}):
        parts = [{part.total_amount.currency: part for part in one.by_currency}.get(currency) for one in found]
        for name, field in AMOUNTS.items():
            amounts = [getattr(part, field) if part else None for part in parts]
            rows.append((f"{name} {currency}", *(money and text_of(money) for money in amounts)))
        rows.append((f"no cost {currency}", *(part and part.share_without_cost for part in parts)))
    about = f"{found[0].day}, days of {found[0].time_zone}{f', in {found[0].currency}' if found[0].currency else ''}"
    return [*title(about, width), *section("figures", columns, rows, width)]
