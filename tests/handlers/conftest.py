"""A floor of handlers on a database of its own."""

import os
from collections.abc import Iterator

import pytest

from db import cipher
from db.pool import Pool
from tests.handlers.answering import Line
from tests.handlers.floor import Floor
from tests.handlers.test_paying import MERCHANT, opened
from workers import providers, shop
from workers.domain.shop import Policy, Shop
from workers.providers.alipay import Alipay, AlipaySettings


@pytest.fixture
def floor(pool: Pool) -> Floor:
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    shop.configure(Shop(policy=Policy(rate_limit_orders=0)))
    return Floor(pool)


@pytest.fixture
def speaking() -> Iterator[None]:
    """Alipay is configured."""
    providers.configure({"alipay": Alipay(AlipaySettings.model_validate(MERCHANT))})
    yield
    providers.configure({})


@pytest.fixture
async def line(floor: Floor, speaking: None) -> Line:
    """An attempt that is open at the provider."""
    _, started = await opened(floor)
    return Line(floor, int(started["attempt_id"]), started["out_trade_no"])
