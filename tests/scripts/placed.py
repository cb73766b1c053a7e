"""Orders that the handlers made in the database of a command's test."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from db import cipher
from db.pool import open_pool
from tests.handlers.builders import cancel
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.shop import Shop

T = TypeVar("T")


def with_handlers(database_url: str, work: Callable[[HandlerHarness], Awaitable[T]]) -> T:
    """Run the work with handlers on this database, with goods in stock. Returns what it returns."""

    async def run() -> T:
        cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
        shop.configure(Shop())
        pool = await open_pool(database_url, application_name="tests")
        harness = HandlerHarness(pool)
        await harness.fill_stock()
        done = await work(harness)
        await pool.close()
        return done

    return asyncio.run(run())


async def cancel_without_release(harness: HandlerHarness) -> int:
    """Cancel an order of which the stock.release is lost; return its id."""
    made = await harness.place_order()
    await harness.handle_batch([harness.envelope(cancel(made))])
    await harness.pool.execute("DELETE FROM outbox")
    return made
