"""What /metrics says about the outbox is right when no relay lives, and is exported only by those who measured it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, generate_latest

from db.pool import Pool
from outbox.publisher import Publisher
from outbox.shared_gauge import FRESH_SECONDS, SharedGauge
from tests.outbox.harness import announce, event, hold
from workers.handlers import timeouts
from workers.routes import ROUTES
from workers.runtime.health import Health

TREE = Path(__file__).parents[2]
SHARED = re.compile(r'SharedGauge\(\s*"(oms_[a-z_]+)"')
ONCE_A_PROCESS = """
import workers.routes, outbox.relay
from prometheus_client import generate_latest
print(generate_latest().decode())
"""


def value(name: str, **labels: str) -> float | None:
    """The value that /metrics shows."""
    return REGISTRY.get_sample_value(name, labels)


def shared() -> set[str]:
    """The names of all gauges that are the same from every process."""
    return {
        name
        for folder in ("outbox", "workers")
        for path in (TREE / folder).rglob("*.py")
        for name in SHARED.findall(path.read_text(encoding="utf-8"))
    }


def test_a_gauge_is_exported_only_while_its_measurement_is_fresh() -> None:
    moment = 0.0
    gauge = SharedGauge("oms_test_shared", "A test", "queue", now=lambda: moment)
    try:
        assert value("oms_test_shared", queue="a") is None
        gauge.set_each({"a": 2, "b": 3})
        gauge.set_each({"a": 0})
        assert value("oms_test_shared", queue="a") == 0
        assert value("oms_test_shared", queue="b") is None
        moment = FRESH_SECONDS
        assert value("oms_test_shared", queue="a") is None
    finally:
        REGISTRY.unregister(gauge)


def test_a_process_that_has_measured_nothing_exports_no_shared_gauge() -> None:
    text = subprocess.run([sys.executable, "-c", ONCE_A_PROCESS], capture_output=True, text=True, check=True).stdout
    assert "oms_outbox_publish_total" in text
    assert len(shared()) >= 12
    assert [name for name in shared() if f"\n{name}" in text] == []


async def test_workers_measure_the_outbox_when_no_relay_lives(pool: Pool) -> None:
    await announce(pool, [event(1, 1), event(1, 2), event(2, 1)])
    await hold(pool, "1", "nacked: full")
    await pool.execute("INSERT INTO outbox_relays VALUES ('dead', now() - interval '1 s')")
    await pool.execute("UPDATE outbox SET created_at = created_at - interval '1 h'")
    for every in timeouts.ROUTE.every:
        async with pool.acquire() as tx, tx.transaction():
            await every.chore(tx)
    assert value("oms_outbox_pending") == 3
    assert 3600 <= (value("oms_outbox_oldest_age_seconds") or 0) < 3700
    assert value("oms_outbox_held_streams") == 1
    assert (value("oms_outbox_held", destination="events"), value("oms_outbox_held", destination="reply")) == (2, 0)
    assert value("oms_outbox_relays") == 0


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("oms_order_pay_total", {"result": "failure"}),
        ("oms_after_sales_total", {"type": "exchange", "result": "unreturned"}),
        ("oms_handler_failures_total", {"queue": "stock"}),
        ("oms_outbox_publish_total", {"outcome": "nacked"}),
        ("oms_outbox_refused_total", {"destination": "reply"}),
        ("oms_outbox_dropped_replies_total", {"outcome": "nacked"}),
        ("oms_amqp_reconnects_total", {"role": "test of metrics"}),
    ],
)
def test_a_counter_exists_before_it_counts(name: str, labels: dict[str, str]) -> None:
    Health(route.queue for route in ROUTES)
    Publisher("amqp://nobody@127.0.0.1/", name="t", role="test of metrics")
    assert value(name, **labels) is not None


def test_no_series_tells_when_a_counter_was_made() -> None:
    names = {line.split(b"{")[0].split(b" ")[0] for line in generate_latest().splitlines()}
    assert names
    assert not [name for name in names if name.endswith(b"_created")]


def test_alerts_take_the_largest_of_what_every_process_exports() -> None:
    alerts = (TREE / "scripts/README.md").read_text(encoding="utf-8")
    used = {name: re.findall(rf"(\w+)(?: by \(\w+\) )?\({name}\b", alerts) for name in shared()}
    assert used["oms_outbox_relays"]
    assert {one for functions in used.values() for one in functions} <= {"max", "absent", "group"}
