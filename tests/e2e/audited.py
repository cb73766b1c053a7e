"""A database that is audited after its test."""

import asyncio
from collections.abc import Iterator

from db.pool import open_pool
from scripts.commands.audit import Finding, check


def audited(database_url: str) -> Iterator[str]:
    """Lend the database; then assert that every invariant of a live system holds in it."""
    yield database_url
    found = asyncio.run(violated(database_url))
    assert found == [], found


async def violated(database_url: str) -> list[Finding]:
    """The invariants that are violated, while work may still be under way."""
    pool = await open_pool(database_url, application_name="audit", max_size=1)
    try:
        async with pool.acquire() as tx:
            return [finding for finding in await check(tx) if finding.violations]
    finally:
        pool.terminate()
