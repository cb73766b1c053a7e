"""`oms top` shows a running system on one page that fits the terminal."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from rich.console import Console

from outbox import declare
from scripts.screens.top_screen import top_screen
from scripts.servers.find import Servers
from tests.broker import Broker
from tests.scripts.oms_command import Oms

QUIET = {
    "messages": 0,
    "consumers": 1,
    "unacknowledged": 0,
    "in_per_second": 0.0,
    "out_per_second": 0.0,
    "oldest_age_seconds": None,
    "oldest_age_is": None,
    "paused": False,
}


def sample(**changes: Any) -> dict[str, Any]:
    """A reading of a shop with thirty queues of which two wait."""
    queues = [{"queue": f"queue-{number:02}", **QUIET} for number in range(28)]
    oldest: dict[str, Any] = {"oldest_age_seconds": 5400.0, "oldest_age_is": "at least"}
    queues += [
        {"queue": "stock", **QUIET, "messages": 1_000_000, **oldest},
        {"queue": "a" * 60, **QUIET, "paused": True},
    ]
    return {
        "at": datetime(2026, 11, 1, 3, 4, 5, tzinfo=UTC),
        "queues": queues,
        "outbox": {"pending": 7, "oldest_age_seconds": 150.0, "held_streams": 0, "relays": 2},
        "timers": {"running": 3, "lag_seconds": 0.0},
        "dead_letters": [{"open": 2, "oldest_age_seconds": 7200.0}],
        "orders_per_minute": {"placed": 12},
        "unread": {},
    } | changes


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (200, 50), (40, 12), (500, 10)])
def test_the_page_fits_every_terminal_and_shows_what_waits_first(columns: int, rows: int) -> None:
    console = Console(width=columns, height=rows, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(top_screen(sample(), columns, rows))
    lines = console.export_text().splitlines()
    assert len(lines) <= max(rows, 14)
    assert max(map(len, lines)) <= columns
    text = "\n".join(lines)
    assert "2 min" in text if columns >= 80 else "q quits" in text
    first = next(line for line in lines if "stock" in line or "queue-0" in line)
    assert "stock" in first
    assert ">90 min" in first
    assert "1,000,000" in first


def test_a_server_that_is_away_is_named_and_the_other_is_shown(
    oms: Oms, broker: Broker, database_url: str, servers: Servers
) -> None:
    asyncio.run(declare.declare(broker["topology"], broker.names, (1,)))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO consumer_pauses (queue, reason) VALUES ('stock', 'OPS-7')")
    about = {"database_url": database_url, "prefix": broker.names.prefix, "amqp_url": broker["worker"]}
    seen = oms("top", "--once", "-o", "json", management_url=servers.broker.management_url or "", **about)
    assert seen.code == 0, seen.err
    by_queue = {row["queue"]: row for row in seen.json["queues"]}
    assert (by_queue["stock"]["paused"], by_queue["refunds"]["paused"]) == (True, False)
    assert (by_queue["stock"]["messages"], by_queue["stock"]["in_per_second"]) == (0, 0.0)
    assert by_queue["stock"]["oldest_age_seconds"] is None
    assert (seen.json["outbox"]["relays"], seen.json["unread"]) == (0, {})
    half = oms("top", "--once", database_url="postgresql://nobody@127.0.0.1:1/none", management_url="")
    assert (half.code, "oms: database: a server does not answer" in half.err) == (5, True)
    assert ("refunds" in half.out, "q quits" in half.out) == (True, False)
    other = oms("top", "--once", "-o", "json", database_url=database_url, amqp_url="amqp://nobody:x@127.0.0.1:1/")
    assert (other.code, list(other.json["unread"]), other.json["queues"]) == (5, ["broker"], [])
    elsewhere = about | {"amqp_url": "", "management_url": servers.broker.management_url or ""}
    lost = oms("top", "--once", **elsewhere)
    assert "broker: " in lost.err, "without the virtual host no queue is found, and the page says so"
