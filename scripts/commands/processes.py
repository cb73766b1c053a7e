"""`oms worker`, `oms relay`, `oms migrate`, `oms keys new`: what a deployment runs."""

from collections.abc import Sequence
from typing import Annotated

import typer

from db import cipher, migrate
from db.settings import DatabaseSettings
from messages.topology import TAKEN
from outbox.settings import RelaySettings
from scripts.commands.connecting import broker_url, database_url
from scripts.commands.output import say
from scripts.commands.problems import Code, CommandError

DEAD_LETTERS = "dead-letters"  # stands for every <queue>.dlq and for unrouted
keys = typer.Typer(help="Keys for personal data.", no_args_is_help=True)


def worker(
    queues: Annotated[
        str,
        typer.Option(envvar="OMS_QUEUES", help="Comma-separated, without the prefix; `dead-letters` collects those."),
    ] = "",
) -> None:
    """Handle the messages of all queues, or of some, until SIGTERM.

    \b
    Examples:
      oms worker
      oms worker --queues stock,stock-results
      oms worker --queues dead-letters
    """
    from workers import app, routes  # noqa: PLC0415 (loading every handler takes a second that others need not wait)
    from workers.runtime.declare import TopologyError  # noqa: PLC0415

    served = chosen(queues, [route.queue for route in routes.ROUTES])
    _sound_settings()
    try:
        app.main(served)
    except TopologyError as error:
        hint = "oms topology declare"
        raise CommandError(Code.FAILED, "the broker is not set up", why=str(error), hint=hint) from error


def chosen(queues: str, known: Sequence[str]) -> tuple[str, ...]:
    """The queues named in a comma-separated text. Raises CommandError for one that nobody serves."""
    named = [name.strip() for name in queues.split(",") if name.strip()]
    parked = [name for name in known if name not in TAKEN]
    unknown = sorted({*named} - {*known, DEAD_LETTERS})
    if unknown:
        why = f"there is: {', '.join([*TAKEN, DEAD_LETTERS])}"
        raise CommandError(
            Code.FAILED, f"no handler serves {', '.join(unknown)}", why=why, hint="oms worker --queues stock"
        )
    return tuple(queue for name in named for queue in (parked if name == DEAD_LETTERS else [name]))


def _sound_settings() -> RelaySettings:
    """What every long-running process needs; a wrong URL ends it at once instead of being tried for ever."""
    settings = RelaySettings()
    database_url(settings)
    broker_url(settings)
    return settings


def relay() -> None:
    """Publish what the outbox holds, until SIGTERM. Any number may run; they share the work.

    \b
    Examples:
      oms relay
      OMS_OPS_PORT=9102 oms relay
    """
    import uvloop  # noqa: PLC0415

    from outbox.__main__ import prepare, serve  # noqa: PLC0415

    settings = _sound_settings()
    prepare(settings)
    uvloop.run(serve(settings))


def upgrade() -> None:
    """Bring the database to the newest schema. Safe to run from several places at once.

    \b
    Examples:
      OMS_DATABASE_URL=postgresql://oms@db/oms oms migrate
    """
    settings = DatabaseSettings()
    migrate.upgrade(database_url(settings))
    say("the database has the newest schema")


@keys.command("new")
def new_key(key_id: Annotated[str, typer.Argument(help="The key's id; never use one again.")] = "k1") -> None:
    """Print a fresh key for OMS_ENCRYPTION_KEYS; put it first there and keep the old ones behind it.

    \b
    Examples:
      export OMS_ENCRYPTION_KEYS=$(oms keys new k1)
      export OMS_ENCRYPTION_KEYS=$(oms keys new k2),$OMS_ENCRYPTION_KEYS
    """
    if not key_id or set(key_id) & set(":, "):
        raise CommandError(
            Code.FAILED, f"{key_id!r} is no key id", why="no colon, comma or space", hint="oms keys new k2"
        )
    typer.echo(cipher.new_key(key_id))
