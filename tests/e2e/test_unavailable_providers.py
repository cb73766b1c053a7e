"""Providers that are away, or that change their keys: it concerns nobody else, and ends by itself."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from tests.conftest import Broker
from tests.e2e.all_providers import ALL, Market, open_market
from tests.e2e.provider_harness import Counter, Sale
from tests.e2e.upstream import until

PAIRS = [("wechat", "paypal"), ("alipay", "unionpay")]


@pytest.mark.parametrize("away", PAIRS)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_provider_that_is_away_keeps_only_its_own_calls_waiting(market: Market, away: tuple[str, ...]) -> None:
    there = [name for name in ALL if name not in away]
    sales: list[Sale] = []

    async def cancel_while_away(counter: Counter) -> None:
        sale = await counter.bought()
        await counter.gateway.close()
        await sale.cancel()
        await until(lambda: waits(counter.name), f"{counter.name} to wait")
        sales.append(sale)

    async def as_ever(counter: Counter) -> None:
        sale = await counter.bought()
        await sale.cancel()
        await sale.refunded()

    async def back(counter: Counter) -> None:
        await counter.gateway.start(int(counter.gateway.origin.rpartition(":")[2]))

    await market.at(away, cancel_while_away)
    await market.at(there, as_ever)
    for sale in sales:
        await sale.refund_is("requested")
        assert waits(sale.counter.name)
    await market.at(away, back)
    await asyncio.gather(*(sale.refunded() for sale in sales))
    await market.clean()


def waits(provider: str) -> bool:
    """Whether the worker of its calls is paused."""
    return REGISTRY.get_sample_value("oms_consumer_paused", {"queue": f"provider-calls.{provider}"}) == 1


async def test_a_certificate_that_is_not_known_is_fetched_and_believed(
    declared_broker: Broker, database_url: str, tmp_path: Path
) -> None:
    """From the first notification on, all are signed with a second key; WeChat Pay's answers soon are, too."""

    async def scenario(counter: Counter) -> None:
        sale = await counter.bought()
        await sale.cancel()
        await sale.refunded()
        counter.behaves(untold=1.0)
        sale = await counter.sale()
        await sale.pay(await sale.start())
        await sale.captured("kept", asking=True)

    async with open_market(declared_broker, database_url, tmp_path, rotate_after=0) as market:
        await market.everywhere(scenario)
        fetched = await market.pool.fetch("SELECT DISTINCT provider FROM provider_certificates ORDER BY provider")
        assert [row["provider"] for row in fetched] == ["paypal", "wechat"]
