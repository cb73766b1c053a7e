"""One module per `oms` command or group of commands, and the modules that they share.

The module of a command has the command's name and an `app`; scripts/cli.py imports it when the command is called. They
share connections (settings and sessions), output (tables and JSON), problems (error texts and exit codes), explanations
(exceptions as problems), decisions (plan, confirm, act) and outcomes (what a worker decided).
"""

import typer


def command_app(help: str | None = None) -> typer.Typer:
    """Return the Typer app of one command, or of a group of commands; `help` is the help text of a group."""
    return typer.Typer(help=help, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
