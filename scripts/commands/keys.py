"""`oms keys new` makes keys for the encryption of personal data."""

from typing import Annotated

import typer

from db import cipher
from scripts.commands import command_app
from scripts.commands.output import Format, Output, write_json
from scripts.commands.problems import Code, CommandError

app = command_app("Make keys for the encryption of personal data.")


@app.callback()
def group() -> None:
    """Make `new` a command of a group: a group of one command would otherwise be that command."""


@app.command("new")
def new_key(
    key_id: Annotated[str, typer.Argument(help="The id of the key. Never use an id twice.")] = "k1",
    output: Output = Format.TABLE,
) -> None:
    """Print a fresh key for OMS_ENCRYPTION_KEYS.

    Put it in front of the old keys, and keep those: stored data opens only with the key that it was encrypted with.

    \b
    Examples:
      export OMS_ENCRYPTION_KEYS=$(oms keys new k1)
      export OMS_ENCRYPTION_KEYS=$(oms keys new k2),$OMS_ENCRYPTION_KEYS
    """
    if not key_id or set(key_id) & set(":, "):
        raise CommandError(
            Code.FAILED,
            f"{key_id!r} is not a key id",
            why="a key id has no colon, comma or space",
            hint="oms keys new k2",
        )
    key = cipher.new_key(key_id)
    write_json({"id": key_id, "key": key}) if output is Format.JSON else typer.echo(key)
