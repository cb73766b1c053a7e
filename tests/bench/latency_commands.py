"""The benchmark of latency on the command line: `latency`."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import orjson
import typer
from rich.console import Console
from rich.table import Table

from scripts.servers.find import private_servers
from tests.bench import contenders as all_contenders
from tests.bench import latency
from tests.bench.latency import RateLatency
from tests.bench.usage import PARTS

console = Console(width=150)


def add(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("latency")(latency_)


def latency_(  # noqa: PLR0917 (Typer passes them by name)
    at: Annotated[str, typer.Option(help="Orders per second, comma-separated, rising; add half of the peak.")] = (
        "10,20,50,100,250"
    ),
    seconds: Annotated[float, typer.Option(help="How long to measure at each rate.")] = 10.0,
    rounds: Annotated[int, typer.Option(min=1, help="How often each contender runs, in turn; medians are shown.")] = 3,
    only: Annotated[str, typer.Option(help="Contenders, comma-separated.")] = (
        "deployed,one-worker,faststream,celery,dramatiq"
    ),
    local_dispatch: Annotated[Literal["on", "off"], typer.Option(help="What OMS_LOCAL_DISPATCH is set to.")] = "on",
    output: Annotated[Path | None, typer.Option("-o", help="Write the medians and all runs as JSON.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes of `deployed`.")] = 2,
    relays: Annotated[int, typer.Option(min=1, help="Relay processes of `deployed`.")] = 2,
) -> None:
    """Measure latency, CPU per order and idle time at steady rates, beside other frameworks."""
    known = all_contenders.contenders(workers, relays)
    wanted = [name.strip() for name in only.split(",")]
    for name in wanted:
        if name not in known:
            console.print(f"{name} is not installed or unknown, left out")
    rates, runs = [float(rate) for rate in at.split(",") if rate], list[RateLatency]()
    with private_servers(durable=True) as servers:
        for _ in range(rounds):
            for name in (name for name in wanted if name in known):
                measured = latency.measure(
                    servers, name, known[name], rates=rates, seconds=seconds, local_dispatch=local_dispatch
                )
                for one in asyncio.run(measured):
                    runs.append(one)
                    console.print(f"{name} at {one.rate:.0f}/s: p50 {one.p50_ms:.0f}, p99 {one.p99_ms:.0f} ms")
    medians = summed(runs)
    console.print(table(medians))
    if output is not None:
        shown = {"medians": [asdict(one) for one in medians], "runs": [asdict(one) for one in runs]}
        output.write_bytes(orjson.dumps(shown, option=orjson.OPT_INDENT_2))


def summed(runs: Sequence[RateLatency]) -> list[RateLatency]:
    """The medians for each rate and contender, by rate."""
    groups: Mapping[tuple[float, str], list[RateLatency]] = {
        (one.rate, one.contender): [run for run in runs if (run.rate, run.contender) == (one.rate, one.contender)]
        for one in runs
    }
    return [latency.median(groups[key]) for key in sorted(groups, key=lambda key: key[0])]


def cells(one: RateLatency) -> list[str]:
    """The cells of one row, as text."""
    raw = f"{one.p50_ms / one.raw_ms:.1f}" if one.raw_ms else ""
    parts = " + ".join(f"{one.cpu_ms[part]:.1f}" for part in PARTS)
    rate = f"{one.rate:.0f}" if one.rate else "one by one"
    waits = f"{one.p50_ms:.0f} / {one.p99_ms:.0f}" if one.answered == 1 else "cannot keep up"
    return [rate, one.contender, waits, raw, f"{sum(one.cpu_ms.values()):.1f}", parts, f"{one.idle_percent:.0f}"]


COLUMNS = ("orders/s", "contender", "p50 / p99, ms", "p50 in raw round trips", "CPU ms per order", " + ".join(PARTS))


def table(found: Sequence[RateLatency]) -> Table:
    """All medians."""
    made = Table(title="order.create published -> order.created received")
    for column in (*COLUMNS, "machine idle, %"):
        made.add_column(column)
    for one in found:
        made.add_row(*cells(one))
    return made
