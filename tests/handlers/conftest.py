"""A floor of handlers on a database of its own."""

import os

import pytest

from db import cipher
from db.pool import Pool
from tests.handlers.floor import Floor
from workers.domain.shop import Policy, Shop
from workers.store import shop


@pytest.fixture
def floor(pool: Pool) -> Floor:
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    shop.configure(Shop(policy=Policy(rate_limit_orders=0)))
    return Floor(pool)
