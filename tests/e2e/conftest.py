"""One running system for all tests of a module: starting one takes seconds, a message takes milliseconds."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from db.pool import open_pool
from outbox import declare
from scripts.servers.find import Servers
from tests.broker import TIERS_SECONDS, Broker, new_broker
from tests.e2e.all_providers import AllProviders, running_providers
from tests.e2e.audited import Auditor, audited
from tests.e2e.raw_amqp import RawClient
from tests.e2e.system import SKU, RunningSystem
from tests.e2e.upstream import Upstream, running_system
from tests.shared_database import SharedDatabase


@pytest.fixture(scope="module")
def module_broker(servers: Servers) -> Iterator[Broker]:
    """A virtual host for the module."""
    vhost = f"test-{secrets.token_hex(6)}"
    prefix = "oms" if servers.broker.management_url else f"oms{secrets.token_hex(4)}"
    yield new_broker(servers, vhost, prefix)
    servers.broker.drop_vhost(vhost)


@pytest.fixture(scope="module")
def module_database_url(servers: Servers, database_template: str) -> Iterator[str]:
    """A database for the module."""
    name = f"test_{secrets.token_hex(6)}"
    yield from audited(servers.postgres.new_database(name, template=database_template))
    servers.postgres.drop_database(name)


@pytest.fixture
def database_url(database_url: str) -> Iterator[str]:
    """A fresh database, in which all invariants hold after the test."""
    yield from audited(database_url)


@pytest.fixture(scope="session")
async def auditor(shared_database: SharedDatabase) -> AsyncIterator[Auditor]:
    """Audits the database that tests share."""
    made = Auditor(shared_database)
    yield made
    made.close()


@pytest.fixture(scope="module")
async def system(module_broker: Broker, module_database_url: str) -> AsyncIterator[RunningSystem]:
    """A running system with one SKU, and clients of several roles."""
    await declare.declare(module_broker["topology"], module_broker.names, TIERS_SECONDS)
    opened: asyncio.Future[RunningSystem] = asyncio.get_running_loop().create_future()
    closing = asyncio.Event()
    life = asyncio.create_task(_live(module_broker, module_database_url, opened, closing))
    await _either(life, opened)
    yield opened.result()
    closing.set()
    await life


async def _either(life: "asyncio.Task[None]", opened: "asyncio.Future[Any]") -> None:
    """Wait until it has started. Raises the error that ended it before."""
    either: set[asyncio.Future[Any]] = {life, opened}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if not opened.done():
        life.result()


async def _live(
    broker: Broker, database_url: str, opened: "asyncio.Future[RunningSystem]", closing: asyncio.Event
) -> None:
    """Enter and leave the contexts in one task, as task groups require."""
    pool = await open_pool(database_url, application_name="tests", max_size=4)
    async with (
        running_system(broker, database_url, payment_window_seconds=1800),  # longer than any test, so no timer fires
        Upstream.connect(broker) as upstream,
        Upstream.connect(broker, "payments") as gateway,
        RawClient.connect(broker["upstream"]) as raw,
    ):
        await upstream.fill_stock(SKU, qty=5_000)
        made = RunningSystem(broker, database_url, pool, upstream, gateway, raw)
        await made.warm()
        opened.set_result(made)
        await closing.wait()
    pool.terminate()


@pytest.fixture(scope="module")
async def all_providers(
    module_broker: Broker, module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[AllProviders]:
    """A running system and the gateways of all providers."""
    await declare.declare(module_broker["topology"], module_broker.names, TIERS_SECONDS)
    opened: asyncio.Future[AllProviders] = asyncio.get_running_loop().create_future()
    closing = asyncio.Event()

    async def live(folder: Path) -> None:
        async with running_providers(module_broker, module_database_url, folder) as found:
            opened.set_result(found)
            await closing.wait()

    life = asyncio.create_task(live(tmp_path_factory.mktemp("gateways")))
    await _either(life, opened)
    yield opened.result()
    closing.set()
    await life
