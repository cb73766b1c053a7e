"""`python -m tests.bench`: the figures of tests/README.md, measured on private, durable servers of the run's own."""

import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from db import migrate
from scripts.servers.find import private_servers
from tests.bench import (
    cost_commands,
    counting,
    dead_rows,
    figures,
    flash,
    growth_commands,
    latency_commands,
    letters,
    list_commands,
    measure,
    page_commands,
    query_commands,
    verification,
    whole_life,
)
from tests.bench.contenders import Contender, contenders, missing
from tests.bench.load import Load, baskets
from tests.bench.measure import Result
from tests.bench.profile import Profiler
from tests.bench.sitting import LIVING
from tests.bench.usage import PARTS
from tests.bench.whole_life import LifeRates

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True)
console = Console(width=130)
cost_commands.add(app)
growth_commands.add(app)
latency_commands.add(app)
letters.add(app)
page_commands.add(app)
list_commands.add(app)
query_commands.add(app)
REFERENCE = "bare-packed"

Orders = Annotated[int, typer.Option(min=20, help="Number of baskets; a slow contender gets a part of them.")]
Workers = Annotated[int, typer.Option(min=1, help="Worker processes of `deployed`.")]
Relays = Annotated[int, typer.Option(min=1, help="Relay processes of `deployed`.")]


@app.command()
def rates(  # noqa: PLR0917 (Typer passes them by name)
    only: Annotated[str, typer.Option(help="Comma-separated names of contenders; all by default.")] = "",
    orders: Orders = 10_000,
    rounds: Annotated[
        int, typer.Option(min=1, help="How often each contender runs, in turn; the table shows the median.")
    ] = 2,
    workers: Workers = 2,
    relays: Relays = 2,
    lives: Annotated[
        int, typer.Option(min=0, help="Orders that `deployed` and `one-worker` lead through their whole life.")
    ] = 1000,
    output: Annotated[Path | None, typer.Option("-o", help="Write all runs as JSON to this file.")] = None,
) -> None:
    """Compare orders per second, from order.create to awaiting_payment and order.created, and of whole lives."""
    given, chosen = baskets(orders), _chosen(only, workers, relays)
    if absent := missing():
        console.print(f"not installed, left out: {', '.join(absent)}")
    results: dict[str, list[Result]] = {name: [] for name in chosen}
    lived = dict[str, list[LifeRates]]()
    with private_servers(durable=True) as servers:
        for _ in range(rounds):
            for name, contender in chosen.items():
                result = asyncio.run(measure.run(servers, contender, given))
                results[name].append(result)
                console.print(f"{name}: {result.rate:.0f} orders/s")
            for name in (name for name in LIVING if name in chosen and lives):
                led = baskets(lives + whole_life.WARM_ORDERS)
                lived.setdefault(name, []).append(asyncio.run(whole_life.run(servers, name, chosen[name], led)))
                console.print(f"{name}: {lived[name][-1].rates[whole_life.WHOLE]:.0f} whole lives/s")
    console.print(_table(results, chosen, given))
    if lived:
        console.print(_lives([whole_life.median(runs) for runs in lived.values()]))
    if output is not None:
        rows = [figures.rate_row(name, chosen[name].about, run) for name, runs in results.items() for run in runs]
        figures.write(output, {"rates": rows, "life": [asdict(run) for runs in lived.values() for run in runs]})


@app.command()
def profile(  # noqa: PLR0917 (Typer passes them by name)
    contender: Annotated[str, typer.Argument(help="deployed, single, bare-packed, ...")] = "deployed",
    orders: Orders = 10_000,
    seconds: Annotated[float, typer.Option(help="How long to sample.")] = 10.0,
    stacks: Annotated[
        Path | None, typer.Option(help="Folder in which the sampled stacks are kept.", exists=True)
    ] = None,
    workers: Workers = 2,
    relays: Relays = 2,
) -> None:
    """Show where each process of a contender spends its time (needs py-spy)."""
    profiler = Profiler(seconds, stacks)
    with private_servers(durable=True) as servers:
        chosen = contenders(workers, relays)[contender]
        result = asyncio.run(measure.run(servers, chosen, baskets(orders), profiler=profiler))
    console.print(f"{result.rate:.0f} orders/s while sampled")
    for report in profiler.reports:
        console.print(report, markup=False, highlight=False)


