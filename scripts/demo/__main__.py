"""`scripts/up`: the whole system and its outside world, from one command."""

import asyncio
import logging
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scripts.demo.gateways import GatewaysDiedError, opened
from scripts.demo.outside import ClientDiedError
from scripts.demo.play import Options, Play
from scripts.demo.processes import KeepsDyingError
from scripts.demo.stage import Stage, set_stage, strike_stage
from scripts.demo.summary import as_json, print_summary
from scripts.demo.verdict import Ending, checks
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
    rate: Annotated[float, typer.Option(min=0, help="Orders a second; 0: as fast as outcomes come.")] = 50.0,
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
    """Run the order system on real servers, with real baskets and an outside world that behaves badly.

    Ctrl-C drains: no more orders, everything begun comes to its end, then summary and audit. Ctrl-C again ends at once.
    Exits 0 only if everything came to its end, every command has its outcome, our books agree with buyers' receipts and
    the providers' ledgers, every malformed message became one dead letter and nothing else did, and the audit is
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
    options = Options(orders, exit_, rate, workers, relays, chaos, view=not no_view)
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


def _on(servers: Servers, options: Options, window: int, *, json: bool, keep: bool) -> bool:
    try:
        stage = set_stage(servers, window)
    except TopologyError as error:
        say(f"error: {error}")
        return False
    say(f"logs: {stage.folder}")
    say(f"another terminal: . {_second_terminal(stage)}  # then oms order show ID ...")
    try:
        ending = _perform(servers, stage, options)
    finally:
        if not keep:
            strike_stage(servers, stage)
    if ending is None:
        return False
    if json:
        print(as_json(ending))
    else:
        print_summary(ending, Console(file=sys.stdout))
    ok = all(check.ok for check in checks(ending))
    if ok and not keep:
        shutil.rmtree(stage.folder, ignore_errors=True)
    return ok


def _second_terminal(stage: Stage) -> Path:
    """A file to source: the settings of an upstream system, for clients of your own, and `oms` on the PATH."""
    path = stage.folder / "env"
    path.touch(mode=0o600)
    given = {name: value for name, value in stage.variables("upstream").items() if name.startswith("OMS_")}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(given.items())]
    path.write_text("\n".join([*lines, f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH", ""]))
    return path


def _perform(servers: Servers, stage: Stage, options: Options) -> Ending | None:
    async def perform() -> Ending:
        rotate_after = max(ROTATE_AFTER_LEAST, options.orders // ROTATE_AFTER_PART)
        async with opened(stage.folder, stage.variables("upstream"), rotate_after) as gateways:
            return await Play(options, servers, stage, gateways).run()

    try:
        return asyncio.run(perform())
    except* (KeepsDyingError, ClientDiedError, GatewaysDiedError) as group:
        for error in group.exceptions:
            say(f"error: {error}")
    return None


if __name__ == "__main__":
    app()
