"""A person holds the row of one order in psql: every other order is paid at once, and that one afterwards."""

import asyncio
from statistics import median

import pytest

from tests.e2e.system import SKU, RunningSystem
from tests.e2e.upstream import wait_for_value

ORDERS = 66
PAID = "SELECT count(*) FROM orders WHERE state = 'paid'"


async def test_a_row_held_in_psql_delays_only_its_own_order(
    system: RunningSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    created = [
        await system.upstream.place_order((SKU, 1), user_id=f"u{number}", request_id=f"locked-{number}")
        for number in range(ORDERS)
    ]
    loop = asyncio.get_running_loop()
    waits: list[float] = []
    async with system.pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM orders WHERE id = $1 FOR UPDATE", int(created[30]["order_id"]))
        started = loop.time()
        await asyncio.gather(*(system.payments.pay(one) for one in created))
        while len(waits) < ORDERS - 1:
            paid = await other.fetchval(PAID)
            waits += [loop.time() - started] * (paid - len(waits))
            assert loop.time() - started < 30
            await asyncio.sleep(0.02)
    with capsys.disabled():
        print(f" {len(waits)} orders: median {median(waits):.2f} s, longest {max(waits):.2f} s", end=" ")
    assert max(waits) < 15  # about a second on an idle machine; it was longer than the row was held
    await wait_for_value(system.pool, PAID, ORDERS)
    assert await system.pool.fetchval("SELECT count(*) FROM dead_letters") == 0
