"""The benchmark of an order's cost on the command line: `cost`."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from scripts.servers.find import private_servers
from tests.bench import cost, counting, figures
from tests.bench.cost import StepCost
from tests.bench.life import STEPS
from tests.bench.load import baskets

console = Console(width=150)
Switch = Literal["on", "off"]
RARE_TIMES = 0.1
"""What the relay does less often per batch than this is no part of a batch, and is not shown."""


def add(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("cost")(cost_)


def cost_(
    singles: Annotated[int, typer.Option(min=1, help="Batches of one order.")] = 100,
    batches: Annotated[int, typer.Option(min=0, help="Batches of `--size` orders; 0 leaves them out.")] = 5,
    size: Annotated[int, typer.Option(min=2, help="Orders in a large batch.")] = 200,
    local_dispatch: Annotated[Switch, typer.Option(help="What OMS_LOCAL_DISPATCH is set to.")] = "on",
    output: Annotated[Path | None, typer.Option("-o", help="Write all figures as JSON to this file.")] = None,
) -> None:
    """Break down what an order costs, of order.create alone and of its whole life, per statement and stage."""
    given = baskets(cost.WARM_ORDERS + 2 + max(singles, batches * size))
    found: list[StepCost] = []
    with private_servers(durable=True) as servers:
        counting.prepare(servers)
        for batch, count in ((1, singles), (size, batches)):
            if count:
                found += asyncio.run(cost.measure(servers, given, batch, count, local_dispatch))
    console.print(counts(found))
    for batch in dict.fromkeys(one.batch for one in found):
        for step in STEPS:
            console.print(stages(next(one for one in found if one.batch == batch and one.step == step)))
    if output is not None:
        figures.write(output, {"cost": [asdict(one) for one in found]})


def counts(found: Sequence[StepCost]) -> Table:
    """What one batch of each step sends, and the sum of an order's life."""
    table = Table(title="one batch of each step")
    columns = ("batch", "step", "command to event, ms", "transactions", "statements = round trips", "of the relay")
    for column in (*columns, "outbox rows", "broker messages", "stages, µs per order"):
        table.add_column(column, justify="left" if column == "step" else "right")
    for batch in dict.fromkeys(one.batch for one in found):
        mine = [one for one in found if one.batch == batch]
        for one in mine:
            table.add_row(f"{batch}", one.step, *_counts([one]))
        table.add_row(f"{batch}", "whole life", *_counts(mine), end_section=True)
    return table


def _counts(found: Sequence[StepCost]) -> list[str]:
    names = ("wait_ms", "transactions", "statements", "relay_statements", "outbox_rows", "broker_messages")
    totals = [f"{sum(getattr(one, name) for one in found):.1f}" for name in names]
    return [*totals, f"{sum(sum(one.stages.values()) / one.batch for one in found):,.0f}"]


def stages(one: StepCost) -> Table:
    """Where the time of a batch of one step goes."""
    table = Table(title=f"{one.step}, batch of {one.batch}: microseconds per batch, {one.batches} batches")
    for column in ("stage", "times", "µs as its caller waits", "of these inside PostgreSQL", "µs per order"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for name, micros in one.stages.items():
        if one.times[name] < RARE_TIMES and name.startswith("relay: "):
            continue  # it keeps its leases and measures its backlog
        inside = one.inside.get(name.removeprefix("relay: "))
        shown = f"{inside:,.0f}" if inside is not None else ""
        table.add_row(name, f"{one.times.get(name, 1):,.1f}", f"{micros:,.0f}", shown, f"{micros / one.batch:,.0f}")
    table.add_section()
    for name, at in one.timeline.items():
        table.add_row(f"until {name}", "", f"{1000 * at:,.0f}", "", "")
    return table
