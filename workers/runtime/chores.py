"""What a worker does besides its messages: a route's chores, and forgetting old inbox rows. Errors never end them."""

import asyncio
from collections.abc import Callable
from random import uniform

import structlog

from db.pool import Pool
from workers.runtime import inbox
from workers.runtime.process import transaction
from workers.runtime.route import Every

log = structlog.get_logger(__name__)

PURGE_SECONDS = 60.0
PURGE_BREATH_SECONDS = 0.2  # between two small deletes, so that they never add up to a load


async def repeat(pool: Pool, every: Every, committed: Callable[[], None]) -> None:
    """Do a chore again and again, each time in a transaction of its own, at slightly uneven times."""
    while True:
        await asyncio.sleep(every.seconds * uniform(0.9, 1.1))  # noqa: S311
        try:
            async with transaction(pool) as tx:
                await every.chore(tx)
            committed()
        except Exception as error:
            name = getattr(every.chore, "__name__", "chore")
            log.warning("chore failed", chore=name, error=type(error).__qualname__)


async def purge_inbox(pool: Pool) -> None:
    """Keep the inbox to its retention."""
    while True:
        more = False
        try:
            more = await inbox.purge(pool)
        except Exception as error:
            log.warning("inbox not purged", error=type(error).__qualname__)
        await asyncio.sleep(PURGE_BREATH_SECONDS if more else PURGE_SECONDS)
