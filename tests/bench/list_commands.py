"""Measures lists of a buyer with many orders in a database with years of orders, page after page."""

import asyncio
import statistics
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from db import migrate
from db.pool import Pool, Transaction, open_pool
from messages.base import Actor
from messages.envelope import Envelope
from messages.order_queries import OrderList, OrderListed
from messages.roles import Role
from scripts.servers.find import private_servers
from tests.bench import counting, figures
from tests.bench.growth_data import DATABASE
from workers.handlers import queries
from workers.runtime.batch import Batch
from workers.services import answer_cache

BUYER = "bench-buyer"
PAGE_ORDERS = 20
HANDED_OVER = """
UPDATE orders SET user_id = $1
WHERE id = ANY (ARRAY(
    SELECT id FROM (
        SELECT id, row_number() OVER (ORDER BY id) AS place, count(*) OVER () / $2::bigint AS distance
        FROM orders WHERE parent_id IS NULL
    ) AS placed
    WHERE place % distance = 0 ORDER BY id LIMIT $2
))
"""
KINDS: dict[str, dict[str, Any]] = {
    "all states, first time": {},
    "all states, again": {},
    "completed": {"states": ("completed",)},
}
"""Rows of a buyer with orders all over the history are seldom in memory when a page is first read."""


@dataclass(frozen=True)
class Listed:
    """All pages of one list. `database_ms` is the time that PostgreSQL works on one page, planning included."""

    kind: str
    pages: int
    orders: int
    database_ms: float
    p50_ms: float
    p99_ms: float


async def measure(pool: Pool, url: str, orders: int) -> list[Listed]:
    """Give a buyer `orders` orders, spread over the whole history, read the pages, and take the orders back."""
    answer_cache.configure(0)
    found = []
    async with pool.acquire() as tx:
        change = tx.transaction()
        await change.start()
        await tx.execute(HANDED_OVER, BUYER, orders, timeout=600)
        await tx.execute("ANALYZE orders", timeout=600)  # as a shop's autovacuum does
        for kind, filters in KINDS.items():
            await counting.begin(url)
            times, sizes = await _pages(tx, filters)
            worked_ms = sum(one.milliseconds for one in await counting.counted(url) if "." in one.name)
            cuts = statistics.quantiles(times, n=100)
            found.append(Listed(kind, len(times), sum(sizes), worked_ms / len(times), cuts[49], cuts[98]))
        await change.rollback()
    return found


async def _pages(tx: Transaction, filters: dict[str, Any]) -> tuple[list[float], list[int]]:
    """Read all pages of one list, a query each. Returns the milliseconds and the orders of each page."""
    times: list[float] = []
    sizes: list[int] = []
    cursor: str | None = None
    while cursor is not None or not times:
        body = OrderList(actor=Actor(type="user", id=BUYER), user_id=BUYER, limit=PAGE_ORDERS, cursor=cursor, **filters)
        now = datetime.now(UTC)
        item: Envelope[Any] = Envelope(
            body=body, message_id="m", correlation_id="c", roles=frozenset({Role.STOREFRONT}), occurred_at=now
        )
        began = asyncio.get_running_loop().time()
        [reply] = await queries.answer(tx, Batch([item], now))
        times.append((asyncio.get_running_loop().time() - began) * 1000)
        if not isinstance(reply, OrderListed):
            raise TypeError(f"the list was refused: {reply!r}")
        sizes.append(len(reply.orders))
        cursor = reply.next_cursor
    return times, sizes


async def run(url: str, orders: int) -> list[Listed]:
    """Measure on the database of the URL."""
    pool = await open_pool(url, application_name="bench", max_size=2)
    try:
        return await measure(pool, url, orders)
    finally:
        await pool.close()


def add(app: typer.Typer) -> None:
    """Add the command to those of the bench."""

    @app.command(name="lists")
    def measure_lists(
        data: Annotated[Path, typer.Option(help="The folder that `growth --data FOLDER --fill-only` has filled.")],
        orders: Annotated[int, typer.Option(min=200, help="How many of its orders one buyer is to have.")] = 10_000,
        output: Annotated[Path | None, typer.Option("-o", help="Write the figures as JSON to this file.")] = None,
    ) -> None:
        """Measure each page of a buyer's orders beside years of orders. Its orders stay as they are.

        \b
        Example:
          python -m tests.bench growth --data /tmp/years --fill-only
          python -m tests.bench lists --data /tmp/years
        """
        if not (data / "history.json").exists():
            raise typer.BadParameter(
                f"{data} has no history: python -m tests.bench growth --data {data} --fill-only", param_hint="--data"
            )
        with private_servers(durable=True, data=data) as servers:
            counting.prepare(servers)
            url = servers.postgres.url_of(DATABASE)
            migrate.upgrade(url)
            found = asyncio.run(run(url, orders))
        table = Table("list", "pages", "orders", "PostgreSQL, ms per page", "answer p50 / p99, ms")
        for one in found:
            waits = f"{one.p50_ms:.2f} / {one.p99_ms:.2f}"
            table.add_row(one.kind, f"{one.pages}", f"{one.orders}", f"{one.database_ms:.2f}", waits)
        Console(width=120).print(table)
        if output is not None:
            figures.write(output, {"lists": [asdict(one) for one in found]})
