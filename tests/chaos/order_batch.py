"""What clients do to a deployment, and what must hold afterwards.

OrderBatch publishes orders and pays or cancels them; `assert_ended_well` waits until each is where it belongs and the
audit is clean. `assert_history_holds` compares what the client received with the database.
"""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import asyncpg
import orjson

from db.pool import Pool, open_pool
from scripts.commands.audit import Finding, check
from tests.chaos.deployment import PRICE, SKU, STOCK, STOCKED, WAIT_SECONDS, Deployment
from tests.chaos.history import SOLD, Units
from tests.e2e.upstream import now, order_body

FATES = 4
PAID, CANCELLED, OPEN, RACED = range(FATES)
AUDIT_SECONDS = 20.0
UNPUBLISHED = "what is announced is published"  # as the audit names it
BOOKS = """SELECT json_build_object(
    'states', (SELECT coalesce(json_object_agg(id::text, json_build_array(state, version)), '{}')
               FROM orders WHERE version > 1),
    'stock', (SELECT json_object_agg(sku_id, json_build_array(on_hand, locked)) FROM stock),
    'captured', (SELECT coalesce(json_object_agg(order_id::text, sum), '{}')
                 FROM (SELECT order_id, sum(amount) FROM payment_facts WHERE kind = 'captured' GROUP BY order_id) AS c),
    'returned', (SELECT coalesce(json_object_agg(order_id::text, sum), '{}')
                 FROM (SELECT order_id, sum(amount) FROM refunds GROUP BY order_id) AS r))::text"""
OWED_REFUNDS = """SELECT coalesce(json_agg(json_build_object(
    'refund_no', refund_no, 'amount', amount, 'currency', currency)), '[]')::text
    FROM refunds WHERE state <> 'succeeded'"""


@dataclass
class OrderBatch:
    """Many orders at once, and every later message twice.

    Of four orders one is paid, one is cancelled, one stays open, and of one the capture and the cancel race.
    """

    deployment: Deployment
    count: int
    run: str = field(default_factory=lambda: uuid4().hex[:8])

    async def order(self) -> None:
        """Publish all order.create once the SKU and its stock exist."""
        await self.deployment.wait_until(STOCKED)
        bodies = [order_body((SKU, 1), request_id=f"{self.run}-{n}", user_id=f"u{n % 7}") for n in range(self.count)]
        await self.deployment.publish("upstream", [("order.create", body) for body in bodies])

    async def wait_until_decided(self, share: float = 1.0) -> None:
        """Wait until this share of the commands has an outcome."""
        sql = "SELECT count(*) >= $2 FROM commands WHERE request_id LIKE $1 AND outcome_type IS NOT NULL"
        await self.deployment.wait_until(sql, f"{self.run}-%", int(self.count * share), what="outcomes")

    async def pay_and_cancel(self) -> None:
        """Publish the payments and cancellations, each twice, as clients with retries do."""
        rows = await self._placed()
        paid = [("payment.result", _capture(row["id"])) for row in rows if _fate(row) in (PAID, RACED)]
        cancels = [
            (
                "order.cancel",
                {
                    "request_id": f"{self.run}-{row['id']}",
                    "actor": {"type": "user", "id": row["user_id"]},
                    "order_id": str(row["id"]),
                },
            )
            for row in rows
            if _fate(row) in (CANCELLED, RACED)
        ]
        for _ in range(2):
            await self.deployment.publish("payments", paid)
            await self.deployment.publish("upstream", cancels)

    async def _placed(self) -> list[Any]:
        connection = await asyncpg.connect(self.deployment.database_url)
        rows = await connection.fetch(
            "SELECT id, user_id, request_id FROM orders WHERE request_id LIKE $1", self.run + "-%"
        )
        await connection.close()
        return list(rows)

    async def _answer_refunds(self) -> None:
        """Report every refund as done, twice, as the payment service would."""
        owed = orjson.loads(await self.deployment.query(OWED_REFUNDS))
        results = [("refund.result", {**refund, "status": "succeeded", "occurred_at": now()}) for refund in owed]
        for _ in range(2):
            await self.deployment.publish("payments", results)
        await self.deployment.wait_until(f"SELECT ({OWED_REFUNDS}) = '[]'", what="the refunds to end")

    async def assert_ended_well(self) -> None:
        """Wait until every order has its state, stock agrees and the audit is clean."""
        fates = Counter(n % FATES for n in range(self.count))
        wanted = [fates[PAID], fates[CANCELLED] + fates[RACED], fates[OPEN]]
        await self.deployment.wait_until(
            """SELECT (SELECT count(*) FROM unpublished) = 0
                  AND (SELECT count(*) FROM commands WHERE outcome_type IS NULL) = 0
                  AND ARRAY[count(*) FILTER (WHERE state = 'paid'), count(*) FILTER (WHERE state = 'cancelled'),
                            count(*) FILTER (WHERE state = 'awaiting_payment')] = $2::bigint[]
               FROM orders WHERE request_id LIKE $1""",
            f"{self.run}-%",
            wanted,
            what=f"paid, cancelled, open = {wanted}",
        )
        await self._answer_refunds()
        await self.deployment.wait_until(
            """SELECT (SELECT count(*) FROM unpublished) = 0
                  AND (SELECT locked FROM stock) = count(*) FILTER (WHERE state = 'awaiting_payment')
                  AND (SELECT on_hand FROM stock) = $1 - count(*) FILTER (WHERE state = 'paid') FROM orders""",
            STOCK,
            what="the stock to agree and all events to be published",
        )
        await assert_audit_is_clean(self.deployment)


