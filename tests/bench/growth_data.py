"""Keeps a filled database in a folder, so that one history can be measured several times."""

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import orjson

from db import migrate
from db.pool import open_pool
from scripts.commands.audit import check
from scripts.servers.find import Servers, private_servers
from tests.bench import growth_history, load
from tests.bench.load import Load
from tests.db import order_months

DATABASE = "bench_growth"
AUDIT_SECONDS = 1800  # one invariant


@dataclass(frozen=True)
class Wanted:
    """The history that a run needs. `given` are the orders that handlers make; the others are copies of them."""

    given: Load
    orders: int
    inbox: int
    audit: bool


@contextmanager
def filled(data: Path | None, wanted: Wanted, show: Callable[[str], None]) -> Iterator[tuple[Servers, str]]:
    """Servers whose PostgreSQL has the history, and its URL.

    `data` is a folder that keeps it: the first run fills it, and the next ones use what is there. A run that is
    interrupted while it fills removes the folder. Raises ValueError if the folder has another history.
    """
    described = data and data / "history.json"
    found = orjson.loads(described.read_bytes()) if described and described.exists() else None
    _check_same(data, found, wanted)
    if data and not found:
        data.mkdir(mode=0o711, parents=True)
    try:
        with private_servers(durable=True, data=data) as servers:
            url = servers.postgres.url_of(DATABASE)
            if not found:
                servers.postgres.new_database(DATABASE)
                found = {"orders": wanted.orders, "inbox": wanted.inbox, **asyncio.run(_fill(url, wanted, show))}
            migrate.upgrade(url)  # the history may be older than the code
            if wanted.audit and "audit" not in found:
                found["audit"] = asyncio.run(audit(url, show))
            if described:
                described.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
            yield servers, url
    finally:
        if data and not (data / "history.json").exists():
            shutil.rmtree(data, ignore_errors=True)


def _check_same(data: Path | None, found: dict[str, int] | None, wanted: Wanted) -> None:
    if data and data.exists() and not found:
        raise ValueError(f"{data} exists and has no finished history; remove it, or name another folder")
    if found and (found["orders"], found["inbox"]) != (wanted.orders, wanted.inbox):
        had = f"--orders {found['orders']} --inbox {found['inbox']}"
        raise ValueError(f"{data} was filled with {had}; repeat these options, or name another folder")


async def _fill(url: str, wanted: Wanted, show: Callable[[str], None]) -> dict[str, float]:
    """Make a history that is consistent, as the audit says. Returns how long it took."""
    started = time.monotonic()
    migrate.upgrade(url)
    await _divide(url)
    await load.fill(url, wanted.given.products)
    await growth_history.originals(url, wanted.given)
    await growth_history.copy(url, wanted.orders, show)
    await growth_history.finish(url, wanted.inbox)
    await asyncio.to_thread(os.sync)  # else the machine would go on writing while the bench measures
    seconds = round(time.monotonic() - started, 1)
    show(f"filled in {seconds:.0f} s")
    return {"filled_seconds": seconds}


async def _divide(url: str) -> None:
    """Make a partition for each month of the history."""
    pool = await open_pool(url, application_name="bench", max_size=1)
    now = datetime.now(UTC)
    await order_months.replace_first_partitions(pool, order_months.month_of(now, -growth_history.HISTORY_DAYS // 28))
    await pool.close()


async def audit(url: str, show: Callable[[str], None]) -> list[dict[str, object]]:
    """Check every invariant. Returns what `oms audit` prints, the slowest first, and shows the slowest three."""
    connection = await asyncpg.connect(url, command_timeout=AUDIT_SECONDS, server_settings={"jit": "off"})
    found = sorted(await check(connection, drained=True), key=lambda one: -one.milliseconds)
    await connection.close()
    violated = [f"{one.id} {one.first}" for one in found if one.violations]
    slowest = ", ".join(f"{one.id} {one.milliseconds / 1000:.1f} s" for one in found[:3])
    total = sum(one.milliseconds for one in found) / 1000
    show(f"audit: {', '.join(violated) or 'clean'}, {total:.0f} s; the slowest: {slowest}")
    return [asdict(one) for one in found]
