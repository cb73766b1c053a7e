"""An order is promised to leave in time. A broken promise is counted, and raises an alert (S0-44)."""

from collections import Counter
from datetime import UTC, datetime, time, timedelta

import pytest

from messages.order_queries import OrderDescribed, OrderGet
from tests.handlers.builders import OPERATOR, book, update
from tests.handlers.catalogue_builders import hours, settings, warehouses
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask
from tests.metric_values import metric_value
from workers.domain.ship_promises import WEEKDAYS

DAY = 86_400
LOG = """
SELECT CASE WHEN o.policy ->> 'ship_within_seconds' IS NULL THEN 'unpromised'
            WHEN l.at <= p.at + make_interval(secs => (o.policy ->> 'ship_within_seconds')::integer) THEN 'on_time'
            ELSE 'late' END, count(*)
FROM operate_logs l JOIN operate_logs p ON p.order_id = l.order_id AND p.cur_state = 'paid' AND p.pre_state <> 'paid'
JOIN orders o ON o.id = l.order_id WHERE l.cur_state = 'shipped' AND l.pre_state <> 'shipped' GROUP BY 1
"""


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    await harness.fill_stock()
    return harness


def counted() -> Counter[str]:
    results = ("on_time", "late", "unpromised")
    return Counter({result: int(metric_value("oms_order_ship_total", result=result)) for result in results})


async def rewrite(harness: HandlerHarness, statement: str, order_id: int) -> None:
    """Change what the database lets nobody change."""
    async with harness.pool.acquire() as tx, tx.transaction():
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute(f"{statement} WHERE id = $1", order_id)
        await tx.execute(
            "UPDATE operate_logs l SET at = o.paid_at FROM orders o"
            " WHERE o.id = $1 AND l.order_id = o.id AND l.cur_state = 'paid'",
            order_id,
        )


async def ship(harness: HandlerHarness, order_id: int) -> None:
    await harness.handle(book(order_id, f"T{order_id}"))
    await harness.handle(update(order_id, f"T{order_id}", "outbound"))


async def test_a_promise_is_kept_or_broken_when_the_last_unit_leaves(harness: HandlerHarness) -> None:
    before = counted()
    days_of = {}
    for days in (0, 3):
        days_of[days] = await harness.place_another_paid_order(("s1", 1))
        ago = f"interval '{days} days'"
        earlier = f"UPDATE orders SET created_at = created_at - {ago}, paid_at = paid_at - {ago}"
        await rewrite(harness, earlier, days_of[days])
        await ship(harness, days_of[days])
    old = await harness.place_another_paid_order(("s1", 1))
    await rewrite(harness, "UPDATE orders SET policy = policy - 'ship_within_seconds'", old)
    await ship(harness, old)

    paid, shipped = harness.events_of("order.paid"), harness.events_of("order.shipped")
    until = datetime.fromisoformat(paid[0]["ship_by"])
    [[paid_at]] = await harness.rows("SELECT paid_at FROM orders WHERE id = $1", days_of[0])
    assert (until - paid_at).total_seconds() == 2 * DAY
    assert [event["on_time"] for event in shipped] == [True, False, None]
    assert (shipped[0]["ship_by"], shipped[2]["ship_by"]) == (paid[0]["ship_by"], None)
    [alert] = harness.events_of("alert.raised")
    assert (alert["code"], alert["level"], alert["order_id"]) == ("ORDER_SHIPPED_LATE", "MEDIUM", str(days_of[3]))
    assert counted() - before == Counter(dict(await harness.rows(LOG))) == {"on_time": 1, "late": 1, "unpromised": 1}
    await harness.handle(update(days_of[3], f"T{days_of[3]}", "in_transit"))
    assert sum((counted() - before).values()) == 3
    assert len(harness.events_of("alert.raised")) == 1


async def test_an_order_keeps_the_promise_under_which_it_was_placed(harness: HandlerHarness) -> None:
    await harness.handle(settings("normal", ship_within_seconds=DAY, ship_cutoff="00:00"), trusted=True)
    order_id = await harness.place_order()
    await harness.handle(settings("normal", revision=3, ship_within_seconds=0), trusted=True)
    await harness.pay(order_id)
    later = await harness.place_order()
    await harness.pay(later)
    first, second = harness.events_of("order.paid")
    assert first["ship_by"].endswith("T16:00:00Z")  # a midnight in Shanghai
    assert second["ship_by"] is None
    await ship(harness, later)
    assert harness.events_of("order.shipped")[0]["on_time"] is None


async def test_a_promise_counts_by_the_hours_that_the_warehouse_had_at_the_creation(harness: HandlerHarness) -> None:
    today = datetime.now(UTC).weekday()
    tomorrow = WEEKDAYS[(today + 1) % 7]
    await harness.handle(settings("normal", ship_within_seconds=3600), hours(tomorrow), trusted=True)
    order_id = await harness.place_order()
    await harness.handle(hours(revision=2), trusted=True)
    later = await harness.place_order()
    for one in (order_id, later):
        await harness.pay(one)
    first, second = (datetime.fromisoformat(event["ship_by"]) for event in harness.events_of("order.paid"))
    midnight = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(), UTC)
    assert first == midnight + timedelta(hours=1)
    assert second < datetime.now(UTC) + timedelta(hours=1)
    assert [event["revision"] for event in harness.events_of("warehouse_hours.changed")] == [1, 2]


async def test_goods_that_the_stock_moved_count_by_the_hours_of_their_warehouse(harness: HandlerHarness) -> None:
    tomorrow = WEEKDAYS[(datetime.now(UTC).weekday() + 1) % 7]
    await harness.handle(settings("normal", ship_within_seconds=3600), hours(tomorrow), trusted=True)
    await harness.handle(warehouses("empty-1", "main", sku_id="s1"), trusted=True)
    order_id = await harness.place_order()
    await harness.pay(order_id)
    [paid] = harness.events_of("order.paid")
    [shown] = await ask(harness, OrderGet(actor=OPERATOR, order=str(order_id)))
    assert isinstance(shown, OrderDescribed)
    assert shown.ship_by == datetime.fromisoformat(paid["ship_by"])
    assert shown.ship_by.time() == time(1)