def _fate(row: Any) -> int:
    return int(row["request_id"].rsplit("-", 1)[1]) % FATES


def _capture(order_id: int) -> dict[str, Any]:
    return {
        "order_id": str(order_id),
        "provider": "alipay",
        "trade_no": f"t{order_id}",
        "kind": "captured",
        "amount": PRICE,
        "currency": "CNY",
        "occurred_at": now(),
    }


async def assert_audit_is_clean(deployment: Deployment) -> None:
    """Assert that no invariant is violated once no work is under way.

    A command that the broker delivers again is answered at any moment, and its answer waits in the outbox for a moment.
    So only what is not published gets time.
    """
    pool = await open_pool(deployment.database_url, application_name="audit", max_size=1)
    broken = await _broken(pool)
    with suppress(TimeoutError):
        async with asyncio.timeout(AUDIT_SECONDS):
            while broken and {finding.invariant for finding in broken} == {UNPUBLISHED}:
                await asyncio.sleep(0.2)
                broken = await _broken(pool)
    await pool.close()
    assert not broken, broken


async def _broken(pool: Pool) -> list[Finding]:
    async with pool.acquire() as tx:
        return [finding for finding in await check(tx, drained=True) if finding.violations]


async def assert_history_holds(deployment: Deployment) -> None:
    """Assert that what the client received breaks no promise, and that its books are those of the database."""
    history = deployment.history
    await deployment.receive()  # it is never cancelled, for then a message that it was taking would be lost
    last = time.monotonic() + WAIT_SECONDS / 4
    while history.unanswered() and time.monotonic() < last:  # faults() names the replies that never come
        await asyncio.sleep(0.1)
        await deployment.receive()
    assert history.faults() == []
    books = orjson.loads(await deployment.query(BOOKS))
    assert history.states() == {order: tuple(state) for order, state in books["states"].items()}
    assert history.stock() == {sku: Units(*counters) for sku, counters in books["stock"].items()}
    for order, money in history.money().items():
        assert money.returned == books["returned"].get(order, 0), f"order {order} returned another sum"
        assert money.captured == books["captured"].get(order, 0), f"order {order} captured another sum"
        owed = PRICE if history.states()[order][0] in SOLD else 0
        assert money.captured - money.returned == owed, f"order {order} keeps money that is not its price"
