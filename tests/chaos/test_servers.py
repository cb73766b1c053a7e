"""Servers that go away and come back. Workers and relays wait for them, and nothing is lost or doubled."""

import asyncio
from collections.abc import Callable

import pytest

from scripts.servers.find import Servers
from scripts.servers.lifecycle import Given
from tests.chaos.conftest import HEARD
from tests.chaos.deployment import Plant, Rush, told_once

pytestmark = [pytest.mark.chaos, pytest.mark.asyncio(loop_scope="module")]

CUT = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()"


async def survive(plant: Plant, trouble: Callable[[], object]) -> None:
    """A rush with trouble in the middle of its orders, and again in the middle of what follows."""
    if not plant.living:
        for role in ("worker", "relay"):
            plant.start(role)
    rush = Rush(plant, 300)
    ordering = asyncio.create_task(rush.order())
    await rush.decided(0.1)
    await asyncio.to_thread(trouble)
    await ordering
    await rush.decided()
    await rush.pay_and_cancel()
    await rush.ends_well()
    await told_once(plant, HEARD)
    assert all(process.poll() is None for process in plant.living), "nobody died of it"


async def test_every_database_connection_is_cut(plant: Plant, servers: Servers) -> None:
    import psycopg

    def cut() -> None:
        with psycopg.connect(servers.postgres.admin_url, autocommit=True) as connection:
            connection.execute(CUT.replace("$1", "%s"), [plant.database_url.rsplit("/", 1)[1]])

    await survive(plant, cut)


async def test_the_broker_is_restarted(plant: Plant, servers: Servers) -> None:
    _private(servers.broker.lifecycle)
    await survive(plant, servers.broker.restart)


async def test_the_broker_is_killed(plant: Plant, servers: Servers) -> None:
    _private(servers.broker.lifecycle)

    def power_cut() -> None:
        servers.broker.kill()
        servers.broker.start()

    await survive(plant, power_cut)


async def test_the_database_is_restarted(plant: Plant, servers: Servers) -> None:
    _private(servers.postgres.lifecycle)
    await survive(plant, servers.postgres.restart)


def _private(lifecycle: object) -> None:
    if isinstance(lifecycle, Given):
        pytest.skip("this server was given by URL: it is not ours to restart")
