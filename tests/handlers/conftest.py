"""A floor of handlers on a database of its own."""

from collections.abc import Iterator

import pytest

from db.pool import Pool
from tests.handlers.harness import Floor, open_harness
from tests.handlers.provider_answers import Line
from tests.handlers.test_payment_attempts import MERCHANT, opened
from workers import providers
from workers.providers.alipay import Alipay, AlipaySettings


@pytest.fixture
def floor(pool: Pool) -> Floor:
    return open_harness(pool)


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
