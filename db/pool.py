"""Opens the connection pool, and names the types of pools and transactions."""

import asyncio
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

if TYPE_CHECKING:
    from asyncpg import Record
    from asyncpg.pool import PoolConnectionProxy

    Transaction: TypeAlias = "PoolConnectionProxy[Record] | asyncpg.Connection[Record]"
    Pool: TypeAlias = "asyncpg.Pool[Record]"
else:
    Transaction = asyncpg.Connection
    Pool = asyncpg.Pool

STATEMENT_TIMEOUT_MS = 30_000  # a batch takes milliseconds, so a statement that takes this long is a fault
LOCK_TIMEOUT_MS = 5_000  # another worker's batch is shorter; a batch that waits longer is tried again (55P03)
IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000  # then PostgreSQL releases the locks of a frozen worker


async def open_pool(url: str, *, application_name: str, min_size: int = 1, max_size: int = 4) -> Pool:
    """Open a pool. Raises OSError or asyncpg.PostgresError if the database cannot be reached."""
    async with asyncio.timeout(30):
        return await asyncpg.create_pool(
            url,
            min_size=min_size,
            max_size=max_size,
            command_timeout=STATEMENT_TIMEOUT_MS / 1000 + 5,
            server_settings={
                "application_name": application_name,
                "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                "lock_timeout": str(LOCK_TIMEOUT_MS),
                "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
                "timezone": "UTC",
                "jit": "off",
            },
        )
