"""Settings of the commands and their connections to the database and the broker."""

import asyncio
import os
import pwd
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
from pydantic import Field, SecretStr
from yarl import URL

from db import cipher
from db.pool import IDLE_IN_TRANSACTION_TIMEOUT_MS, Transaction
from db.settings import DatabaseSettings
from messages.user_shards import shard_of_number
from outbox.settings import RelaySettings
from scripts.commands.problems import Code, CommandError

T = TypeVar("T")
CONNECT_TIMEOUT_SECONDS = 10.0  # a person is waiting
LOCK_TIMEOUT_SECONDS = 5.0  # a decision holds its locks for milliseconds, and none while a person decides
STATEMENT_TIMEOUT_SECONDS = 60  # a query must not load the live database for longer


class BrokerSettings(RelaySettings):
    """The settings of commands that use the broker only: publishing and declaring need no database."""

    database_url: SecretStr = SecretStr("")


class CellSettings(BrokerSettings):
    """The settings of commands that look at every cell."""

    amqp_url: SecretStr = SecretStr("")
    cell_databases: dict[str, SecretStr] = Field(
        default={},
        description='The databases of all cells, for `oms cells` and `oms audit --cells`, as JSON: {"a": '
        '"postgresql://...", "b": "postgresql://..."}',
    )

    @property
    def database_urls(self) -> dict[str, str]:
        """Cell -> the URL of its database. Raises CommandError unless every cell has one."""
        if not self.cells:
            raise CommandError(Code.FAILED, "this shop has no cells", hint="set OMS_CELLS as the workers have it")
        if set(self.cells) != set(self.cell_databases):
            have = ", ".join(self.cell_databases) or "no cell"
            why = f"the cells are {', '.join(self.cells)}, and it has those of {have}"
            raise CommandError(
                Code.FAILED,
                "OMS_CELL_DATABASES does not name the database of each cell",
                why=why,
                hint='export OMS_CELL_DATABASES=\'{"a": "postgresql://...", "b": "postgresql://..."}\'',
            )
        schemes = ("postgresql", "postgres")
        return {name: _checked(self.cell_databases[name], "OMS_CELL_DATABASES", schemes) for name in self.cells}


def other_cell_of(number: str) -> str | None:
    """Return the other cell that has the order with this id or number; None in a shop without cells."""
    own, shard = BrokerSettings(amqp_url=SecretStr("")).own_cell, shard_of_number(number)
    owner = None if own is None or shard is None else own.owners[shard]
    return None if own is None or owner == own.name else owner


def database_url(settings: DatabaseSettings) -> str:
    """Return the URL of the database. Raises CommandError if it is not a URL; the error does not repeat the value."""
    return _checked(settings.database_url, "OMS_DATABASE_URL", ("postgresql", "postgres"))


def broker_url(settings: RelaySettings) -> str:
    """Return the URL of the broker. Raises CommandError as `database_url` does."""
    return _checked(settings.amqp_url, "OMS_AMQP_URL", ("amqp", "amqps"))


def publisher_variable(role: str) -> str:
    """Return the variable with the URL of the broker user that publishes as a role."""
    return f"OMS_{role.upper()}_AMQP_URL"


def _checked(url: SecretStr, variable: str, schemes: tuple[str, ...]) -> str:
    given = url.get_secret_value()
    try:
        sound = (place := URL(given)).scheme in schemes and bool(place.host)
    except ValueError:
        sound = False
    if not sound:
        hint = f"export {variable}={schemes[0]}://user:password@host:port/name"
        raise CommandError(Code.FAILED, f"{variable} is not the URL of a server", hint=hint)
    return given


def process_settings() -> RelaySettings:
    """Return the settings of a long-running process. A wrong URL ends it at once: it is not retried for ever."""
    settings = RelaySettings()
    database_url(settings)
    broker_url(settings)
    return settings


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine in an event loop of its own."""
    return asyncio.run(work)


@asynccontextmanager
async def connected(
    *, url: str | None = None, statement_timeout_seconds: int = STATEMENT_TIMEOUT_SECONDS
) -> AsyncIterator[Transaction]:
    """Connect to OMS_DATABASE_URL, or another database, until the block ends; set the encryption keys of the process
    if there are any.
    """
    settings = DatabaseSettings() if url is None else DatabaseSettings(database_url=SecretStr(url))
    if keys := settings.encryption_keys.get_secret_value():
        cipher.configure(keys)
    connection = await asyncpg.connect(
        database_url(settings),
        timeout=CONNECT_TIMEOUT_SECONDS,
        server_settings={
            "application_name": "oms-cli",
            "statement_timeout": str(statement_timeout_seconds * 1000),
            "lock_timeout": str(int(LOCK_TIMEOUT_SECONDS * 1000)),
            "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
            "timezone": "UTC",
            "jit": "off",
        },
    )
    try:
        yield connection
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_SECONDS)


def database_user() -> str:
    """Return the user of OMS_DATABASE_URL, under whom the database records a decision."""
    return URL(database_url(DatabaseSettings())).user or "the user of the database session"


def person() -> str:
    """Return who is at the terminal, as a note: OMS_ACTOR, else the user of the operating system."""
    named = os.environ.get("OMS_ACTOR", "").strip()
    if named:
        return named
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"
