"""`oms migrate` brings the database to the newest schema.

Only this command loads Alembic, SQLAlchemy and psycopg, and `oms doctor` when it asks what is missing.
"""

from dataclasses import asdict
from typing import Annotated

import psycopg
import typer
from sqlalchemy.exc import DBAPIError

from db.migrate import LOCK_SLOTS_MIN, ONCALL_ROLE, SchemaStatus, has_oncall_role, lock_table_slots, status, upgrade
from db.settings import DatabaseSettings
from scripts.commands import command_app
from scripts.commands.connections import database_url
from scripts.commands.explanations import database_unusable
from scripts.commands.output import Format, Output, say, write_json, write_table
from scripts.commands.problems import Code

app = command_app()


@app.command()
def migrate(
    *,
    show_status: Annotated[
        bool, typer.Option("--status", help="Only show what is missing, and the partitions. Changes nothing.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Bring the database to the newest schema. With --status exit with 3 if migrations are missing.

    Each migration is a transaction of its own. One that fails changes nothing, those before it stay, and the next run
    goes on from there. Several processes may migrate at once: one waits for the other.

    \b
    Examples:
      OMS_DATABASE_URL=postgresql://oms@db/oms oms migrate
      oms migrate --status
      oms migrate --status -o json
    """
    settings = DatabaseSettings()
    try:
        url = database_url(settings)
        if show_status:
            _show(status(url), output)
            return
        newest = upgrade(url)
        granted, slots = has_oncall_role(url), lock_table_slots(url)
    except (DBAPIError, psycopg.Error) as error:
        raise database_unusable(error) from error
    if output is Format.JSON:
        write_json({"revision": newest})
    say("the database has the newest schema")
    if slots < LOCK_SLOTS_MIN:
        say(f"its server has room for {slots} locks; busy workers need {LOCK_SLOTS_MIN}: orders are partitioned")
        say("  next: set max_locks_per_transaction to 256 in postgresql.conf, and restart the server at a quiet time")
    if not granted:
        say(f"the role {ONCALL_ROLE} is missing, and this user may not create it\n  next: an administrator types")
        say(f"  CREATE ROLE {ONCALL_ROLE} NOLOGIN; then oms migrate again grants it what on-call engineers need")


def _show(found: SchemaStatus, output: Output) -> None:
    pending = [{"migration": number, "what it does": what} for number, what in found.pending]
    partitions = [row | {"orders": row["orders"] if row["orders"] >= 0 else None} for row in found.partitions]
    if output is Format.JSON:
        write_json({**asdict(found), "pending": pending, "partitions": partitions})
    else:
        say(f"the schema is at {found.revision or 'nothing'} of {found.newest}; missing migrations: {len(pending)}")
        if pending:
            write_table(pending)
            say("next: oms migrate")
        if partitions:
            write_table(partitions, title="partitions of orders and of what belongs to them")
    if pending:
        raise typer.Exit(Code.DIFFERENT)
