"""`python -m scripts.gateways` runs test gateways of the providers on this machine, for development and the demo."""

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

from scripts.gateways.carrier import CarrierService
from scripts.gateways.edge import Edge, broker_client
from scripts.gateways.gateway import Gateway
from scripts.gateways.habits import PROBABILITIES, Habits
from scripts.gateways.mail_server import MailServer
from scripts.gateways.startup import GATEWAYS, run_gateways, write

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
CARRIERS, MAILS = "carriers", "mails"
"""They stand for a provider in --habit, and for a gateway in the description that is printed."""
EXAMPLES = f"""
A habit is a way to misbehave, given as --habit [PROVIDER.]NAME=PROBABILITY: {", ".join(PROBABILITIES)}.

\b
Examples:
  python -m scripts.gateways
  python -m scripts.gateways --provider alipay --folder keys
  python -m scripts.gateways --notify-url https://shop.test/notify
  python -m scripts.gateways --habit doubled=0.1 --habit paypal.lost=0.05
  python -m scripts.gateways --carriers "sf; ups=poll" --habit carriers.refused=0.1

\b
The command prints one line of JSON and writes it to gateways.json in the
folder: the environment for workers, the URLs of the gateways and of the edge.

\b
Each gateway also serves:
  POST URL/buyer/pay  the buyer pays: {{"out_trade_no": ...}}, or "kind", "url"
                      and "fields" of payment.started
  GET  URL/ledger     every movement of money, and the counts of all habits

scripts/gateways/README.md shows how to pay an order by hand with curl.
"""


@dataclass(frozen=True)
class GatewayOptions:
    """The parsed command line."""

    providers: Sequence[str]
    habits: Mapping[str, Habits]
    notify_url: str | None
    amqp_url: str | None
    prefix: str
    carriers: str
    mails: bool
    time_factor: float
    rotate_after: int | None
    seed: int | None


@app.command(epilog=EXAMPLES)
def main(  # noqa: PLR0917 (Typer passes them by name)
    provider: Annotated[list[str] | None, typer.Option(help="A provider to run. Default: all.")] = None,
    folder: Annotated[
        Path | None, typer.Option(file_okay=False, help="For keys and configurations. Default: a temporary one.")
    ] = None,
    notify_url: Annotated[
        str | None, typer.Option(help="Notify URL/PROVIDER. Default: an edge that publishes to OMS_AMQP_URL.")
    ] = None,
    habit: Annotated[list[str] | None, typer.Option(help="[PROVIDER.]NAME=PROBABILITY (see below).")] = None,
    carriers: Annotated[
        str, typer.Option(help="Also run a fulfilment service for these carriers: 'sf; ups=poll'.")
    ] = "",
    mails: Annotated[bool, typer.Option("--mails", help="Also run a mail server, which has /ledger, too.")] = False,
    late_seconds: Annotated[float, typer.Option(min=0, help="Delay of a late notification.")] = 5.0,
    slow_seconds: Annotated[float, typer.Option(min=0, help="Delay of a slow answer.")] = 12.0,
    refund_seconds: Annotated[float, typer.Option(min=0, help="Time that a refund takes to process.")] = 2.0,
    time_factor: Annotated[float, typer.Option(min=0, help="Scales the waits between copies of a notification.")] = 1.0,
    rotate_after: Annotated[int | None, typer.Option(min=0, help="Notifications before a second key signs.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed repeats the same misbehaviour.")] = None,
) -> None:
    """Run test gateways until Ctrl-C or SIGTERM. They hold no real money and no real keys."""
    seconds = {"late_seconds": late_seconds, "slow_seconds": slow_seconds, "refund_seconds": refund_seconds}
    chosen = provider or list(GATEWAYS)
    unknown = set(chosen) - set(GATEWAYS)
    if unknown:
        raise typer.BadParameter(f"the providers are {', '.join(GATEWAYS)}", param_hint="--provider")
    amqp_url = os.environ.get("OMS_AMQP_URL")
    if notify_url is None and amqp_url is None:
        raise typer.BadParameter("give --notify-url, or set OMS_AMQP_URL for the edge", param_hint="--notify-url")
    prefix = os.environ.get("OMS_PREFIX", "oms")
    others = [*([CARRIERS] if carriers else []), *([MAILS] if mails else [])]
    habits = chosen_habits([*chosen, *others], habit or [], seconds)
    options = GatewayOptions(
        chosen, habits, notify_url, amqp_url, prefix, carriers, mails, time_factor, rotate_after, seed
    )
    with tempfile.TemporaryDirectory(prefix="gateways-") as temporary:
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        asyncio.run(serve(options, folder or Path(temporary)))


def chosen_habits(providers: Sequence[str], options: Sequence[str], seconds: Mapping[str, float]) -> dict[str, Habits]:
    """Return provider -> habits. An option that names a provider wins over one that does not. Raises BadParameter."""
    given: dict[str, dict[str, float]] = {name: dict(seconds) for name in providers}
    for text in sorted(options, key=lambda one: "." in one.partition("=")[0]):
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


async def serve(options: GatewayOptions, folder: Path) -> None:
    """Run the gateways until a signal comes."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        edge = options.notify_url or f"{await stack.enter_async_context(running_edge(options))}/notify"
        gateways = [_gateway(name, f"{edge}/{name}", options) for name in options.providers]
        environment = await stack.enter_async_context(run_gateways(gateways, folder))
        urls = {gateway.name: gateway.origin for gateway in gateways}
        if options.carriers:
            service = CarrierService(options.habits[CARRIERS], seed=options.seed)
            stack.push_async_callback(service.close)
            await service.start()
            environment |= {"OMS_CARRIERS": options.carriers, "FULFILLMENT_SERVICE_URL": service.origin}
            urls[CARRIERS] = service.origin
        if options.mails:
            server = MailServer(options.habits[MAILS], seed=options.seed)
            stack.push_async_callback(server.close)
            await server.start()
            environment |= {"OMS_SMTP_URL": server.smtp_url}
            urls[MAILS] = server.origin
        description = json.dumps({"environment": environment, "gateways": urls, "edge": edge})
        write(folder, "gateways.json", description)
        print(description, flush=True)
        await stop.wait()


def _gateway(name: str, notify_url: str, options: GatewayOptions) -> Gateway:
    return GATEWAYS[name](
        notify_url,
        options.habits[name],
        time_factor=options.time_factor,
        rotate_after=options.rotate_after,
        seed=options.seed,
    )


@asynccontextmanager
async def running_edge(options: GatewayOptions) -> AsyncIterator[str]:
    """Run an edge that publishes to the broker until the block ends; yields its URL."""
    assert options.amqp_url is not None, "without one there is no edge"
    link = broker_client(options.amqp_url, options.prefix)
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
