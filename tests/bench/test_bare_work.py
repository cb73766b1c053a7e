"""The work of the bare loop and of the other frameworks fits the statements and the schema of the product."""

import os

import pytest

from db import cipher
from db.pool import Pool
from tests.bench import load
from tests.bench.bare_work import STEPS


@pytest.mark.parametrize("packed", [True, False])
async def test_an_order_goes_through_the_three_steps(pool: Pool, database_url: str, packed: bool) -> None:
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    given = load.baskets(2)
    await load.fill(database_url, given.products)
    bodies = list(given.bodies)
    for queue, step in STEPS.items():
        made = await step(pool, bodies, packed=packed)
        bodies = [one.body for one in made if one.type.startswith("stock.")]
        assert bodies or queue == "stock-results"
    assert [one.type for one in made if one.routing_key == "order.created"] == ["order.created.v1"] * 2
    assert await pool.fetchval("SELECT count(*) FROM orders WHERE state = 'awaiting_payment'") == 2
