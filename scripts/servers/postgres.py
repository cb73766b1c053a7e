"""A PostgreSQL server, wherever it runs: its administrator's URL creates and drops databases."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from scripts.servers.lifecycle import Lifecycle


@dataclass
class PostgresServer:
    """One server. The user of `admin_url` may create databases."""

    admin_url: str
    lifecycle: Lifecycle
    _session: psycopg.Connection | None = field(default=None, init=False, repr=False, compare=False)

    def url_of(self, database: str) -> str:
        """Return the administrator's URL with another database."""
        return urlunsplit(urlsplit(self.admin_url)._replace(path=f"/{database}"))

    def new_database(self, name: str, template: str | None = None) -> str:
        """Create a database and return its URL.

        It is a copy of `template` if given, to which there must be no connection.
        """
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {} STRATEGY FILE_COPY").format(sql.Identifier(template))
        self._execute(statement)
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Drop a database and end its connections. One that does not exist is no error."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def start(self) -> None:
        """See Lifecycle."""
        self.lifecycle.start()

    def stop(self) -> None:
        """See Lifecycle."""
        self.lifecycle.stop()

    def kill(self) -> None:
        """See Lifecycle."""
        self.lifecycle.kill()

    def restart(self) -> None:
        """See Lifecycle."""
        self.lifecycle.restart()

    def disconnect(self) -> None:
        """Close the session in which databases are created and dropped, if there is one."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _execute(self, statement: sql.Composed) -> None:
        """Execute it in a session that stays open, because tests create and drop thousands of databases."""
        try:
            self._connected().execute(statement)
        except psycopg.OperationalError:
            if self._session is None or not self._session.broken:
                raise
            self.disconnect()  # the server was stopped or killed since the last statement
            self._connected().execute(statement)

    def _connected(self) -> psycopg.Connection:
        if self._session is None:
            self._session = psycopg.connect(self.admin_url, autocommit=True)
        return self._session


def answers(url: str) -> bool:
    """Tell whether a session can be opened."""
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
