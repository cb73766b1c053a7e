"""`oms worker --dry-run`: checks what a worker with these settings needs, and lists the queues that it would serve."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import asyncpg
import typer

from db import cipher
from db.statements import SQL
from db.version import NEEDED
from scripts.commands.broker_health import BROKER_CHECKS
from scripts.commands.broker_readings import BrokerReadings, QueueCount, read_broker
from scripts.commands.connections import connected, run
from scripts.commands.health_checks import CheckResult, Diagnosis, HealthCheck, Observation, none_of, well, wrong
from scripts.commands.health_report import report
from scripts.commands.output import Format, counted, say, write_json, write_table
from scripts.commands.problems import Code
from workers.app import served_routes
from workers.routes import STOCK_DATABASE, with_stock_apart
from workers.runtime.route import Route
from workers.settings import Settings

OF_BROKER = ("management", "blocked connections", "exchanges", "exchange types", "dead-letter exchange", "permissions")
"""What `oms doctor` looks at and a worker needs; which queues it needs follows from its own."""


@dataclass(frozen=True)
class DatabaseNeeds:
    """What was read of one database of the worker. `lacking` are the tables on which its user lacks a right."""

    standby: bool
    version: str | None
    lacking: Sequence[str]
    paused: frozenset[str]
    unread: Mapping[str, Observation] = field(default_factory=dict)


DATABASE_NEEDS: tuple[HealthCheck[DatabaseNeeds], ...] = (
    HealthCheck(
        "writes", lambda read: wrong("it is a standby") if read.standby else well("it takes writes"),
        "a worker writes", "export OMS_DATABASE_URL=... with the host of the primary",
    ),
    HealthCheck(
        "schema",
        lambda read: (wrong if (read.version or "") < NEEDED else well)(f"it is at {read.version}, needed is {NEEDED}"),
        "a worker waits for its migrations", "oms migrate",
    ),
    HealthCheck(
        "privileges", lambda read: none_of(read.lacking, "it lacks some", "it may read and write every table"),
        "a worker reads and writes every table", "GRANT them to the user of OMS_DATABASE_URL",
    ),
)  # fmt: skip


def check_worker(queues: Sequence[str], output: Format) -> None:
    """Check, print, and exit: with 3 if something is wrong. Raises what settings, connecting and reading raise."""
    settings = Settings()
    routes = served_routes(queues, settings)
    cipher.configure(settings.encryption_keys.get_secret_value())
    apart = settings.stock_database_url
    routes = with_stock_apart(routes) if apart is not None else routes
    urls = {"default": None, STOCK_DATABASE: apart.get_secret_value() if apart is not None else None}
    names = sorted({route.database for route in routes})
    needs = {name: run(_read(urls[name])) for name in names}
    broker = run(read_broker())
    results = [
        CheckResult("settings", "settings", Diagnosis.WELL, f"{counted(len(routes), 'queue')} to serve"),
        *(check.result(f"database {name}", needs[name]) for name in names for check in DATABASE_NEEDS),
        *(check.result("broker", broker) for check in BROKER_CHECKS if check.name in OF_BROKER),
        _queues(routes, broker),
    ]
    rows = [_row(route, needs[route.database].paused, broker) for route in routes]
    if output is Format.JSON:
        write_json({"checks": [asdict(one) for one in results], "queues": rows})
    else:
        report(results)
        write_table(rows, title="\nit would consume")
    found = sum(one.diagnosis is Diagnosis.WRONG for one in results)
    say(f"dry run: {counted(found, 'finding') if found else 'a worker can start'}")
    if found:
        raise typer.Exit(Code.DIFFERENT)


async def _read(url: str | None) -> DatabaseNeeds:
    async with connected(url=url) as tx, tx.transaction(readonly=True):
        server = await tx.fetchrow(SQL["doctor.server"])
        assert server is not None, "the statement returns one row"
        lacking = [
            f"{row['table_name']} ({', '.join(row['lacking'])})" for row in await tx.fetch(SQL["doctor.privileges"])
        ]
        try:
            async with tx.transaction():
                version = await tx.fetchval("SELECT version_num FROM alembic_version")
                paused = [row["queue"] for row in await tx.fetch(SQL["consumer_pauses.queues"])]
        except asyncpg.UndefinedTableError:
            version, paused = None, []
        return DatabaseNeeds(server["standby"], version, lacking, frozenset(paused))


def _queues(routes: Sequence[Route], read: BrokerReadings) -> CheckResult:
    missing = [name for route in routes if (name := read.names.queue(route.queue)) not in read.queues]
    seen = none_of(missing, "missing", f"all {len(routes)} are there")
    if not missing:
        return CheckResult("broker", "queues", seen.diagnosis, seen.found)
    why, hint = "a worker ends if one of its queues is missing", "oms topology declare, as the topology user"
    return CheckResult("broker", "queues", seen.diagnosis, seen.found, why, hint)


def _row(route: Route, paused: frozenset[str], read: BrokerReadings) -> dict[str, Any]:
    count = read.queues.get(read.names.queue(route.queue), QueueCount(0, 0))
    return {
        "queue": route.queue,
        "messages": count.messages,
        "consumers": count.consumers,
        "prefetch": route.prefetch,
        "batch": route.batch_max_items,
        "database": route.database,
        "paused": route.queue in paused,
    }
