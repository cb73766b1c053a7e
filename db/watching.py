"""A connection that shows how long each statement took. A query logger of asyncpg does so, too, for 15 µs each."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias

import asyncpg

StatementWatch: TypeAlias = Callable[[str, float], None]
"""What is called with each statement that has ended, also by an error, and its duration in seconds."""


def _watched(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    async def run(self: "WatchedConnection", query: str, *args: Any, **given: Any) -> Any:
        started = time.monotonic()
        try:
            return await method(self, query, *args, **given)
        finally:
            self.watch(query, time.monotonic() - started)

    return run


class WatchedConnection(asyncpg.Connection):
    """Calls `watch`, which whoever opens the connection sets."""

    watch: StatementWatch = staticmethod(lambda _statement, _seconds: None)
    execute = _watched(asyncpg.Connection.execute)
    executemany = _watched(asyncpg.Connection.executemany)
    fetch = _watched(asyncpg.Connection.fetch)
    fetchrow = _watched(asyncpg.Connection.fetchrow)
    fetchval = _watched(asyncpg.Connection.fetchval)
