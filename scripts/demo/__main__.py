"""`scripts/up`: the whole system and its outside systems, from one command."""

import asyncio
import logging
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scripts.demo.client_process import ClientDiedError
from scripts.demo.demo_run import DemoRun, RunOptions
from scripts.demo.environment import DemoEnvironment, create_environment, remove_environment
from scripts.demo.gateway_process import GatewaysDiedError, running_gateways
from scripts.demo.processes import KeepsDyingError
from scripts.demo.summary import as_json, print_summary
from scripts.demo.verdict import RunResult, checks
from scripts.servers.find import Servers, Use, find_servers
from scripts.servers.lifecycle import ServersUnavailableError, say
from workers.runtime.declare import TopologyError

ROTATE_AFTER_LEAST, ROTATE_AFTER_PART = 2, 16
"""A gateway signs with its second key after so many notifications: one part in so many of the orders."""
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def up(  # noqa: PLR0917 (Typer passes them by name)
    orders: Annotated[int, typer.Option(min=0, help="How many real baskets to order; 0: the whole year's.")] = 0,
    exit_: Annotated[bool, typer.Option("--exit", help="Drain, judge and end once these are ordered.")] = False,
    rate: Annotated[float, typer.Option(min=0, help="ClientJob a second; 0: as fast as outcomes come.")] = 50.0,
    workers: Annotated[int, typer.Option(min=1, max=32, help="Worker processes; each serves every queue.")] = 2,
    relays: Annotated[int, typer.Option(min=1, max=32, help="Relay processes; they share the outbox.")] = 2,
    window: Annotated[int, typer.Option(min=5, max=600, help="Seconds in which an order is to be paid.")] = 20,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="Kill a worker and a relay in the middle, and restart RabbitMQ.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    no_view: Annotated[bool, typer.Option("--no-view", help="Print lines in place of the live view.")] = False,
    keep_servers: Annotated[bool, typer.Option("--keep-servers", help="Leave servers and data as they are.")] = False,
) -> None:
    """Run the order system on real servers, with real baskets and an outside systems that behaves badly.

    Ctrl-C drains: no more orders, everything begun comes to its end, then summary and audit. Ctrl-C again ends at once.
    Exits 0 only if everything came to its end, every command has its outcome, our books agree with buyers' receipts and
    the providers' ledgers, every malformed message became one dead message and nothing else did, and the audit is
    clean.

    \b
    Examples:
      scripts/up                                 until Ctrl-C
      scripts/up --orders 2000 --exit            2000 orders, then drain, summary, audit
      scripts/up --orders 2000 --exit --chaos    the same with a worker, a relay and the broker dying
      scripts/up --rate 0 --workers 4 --json     as fast as it goes
    """
    if exit_ and not orders:
        raise typer.BadParameter("it needs --orders N, the number after which to end", param_hint="--exit")
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # a lost connection is a figure here, not a traceback
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
    say(f"another terminal: . {_second_terminal(environment)}  # then oms order show ID ...")
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
    """A file to source: the settings of an upstream system, for clients of your own, and `oms` on the PATH."""
    path = environment.folder / "env"
    path.touch(mode=0o600)
    given = {name: value for name, value in environment.variables("upstream").items() if name.startswith("OMS_")}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(given.items())]
    path.write_text("\n".join([*lines, f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH", ""]))
    return path


def _perform(servers: Servers, environment: DemoEnvironment, options: RunOptions) -> RunResult | None:
    async def perform() -> RunResult:
        rotate_after = max(ROTATE_AFTER_LEAST, options.orders // ROTATE_AFTER_PART)
        async with running_gateways(environment.folder, environment.variables("upstream"), rotate_after) as gateways:
            return await DemoRun(options, servers, environment, gateways).run()

    try:
        return asyncio.run(perform())
    except* (KeepsDyingError, ClientDiedError, GatewaysDiedError) as group:
        for error in group.exceptions:
            say(f"error: {error}")
    return None


if __name__ == "__main__":
    app()
