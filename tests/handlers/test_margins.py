"""What goods cost the shop is kept with the line as it was sold, and shown to operators alone (S3-29)."""

from datetime import UTC, datetime

import asyncpg
import pytest

from messages.dashboards import DashboardGet, DashboardShown
from messages.order_queries import OrderDescribed, OrderGet
from tests.handlers.builders import OPERATOR, captured, create, receive, sku, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask
from workers.domain.margins import SoldUnits


async def sold(harness: HandlerHarness) -> int:
    """A paid order of two sellers: tea at 5.00 that cost 2.00 each, cups at 5.00 of which the cost is not known."""
    await harness.handle(sku("tea", seller_id="a", purchase_price=200), sku("cup", seller_id="b"), trusted=True)
    await harness.handle(receive("tea", 9), receive("cup", 9))
    order_id = await harness.create_order(create(("tea", 3), ("cup", 1)))
    await harness.handle(captured(order_id, 2000), trusted=True)
    return order_id


async def test_operators_see_purchase_price_and_margin_as_sold_and_buyers_see_neither(harness: HandlerHarness) -> None:
    order_id = await sold(harness)
    await harness.handle(sku("tea", revision=2, purchase_price=999), trusted=True)
    for actor, shown in ((OPERATOR, [(200, 900), (None, None)]), (user(), [(None, None)] * 2)):
        [reply] = await ask(harness, OrderGet(actor=actor, order=str(order_id)))
        assert isinstance(reply, OrderDescribed)
        assert [(line.purchase_price, line.margin) for line in reply.lines] == shown
    assert "purchase_price" not in str(harness.events)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await harness.pool.execute("UPDATE order_items SET purchase_price = 1")


async def test_a_day_shows_cost_margin_and_the_share_of_sales_without_a_known_cost(harness: HandlerHarness) -> None:
    await sold(harness)
    [reply] = await ask(harness, DashboardGet(actor=OPERATOR), now=datetime.now(UTC))
    assert isinstance(reply, DashboardShown)
    [found] = reply.by_currency
    assert found.cost is not None
    assert found.margin is not None
    assert (found.cost.minor, found.margin.minor, found.share_without_cost) == (600, 900, "0.2500")


@pytest.mark.parametrize(
    ("line", "net_sales", "margin"),
    [
        (SoldUnits(3, 1500, 0, 0, None), 1500, None),
        (SoldUnits(3, 1500, 300, 0, 0), 1200, 1200),
        (SoldUnits(3, 1500, 300, 100, 500), 1100, -400),
        (SoldUnits(1, 500, 0, 550, 200), 0, -200),
    ],
)
def test_a_margin_is_net_sales_less_cost(line: SoldUnits, net_sales: int, margin: int | None) -> None:
    assert (line.net_sales, line.margin) == (net_sales, margin)
