"""Refunds succeed exactly once, also when the calls that request them fail."""

from datetime import timedelta

import pytest

from tests.e2e.all_providers import AllProviders, short_timeout
from tests.e2e.provider_harness import PAYABLE, ProviderHarness
from workers.providers.alipay import mapping

TROUBLES = [{"lost": 1.0}, {"error": 1.0}, {"slow": 1.0, "slow_seconds": 1.0}]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda habits: next(iter(habits)))
async def test_a_refund_whose_answer_never_comes_ends_once(
    all_providers: AllProviders, trouble: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Until then a refund is polled, and "not found" decides nothing.
    monkeypatch.setattr(mapping, "REFUND_SHOWS_AFTER", timedelta(0))

    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.paid_purchase()
        provider.set_habits(**trouble, unsent=1.0)
        await purchase.cancel()
        await purchase.wait_for_refund_state("unknown")
        provider.set_habits(unsent=1.0)
        await purchase.wait_for_refund(polling=True)

    async with short_timeout(0.4):
        await all_providers.run(scenario)


async def test_a_refund_that_is_under_way_is_done_when_a_notification_reports_it(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.paid_purchase()
        await purchase.cancel()
        await purchase.wait_for_refund()

    await all_providers.run(scenario, refund_processing=1.0, refund_seconds=0.3)


async def test_a_refund_that_is_under_way_is_done_when_the_provider_reports_it(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.paid_purchase()
        provider.set_habits(refund_processing=1.0, refund_seconds=0.3, unsent=1.0)
        await purchase.cancel()
        await purchase.wait_for_refund_state("submitted", "unknown")
        await purchase.wait_for_refund(polling=True)

    await all_providers.run(scenario)


async def test_refunds_in_parts_are_distinguished(all_providers: AllProviders) -> None:
    """Alipay's notifications report the sum of all refunds, the other providers' only this part."""

    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.paid_purchase()
        for part in (300, 200):
            await purchase.request_refund(part)
            await purchase.wait_for_refund(amount=part)
        await purchase.cancel()
        await purchase.wait_for_refund(amount=PAYABLE - 500)

    await all_providers.run(scenario, refund_processing=1.0, refund_seconds=0.1)
