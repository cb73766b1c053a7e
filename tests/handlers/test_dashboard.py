"""dashboard.get: the figures of a day are what a fold of the log counts (S3-37)."""

from collections import Counter
from datetime import UTC, date, datetime
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from messages.dashboards import DashboardGet, DashboardShown
from tests.handlers.builders import OPERATOR
from tests.handlers.day_builders import DAYS, ZONE, folded, live, paid, spread, stock_up
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask
from workers.domain.planning.decimals import written


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    await stock_up(harness)
    return harness


async def shown(
    harness: HandlerHarness, *days: date | None, currency: str | None = None, now: datetime | None = None
) -> list[DashboardShown]:
    bodies = [DashboardGet(actor=OPERATOR, day=day, currency=currency) for day in days]
    replies = await ask(harness, *bodies, now=now or datetime.now(UTC))
    return [reply for reply in replies if isinstance(reply, DashboardShown)]


NAMES = ("created", "paid", "cancelled", "unpaid", "timeouts", "fulfilled", "unfulfilled", "exceptions")


def figures(found: DashboardShown) -> tuple[Any, ...]:
    """The figures of an answer. An amount of 0 is none: what is free adds nothing."""
    amounts = {one.total_amount.currency: one.total_amount.minor for one in found.by_currency if one.total_amount.minor}
    counts = found.total_orders, found.paid_orders, found.cancelled_orders, found.timeout_count, found.exception_count
    return *counts, found.pay_success_rate, found.fulfil_success_rate, amounts


def expected(day: Counter[str]) -> tuple[Any, ...]:
    """The same figures by the fold of the log."""
    amounts = {name: day[name] for name in ("CNY", "USD") if day[name]}
    counts = day["created"], day["paid"], day["cancelled"], day["timeouts"], day["exceptions"]
    return *counts, rate(day["paid"], day["unpaid"]), rate(day["fulfilled"], day["unfulfilled"]), amounts


def rate(good: int, bad: int) -> str | None:
    return written(Fraction(good, good + bad)) if good + bad else None


async def test_every_figure_is_what_a_fold_of_the_log_counts(harness: HandlerHarness) -> None:
    random = Random(37)
    await live(harness, 24, random)
    delivered = "SELECT min(id) FROM orders WHERE kind = 'sale' AND delivered_at IS NOT NULL"
    await harness.pool.execute(f"UPDATE orders SET kind = 'exchange' WHERE id = ({delivered})")
    for _ in range(4):
        await spread(harness, random)
        for currency in (None, "CNY", "USD", "EUR"):
            counted = await folded(harness, currency)
            for found in await shown(harness, *DAYS, currency=currency):
                assert figures(found) == expected(counted[found.day])
    total = sum((await folded(harness)).values(), start=Counter())
    assert min(total[name] for name in NAMES) > 0, "the histories have every figure"


async def test_what_was_announced_is_counted(harness: HandlerHarness) -> None:
    await live(harness, 0, Random(5))
    [found] = await shown(harness, None)

    def whole(type_: str) -> int:
        return sum(event["parent_id"] is None for event in harness.events_of(type_))

    assert (found.total_orders, found.paid_orders) == (whole("order.created"), whole("order.paid"))
    refused = len(harness.events_of("command.rejected")) + whole("order.rejected")
    assert found.exception_count == refused > 0


async def test_a_day_without_orders_has_neither_rates_nor_amounts(harness: HandlerHarness) -> None:
    [found] = await shown(harness, date(2025, 1, 1))
    assert (found.total_orders, found.paid_orders, found.exception_count, found.by_currency) == (0, 0, 0, ())
    assert (found.pay_success_rate, found.fulfil_success_rate) == (None, None)
    assert (found.total_amount, found.average_amount) == (None, None)


async def test_amounts_are_shown_in_each_currency_and_together_only_if_there_is_one(harness: HandlerHarness) -> None:
    for basket in ((("s1", 1),), (("s2", 1),), (("usd", 1),)):
        await paid(harness, *basket)
    [both], [dollars] = await shown(harness, None), await shown(harness, None, currency="USD")
    shown_as = [(one.paid_orders, one.total_amount.text, one.average_amount) for one in both.by_currency]
    assert [(count, text) for count, text, _ in shown_as] == [(2, "8.33"), (1, "9.01")]
    assert [average.text for _, _, average in shown_as if average] == ["4.17", "9.01"]
    assert (both.paid_orders, both.total_amount, both.average_amount) == (3, None, None)
    assert (dollars.paid_orders, dollars.total_amount) == (1, dollars.by_currency[0].total_amount)


async def test_without_a_day_it_is_the_day_of_the_shop(harness: HandlerHarness) -> None:
    evening = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    [found] = await shown(harness, None, now=evening)
    assert (found.day, found.time_zone) == (date(2026, 3, 2), "Asia/Shanghai")


async def test_refusals_are_not_counted_where_some_may_have_been_deleted(harness: HandlerHarness) -> None:
    midnight = datetime.combine(DAYS[1], datetime.min.time(), ZONE)
    await harness.pool.execute("INSERT INTO retention_horizons VALUES ('commands', $1)", midnight)
    found = await shown(harness, DAYS[0], DAYS[1])
    assert [one.exception_count for one in found] == [None, 0]


async def test_many_questions_take_as_many_statements_as_one(harness: HandlerHarness) -> None:
    await shown(harness, None)  # the driver looks up types once
    counts = []
    for bodies in ([DAYS[0]], [*DAYS, None]):
        statements: list[str] = []
        await ask(harness, *[DashboardGet(actor=OPERATOR, day=day) for day in bodies], statements=statements)
        counts.append(len(statements))
    assert counts == [3, 3]
