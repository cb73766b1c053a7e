"""A handler harness on a database of its own."""

import pytest

from db.pool import Pool
from tests.handlers.harness import HandlerHarness, open_harness


@pytest.fixture
def harness(pool: Pool) -> HandlerHarness:
    return open_harness(pool)
