"""The work of `bare_work` with psycopg, for frameworks without asyncio: the same statements, each waited for.

`bare_work` is written for asyncpg. Here it gets a connection whose methods answer at once, so its coroutines never
wait, and one `send` runs each to its end.
"""

import os
from collections.abc import Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from db import cipher
from db.pool import Pool
from tests.bench.bare_work import STEPS, Out

NEXT = {"stock.reserve.v1": "stock", "stock.reserved.v1": "stock-results"}
"""Type of a message between the steps -> the step that takes it."""


class BlockingConnection:
    """One connection, as asyncpg's pool and as its connection."""

    def __init__(self, url: str) -> None:
        set_json_loads(lambda data: data.decode() if isinstance(data, bytes) else data)
        self._connection = psycopg.connect(url, autocommit=True, row_factory=cast(Any, dict_row))
        self._connection.prepare_threshold = 1

    @asynccontextmanager
    async def acquire(self) -> Any:
        yield self

    @asynccontextmanager
    async def transaction(self) -> Any:
        with self._connection.transaction():
            yield

    async def fetch(self, query: str, *arguments: Any) -> Any:
        """Run a statement and return its rows."""
        cursor = psycopg.RawCursor(self._connection, row_factory=cast(Any, dict_row))
        cursor.execute(cast(Any, query), arguments)
        return cursor.fetchall() if cursor.description else []

    async def execute(self, query: str, *arguments: Any) -> None:
        """Run a statement."""
        await self.fetch(query, *arguments)

    async def fetchrow(self, query: str, *arguments: Any) -> Any:
        """Run a statement and return its first row."""
        return (await self.fetch(query, *arguments))[0]

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        """Run a statement and return the first value of its first row."""
        return next(iter((await self.fetchrow(query, *arguments)).values()))


def connect() -> BlockingConnection:
    """Connect a process or a thread."""
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    return BlockingConnection(os.environ["OMS_DATABASE_URL"])


def work(connection: BlockingConnection, step: str, body: bytes) -> Sequence[Out]:
    """Do the work of one message. Returns what is to be published."""
    working = STEPS[step](cast(Pool, connection), [body], packed=False)
    try:
        working.send(None)
    except StopIteration as done:
        return cast(Sequence[Out], done.value)
    raise RuntimeError("the work waited for something")
