"""Providers that are away, or that change their keys: the others are not affected, and it ends by itself."""

import asyncio
from pathlib import Path

import pytest

from tests.broker import Broker
from tests.e2e.all_providers import ALL, AllProviders, running_providers
from tests.e2e.provider_harness import ProviderHarness, Purchase
from tests.e2e.upstream import wait_for
from tests.metric_values import metric_value

PAIRS = [("wechat", "paypal"), ("alipay", "unionpay")]


@pytest.mark.parametrize("away", PAIRS)
async def test_a_provider_that_is_away_keeps_only_its_own_calls_waiting(
    all_providers: AllProviders, away: tuple[str, ...]
) -> None:
    there = [name for name in ALL if name not in away]
    purchases: list[Purchase] = []

    async def cancel_while_away(provider: ProviderHarness) -> None:
        purchase = await provider.paid_purchase()
        await provider.gateway.close()
        await purchase.cancel()
        await wait_for(lambda: waits(provider.name), f"{provider.name} to wait")
        purchases.append(purchase)

    async def as_ever(provider: ProviderHarness) -> None:
        purchase = await provider.paid_purchase()
        await purchase.cancel()
        await purchase.wait_for_refund()

    async def back(provider: ProviderHarness) -> None:
        await provider.gateway.start(int(provider.gateway.origin.rpartition(":")[2]))

    await all_providers.run_at(away, cancel_while_away)
    await all_providers.run_at(there, as_ever)
    for purchase in purchases:
        await purchase.wait_for_refund_state("requested")
        assert waits(purchase.provider.name)
    await all_providers.run_at(away, back)
    await asyncio.gather(*(purchase.wait_for_refund() for purchase in purchases))
    await all_providers.assert_books_agree()


def waits(provider: str) -> bool:
    """Whether the worker of its calls is paused."""
    return metric_value("oms_consumer_paused", queue=f"provider-calls.{provider}") == 1


async def test_a_certificate_that_is_not_known_is_fetched_and_believed(
    declared_broker: Broker, database_url: str, tmp_path: Path
) -> None:
    """From the first notification on, all are signed with a second key; WeChat Pay's answers soon are, too."""

    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.paid_purchase()
        await purchase.cancel()
        await purchase.wait_for_refund()
        provider.set_habits(unsent=1.0)
        purchase = await provider.purchase()
        await purchase.pay(await purchase.start_attempt())
        await purchase.wait_for_capture("kept", polling=True)

    async with running_providers(declared_broker, database_url, tmp_path, rotate_after=0) as all_providers:
        await all_providers.run(scenario)
        fetched = await all_providers.pool.fetch(
            "SELECT DISTINCT provider FROM provider_certificates ORDER BY provider"
        )
        assert [row["provider"] for row in fetched] == ["paypal", "wechat"]
