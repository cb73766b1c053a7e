"""The benchmarks of growth on the command line: `growth` and `memory`."""

import asyncio
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from db import cipher, migrate
from scripts.servers.find import Servers, private_servers
from tests.bench import figures, growth, growth_data, growth_history, load, memory, stage
from tests.bench.contenders import contenders
from tests.bench.growth import EMPTY, GROWN, Backlog, Compared
from tests.db import plans

console = Console(width=140)
BIG_ROWS = 10_000  # a smaller table is read within a millisecond or two
EMPTY_DATABASE = "bench_growth_empty"


def add(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("growth")(growth_)
    app.command("memory")(memory_)


def growth_(  # noqa: PLR0917 (Typer passes them by name)
    orders: Annotated[int, typer.Option(min=2000, help="Orders in the history; 13 KB of disk each.")] = 2_000_000,
    inbox: Annotated[int, typer.Option(min=1, help="Rows in the inbox.")] = 1_000_000,
    backlog: Annotated[int, typer.Option(min=1, help="Rows that wait in the outbox, at the end.")] = 1_000_000,
    run_orders: Annotated[int, typer.Option(min=100, help="New orders in each run.")] = 3_000,
    rounds: Annotated[int, typer.Option(min=1, help="Runs in each database, in turn.")] = 3,
    rate: Annotated[float, typer.Option(min=10, help="Orders per second while latencies are measured.")] = 50,
    audit: Annotated[bool, typer.Option(help="Audit the history when it is filled.")] = True,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps the history: the first run fills it, and the next ones only measure."),
    ] = None,
    fill_only: Annotated[bool, typer.Option("--fill-only", help="Fill the folder, show bytes and plans, end.")] = False,
    output: Annotated[Path | None, typer.Option("-o", help="Write the figures as JSON to this file.")] = None,
) -> None:
    """Compare new orders in a database with years of orders, and in an empty one; show plans and bytes.

    \b
    Fill once, measure often:
      python -m tests.bench growth --data /tmp/years --fill-only
      python -m tests.bench growth --data /tmp/years -o growth.json
    """
    cipher.configure(stage.KEY)
    needed = growth_history.ORIGINALS + 2 * rounds * (run_orders + growth.latency_orders(rate)) + run_orders
    bodies = growth.Bodies(load.baskets(needed))
    wanted = growth_data.Wanted(bodies.take(growth_history.ORIGINALS), orders, inbox, audit)
    results: dict[str, object] = {"orders": orders, "inbox": inbox, "backlog": backlog}
    try:
        with growth_data.filled(data, wanted, console.print) as (servers, grown_url):
            results["bytes_per_order"] = _show_bytes(grown_url)
            whole = _show_plans(servers, grown_url)
            if not fill_only:
                contender = contenders(2, 2)["deployed"]
                compared = asyncio.run(
                    growth.compare(servers, contender, bodies, grown_url, run_orders, rounds, rate, console.print)
                )
                results["rates"] = _show_rates(compared, orders)
                found = asyncio.run(growth.backlog(servers, contender, bodies.take(run_orders), grown_url, backlog))
                results["with_backlog"] = _show_backlog(found)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if output is not None:
        figures.write(output, results)
    if whole:
        raise typer.Exit(1)


def _show_bytes(url: str) -> list[dict[str, object]]:
    """Show and return the bytes per order of each table that grows, and of its indexes."""
    table = Table(title="bytes per order: tables with TOAST and indexes, and of that each index")
    for column in ("table", "index", "rows", "bytes per row", "bytes per order"):
        table.add_column(column)
    found = asyncio.run(growth_history.bytes_per_order(url))
    for one in found:
        table.add_row(one.table, one.index, f"{one.rows}", f"{one.per_row:.0f}", f"{one.per_order:.0f}")
    table.add_row("all", "", "", "", f"{sum(one.per_order for one in found if not one.index):.0f}")
    console.print(table)
    return [asdict(one) for one in found]


def _show_plans(servers: Servers, grown_url: str) -> dict[str, set[str]]:
    """Show the statements whose plan an empty database would change. Returns those that read whole big tables."""
    servers.postgres.drop_database(EMPTY_DATABASE)  # a run that was killed leaves it in the kept folder
    empty_url = servers.postgres.new_database(EMPTY_DATABASE)
    migrate.upgrade(empty_url)
    empty, grown = (plans.plans(url, seqscan=False) for url in (empty_url, grown_url))
    servers.postgres.drop_database(EMPTY_DATABASE)
    whole = plans.not_allowed(plans.whole_reads(grown_url, BIG_ROWS), plans.ALLOWED_WHEN_YOUNG)
    changed = sorted(name for name in grown if grown[name] != empty[name])
    console.print(f"{len(changed)} of {len(grown)} plans differ from those in an empty database: {', '.join(changed)}")
    for name, read in whole.items():
        console.print(f"{name} reads all of {', '.join(sorted(read))}:\n{grown[name]}", markup=False)
    console.print(f"statements that read all of a table or index that grows: {', '.join(whole) or 'none'}")
    return whole


def _show_rates(compared: Compared, orders: int) -> dict[str, object]:
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
    idle, steady = (_medians_ms(waits) for waits in (compared.idle, compared.steady))
    ratios = {
        "rate": compared.ratio(),
        "idle_p50": idle[EMPTY] / idle[GROWN],
        "steady_p50": steady[EMPTY] / steady[GROWN],
    }
    shown = ", ".join(f"{name} {value:.2f}" for name, value in ratios.items())
    console.print(f"ratios (1 is as good as in the empty database, more is better): {shown}")
    rates = {name: [run.rate for run in runs] for name, runs in compared.rates.items()}
    return {"orders_per_second": rates, "idle_p50_ms": idle, "steady_p50_ms": steady, "ratios": ratios}


def _medians_ms(waits: dict[str, list[float]]) -> dict[str, float]:
    return {name: 1000 * statistics.median(values) for name, values in waits.items()}


def _cuts(values: list[float]) -> str:
    cuts = statistics.quantiles(values, n=100)
    return f"{1000 * cuts[49]:.0f}, {1000 * cuts[98]:.0f}"


def _show_backlog(found: Backlog) -> dict[str, object]:
    reads, measured = (f"{after:.1f} ms ({before:.1f} before)" for before, after in (found.read_ms, found.measured_ms))
    console.print(
        f"with {found.rows} rows in the outbox a read takes {reads}, and measuring it {measured};"
        f" relays drain {found.drained_per_second:.0f} rows/s"
        f" while workers create {found.created_per_second:.0f} orders/s"
    )
    return asdict(found)


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
