"""`oms keys new`: keys for personal data."""

from typing import Annotated

import typer

from db import cipher
from scripts.commands import command_app
from scripts.commands.problems import Code, CommandError

app = command_app("Keys for personal data.")


@app.callback()
def group() -> None:
    """Keys."""


@app.command("new")
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
