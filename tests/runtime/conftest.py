"""A worker process in miniature: routes that run on real servers, a client that publishes, and a table of effects."""

import os
from collections.abc import AsyncIterator

import pytest
from yarl import URL

from db import cipher
from db.pool import Pool
from messages.topology import RETRY_TIERS_SECONDS
from tests.broker import Broker, declare_some
from tests.runtime.harness import WorkerHarness, client_of


@pytest.fixture(autouse=True)
def encrypting() -> None:
    """The inbox keeps hashes that are sealed with a key."""
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])


@pytest.fixture
def pool(own_pool: Pool) -> Pool:
    """A pool on the test's own database: many tests create tables."""
    return own_pool


@pytest.fixture
async def declared(broker: Broker) -> Broker:
    """A virtual host with every exchange of ours, and the queues that these tests use."""
    await declare_some(broker, RETRY_TIERS_SECONDS, "order-changes", "payment-results", "stock", "timeouts", "queries")
    return broker


@pytest.fixture
async def harness(declared: Broker, database_url: str, pool: Pool) -> AsyncIterator[WorkerHarness]:
    """Real servers for a worker, and a client on the same broker."""
    await pool.execute("CREATE TABLE effects (id text, batch integer)")
    admin = URL(declared["admin"]).user
    async with (
        client_of(declared["admin"], declared.names) as client,
        client_of(declared["admin"], declared.names, admin) as own,
    ):
        yield WorkerHarness(declared, database_url, pool, client, own)
