"""Settings and connections of commands."""

import asyncio
import os
import pwd
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
from pydantic import SecretStr

from db import cipher
from db.pool import Transaction
from db.settings import DatabaseSettings
from outbox.settings import RelaySettings

T = TypeVar("T")
CONNECT_TIMEOUT_SECONDS = 10.0  # a person waits
STATEMENT_TIMEOUT_SECONDS = 60  # a look at the live database must not weigh on it for longer


class BrokerSettings(RelaySettings):
    """Of the broker alone: publishing and declaring need no database."""

    database_url: SecretStr = SecretStr("")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine."""
    return asyncio.run(work)


@asynccontextmanager
async def connected(*, statement_timeout_seconds: int = STATEMENT_TIMEOUT_SECONDS) -> AsyncIterator[Transaction]:
    """A database session by OMS_DATABASE_URL, with the process's encryption keys set when there are any."""
    settings = DatabaseSettings()
    if keys := settings.encryption_keys.get_secret_value():
        cipher.configure(keys)
    connection = await asyncpg.connect(
        settings.database_url.get_secret_value(),
        timeout=CONNECT_TIMEOUT_SECONDS,
        server_settings={
            "application_name": "oms-cli",
            "statement_timeout": str(statement_timeout_seconds * 1000),
            "lock_timeout": "5000",
            "timezone": "UTC",
            "jit": "off",
        },
    )
    try:
        yield connection
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_SECONDS)


def actor() -> str:
    """Who is at the terminal: OMS_ACTOR, else the user of the operating system."""
    named = os.environ.get("OMS_ACTOR", "").strip()
    if named:
        return named
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"
