"""`scripts/up` runs the whole order system, test gateways and an outside world, from one command."""

import asyncio
import logging
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from messages.roles import Role
from outbox.declare import TopologyError
from scripts.commands.connections import publisher_variable
from scripts.demo.client_process import ClientDiedError
from scripts.demo.demo_run import DemoRun, RunOptions
from scripts.demo.environment import DemoEnvironment, create_environment, remove_environment
from scripts.demo.gateway_process import GatewaysDiedError, running_gateways
from scripts.demo.processes import KeepsDyingError
from scripts.demo.summary import as_json, print_summary
from scripts.demo.verdict import RunResult, checks
from scripts.servers.find import Servers, Use, find_servers
from scripts.servers.lifecycle import ServersUnavailableError, say

ROTATE_AFTER_LEAST, ROTATE_AFTER_PART = 2, 16
"""A gateway signs with its second key after so many notifications: a sixteenth of the orders, and at least two."""
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def up(  # noqa: PLR0917 (Typer passes them by name)
    orders: Annotated[int, typer.Option(min=0, help="How many baskets to order; 0: those of a whole year.")] = 0,
    exit_: Annotated[bool, typer.Option("--exit", help="Drain, check and end after so many orders.")] = False,
    rate: Annotated[float, typer.Option(min=0, help="Orders a second; 0 means as fast as outcomes come.")] = 50.0,
    workers: Annotated[int, typer.Option(min=1, max=32, help="Worker processes; each serves every queue.")] = 2,
    relays: Annotated[int, typer.Option(min=1, max=32, help="Relay processes; they share the outbox.")] = 2,
    window: Annotated[int, typer.Option(min=5, max=600, help="Seconds within which an order must be paid.")] = 20,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="Halfway, kill a worker and a relay and restart RabbitMQ.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    no_view: Annotated[bool, typer.Option("--no-view", help="Print lines instead of the live view.")] = False,
    keep_servers: Annotated[
        bool, typer.Option("--keep-servers", help="Leave the servers running and keep their data.")
    ] = False,
) -> None:
    """Run the order system on real servers with real baskets and an outside world that misbehaves.

    Ctrl-C drains: buyers place no more orders, everything that was begun ends, then summary and audit follow. A second
    Ctrl-C ends at once. The exit code is 0 only if every check of the verdict holds: everything ended, every command
    has its outcome, money agrees with the buyers' receipts and the providers' ledgers, every malformed message is one
    dead letter and there is no other, and the audit finds no violation.

    \b
    Examples:
      scripts/up                               until Ctrl-C
      scripts/up --orders 2000 --exit          2000 orders, then the summary
      scripts/up --orders 2000 --exit --chaos  the same, and kill processes
      scripts/up --rate 0 --workers 4 --json   as fast as possible
    """
    if exit_ and not orders:
        raise typer.BadParameter("give --orders N too, the number of orders after which to end", param_hint="--exit")
    logging.getLogger("aiormq").setLevel(
        logging.CRITICAL
    )  # the live view counts lost connections; no traceback is needed
    options = RunOptions(orders, exit_, rate, workers, relays, chaos, view=not no_view)
    try:
        servers = find_servers(Use.UP)
    except ServersUnavailableError as error:
        say(str(error))
        raise typer.Exit(1) from error
    try:
        ok = _on(servers, options, window, json=json, keep=keep_servers)
    finally:
        servers.close(keep_servers)
    raise typer.Exit(0 if ok else 1)


def _on(servers: Servers, options: RunOptions, window: int, *, json: bool, keep: bool) -> bool:
    try:
        environment = create_environment(servers, window)
    except TopologyError as error:
        say(f"error: {error}")
        return False
    say(f"logs: {environment.folder}")
    say(f"in another terminal: . {_second_terminal(environment)}  # then oms order show ID ...")
    try:
        result = _perform(servers, environment, options)
    finally:
        if not keep:
            remove_environment(servers, environment)
    if result is None:
        return False
    if json:
        print(as_json(result))
    else:
        print_summary(result, Console(file=sys.stdout))
    ok = all(check.ok for check in checks(result))
    if ok and not keep:
        shutil.rmtree(environment.folder, ignore_errors=True)
    return ok


def _second_terminal(environment: DemoEnvironment) -> Path:
    """Write a file to source in another terminal: the URLs of the shop's systems, and `oms` on the PATH."""
    path = environment.folder / "env"
    path.touch(mode=0o600)
    given = {name: value for name, value in environment.variables("storefront").items() if name.startswith("OMS_")}
    given |= {publisher_variable(role): environment.urls[role] for role in Role if role in environment.urls}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(given.items())]
    path.write_text("\n".join([*lines, f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH", ""]))
    return path


def _perform(servers: Servers, environment: DemoEnvironment, options: RunOptions) -> RunResult | None:
    async def perform() -> RunResult:
        rotate_after = max(ROTATE_AFTER_LEAST, options.orders // ROTATE_AFTER_PART)
        async with running_gateways(environment.folder, environment.variables("payments"), rotate_after) as gateways:
            return await DemoRun(options, servers, environment, gateways).run()

    try:
        return asyncio.run(perform())
    except* (KeepsDyingError, ClientDiedError, GatewaysDiedError) as group:
        for error in group.exceptions:
            say(f"error: {error}")
    return None


if __name__ == "__main__":
    app()
