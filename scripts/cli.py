"""The command line `oms`. Each command or group is a module in scripts/commands, imported when it is called."""

import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import takewhile
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from scripts.commands.problems import Code

COMMANDS = {
    "worker": "Handle the messages of all queues or of some, until SIGTERM.",
    "relay": "Publish the messages of the outbox, until SIGTERM.",
    "migrate": "Bring the database to the newest schema.",
    "console": "Show queues, dead letters, orders, what is stuck and replays in a browser, until Ctrl-C.",
    "doctor": "Look at a deployment, and say what is wrong, why it matters and what to type next.",
    "top": "Show a running system, again and again: queues, outbox, timers, dead letters, orders per minute.",
    "audit": "Check on the live database that all invariants hold.",
    "repair": "Find messages and timers that were lost for good, and announce them again.",
    "publish": "Check a message, publish it, wait until the broker confirms; with --wait, also for what comes back.",
    "stub": "Answer as oms does, on a RabbitMQ without oms, for the tests of teams that publish to it.",
    "keys": "Make and rotate the keys that encrypt personal data.",
    "subject": "Show, export and erase what is kept about a user.",
    "warehouses": "Show and set the warehouses that order lines come from.",
    "consumers": "Show who takes the messages of each queue, and pause and resume queues.",
    "topology": "Show, declare, compare and export exchanges, queues and bindings.",
    "cells": "List the cells: their shards, whether their databases answer, and how many orders they have.",
    "order": "Show, explain, find and import orders, and list what is held.",
    "cases": "List after-sale cases, and show one.",
    "stuck": "List what waits too long, the oldest first, with what to do next.",
    "stats": "Show what happened to orders on a day, beside two days before it.",
    "plan": "Plan what to order and at what price to sell, from what was sold.",
    "disputes": "List buyers' disputes, and show one.",
    "payments": "Compare provider statements, show provider notifications.",
    "contracts": "Write the contract for other teams, find changes that break them, check bodies against it.",
    "codes": "List the codes of rejections and alerts, with numbers and meanings.",
    "events": "Read kept events, give them to a new consumer, compare them with the database.",
    "timers": "List timers, have some woken at once, and cancel some.",
    "outbox": "Show what waits in the outbox, retry messages that the broker does not take, and hold others.",
    "interventions": "List what people did to timers, messages and consumers, and why, the newest first.",
    "dead-letters": "Look at messages that failed, replay, edit and discard them.",
    "replays": "List replays of dead letters, watch, pause, resume and cancel them.",
}
"""Command -> its line in `oms --help`, which therefore imports none of them."""


def load(name: str) -> Any:
    """The command or group of this name, from the module of the same name."""
    return get_command(import_module(f"scripts.commands.{name.replace('-', '_')}").app)


class LazyGroup(TyperGroup):
    """Holds a placeholder for each command and loads the one that is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that the arguments begin with. An unknown one raises a usage error."""
        name, placeholder, rest = super().resolve_command(ctx, args)
        return name, placeholder and load(str(name)), rest


app = typer.Typer(
    name="oms",
    cls=LazyGroup,
    help="Order management: run it, look into it, repair it. Every command reads the OMS_* settings.\n\n"
    "`oms COMMAND --help` has examples; `oms --install-completion` has your shell complete commands and options.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from outbox.version import version  # noqa: PLC0415 (its package loads every message model)

        typer.echo(f"oms {version()}")
        raise typer.Exit


@app.callback()
def group(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options that stand before the command."""


def _placeholder() -> None:
    raise AssertionError("resolve_command loads the command")


for _name, _summary in COMMANDS.items():
    app.command(_name, help=_summary)(_placeholder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Only a defect of the program shows a traceback."""
    logging.getLogger("aiormq").addHandler(logging.NullHandler())  # it logs errors that we report ourselves
    try:
        code = get_command(app).main(arguments, prog_name="oms", standalone_mode=False)
        return int(code or 0)
    except (KeyboardInterrupt, typer.Abort):
        print("oms: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # a reader such as `head` has closed the pipe: do not complain about the rest
        return Code.OK
    except typer.TyperException as error:
        _say(_usage_problem(error, sys.argv[1:] if arguments is None else arguments))
        return Code.FAILED
    except Exception as error:
        from scripts.commands.explanations import explain  # noqa: PLC0415 (it loads the clients of both servers)

        problem = explain(error)
        if problem is None:
            raise
        _say(problem.text)
        return problem.code


def _say(text: str) -> None:
    from scripts.commands.output import say  # noqa: PLC0415 (it loads what draws tables)

    say(text)


def _usage_problem(error: typer.TyperException, arguments: Sequence[str]) -> str:
    """Say what is wrong with the words that were typed, and what the group has where a command was mistyped."""
    message, context = error.format_message(), getattr(error, "ctx", None)
    if message.startswith("Usage"):
        return message
    if context is None:  # the parser does not say which command it reads
        command = " ".join(["oms", *takewhile(lambda word: not word.startswith("-"), arguments)])
        return f"oms: {message}\n  next: {command} --help"
    known = ", ".join(getattr(context.command, "commands", ())) if "No such command" in message else ""
    why = f"\n  why:  the commands are: {known}" if known else ""
    return f"oms: {message}{why}\n  next: {context.command_path} --help"


if __name__ == "__main__":
    sys.exit(main())