@app.command()
def statements(
    contender: Annotated[str, typer.Argument(help="deployed, single, bare-packed, ...")] = "single",
    orders: Orders = 5_000,
    workers: Workers = 2,
    relays: Relays = 2,
) -> None:
    """Count the statements that a contender sends to PostgreSQL: calls, rows and time of each."""
    with private_servers(durable=True) as servers:
        counting.prepare(servers)
        chosen = contenders(workers, relays)[contender]
        result = asyncio.run(measure.run(servers, chosen, baskets(orders), count_statements=True))
    table = Table(title=f"{contender}: {result.orders} orders")
    for column in ("statement", "calls", "rows per call", "ms per call", "ms per 1000 orders"):
        table.add_column(column)
    for one in result.statements:
        each, thousand = one.milliseconds / one.calls, 1000 * one.milliseconds / result.orders
        table.add_row(one.name, f"{one.calls}", f"{one.rows / one.calls:.0f}", f"{each:.2f}", f"{thousand:.1f}")
    console.print(table)


@app.command("dead-rows")
def dead_rows_(
    dead: Annotated[int, typer.Option(min=1, help="Dead rows in each table, behind an open snapshot.")] = 600_000,
    held: Annotated[int, typer.Option(min=1, help="Messages that the broker does not take.")] = 100_000,
) -> None:
    """Measure reads of the outbox and chores with dead rows behind an open transaction, and with held messages."""
    with private_servers(durable=False) as servers:
        url = servers.postgres.new_database("bench_dead_rows")
        migrate.upgrade(url)
        found = asyncio.run(dead_rows.measure(url, dead, held))
        servers.postgres.drop_database("bench_dead_rows")
    table = Table(title="milliseconds, medians")
    for column in ("statement", *found):
        table.add_column(column)
    for statement in next(iter(found.values())):
        table.add_row(statement, *(f"{costs[statement]:.1f}" for costs in found.values()))
    console.print(table)


@app.command("flash")
def flash_(
    buyers: Annotated[int, typer.Option(min=2, help="Number of buyers; each wants one unit.")] = 1000,
    units: Annotated[
        int, typer.Option(min=1, help="Units of the hot SKU in stock, or units at the flash price.")
    ] = 100,
    rounds: Annotated[
        int, typer.Option(min=1, help="How often each case runs, in turn; the table shows the median.")
    ] = 3,
    workers: Workers = 4,
    relays: Relays = 2,
) -> None:
    """Compare a flash sale (many buyers at once, few units of one SKU) with the same orders on many SKUs."""
    deployed = contenders(workers, relays)["deployed"]
    table = Table(title=f"{buyers} buyers, {units} units, {workers} worker processes")
    for column in ("case", "sold", "refused", "seconds", "ratio to many SKUs"):
        table.add_column(column)
    sales: dict[str, list[flash.Sale]] = {case: [] for case in flash.CASES}
    with private_servers(durable=True) as servers:
        for _ in range(rounds):
            for case in flash.CASES:
                sale = asyncio.run(flash.run(servers, deployed, case, buyers, units))
                sales[case].append(sale)
                console.print(f"{case}: {sale.sold} sold in {sale.seconds:.2f} s")
    middles = {case: statistics.median(sale.seconds for sale in runs) for case, runs in sales.items()}
    for case, runs in sales.items():
        refused = ", ".join(f"{count} {code}" for code, count in runs[-1].refused.items()) or "none"
        ratio = middles[case] / middles[flash.CASES[0]]
        table.add_row(case, f"{runs[-1].sold}", refused, f"{middles[case]:.2f}", f"{ratio:.2f}")
    console.print(table)
    faults = [
        f"{case}: {text}"
        for case, runs in sales.items()
        for sale in runs
        for text in flash.wrong(case, sale, buyers, units)
    ]
    if faults:
        raise typer.Exit(_report(faults))


