"""Refunds that end once and well, whatever becomes of the calls that asked for them."""

from datetime import timedelta

import pytest

from tests.e2e.all_providers import Market, impatient
from tests.e2e.provider_harness import PAYABLE, Counter
from workers.providers.alipay import mapping

pytestmark = pytest.mark.asyncio(loop_scope="module")
TROUBLES = [{"lost": 1.0}, {"error": 1.0}, {"slow": 1.0, "slow_seconds": 1.0}]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda habits: next(iter(habits)))
async def test_a_refund_whose_answer_never_comes_ends_once(
    market: Market, trouble: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "REFUND_SHOWS_AFTER", timedelta(0))  # until then it is asked and nothing is concluded

    async def scenario(counter: Counter) -> None:
        sale = await counter.bought()
        counter.behaves(**trouble, untold=1.0)
        await sale.cancel()
        await sale.refund_is("unknown")
        counter.behaves(untold=1.0)
        await sale.refunded(asking=True)

    async with impatient(0.4):
        await market.everywhere(scenario)


async def test_a_refund_that_is_under_way_is_done_when_a_notification_says_so(market: Market) -> None:
    async def scenario(counter: Counter) -> None:
        sale = await counter.bought()
        await sale.cancel()
        await sale.refunded()

    await market.everywhere(scenario, refund_processing=1.0, refund_seconds=0.3)


async def test_a_refund_that_is_under_way_is_done_when_the_provider_says_so(market: Market) -> None:
    async def scenario(counter: Counter) -> None:
        sale = await counter.bought()
        counter.behaves(refund_processing=1.0, refund_seconds=0.3, untold=1.0)
        await sale.cancel()
        await sale.refund_is("submitted", "unknown")
        await sale.refunded(asking=True)

    await market.everywhere(scenario)


async def test_refunds_in_parts_are_told_apart(market: Market) -> None:
    """Alipay's notifications say the sum of all, the others' say the part."""

    async def scenario(counter: Counter) -> None:
        sale = await counter.bought()
        for part in (300, 200):
            await sale.give_back(part)
            await sale.refunded(amount=part)
        await sale.cancel()
        await sale.refunded(amount=PAYABLE - 500)

    await market.everywhere(scenario, refund_processing=1.0, refund_seconds=0.1)
