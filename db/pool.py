"""Opens the connection pool, and names the types of pools and transactions."""

import asyncio
import socket
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import structlog

from db.errors import LoginRefusedError
from db.watching import StatementWatch, WatchedConnection

if TYPE_CHECKING:
    from asyncpg import Record
    from asyncpg.pool import PoolConnectionProxy

    Transaction: TypeAlias = "PoolConnectionProxy[Record] | asyncpg.Connection[Record]"
    Pool: TypeAlias = "asyncpg.Pool[Record]"
else:
    Transaction = asyncpg.Connection
    Pool = asyncpg.Pool

log = structlog.get_logger(__name__)

ANSWER_TIMEOUT_SECONDS = 8.0  # a batch takes milliseconds; after this the database, or the network to it, is silent
STATEMENT_TIMEOUT_MS = 30_000  # the server ends what a client that is gone, or one with a longer timeout, left running
LOCK_TIMEOUT_MS = 5_000  # for processes that wait for one another: relays, commands, tests
IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000  # then PostgreSQL releases the locks of a frozen worker
CONNECT_TIMEOUT_SECONDS = 5.0  # several times what a login with TLS takes
ACQUIRE_TIMEOUT_SECONDS = 10.0  # to wait for a free connection and to open it
OPEN_TIMEOUT_SECONDS = 30.0  # to open all connections of a pool
RELEASE_TIMEOUT_SECONDS = 1.0  # to roll back what was interrupted; a connection that needs longer is closed
# A network that drops packets says nothing, so each side gives up a silent connection after about 10 seconds.
KEEPALIVE_IDLE_SECONDS, KEEPALIVE_INTERVAL_SECONDS, KEEPALIVE_PROBES = 4, 2, 3
ABANDONED_CHECK_MS = 1_000  # PostgreSQL ends a statement, and frees its locks, this soon after its client has gone
UNACKNOWLEDGED_MAX_MS = 10_000
REFUSED = (asyncpg.InvalidAuthorizationSpecificationError,)  # a wrong user or password, or a host that may not log in


class _Pool(asyncpg.Pool):
    """A pool in which no step waits for ever, and in which giving a connection back never fails.

    A connection that cannot be given back is closed. That is no error of whoever used it: the work is committed or
    rolled back by then. It is not reset either, because no code of ours changes a session beyond its transaction.
    """

    def acquire(self, *, timeout: float | None = ACQUIRE_TIMEOUT_SECONDS) -> Any:
        return super().acquire(timeout=timeout)

    async def release(
        self,
        connection: Any,
        *,
        timeout: float | None = RELEASE_TIMEOUT_SECONDS,  # noqa: ASYNC109 (the signature is the library's)
    ) -> None:
        try:
            await super().release(connection, timeout=timeout)
        except Exception as error:
            log.info("a connection was lost as it was given back", error=type(error).__qualname__)


LOOKUPS_ONLY = {
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}
"""Settings of all sessions here: they find every row by an index, in one process: to start others takes 15 ms.

Plans are kept, so one that is made while a table or the partition of a new month is small must also be right when it is
large: an index that is read whole, as hash and merge joins do, would be slow then, also for a foreign key. And a plan
is made once: PostgreSQL would plan each batch of one message anew, which takes longer than to execute it.

A plain join may still read an index whole, in the order that a merge join wants, if it is planned while the table is
empty. So statements of an order's life look rows up in one of two ways, which no merge join can use: CROSS JOIN LATERAL
(SELECT ... OFFSET 0), and, in an UPDATE or DELETE, `t.key = ANY (ARRAY[n.key])`. Both keep the meaning of a join. An
index may still answer another condition than the second: that goes into a LATERAL, or `(t.state = n.state) IS TRUE`.
"""


async def open_pool(
    url: str,
    *,
    application_name: str,
    min_size: int = 1,
    max_size: int = 4,
    lock_timeout_ms: int = LOCK_TIMEOUT_MS,
    watch: StatementWatch | None = None,
) -> Pool:
    """Open a pool. `watch` is called with each statement that has ended, and its duration in seconds.

    Raises LoginRefusedError for a wrong user or password, else OSError or asyncpg.PostgresError if the database cannot
    be reached.
    """
    pool = _Pool(
        url,
        min_size=min_size,
        max_size=max_size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        loop=None,
        connection_class=asyncpg.Connection if watch is None else WatchedConnection,
        record_class=asyncpg.Record,
        init=partial(_set_up, watch=watch),
        reset=_keep_session,
        timeout=CONNECT_TIMEOUT_SECONDS,
        command_timeout=ANSWER_TIMEOUT_SECONDS,
        server_settings={
            "application_name": application_name,
            "statement_timeout": str(STATEMENT_TIMEOUT_MS),
            "lock_timeout": str(lock_timeout_ms),
            "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
            "client_connection_check_interval": str(ABANDONED_CHECK_MS),
            "tcp_keepalives_idle": str(KEEPALIVE_IDLE_SECONDS),
            "tcp_keepalives_interval": str(KEEPALIVE_INTERVAL_SECONDS),
            "tcp_keepalives_count": str(KEEPALIVE_PROBES),
            "tcp_user_timeout": str(UNACKNOWLEDGED_MAX_MS),
            "timezone": "UTC",
            **LOOKUPS_ONLY,
        },
    )
    try:
        async with asyncio.timeout(OPEN_TIMEOUT_SECONDS):
            await pool
    except BaseException as error:
        pool.terminate()
        if isinstance(error, REFUSED):
            raise LoginRefusedError(explain(error)) from error
        raise
    return pool


def explain(error: BaseException) -> str:
    """Say in a few words why the database cannot be used. The text holds no password and no value of a row."""
    if isinstance(error, REFUSED):
        return f"PostgreSQL refuses the login ({error}); correct the user and password in OMS_DATABASE_URL"
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return f"PostgreSQL has no connection left ({error})"
    return type(error).__qualname__


async def _set_up(connection: Any, *, watch: StatementWatch | None) -> None:
    """Let the kernel end the connection when the peer is silent, which asyncpg does not offer, and watch statements."""
    used = connection._transport.get_extra_info("socket")
    if used is not None and used.family != socket.AF_UNIX:
        end_when_silent(used)
    if watch is not None:
        connection.watch = watch


async def _keep_session(_: Any) -> None:
    """Stand in for asyncpg's reset, which takes a round trip after every transaction."""


def end_when_silent(used: socket.socket) -> None:
    """Set a TCP socket so that the kernel ends the connection about 10 seconds after the peer has fallen silent."""
    options = {
        "TCP_KEEPIDLE": KEEPALIVE_IDLE_SECONDS,
        "TCP_KEEPINTVL": KEEPALIVE_INTERVAL_SECONDS,
        "TCP_KEEPCNT": KEEPALIVE_PROBES,
        "TCP_USER_TIMEOUT": UNACKNOWLEDGED_MAX_MS,
    }
    used.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in options.items():
        if hasattr(socket, name):  # macOS names them otherwise, and keeps its defaults
            used.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
