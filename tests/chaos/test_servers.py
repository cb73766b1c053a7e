"""Servers that go away and come back. Workers and relays wait for them, and nothing is lost or doubled."""

import asyncio
from collections import Counter
from collections.abc import Callable

import orjson
import pytest

from scripts.servers.find import Servers
from scripts.servers.lifecycle import Given
from tests.chaos.deployment import Deployment
from tests.chaos.order_batch import OrderBatch, assert_history_holds
from workers.routes import ROUTES

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

UNREACHABLE = "broker unreachable, retrying"
CUT = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()"


async def survive(deployment: Deployment, trouble: Callable[[], object]) -> None:
    """Send many orders at once; cause the trouble while they are placed, and again while they are paid or cancelled."""
    await deployment.run()
    orders = OrderBatch(deployment, 300)
    ordering = asyncio.create_task(orders.order())
    await orders.wait_until_decided(0.1)
    await asyncio.to_thread(trouble)
    await ordering
    await orders.wait_until_decided()
    await orders.pay_and_cancel()
    await orders.assert_ended_well()
    await assert_history_holds(deployment)
    assert all(process.poll() is None for process in deployment.processes), "every process still runs"


async def test_every_database_connection_is_cut(deployment: Deployment, servers: Servers) -> None:
    import psycopg

    def cut() -> None:
        with psycopg.connect(servers.postgres.admin_url, autocommit=True) as connection:
            connection.execute(CUT.replace("$1", "%s"), [deployment.database_url.rsplit("/", 1)[1]])

    await survive(deployment, cut)


async def test_the_broker_is_restarted(deployment: Deployment, servers: Servers) -> None:
    _private(servers.broker.lifecycle)
    await survive(deployment, servers.broker.restart)
    lines = [orjson.loads(line) for line in deployment.logs().splitlines() if line.startswith(b"{")]
    events = Counter(line["event"] for line in lines)
    tries = [line["attempt"] for line in lines if (line["event"], line.get("name")) == (UNREACHABLE, "oms worker")]
    lost, connected = events["consumer connection lost"], events["consumer connected"]
    assert 1 <= lost < connected < len(ROUTES) / 4, "all consumers have one connection"
    assert tries.count(1) <= connected, "one of them tries, however long it takes"
    assert events["consumer restarts"] < len(ROUTES) / 4, "a line of each queue says no more than theirs"


async def test_the_broker_is_killed(deployment: Deployment, servers: Servers) -> None:
    _private(servers.broker.lifecycle)

    def power_cut() -> None:
        servers.broker.kill()
        servers.broker.start()

    await survive(deployment, power_cut)


async def test_the_database_is_restarted(deployment: Deployment, servers: Servers) -> None:
    _private(servers.postgres.lifecycle)
    await survive(deployment, servers.postgres.restart)


def _private(lifecycle: object) -> None:
    if isinstance(lifecycle, Given):
        pytest.skip("this server was given by URL: it is not ours to restart")
