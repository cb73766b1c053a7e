"""`oms top` shows a running system: queues, outbox, timers, dead letters, and how many orders come into each state."""

import asyncio
import os
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.live import Live

from scripts.commands import command_app
from scripts.commands.connections import run
from scripts.commands.consumers import ConsumerSettings
from scripts.commands.output import Format, Output, console, plain, say
from scripts.commands.problems import Code
from scripts.commands.queue_readings import QueueFilling
from scripts.commands.system_samples import SystemSample, take_sample
from scripts.screens.top_screen import top_screen

app = command_app()
PLAIN_ROWS = 200  # off a terminal nothing is left out


@app.command()
def top(
    *,
    interval: Annotated[
        float, typer.Option(min=0.5, max=3600, metavar="SECONDS", help="Time between two readings.")
    ] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Read once and exit: with 5 if a server is away.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show a running system, again and again: queues, outbox, timers, dead letters, orders per minute. q quits.

    Queues come from OMS_MANAGEMENT_URL, else from OMS_AMQP_URL, which does not know how fast messages come and go. The
    rest comes from OMS_DATABASE_URL. A server that does not answer is named, and the other is shown. The screen fits
    the terminal, and follows it. Counts of rows end at 100,000. With `-o json` each reading is one line of JSON.

    No message of a queue says when it came. So the age of its oldest one is about what its messages and their rate make
    of it (~), or, if nothing is handled, at least the time since when oms top has seen it fill (>).

    \b
    Examples:
      oms top
      oms top --once
      oms top -o json --interval 10 | jq -c '[.at, .outbox.oldest_age_seconds]'
    """
    settings = ConsumerSettings()
    if once:
        sample = run(take_sample(settings, QueueFilling()))
        _print(sample, output)
        if sample.unread:
            raise typer.Exit(Code.UNREACHABLE)
    elif output is Format.JSON or not sys.stdout.isatty():
        run(_print_again(settings, interval, output))
    else:
        run(_watch(settings, interval))


def _print(sample: SystemSample, output: Format) -> None:
    if output is Format.JSON:
        sys.stdout.write(orjson.dumps(plain(asdict(sample)), default=str).decode() + "\n")
        sys.stdout.flush()
        return
    target = console()
    target.print(top_screen(asdict(sample), target.width, PLAIN_ROWS, keys=""))
    for server, why in sample.unread.items():
        say(f"oms: {server}: {why}")


async def _print_again(settings: ConsumerSettings, interval_seconds: float, output: Format) -> None:
    filling = QueueFilling()
    while True:
        _print(await take_sample(settings, filling), output)
        await asyncio.sleep(interval_seconds)


async def _watch(settings: ConsumerSettings, interval_seconds: float) -> None:
    """Draw until q or Ctrl-C. A new size of the terminal is drawn at once, with what was read last."""
    target, filling = Console(highlight=False), QueueFilling()
    sample = await take_sample(settings, filling)
    loop, keyboard = asyncio.get_running_loop(), sys.stdin.fileno()
    quitting = asyncio.Event()
    with Live(console=target, screen=True, auto_refresh=False) as live, _keys():

        def draw() -> None:
            live.update(top_screen(asdict(sample), target.width, target.height), refresh=True)

        loop.add_signal_handler(signal.SIGWINCH, draw)
        loop.add_reader(keyboard, lambda: quitting.set() if os.read(keyboard, 16) in _QUITS else None)
        quit_ = asyncio.create_task(quitting.wait())
        while not quitting.is_set():
            draw()
            await asyncio.wait([quit_], timeout=interval_seconds)
            if quitting.is_set():
                return
            reading = asyncio.create_task(take_sample(settings, filling))
            await asyncio.wait([quit_, reading], return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                sample = reading.result()
            else:
                reading.cancel()


_QUITS = (b"q", b"Q", b"\x1b", b"")


@contextmanager
def _keys() -> Iterator[None]:
    """Have the terminal hand over each key at once, until the block ends."""
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin.fileno())
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
