"""`oms console` serves web pages for on-call engineers on this machine's loopback."""

import asyncio
from typing import Annotated

import typer

from scripts.commands import command_app

app = command_app()
PORT = 8650


@app.command()
def console(
    *,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port on 127.0.0.1; 0: any free one.")] = PORT,
    operate: Annotated[
        bool, typer.Option("--operate", help="Letters can be replayed, edited, discarded, restored.")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
) -> None:
    """Show queues, dead letters, orders, what is stuck and replays in a browser, until Ctrl-C.

    The console listens on 127.0.0.1 alone and prints a URL with a token, which nobody else should get. It changes
    nothing unless it is started with --operate: then dead letters can be tried, and replayed, edited, discarded and
    restored, each with a reason, and recorded as by `oms dead-letters`. Personal data is masked; to see it takes a
    reason, which is recorded.

    It needs OMS_DATABASE_URL and OMS_ENCRYPTION_KEYS, and for the queues OMS_MANAGEMENT_URL or OMS_AMQP_URL. From
    another machine it is reached by a tunnel: ssh -L 8650:127.0.0.1:8650 HOST.

    \b
    Examples:
      oms console
      oms console --open
      oms console --operate --port 9000
      OMS_ACTOR=ana oms console --operate
    """
    from scripts.commands.connections import database_url  # noqa: PLC0415 (the help needs no web server)
    from scripts.console.guard import Guard  # noqa: PLC0415
    from scripts.console.queue_depths import ConsoleSettings  # noqa: PLC0415
    from scripts.console.server import serve_until_interrupted  # noqa: PLC0415

    database_url(ConsoleSettings())
    asyncio.run(serve_until_interrupted(port, Guard(operate=operate), open_browser=open_))
