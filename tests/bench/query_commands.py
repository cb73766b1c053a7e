"""Measures answers about orders: with and without answers in memory, one query and a batch at a time."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from rich.console import Console
from rich.table import Table

from db.pool import Pool, open_pool
from messages.base import Actor, Query
from messages.envelope import Envelope
from messages.order_queries import OrderGet, OrderHistory, OrderList, OrderTrack
from messages.roles import Role
from scripts.servers.find import private_servers
from tests.bench import figures, page, queries
from tests.bench.contenders import contenders
from tests.bench.queries import QueryRun
from tests.bench.sitting import about
from workers.handlers.queries import answer
from workers.runtime.batch import Batch
from workers.runtime.transactions import transaction
from workers.services import answer_cache

OPERATOR = Actor(type="operator", id="bench")
ROUNDS = 3
Kind = Callable[[int, str], Query]
KINDS: dict[str, Kind] = {
    "order.get": lambda key, _: OrderGet(actor=OPERATOR, order=str(key)),
    "order.track": lambda key, _: OrderTrack(actor=OPERATOR, order=str(key)),
    "order.history": lambda key, _: OrderHistory(actor=OPERATOR, order=str(key)),
    "order.list, 20 of a user": lambda _, user: OrderList(actor=OPERATOR, user_id=user, limit=20),
}


@dataclass(frozen=True)
class AnswerTimes:
    """Milliseconds per query, of the median and of the slowest of a hundred batches."""

    p50_ms: float
    p99_ms: float


async def measure(pool: Pool, bodies: Sequence[Query], size: int) -> AnswerTimes:
    """Answer the queries in batches of `size`, each in a transaction of its own, as the runtime does."""
    times = []
    for start in range(0, len(bodies), size):
        items: list[Envelope[Any]] = [
            Envelope(
                body=body,
                message_id="m",
                correlation_id="c",
                roles=frozenset({Role.OPERATOR}),
                occurred_at=datetime.now(UTC),
            )
            for body in bodies[start : start + size]
        ]
        began = time.perf_counter()
        async with transaction(pool, readonly=True) as tx:
            await answer(tx, Batch(items, datetime.now(UTC)))
        times.append((time.perf_counter() - began) * 1000 / len(items))
    return AnswerTimes(statistics.median(times), statistics.quantiles(times, n=100)[-1] if len(times) > 1 else times[0])


async def run(url: str, orders: int) -> list[tuple[str, int, AnswerTimes, AnswerTimes]]:
    """(kind, batch size, without memory, from memory) of each kind, medians of ROUNDS rounds in turn."""
    pool = await open_pool(url, application_name="bench", max_size=2)
    rows = await pool.fetch("SELECT id, user_id FROM orders ORDER BY id DESC LIMIT $1", orders)
    found = []
    for name, kind in KINDS.items():
        bodies = [kind(row["id"], row["user_id"]) for row in rows]
        for size in (1, 20):
            off, on = [], []
            for _ in range(ROUNDS):
                answer_cache.configure(0)
                off.append(await measure(pool, bodies, size))
                answer_cache.configure(len(rows) * len(KINDS))
                await measure(pool, bodies, size)
                on.append(await measure(pool, bodies, size))
            found.append((name, size, _median(off), _median(on)))
    await pool.close()
    return found


def _median(times: Sequence[AnswerTimes]) -> AnswerTimes:
    return sorted(times, key=lambda one: one.p50_ms)[len(times) // 2]


def beside_writes(plan: dict[str, Any], output: Path | None) -> None:
    """Measure queries alone and beside new orders, show the medians, and write all runs."""
    console = Console(width=130)

    def show(run: QueryRun) -> None:
        beside = f"beside {run.writes_per_second:.0f} orders/s" if run.writes_per_second else "alone"
        console.print(f"{run.kind} {beside}: {run.questions_per_second:.0f}/s, p99 {run.p99_ms:.0f} ms")

    measured_on = about()  # its load is that before the measurement
    with private_servers(durable=True) as servers:
        measured = queries.measure(servers, contenders(2, 2)["deployed"], show=show, **plan)
        runs = uvloop.run(measured)
    found = {"queries": measured_on | {"plan": plan, "runs": [asdict(run) for run in runs]}}
    console.print(page.queries_section(found["queries"]), markup=False, highlight=False)
    if output is not None:
        figures.write(output, found)


def add(app: typer.Typer) -> None:
    """Add the command to those of the bench."""

    @app.command(name="queries")
    def measure_queries(  # noqa: PLR0917 (Typer passes them by name)
        url: Annotated[str, typer.Option(help="The database, with orders in it: `growth --fill-only` makes one.")] = "",
        orders: Annotated[
            int, typer.Option(min=20, help="How many of the newest orders the queries are about.")
        ] = 1000,
        writes_per_second: Annotated[
            float, typer.Option(min=0, help="Measure on servers of its own, alone and beside so many new orders.")
        ] = 0,
        seconds: Annotated[float, typer.Option(min=1, help="How long each kind of query is measured.")] = 6,
        rounds: Annotated[int, typer.Option(min=1, help="How often, in turn; the table shows medians.")] = 3,
        clients: Annotated[int, typer.Option(min=1, help="Clients that put one query after the other.")] = 8,
        output: Annotated[Path | None, typer.Option("-o", help="Write all runs as JSON to this file.")] = None,
    ) -> None:
        """Measure answers about orders: in one process with and without memory, or through workers beside new orders.

        \b
        Examples:
          python -m tests.bench queries --url postgresql://postgres@127.0.0.1:5432/oms
          python -m tests.bench queries --writes-per-second 50 -o queries.json
        """
        if bool(url) == bool(writes_per_second):
            raise typer.BadParameter("give one of the two: a database, or new orders per second", param_hint="--url")
        if writes_per_second:
            plan = {"writes_per_second": writes_per_second, "seconds": seconds, "rounds": rounds, "clients": clients}
            beside_writes(plan, output)
            return
        table = Table("query", "in a batch", "p50 / p99 ms", "from memory", "of it", title="Milliseconds per query")
        for name, size, off, on in uvloop.run(run(url, orders)):
            shown = [f"{one.p50_ms:.2f} / {one.p99_ms:.2f}" for one in (off, on)]
            table.add_row(name, str(size), *shown, f"{on.p50_ms / off.p50_ms:.2f}")
        Console(width=120).print(table)
