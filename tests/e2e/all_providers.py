"""The running system with the gateways of all providers, and a check that all books agree in the end.

`run` gives each provider the same scenario at the same time and then asserts that the books agree.
"""

import asyncio
from collections import Counter as Sums
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp

from db.pool import Pool, open_pool
from scripts.commands.audit import check
from scripts.gateways.edge import Edge, broker_client
from scripts.gateways.startup import GATEWAYS, run_gateways
from tests.broker import Broker
from tests.e2e.provider_harness import PRICE, SCENES, ProviderHarness
from tests.e2e.system import wait_until
from tests.e2e.upstream import Upstream, running_system
from tests.scripts.gateways.merchant import QUICK, keys
from workers import providers
from workers.providers.configuration import make

ALL = tuple(SCENES)
Scenario: TypeAlias = Callable[[ProviderHarness], Awaitable[None]]


@dataclass
class AllProviders:
    """The harness of each provider, by name."""

    providers: dict[str, ProviderHarness]
    pool: Pool

    async def run(self, scenario: Scenario, names: Sequence[str] = ALL, **habits: float) -> None:
        """Run a scenario at these providers at the same time; afterwards all books agree and no message is left."""
        await self.run_at(names, scenario, **habits)
        await self.assert_books_agree()

    async def run_at(self, names: Sequence[str], scenario: Scenario, **habits: float) -> None:
        """Run a scenario at these providers at the same time."""
        chosen = [self.providers[name] for name in names]
        for provider in chosen:
            provider.set_habits(**habits)
        try:
            found = await asyncio.gather(*(scenario(provider) for provider in chosen), return_exceptions=True)
        finally:
            for provider in chosen:
                provider.set_habits()
        wrong = [_noted(error, name) for error, name in zip(found, names, strict=True) if error is not None]
        if wrong:
            raise BaseExceptionGroup("providers", wrong)

    async def assert_books_agree(self) -> None:
        """Wait until the audit is clean; then no message is dead and the gateways' books equal ours."""
        findings: list[Any] = []

        async def look() -> bool:
            async with self.pool.acquire() as tx:
                findings[:] = [finding for finding in await check(tx, drained=True) if finding.violations]
            waiting = await self.pool.fetchval("SELECT count(*) FROM unpublished")
            return not (findings or waiting)

        try:
            await wait_until(look, "a clean audit")
        finally:
            assert findings == [], findings
        dead = await self.pool.fetch("SELECT queue, type, reason, error_message FROM dead_letters")
        assert dead == [], dead
        captures = await self.pool.fetch(
            """SELECT f.*, a.out_trade_no FROM payment_facts f LEFT JOIN payment_attempts a USING (provider, trade_no)
               WHERE f.kind = 'captured'"""
        )
        refunds = await self.pool.fetch(
            """SELECT order_id, provider, coalesce(provider_no, refund_no) AS refund_no, trade_no, amount, currency
               FROM refunds WHERE state = 'succeeded'"""
        )
        for provider in self.providers.values():
            await provider.assert_balances(captures, refunds)
        left = Sums[int]()
        for row in captures:
            left[row["order_id"]] += row["amount"]
        for row in refunds:
            left[row["order_id"]] -= row["amount"]
        orders = await self.pool.fetch("SELECT id, captured_amount - refunded_amount AS left FROM orders")
        wrong = {row["id"]: (row["left"], left[row["id"]]) for row in orders if row["left"] != left[row["id"]]}
        assert wrong == {}, wrong


def _noted(error: BaseException, name: str) -> BaseException:
    error.add_note(f"at {name}")
    return error


@asynccontextmanager
async def running_providers(
    broker: Broker, database_url: str, folder: Path, *, timeout_seconds: float = 10.0, **about: Any
) -> AsyncIterator[AllProviders]:
    """Run the system and the gateways until the block ends; `about` configures the gateways."""
    link = broker_client(broker["payments"], broker.names.prefix)
    linking = asyncio.create_task(link.run())
    edge = Edge(link.send)
    await edge.start()
    kinds: dict[str, Any] = dict(GATEWAYS)
    gateways = [
        kinds[name](f"{edge.origin}/notify/{name}", keys=keys(name), time_factor=QUICK, **about) for name in ALL
    ]
    pool = await open_pool(database_url, application_name="tests", max_size=4)
    try:
        async with run_gateways(gateways, folder) as environment, aiohttp.ClientSession() as client:
            made = {name: make(name, environment[f"OMS_{name.upper()}"]) for name in ALL}
            providers.configure(made, timeout_seconds)
            async with (
                running_system(
                    broker, database_url, payment_window_seconds=1800
                ),  # longer than any test, so no timer fires
                Upstream.connect(broker) as shop,
                Upstream.connect(broker, "operator") as operator,
            ):
                await _stocked(shop)
                yield AllProviders(
                    {
                        gateway.name: ProviderHarness(gateway.name, gateway, shop, operator, client, pool, edge.origin)
                        for gateway in gateways
                    },
                    pool,
                )
    finally:
        await providers.close()
        providers.configure({})
        await edge.close()
        linking.cancel()
        await asyncio.gather(linking, return_exceptions=True)
        pool.terminate()


async def _stocked(shop: Upstream) -> None:
    for currency in ("CNY", "USD"):
        sku = f"s-{currency}"
        await shop.publish(
            "sku.upsert",
            {
                "sku_id": sku,
                "revision": 1,
                "spu_id": sku,
                "name": sku,
                "status": "on_sale",
                "price": PRICE,
                "currency": currency,
            },
        )
        await shop.publish("stock.receive", {"ref": "note-1", "sku_id": sku, "warehouse": "main", "qty": 1000})
    await shop.wait_for_events("sku.changed", 2)
    await shop.wait_for_events("stock.received", 2)


@asynccontextmanager
async def short_timeout(seconds: float) -> AsyncIterator[None]:
    """Limit calls to providers to this many seconds while the block runs. No call is open at its start and end."""
    configured = providers.configured()
    await providers.close()
    providers.configure(configured, seconds)
    try:
        yield
    finally:
        await providers.close()
        providers.configure(configured)
