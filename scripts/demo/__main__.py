"""`scripts/up` runs the whole order system, test gateways and an outside world, from one command."""

import asyncio
import logging
import os
import shutil
import signal
import sys
from typing import Annotated

import typer
from rich.console import Console
from yarl import URL

from messages.roles import Role
from outbox.declare import TopologyError
from scripts.cli import COMMANDS
from scripts.commands.connections import publisher_variable
from scripts.commands.second_terminal import write_second_terminal
from scripts.demo.client_job import CARRIERS
from scripts.demo.client_process import ClientDiedError
from scripts.demo.demo_run import DemoRun, RunOptions
from scripts.demo.environment import DemoEnvironment, create_environment, remove_environment
from scripts.demo.gateway_process import GatewaysDiedError, running_gateways
from scripts.demo.processes import KeepsDyingError
from scripts.demo.story import Story
from scripts.demo.story_page import COLUMNS, Pages
from scripts.demo.summary import as_json, print_summary
from scripts.demo.verdict import RunResult, checks
from scripts.servers.find import Servers, Use, find_servers
from scripts.servers.lifecycle import ServersUnavailableError, say
from scripts.servers.roles import SUBSCRIBER

ROTATE_AFTER_LEAST, ROTATE_AFTER_PART = 2, 16
"""A gateway signs with its second key after so many notifications: a sixteenth of the orders, and at least two."""
PACE_SECONDS = 2.5
STORY_WINDOW_SECONDS = 1_800
"""A reader may stop for long, so an order of the story has half an hour to be paid, as in a shop."""
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def up(  # noqa: PLR0917 (Typer passes them by name)
    orders: Annotated[int, typer.Option(min=0, help="How many baskets to order; 0: those of a whole year.")] = 0,
    exit_: Annotated[bool, typer.Option("--exit", help="Drain, check and end after so many orders.")] = False,
    rate: Annotated[float, typer.Option(min=0, help="Orders a second; 0 means as fast as outcomes come.")] = 50.0,
    workers: Annotated[int, typer.Option(min=1, max=32, help="Worker processes; each serves every queue.")] = 2,
    relays: Annotated[int, typer.Option(min=1, max=32, help="Relay processes; they share the outbox.")] = 2,
    window: Annotated[int, typer.Option(min=5, max=600, help="Seconds within which an order must be paid.")] = 20,
    users: Annotated[
        int, typer.Option(min=0, help="So many buyers, each with one order, then the end; 1 is the same as --story.")
    ] = 0,
    story: Annotated[bool, typer.Option("--story", help="One order, slowly, with every message explained.")] = False,
    pace: Annotated[float, typer.Option(min=0, max=60, help="Seconds between two lines of the story.")] = PACE_SECONDS,
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
      scripts/up --story                       one order, every message explained; space stops and goes on
      scripts/up                               until Ctrl-C
      scripts/up --orders 2000 --exit          2000 orders, then the summary
      scripts/up --orders 2000 --exit --chaos  the same, and kill processes
      scripts/up --rate 0 --workers 4 --json   as fast as possible
    """
    if users:
        orders, exit_, story = users, True, story or users == 1
    if exit_ and not orders:
        raise typer.BadParameter("give --orders N too, the number of orders after which to end", param_hint="--exit")
    logging.getLogger("aiormq").setLevel(
        logging.CRITICAL
    )  # the live view counts lost connections; no traceback is needed
    options = RunOptions(orders, exit_, rate, workers, relays, chaos, view=not no_view)
    pace_seconds = pace if story else None
    raise typer.Exit(0 if _run(options, window, pace_seconds, json=json, keep=keep_servers) else 1)


def _run(options: RunOptions, window: int, pace_seconds: float | None, *, json: bool, keep: bool) -> bool:
    """Find servers and run on them: with a pace the story, else the crowd."""
    try:
        servers = find_servers(Use.UP)
    except ServersUnavailableError as error:
        say(str(error))
        return False
    try:
        if pace_seconds is not None:
            return _tell_story(servers, pace_seconds, keep=keep)
        return _on(servers, options, window, json=json, keep=keep)
    finally:
        servers.close(keep)


def _on(servers: Servers, options: RunOptions, window: int, *, json: bool, keep: bool) -> bool:
    try:
        environment = create_environment(servers, window)
    except TopologyError as error:
        say(f"error: {error}")
        return False
    _write_second_terminal(servers, environment)
    say(f"logs:              {environment.folder}")
    say(f"another terminal:  . {environment.second_terminal}")
    say(f"    there:         {_there()}")
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


def _tell_story(servers: Servers, pace_seconds: float, *, keep: bool) -> bool:
    environment = create_environment(servers, STORY_WINDOW_SECONDS)
    os.environ.update(environment.variables("worker"), COLUMNS=str(COLUMNS - 1))

    async def tell() -> bool:
        story = Story(environment, Pages(pace_seconds))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, story.interrupt)
        return await story.run()

    try:
        ok = asyncio.run(tell())
    finally:
        if not keep:
            remove_environment(servers, environment)
    if ok and not keep:
        shutil.rmtree(environment.folder, ignore_errors=True)
    return ok


def _there() -> str:
    """Return what to type in another terminal. Nobody of the crowd pays or ships what a person orders."""
    watching = "oms console, " if "console" in COMMANDS else ""
    return f"{watching}oms order find --state paid, oms order show ID, oms publish order.create.v1 FILE"


def _write_second_terminal(servers: Servers, environment: DemoEnvironment) -> None:
    """Write a file to source in another terminal: the URLs of the shop's systems, and `oms` on the PATH."""
    given = {name: value for name, value in environment.variables("storefront").items() if name.startswith("OMS_")}
    given["OMS_CARRIERS"] = ";".join(CARRIERS)  # else their queues are unknown there
    users = [user for role in Role for user in (role, f"{role}{SUBSCRIBER}") if user in environment.urls]
    given |= {publisher_variable(user.replace("-", "_")): environment.urls[user] for user in users}
    if servers.broker.management_url:
        given["OMS_MANAGEMENT_URL"] = servers.broker.management_url
    write_second_terminal(environment.second_terminal, given)


def _say_addresses(servers: Servers, run: DemoRun) -> None:
    """Say where the metrics of each process and the broker's page are."""
    ports = {child.name: child.environment["OMS_OPS_PORT"] for child in run.processes.children}
    say(f"metrics:           {', '.join(f'{name} http://127.0.0.1:{port}/metrics' for name, port in ports.items())}")
    if servers.broker.management_url:
        page = URL(servers.broker.management_url)
        say(f"the broker's page: {page.with_user(None)} (user and password: OMS_MANAGEMENT_URL of that terminal)")


def _perform(servers: Servers, environment: DemoEnvironment, options: RunOptions) -> RunResult | None:
    async def perform() -> RunResult:
        rotate_after = max(ROTATE_AFTER_LEAST, options.orders // ROTATE_AFTER_PART)
        async with running_gateways(environment.folder, environment.variables("payments"), rotate_after) as gateways:
            run = DemoRun(options, servers, environment, gateways)
            _say_addresses(servers, run)
            return await run.run()

    try:
        return asyncio.run(perform())
    except* (KeepsDyingError, ClientDiedError, GatewaysDiedError) as group:
        for error in group.exceptions:
            say(f"error: {error}")
    return None


if __name__ == "__main__":
    app(prog_name="scripts/up")
