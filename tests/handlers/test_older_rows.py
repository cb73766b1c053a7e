"""Rows of an older form are read as they are, and `oms migrate` moves them in small transactions."""

import asyncio
from typing import Any

import orjson

from db import migrate
from db.statements import SQL
from tests.handlers.builders import create, receive, sku
from tests.handlers.case_builders import apply, arrive, close, end_refund, inspect, open_case, review
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.money import Rounding
from workers.domain.shop import Policy, Shop

OLDER = """
    INSERT INTO order_snapshots (order_id, type, data, created_at)
        SELECT order_id, type, data, created_at FROM snapshots WHERE type IN (2, 3);
    ALTER TABLE order_items DISABLE TRIGGER USER;
    UPDATE order_items SET specs = NULL, image_url = NULL, unit = NULL, tax_basis_points = NULL;
    ALTER TABLE order_items ENABLE TRIGGER USER;
    ALTER TABLE orders DISABLE TRIGGER USER;
    UPDATE orders SET policy = jsonb_build_object('on_payment_failure', 'keep_open', 'deduct_on', 'pay',
        'payment_window_seconds', 1800);
    ALTER TABLE orders ENABLE TRIGGER USER;
    UPDATE commands c SET order_id = NULL, outcome = jsonb_build_object('order_id', o.id::text, 'kept', 'as it was')
        FROM orders o WHERE o.id = c.order_id
"""
"""Turns what was just written into what the version before wrote."""


async def shown(harness: HandlerHarness) -> list[tuple[Any, ...]]:
    rows = await harness.rows("SELECT order_id, type, data FROM snapshots ORDER BY 1, 2")
    return [(key, type_, orjson.loads(data)) for key, type_, data in rows]


async def place(harness: HandlerHarness, request_id: str, rounding: Rounding, tax: int) -> None:
    shop.configure(
        Shop(tax_rates_basis_points={"standard": 1900}, tax_rounding=rounding, policy=Policy(rate_limit_orders=0))
    )
    body = create(("desk", 1), ("file", 1), request_id=request_id, expected_pay_amount=78_750 + 100 + tax)
    await harness.create_order(body)


async def test_old_snapshots_and_outcomes_are_read_and_moved(harness: HandlerHarness, database_url: str) -> None:
    await harness.handle(
        sku("desk", price=78_750, specs={"colour": "red"}, image_url="https://img/1.png", unit="piece"),
        sku("file", price=100, product_type="virtual"),
    )
    await harness.handle(receive("desk", 9), receive("file", 9))
    for name, rounding, tax in (("a", Rounding.HALF_UP, 14963), ("b", Rounding.DOWN, 14962), ("c", Rounding.UP, 14963)):
        await place(harness, name, rounding, tax + 19)
    new = await shown(harness)
    async with harness.pool.acquire() as tx:
        await tx.execute(OLDER)
    old = await shown(harness)
    assert old == new
    assert await audited(harness)

    await asyncio.to_thread(migrate.move_rows, database_url, 2)
    assert await shown(harness) == new
    assert await harness.rows("SELECT DISTINCT type FROM order_snapshots") == []
    assert await harness.rows("SELECT count(*) FROM order_items WHERE specs IS NULL") == [(0,)]
    assert await audited(harness)
    await asyncio.to_thread(migrate.move_rows, database_url, 2)
    assert await shown(harness) == new

    body = create(("desk", 1), ("file", 1), request_id="a", expected_pay_amount=78_750 + 100 + 14963 + 19)
    await harness.handle(body, reply_to="client.a")
    assert [(reply["kept"], reply["duplicate"]) for reply in harness.replies] == [("as it was", True)]


async def audited(harness: HandlerHarness) -> bool:
    """True if the taxes and the snapshots agree with the orders."""
    async with harness.pool.acquire() as tx:
        rows = [await tx.fetchrow(SQL[f"audit.{name}"]) for name in ("taxes", "snapshots")]
    return [row["violations"] for row in rows if row is not None] == [0, 0]


WAITING_CASES = """
    SELECT c.state, round(extract(epoch FROM t.due_at - now()) / 3600)::integer FROM after_sales c
    LEFT JOIN timers t ON t.kind = 'after_sale' AND t.key = c.id ORDER BY c.id
"""
"""The state of each case, and in how many hours its time is over."""


async def test_cases_that_waited_before_migration_0058_get_their_timers(harness: HandlerHarness) -> None:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0)))
    await harness.fill_stock(qty=20)
    order_id = await harness.place_paid_order(("s1", 6))
    await harness.deliver(order_id)
    for found in (("send_back",), ("send_back", "close"), ("restock", "succeeded"), ("restock", "failed"), ()):
        case = await open_case(harness, apply(order_id, (1, 1), type="return_refund"))
        if not found:
            continue
        await harness.handle(review(case), arrive(case), inspect(case, (1, 1, found[0])), trusted=True)
        match found[1:]:
            case ["close"]:
                await harness.handle(close(case), trusted=True)
            case [status]:
                await end_refund(harness, status)
    before = await harness.rows(WAITING_CASES)
    await harness.pool.execute("DELETE FROM timers t USING after_sales c WHERE t.key = c.id AND c.state <> 'requested'")
    await harness.pool.execute("UPDATE timers SET due_at = now() + interval '2 h' WHERE kind = 'after_sale'")
    for _ in range(2):
        await harness.pool.execute((migrate.FOLDER / "versions/0058_case_timers.sql").read_text(encoding="utf-8"))
    assert await harness.rows(WAITING_CASES) == [*before[:-1], ("requested", 2)]
    assert before == [
        ("inspect_failed", 48),
        ("closed", 48),
        ("completed", None),
        ("refund_failed", 48),
        ("requested", 48),
    ]

    await harness.sweep("after_sale")
    alerts = [alert["order_id"] for alert in harness.events_of("alert.raised") if alert["code"] == "AFTERSALE_OVERDUE"]
    assert alerts == [str(order_id)] * 3, "of the three that waited"
