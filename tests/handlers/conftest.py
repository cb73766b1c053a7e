"""Fixtures of the handler tests: a harness on a database of its own, and an attempt that is open at Alipay."""

from collections.abc import Iterator

import pytest

from db.pool import Pool
from tests.handlers.alipay_payments import MERCHANT, opened
from tests.handlers.harness import HandlerHarness, open_harness
from tests.handlers.provider_answers import OpenAttempt
from workers import providers
from workers.providers.alipay import Alipay, AlipaySettings


@pytest.fixture
def harness(pool: Pool) -> HandlerHarness:
    return open_harness(pool)


@pytest.fixture
def alipay_configured() -> Iterator[None]:
    """Configure Alipay for the test."""
    providers.configure({"alipay": Alipay(AlipaySettings.model_validate(MERCHANT))})
    yield
    providers.configure({})


@pytest.fixture
async def open_attempt(harness: HandlerHarness, alipay_configured: None) -> OpenAttempt:
    """An attempt that is open at the provider."""
    _, started = await opened(harness)
    return OpenAttempt(harness, int(started["attempt_id"]), started["out_trade_no"])
