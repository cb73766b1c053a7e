"""`oms migrate` brings the database to the newest schema. Only this command loads Alembic, SQLAlchemy and psycopg."""

from sqlalchemy.exc import DBAPIError

from db.migrate import upgrade
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
        newest = upgrade(database_url(settings))
    except DBAPIError as error:
        raise database_unusable(error) from error
    if output is Format.JSON:
        write_json({"revision": newest})
    say("the database has the newest schema")
