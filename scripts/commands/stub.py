"""`oms stub` answers in place of oms on a RabbitMQ of its own, for the tests of other teams."""

import asyncio
import logging
import os
import signal
import tempfile
from pathlib import Path
from typing import Annotated

import structlog
import typer

from scripts.commands import command_app
from scripts.commands.connections import BrokerSettings, broker_url, run
from scripts.commands.contract_files import examples
from scripts.commands.contracts import FOLDER
from scripts.commands.output import say
from scripts.commands.problems import Code, CommandError
from scripts.commands.second_terminal import write_second_terminal
from scripts.stub.broker import StubBroker, StubMessage
from scripts.stub.scenario import Scenario, scenario_of
from scripts.stub.virtual_host import make_virtual_host, urls_in

app = command_app()
Refused = Annotated[
    list[str] | None, typer.Option(metavar="TYPE=CODE", help="Refuse what has this type. Can be repeated.")
]
Stock = Annotated[list[str] | None, typer.Option(metavar="SKU=UNITS", help="So many units are there. Can be repeated.")]
Price = Annotated[
    list[str] | None, typer.Option(metavar="SKU=AMOUNT", help="A unit costs this, in minor units. Can be repeated.")
]

VirtualHost = Annotated[
    str | None, typer.Option(metavar="NAME", help="Answer in this virtual host, which is made if there is none.")
]


@app.command()
def stub(
    scenario: Annotated[Path | None, typer.Option(metavar="FILE", help="A scenario in TOML, as above.")] = None,
    *,
    latency_ms: Annotated[int | None, typer.Option(help="Wait so long before each answer, in milliseconds.")] = None,
    refuse: Refused = None,
    refuse_share: Annotated[str | None, typer.Option(help="Refuse only this share, such as 0.25.")] = None,
    silent: Annotated[list[str] | None, typer.Option(metavar="TYPE", help="Never answer what has this type.")] = None,
    stock: Stock = None,
    price: Price = None,
    vhost: VirtualHost = None,
) -> None:
    """Answer as oms does, on a RabbitMQ without oms, for the tests of teams that publish to it.

    It runs until SIGTERM. It declares the exchanges of OMS_PREFIX in the virtual host of OMS_AMQP_URL, checks each
    message as a worker does, and answers from the contract's examples with the ids and amounts that were sent. It keeps
    orders in memory and has no database. An order is paid after payment.result, shipped and delivered after
    shipment.update with its order_id, or by the scenario. An order for more units than --stock has left is rejected,
    and one whose SKUs all have a --price and that expects to pay another amount is refused; a cancelled order gives
    its units back. No promotion, fee or tax is computed: they are what the expected amount differs from the prices by.

    On the broker of a running oms it needs a virtual host of its own: with --vhost it makes one, as the administrator
    of OMS_MANAGEMENT_URL, with the rights that broker users have beside oms. It prints the name of a file to source in
    other terminals, where OMS_AMQP_URL and OMS_<ROLE>_AMQP_URL then lead to the stub. The virtual host stays.

    \b
      latency_ms = 20
      silent = ["refund.request"]
      stock = {tea = 3}
      price = {tea = 1999}
      [[refuse]]
      type = "order.create"
      code = "ORDER_PRICE_MISMATCH"
      share = "0.5"
      times = 3
      [[emit]]
      after = "order.created"
      type = "order.paid"

    \b
    Examples:
      OMS_AMQP_URL=amqp://guest:guest@localhost/test oms stub
      oms stub --refuse order.create=ORDER_PRICE_MISMATCH --refuse-share 0.2 --latency-ms 50
      oms stub --silent order.cancel --scenario checkout.toml
      oms stub --stock tea=3 --price tea=1999
      oms stub --vhost stub
    """
    rules = [dict(zip(("type", "code"), _pair(one), strict=True)) for one in refuse or ()]
    counts = {"stock": dict(map(_counted, stock or ())), "price": dict(map(_counted, price or ()))}
    rest = {"latency_ms": latency_ms, "refuse_share": refuse_share, "silent": list(silent or ())}
    _serve_in(vhost, scenario_of(scenario, refuse=rules, **counts, **rest))


def _serve_in(vhost: str | None, scenario: Scenario) -> None:
    """Serve in the virtual host of OMS_AMQP_URL, or in one that is made, with a file for other terminals."""
    settings = BrokerSettings()
    if vhost is None:
        run(_serve(settings, broker_url(settings), scenario))
        return
    url = make_virtual_host(settings.management_url.get_secret_value(), broker_url(settings), vhost, settings.prefix)
    with tempfile.TemporaryDirectory(prefix="oms-stub-") as folder:
        file = Path(folder) / "env"
        theirs = urls_in(os.environ, vhost) | {"OMS_AMQP_URL": url, "OMS_STUB_AMQP_URL": url}
        write_second_terminal(file, theirs | {"OMS_PREFIX": settings.prefix})
        say(f"another terminal:  . {file}")
        run(_serve(settings, url, scenario))


def _pair(text: str) -> tuple[str, str]:
    type_, equals, code = text.partition("=")
    if not equals:
        raise CommandError(Code.FAILED, f"{text} is not TYPE=CODE", hint="--refuse order.create=ORDER_PRICE_MISMATCH")
    return type_, code


def _counted(text: str) -> tuple[str, int]:
    sku_id, _, number = text.rpartition("=")
    if not sku_id or not number.isdecimal():
        raise CommandError(Code.FAILED, f"{text} is not SKU=NUMBER", hint="oms stub --stock tea=3 --price tea=1999")
    return sku_id, int(number)


async def _serve(settings: BrokerSettings, url: str, scenario: Scenario) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))  # each message has a line
    broker = StubBroker(url, settings.names, examples(FOLDER), scenario, on_message=_report)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await broker.start()
    say(f"the stub answers what is published to {broker.names.commands} and {broker.names.queries}; Ctrl-C ends it")
    waits = [asyncio.create_task(event.wait()) for event in (stopping, broker.lost)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for one in waits:
        one.cancel()
    await broker.stop()
    if broker.lost.is_set() and not stopping.is_set():
        raise CommandError(Code.UNREACHABLE, "the broker closed the connection", hint="oms stub")


def _report(message: StubMessage) -> None:
    """Write one line for each message, without its body, which may be personal."""
    faults = "".join(f"; {fault.path}: {fault.message}" for fault in message.faults)
    say(f"{message.type or 'a message without type'} {message.message_id} -> {message.answer or 'no answer'}{faults}")
