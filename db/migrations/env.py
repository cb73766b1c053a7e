"""Runs the migrations through psycopg: raw SQL, one transaction, one migrator at a time."""

import os
from pathlib import Path

from alembic import context
from sqlalchemy import NullPool, create_engine, text

ONCALL = Path(__file__).parents[1] / "oncall.sql"
ADVISORY_LOCK = 6_021_023  # any constant of our own: two migrators at once wait for each other


def url() -> str:
    """The URL given by the caller or OMS_DATABASE_URL, for psycopg, which takes several statements at once."""
    given = context.config.get_main_option("sqlalchemy.url") or os.environ["OMS_DATABASE_URL"]
    return "postgresql+psycopg://" + given.split("://", 1)[1]


def online() -> None:
    """Upgrade a live database. The newest migration gives on-call engineers their rights: these name all tables."""
    engine = create_engine(url(), poolclass=NullPool)  # a session that ends gives back its lock, also after an error
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
        connection.commit()
        context.configure(connection=connection, transactional_ddl=True, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
        if context.get_context().get_current_revision() == context.get_head_revision():
            connection.execution_options(no_parameters=True).exec_driver_sql(ONCALL.read_text("utf-8"))
        connection.commit()


def offline() -> None:
    """Print the SQL for a database administrator (`alembic upgrade head --sql`)."""
    context.configure(url=url(), literal_binds=True, dialect_name="postgresql", transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
        context.execute(ONCALL.read_text("utf-8"))


if context.is_offline_mode():
    offline()
else:
    online()
