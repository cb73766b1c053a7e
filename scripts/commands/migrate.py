"""`oms migrate` brings the database to the newest schema. Only this command loads Alembic, SQLAlchemy and psycopg."""

import psycopg
from sqlalchemy.exc import DBAPIError

from db.migrate import ONCALL_ROLE, has_oncall_role, upgrade
from db.settings import DatabaseSettings
from scripts.commands import command_app
from scripts.commands.connections import database_url
from scripts.commands.explanations import database_unusable
from scripts.commands.output import Format, Output, say, write_json

app = command_app()


@app.command()
def migrate(output: Output = Format.TABLE) -> None:
    """Bring the database to the newest schema.

    Several migrations may run at once: one waits for the other.

    \b
    Examples:
      OMS_DATABASE_URL=postgresql://oms@db/oms oms migrate
    """
    settings = DatabaseSettings()
    try:
        newest = upgrade(url := database_url(settings))
        granted = has_oncall_role(url)
    except (DBAPIError, psycopg.Error) as error:
        raise database_unusable(error) from error
    if output is Format.JSON:
        write_json({"revision": newest})
    say("the database has the newest schema")
    if not granted:
        say(f"the role {ONCALL_ROLE} is missing, and this user may not create it\n  next: an administrator types")
        say(f"  CREATE ROLE {ONCALL_ROLE} NOLOGIN; then oms migrate again grants it what on-call engineers need")
