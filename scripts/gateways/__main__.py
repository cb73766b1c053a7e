"""`python -m scripts.gateways`: providers on this machine, which speak their real protocols and misbehave."""

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from scripts.gateways.edge import Edge, linked
from scripts.gateways.gateway import Gateway
from scripts.gateways.habits import PROBABILITIES, Habits
from scripts.gateways.running import KINDS, running, write

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
EXAMPLES = f"""
What can go wrong, as --habit [PROVIDER.]NAME=PROBABILITY: {", ".join(PROBABILITIES)}.

\b
Examples:
  python -m scripts.gateways                                      all, and the edge at OMS_AMQP_URL
  python -m scripts.gateways --provider wechat --notify-url https://shop.test/notify
  python -m scripts.gateways --habit doubled=0.1 --habit paypal.lost=0.05 --time-factor 0.01

\b
It prints one line of JSON, and writes it to gateways.json in the folder: the environment for workers, the URL of each
gateway, and that of the edge.
  POST URL/buyer/pay  {{"out_trade_no": ...}}, or "kind", "url" and "fields" of payment.started: the buyer pays
  GET  URL/ledger     every movement of money, and what went wrong on purpose
How to pay an order by hand with curl: scripts/gateways/README.md
"""


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    providers: Sequence[str]
    habits: Mapping[str, Habits]
    notify_url: str | None
    amqp_url: str | None
    prefix: str
    time_factor: float
    rotate_after: int | None
    seed: int | None


@app.command(epilog=EXAMPLES)
def main(  # noqa: PLR0917 (Typer passes them by name)
    provider: Annotated[list[str] | None, typer.Option(help="Which to run; all if none is named.")] = None,
    folder: Annotated[
        Path | None, typer.Option(file_okay=False, help="Where keys and configurations are written; else temporary.")
    ] = None,
    notify_url: Annotated[
        str | None, typer.Option(help="URL/PROVIDER is notified, and no edge is run; else the edge at OMS_AMQP_URL.")
    ] = None,
    habit: Annotated[list[str] | None, typer.Option(help="[PROVIDER.]NAME=PROBABILITY; see below.")] = None,
    late_seconds: Annotated[float, typer.Option(min=0, help="How late a late notification leaves.")] = 5.0,
    slow_seconds: Annotated[float, typer.Option(min=0, help="How long a slow answer takes.")] = 12.0,
    refund_seconds: Annotated[float, typer.Option(min=0, help="How long a refund is processed.")] = 2.0,
    time_factor: Annotated[float, typer.Option(min=0, help="Scales the waits between copies of a notification.")] = 1.0,
    rotate_after: Annotated[int | None, typer.Option(min=0, help="Notifications until the second key signs.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed misbehaves the same way.")] = None,
) -> None:
    """Run test gateways until Ctrl-C or SIGTERM. They hold no real money and no real keys."""
    seconds = {"late_seconds": late_seconds, "slow_seconds": slow_seconds, "refund_seconds": refund_seconds}
    chosen = provider or list(KINDS)
    unknown = set(chosen) - set(KINDS)
    if unknown:
        raise typer.BadParameter(f"there are {', '.join(KINDS)}", param_hint="--provider")
    amqp_url = os.environ.get("OMS_AMQP_URL")
    if notify_url is None and amqp_url is None:
        raise typer.BadParameter("say --notify-url, or set OMS_AMQP_URL for the edge", param_hint="--notify-url")
    prefix = os.environ.get("OMS_PREFIX", "oms")
    habits = chosen_habits(chosen, habit or [], seconds)
    options = Options(chosen, habits, notify_url, amqp_url, prefix, time_factor, rotate_after, seed)
    with tempfile.TemporaryDirectory(prefix="gateways-") as temporary:
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        asyncio.run(serve(options, folder or Path(temporary)))


def chosen_habits(providers: Sequence[str], said: Sequence[str], seconds: Mapping[str, float]) -> dict[str, Habits]:
    """Provider -> habits; what names a provider counts before what does not. Raises BadParameter."""
    given: dict[str, dict[str, float]] = {name: dict(seconds) for name in providers}
    for text in sorted(said, key=lambda one: "." in one.partition("=")[0]):
        path, _, value = text.partition("=")
        owner, dot, name = path.rpartition(".")
        try:
            probability = float(value)
        except ValueError:
            probability = -1.0
        if name not in PROBABILITIES or not 0 <= probability <= 1 or (dot and owner not in providers):
            raise typer.BadParameter(f"{text} is not [PROVIDER.]NAME=PROBABILITY", param_hint="--habit")
        for one in [owner] if dot else providers:
            given[one][name] = probability
    return {name: Habits(**values) for name, values in given.items()}


async def serve(options: Options, folder: Path) -> None:
    """Until a signal."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        edge = options.notify_url or f"{await stack.enter_async_context(opened_edge(options))}/notify"
        gateways = [_made(name, f"{edge}/{name}", options) for name in options.providers]
        environment = await stack.enter_async_context(running(gateways, folder))
        urls = {gateway.name: gateway.origin for gateway in gateways}
        said = json.dumps({"environment": environment, "gateways": urls, "edge": edge})
        write(folder, "gateways.json", said)
        print(said, flush=True)
        await stop.wait()


def _made(name: str, notify_url: str, options: Options) -> Gateway:
    return KINDS[name](
        notify_url,
        options.habits[name],
        time_factor=options.time_factor,
        rotate_after=options.rotate_after,
        seed=options.seed,
    )


@asynccontextmanager
async def opened_edge(options: Options) -> AsyncIterator[str]:
    """An edge that publishes to the broker, until the block ends; its URL."""
    assert options.amqp_url is not None, "without one there is no edge"
    link = linked(options.amqp_url, options.prefix)
    edge = Edge(link.send)
    connected = asyncio.create_task(link.run())
    try:
        await edge.start()
        yield edge.origin
    finally:
        await edge.close()
        connected.cancel()
        await asyncio.gather(connected, return_exceptions=True)


if __name__ == "__main__":
    app()
