"""A PostgreSQL server, wherever it runs: its administrator's URL creates and drops databases."""

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from scripts.servers.lifecycle import Lifecycle


@dataclass(frozen=True)
class PostgresServer:
    """One server. The user of `admin_url` may create databases."""

    admin_url: str
    lifecycle: Lifecycle

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

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(statement)


def answers(url: str) -> bool:
    """Tell whether a session can be opened."""
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
