"""A broker with our topology, and settings for relays on it."""

from collections.abc import Callable
from typing import Any

import pytest

from db import cipher
from db.pool import Pool
from outbox.settings import RelaySettings
from tests.broker import Broker, declare_some
from tests.outbox.harness import TIERS, settings_for


@pytest.fixture
def pool(own_pool: Pool) -> Pool:
    """A pool on the test's own database: relays see every row of an outbox, and keep what they know of its tables."""
    return own_pool


@pytest.fixture
async def declared(broker: Broker) -> Broker:
    """The test's virtual host with every exchange of ours, and the queues that these tests publish to."""
    await declare_some(broker, TIERS, "stock", "order-changes", "timeouts", "refunds")
    return broker


@pytest.fixture
def settings(database_url: str, declared: Broker) -> Callable[..., RelaySettings]:
    """Makes settings for a relay; keyword arguments change them."""

    def make(**changes: Any) -> RelaySettings:
        return settings_for(database_url, declared["relay"], declared.names, **changes)

    return make


@pytest.fixture(autouse=True)
def keys() -> None:
    """Configure the encryption keys of this process."""
    cipher.configure("test:" + "A" * 43 + "=")
