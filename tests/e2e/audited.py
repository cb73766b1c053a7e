"""Databases that are audited after each test: one of its own, or the one that tests share."""

import asyncio
from collections.abc import Iterator

from db.pool import Pool, open_pool
from scripts.commands.audit import Finding, check
from tests.shared_database import SharedDatabase


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


class Auditor:
    """Audits the database that tests share, in a session of its own that keeps the plans of all invariants."""

    def __init__(self, shared: SharedDatabase) -> None:
        self._shared = shared
        self._url = ""
        self._pool: Pool | None = None

    async def violated(self) -> list[Finding]:
        """Return the invariants that are violated."""
        if self._pool is None or self._url != self._shared.url:
            self.close()
            self._url = self._shared.url
            self._pool = await open_pool(self._url, application_name="audit", max_size=1)
        async with self._pool.acquire() as tx:
            return [finding for finding in await check(tx) if finding.violations]

    def close(self) -> None:
        """End the session."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None
