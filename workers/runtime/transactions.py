"""A transaction of the runtime: it tells whether the database is away, and never waits for an answer without end."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from db.errors import UnavailableError
from db.pool import Pool, Transaction, explain
from workers.runtime import inbox
from workers.runtime.errors import ErrorClass, classify
from workers.telemetry import metrics

ROLLBACK_TIMEOUT_SECONDS = 1.0  # it is one round trip; without it the locks are kept until the connection ends


@asynccontextmanager
async def transaction(pool: Pool, *, readonly: bool = False) -> AsyncIterator[Transaction]:
    """Open a transaction. Raises UnavailableError when the database is away, wherever that shows.

    If the answer to the commit is lost, it is not known whether the work is committed. Then the message is handled
    again, and the inbox decides.
    """
    began = time.perf_counter()
    try:
        connection = await pool.acquire()
    except Exception as error:  # no message is the cause of a refused login or connection
        raise UnavailableError(explain(error)) from error
    metrics.POOL_WAIT.observe(time.perf_counter() - began)
    try:
        async with _begun(connection, readonly):
            yield connection
    except Exception as error:
        forbidden = readonly and isinstance(error, asyncpg.ReadOnlySQLTransactionError)  # a mistake in the handler
        if not forbidden and not isinstance(error, UnavailableError) and await _away(pool, classify(error)):
            await pool.expire_connections()  # the others have lost the same server
            raise UnavailableError(explain(error)) from error
        raise
    finally:
        await pool.release(connection)


@asynccontextmanager
async def _begun(connection: Transaction, readonly: bool) -> AsyncIterator[None]:
    """Begin, and commit or roll back. A connection that may never answer again is closed instead of rolled back."""
    # All that one answer shows is of one moment.
    block = connection.transaction(readonly=readonly, isolation="repeatable_read" if readonly else None)
    try:
        await block.start()
        try:
            yield
        except Exception as error:
            if classify(error) is not ErrorClass.UNAVAILABLE:
                async with asyncio.timeout(ROLLBACK_TIMEOUT_SECONDS):  # a slow statement is cancelled first
                    await block.rollback()
            raise
        await block.commit()
    except BaseException as error:
        if not isinstance(error, Exception) or classify(error) is ErrorClass.UNAVAILABLE:
            with suppress(asyncpg.InterfaceError):  # it is closed already
                connection.terminate()
        raise


async def _away(pool: Pool, kind: ErrorClass) -> bool:
    """True if the database cannot be used. A probe shows whether it is only the statement that takes too long."""
    return kind is ErrorClass.UNAVAILABLE or (kind is ErrorClass.SLOW and not await inbox.accepts_writes(pool))
