"""`oms stats` shows the figures of a day beside those of the day before and of the same day a week before."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from pydantic import ValidationError

from db.pool import Transaction
from messages.base import Reply
from messages.dashboards import DashboardGet, DashboardShown
from messages.envelope import Envelope
from scripts.commands import command_app
from scripts.commands.connections import connected, run
from scripts.commands.output import Format, Output, write_json
from scripts.commands.plan import PlanSettings
from scripts.commands.problems import Code, CommandError
from scripts.commands.queries import answered, operator
from scripts.screens import layout
from scripts.screens.day_screen import day_screen
from workers.services.dashboard_answers import answer_dashboards
from workers.services.sales_histories import SalesClock

app = command_app()
DAYS_BACK = (0, 1, 7)
"""The days that are shown: the one that is wanted, the one before it, and the same day a week before."""
HINT = "oms stats --day 2026-11-28 --currency CNY"


@app.command()
def stats(
    *,
    day: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="This day. Default: today.")] = None,
    currency: Annotated[str | None, typer.Option(help="Only orders in this currency, such as CNY.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Show what happened to orders on a day, beside two days before it.

    These are the day before and the same day a week before. Days begin at midnight of OMS_BUSINESS_TIME_ZONE. JSON is
    a list of the three days, each with the fields of dashboard.shown. A rate without anything to count is "-" (null).
    Cost and margin are of goods with a purchase price; "no cost" is the share of the sales without one.

    \b
    Examples:
      oms stats
      oms stats --day 2026-11-28 --currency CNY
      oms stats -o json | jq '.[0].paid_orders'
    """
    found = run(_days(day, currency))
    if output is Format.JSON:
        write_json([one.model_dump(mode="json") for one in found])
        return
    layout.write(day_screen(found, layout.screen_columns()))


async def _days(day: str | None, currency: str | None) -> list[DashboardShown]:
    zone = PlanSettings().business_time_zone
    async with connected() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
        now: datetime = await tx.fetchval("SELECT clock_timestamp()")
        first = _day(day) if day is not None else now.astimezone(ZoneInfo(zone)).date()

        async def answer(tx: Transaction, items: Sequence[Envelope[DashboardGet]]) -> list[Reply]:
            return await answer_dashboards(tx, items, SalesClock(now, zone))

        bodies = [_body(first - timedelta(days=back), currency) for back in DAYS_BACK]
        return [await answered(tx, body, answer, DashboardShown, hint=HINT) for body in bodies]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CommandError(Code.FAILED, f"{text} is no day", why="a day is such as 2026-11-28", hint=HINT) from None


def _body(day: date, currency: str | None) -> DashboardGet:
    try:
        return DashboardGet(actor=operator(), day=day, currency=currency)
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        why = "days lie between 2000 and 2199" if field == "day" else "a currency is three capital letters, such as CNY"
        raise CommandError(Code.FAILED, f"the {field} is not valid", why=why, hint=HINT) from None
