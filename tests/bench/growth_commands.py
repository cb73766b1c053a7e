"""The benchmarks of growth on the command line: `growth` and `memory`."""

import asyncio
import base64
import secrets
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from db import cipher, migrate
from scripts.commands.audit import check
from scripts.servers.find import Servers, private_servers
from tests.bench import figures, growth, growth_history, load, memory
from tests.bench.contenders import contenders
from tests.bench.growth import EMPTY, GROWN, Backlog, Compared
from tests.db import plans

console = Console(width=140)
BIG_ROWS = 10_000  # a table with more is big for the guard of plans


def add(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("growth")(growth_)
    app.command("memory")(memory_)


def growth_(  # noqa: PLR0917 (Typer passes them by name)
    orders: Annotated[int, typer.Option(min=2000, help="Orders in the history; 18 KB of disk each.")] = 2_000_000,
    inbox: Annotated[int, typer.Option(min=1, help="Rows in the inbox.")] = 1_000_000,
    backlog: Annotated[int, typer.Option(min=1, help="Rows that wait in the outbox, at the end.")] = 1_000_000,
    run_orders: Annotated[int, typer.Option(min=100, help="New orders in each run.")] = 3_000,
    rounds: Annotated[int, typer.Option(min=1, help="Runs in each database, in turn.")] = 3,
    rate: Annotated[float, typer.Option(min=10, help="Orders per second while latencies are measured.")] = 50,
    audit: Annotated[bool, typer.Option(help="Audit the history first; that takes 0.2 ms for each order.")] = True,
) -> None:
    """Compare new orders in a database with years of orders, and in an empty one; show plans and bytes."""
    cipher.configure(f"bench:{base64.b64encode(secrets.token_bytes(32)).decode()}")
    contender = contenders(2, 2)["deployed"]
    needed = growth_history.ORIGINALS + 2 * rounds * (run_orders + growth.latency_orders(rate)) + run_orders
    given = load.baskets(needed)
    bodies = growth.Bodies(given)
    with private_servers(durable=True) as servers, _history(servers, given, bodies, orders, inbox) as grown_url:
        if audit:
            console.print(f"audit of the history: {', '.join(asyncio.run(_violations(grown_url))) or 'clean'}")
        _show_bytes(grown_url)
        whole = _show_plans(servers, grown_url)
        compared = asyncio.run(
            growth.compare(servers, contender, bodies, grown_url, run_orders, rounds, rate, console.print)
        )
        _show_rates(compared, orders)
        _show_backlog(asyncio.run(growth.backlog(servers, contender, bodies.take(run_orders), grown_url, backlog)))
    if whole:
        raise typer.Exit(1)


@contextmanager
def _history(servers: Servers, given: load.Load, bodies: growth.Bodies, orders: int, inbox: int) -> Iterator[str]:
    """A database with a consistent history, as the audit says."""
    url = servers.postgres.new_database("bench_growth")
    migrate.upgrade(url)

    async def fill() -> None:
        await load.fill(url, given.products)
        await growth_history.originals(url, bodies.take(growth_history.ORIGINALS))
        await growth_history.copy(url, orders, console.print)
        await growth_history.finish(url, inbox)

    started = time.monotonic()
    asyncio.run(fill())
    console.print(f"filled in {time.monotonic() - started:.0f} s")
    yield url
    servers.postgres.drop_database("bench_growth")


async def _violations(url: str) -> list[str]:
    connection = await asyncpg.connect(url, command_timeout=900)
    found = [f"{seen.id} {seen.first}" for seen in await check(connection, drained=True) if seen.violations]
    await connection.close()
    return found


def _show_bytes(url: str) -> None:
    table = Table(title="bytes with indexes and TOAST")
    for column in ("table", "rows", "bytes per row", "bytes per order"):
        table.add_column(column)
    found = asyncio.run(growth_history.bytes_per_order(url))
    for name, rows, per_row, per_order in found:
        table.add_row(name, f"{rows}", f"{per_row:.0f}", f"{per_order:.0f}")
    table.add_row("all", "", "", f"{sum(one[3] for one in found):.0f}")
    console.print(table)


def _show_plans(servers: Servers, grown_url: str) -> dict[str, list[str]]:
    """Show the statements whose plan an empty database would change. Returns those that read whole big tables."""
    empty_url = servers.postgres.new_database("bench_growth_empty")
    migrate.upgrade(empty_url)
    empty, grown = (plans.plans(url, seqscan=False) for url in (empty_url, grown_url))
    servers.postgres.drop_database("bench_growth_empty")
    whole = plans.reading_whole_tables(grown, plans.big_tables(grown_url, BIG_ROWS))
    changed = sorted(name for name in grown if grown[name] != empty[name])
    console.print(f"{len(changed)} of {len(grown)} plans differ from those in an empty database: {', '.join(changed)}")
    for name, tables in whole.items():
        console.print(f"{name} reads all of {', '.join(tables)}:\n{grown[name]}", markup=False)
    console.print(f"statements that read all rows of a big table: {', '.join(whole) or 'none'}")
    return whole


def _show_rates(compared: Compared, orders: int) -> None:
    table = Table(title=f"new orders, in an empty database and beside {orders} orders")
    for column in (
        "database",
        "orders/s",
        "runs",
        "PostgreSQL, CPU ms per order",
        "idle p50, p99 ms",
        "steady p50, p99 ms",
    ):
        table.add_column(column)
    for name, runs in compared.rates.items():
        table.add_row(
            name,
            f"{statistics.median(run.rate for run in runs):.0f}",
            " ".join(f"{run.rate:.0f}" for run in runs),
            f"{statistics.median(run.cpu_ms['PostgreSQL'] for run in runs):.2f}",
            _cuts(compared.idle[name]),
            _cuts(compared.steady[name]),
        )
    console.print(table)
    p50 = {name: statistics.median(values) for name, values in compared.idle.items()}
    console.print(f"ratio of the rates: {compared.ratio():.2f}; of the idle medians: {p50[EMPTY] / p50[GROWN]:.2f}")


def _cuts(values: list[float]) -> str:
    cuts = statistics.quantiles(values, n=100)
    return f"{1000 * cuts[49]:.0f}, {1000 * cuts[98]:.0f}"


def _show_backlog(found: Backlog) -> None:
    reads, measured = (f"{after:.1f} ms ({before:.1f} before)" for before, after in (found.read_ms, found.measured_ms))
    console.print(
        f"with {found.rows} rows in the outbox a read takes {reads}, and measuring it {measured};"
        f" relays drain {found.drained_per_second:.0f} rows/s"
        f" while workers create {found.created_per_second:.0f} orders/s"
    )


def memory_(
    messages: Annotated[int, typer.Option(min=1000, help="How many messages; each announces one event.")] = 1_000_000,
    output: Annotated[Path | None, typer.Option("-o", help="Write all samples as JSON to this file.")] = None,
) -> None:
    """Measure the memory of one worker and one relay over many messages: at the start, in the middle, at the end."""

    def show(sample: memory.Sample) -> None:
        rate = sample.messages / max(sample.seconds, 0.001)
        console.print(f"{sample.messages}: {sample.worker_mib:.1f} and {sample.relay_mib:.1f} MiB, {rate:.0f}/s")

    with private_servers(durable=False) as servers:
        samples = asyncio.run(memory.measure(servers, contenders(1, 1)["deployed"], messages, show))
    table = Table(title=f"memory in MiB over {samples[-1].messages} messages")
    for column in ("after", "messages", "worker", "relay"):
        table.add_column(column)
    places = {"start": 0, "a tenth": len(samples) // 10, "middle": len(samples) // 2, "end": -1}
    for name, place in places.items():
        sample = samples[place]
        table.add_row(name, f"{sample.messages}", f"{sample.worker_mib:.1f}", f"{sample.relay_mib:.1f}")
    console.print(table)
    if output is not None:
        figures.write(output, {"memory": [asdict(sample) for sample in samples]})