@app.command("verification")
def verification_(
    size: Annotated[int, typer.Option("--notifications", min=10, help="Number of notifications in a batch.")] = 200,
    rounds: Annotated[
        int, typer.Option(min=1, help="How many batches to verify in each way; the tables show medians.")
    ] = 21,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Measure what verifying a notification costs and how long a batch stalls the event loop. No servers."""
    subjects = verification.subjects()
    batches = {name: verification.calls(name, subject, size) for name, subject in subjects.items()}
    costs = {name: verification.cost(subject, batches[name], 50 * rounds) for name, subject in subjects.items()}
    mixed = [call for group in zip(*batches.values(), strict=True) for call in group][:size]
    stalls = uvloop.run(verification.stalls(mixed, {name: one.provider for name, one in subjects.items()}, rounds))
    if as_json:
        shown = {"costs_us": costs, "notifications": size, "stalls_ms": stalls}
        print(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
        return
    table = Table(title="one notification and one request (median)")
    for column in ("provider", "body, bytes", "verify, µs", "write and sign a request, µs"):
        table.add_column(column)
    for name, cost in costs.items():
        table.add_row(name, f"{cost.body_bytes}", f"{cost.verify:.0f}", f"{cost.request:.0f}")
    console.print(table)
    table = Table(title=f"{size} notifications of four providers, with a timer that ticks every 1 ms, {rounds} rounds")
    for column in (
        "how the batch is verified",
        "longest delay of a tick, ms (median)",
        "longest of all, ms",
        "time for the batch, ms",
    ):
        table.add_column(column)
    for way, stall in stalls.items():
        table.add_row(way, f"{stall.longest:.2f}", f"{stall.worst:.2f}", f"{stall.batch:.1f}")
    console.print(table)


def _report(faults: list[str]) -> int:
    console.print("\n".join(faults))
    return 1


def _chosen(only: str, workers: int, relays: int) -> dict[str, Contender]:
    known = contenders(workers, relays)
    wanted = [name.strip() for name in only.split(",") if name.strip()] or list(known)
    if unknown := sorted(set(wanted) - set(known)):
        raise typer.BadParameter(f"{', '.join(unknown)}; there are {', '.join(known)}", param_hint="--only")
    return {name: known[name] for name in wanted}


def _lives(found: Sequence[LifeRates]) -> Table:
    table = Table(title="orders per second through each step, all orders one step after the other")
    for column in ("contender", *found[0].rates, f"CPU ms per whole life: {' + '.join(PARTS)}"):
        table.add_column(column)
    for one in found:
        cpu = " + ".join(f"{ms:.2f}" for ms in one.cpu_ms.values())
        table.add_row(one.contender, *(f"{rate:.0f}" for rate in one.rates.values()), cpu)
    return table


def _table(results: dict[str, list[Result]], chosen: dict[str, Contender], given: Load) -> Table:
    reference = measure.middle(results[REFERENCE]) if REFERENCE in results else None
    table = Table(title=f"order.create -> awaiting_payment, {given.lines_per_order:.1f} lines per order")
    for column in (
        "contender",
        "orders/s",
        "ratio to bare-packed",
        "runs",
        f"CPU ms per order: {' + '.join(PARTS)}",
        "memory, MiB",
    ):
        table.add_column(column)
    for name, runs in results.items():
        last, rate = runs[-1], measure.middle(runs)
        table.add_row(
            f"{name}\n({chosen[name].about})",
            f"{rate:.0f}",
            f"{rate / reference:.2f}" if reference else "",
            " ".join(f"{run.rate:.0f}" for run in runs),
            " + ".join(f"{ms:.2f}" for ms in last.cpu_ms.values()),
            " ".join(f"{mib:.0f}" for mib in last.memory_mib),
        )
    return table


if __name__ == "__main__":
    app()
