"""One module per `oms` command or group of commands, and what they share: problems, output, connecting, masking.

The module of a command has its name and an `app`; scripts/cli.py imports it when the command is called.
"""

import typer


def command_app(help: str | None = None) -> typer.Typer:
    """A command (one function, no callback), or a group: `help` is the group's."""
    return typer.Typer(help=help, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
