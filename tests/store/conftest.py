"""A handler harness on a database of its own."""

import pytest

from db.pool import Pool
from tests.handlers.harness import Floor, open_harness


@pytest.fixture
def floor(pool: Pool) -> Floor:
    return open_harness(pool)
