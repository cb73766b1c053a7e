"""Two cells side by side: two databases, two sets of queues on one broker, and one entry for everybody outside."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from db.pool import Pool, open_pool
from messages.cells import Cell, parse_cells
from messages.user_shards import shard_of_id, shard_of_user
from outbox import declare
from scripts.commands import cell_entry
from scripts.commands.cell_audit import cross_checks
from scripts.servers.find import Servers
from tests.broker import TIERS_SECONDS, Broker, new_broker
from tests.e2e.audited import audited
from tests.e2e.upstream import Upstream, running_system, states, wait_for_value

CELLS: dict[str, frozenset[int]] = parse_cells("a:0-31,b:32-63")
OWNER = Cell("a", CELLS).owners
USERS = [f"u{number}" for number in range(12)]
OPERATOR = {"type": "operator", "id": "ops-7"}


@pytest.fixture
def entered_broker(servers: Servers) -> Iterator[Broker]:
    """A virtual host whose users are those of a shop with two cells."""
    vhost = f"test-{secrets.token_hex(6)}"
    prefix = "oms" if servers.broker.management_url else f"oms{secrets.token_hex(4)}"
    yield new_broker(servers, vhost, prefix, CELLS)
    servers.broker.drop_vhost(vhost)


@pytest.fixture
def cell_urls(servers: Servers, database_template: str) -> Iterator[dict[str, str]]:
    """Cell -> the URL of its database, in which all invariants hold after the test."""
    names = {cell: f"test_{secrets.token_hex(6)}" for cell in CELLS}
    urls = {cell: servers.postgres.new_database(name, template=database_template) for cell, name in names.items()}
    lent = [audited(url) for url in urls.values()]
    for one in lent:
        next(one)
    yield urls
    for one in lent:
        assert next(one, None) is None
    for name in names.values():
        servers.postgres.drop_database(name)


@pytest.fixture
async def cell_pools(cell_urls: dict[str, str]) -> AsyncIterator[dict[str, Pool]]:
    pools = {cell: await open_pool(url, application_name="tests", max_size=2) for cell, url in cell_urls.items()}
    yield pools
    for pool in pools.values():
        pool.terminate()


def shard_header(number: int, shard: int) -> dict[str, Any]:
    """Every other publisher names the shard; what the others send is handed on if it comes to the wrong cell."""
    return {"headers": {"shard": str(shard)}} if number % 2 else {}


async def set_up(shop: Upstream) -> None:
    """One product for every cell, and stock for each."""
    sku = {"sku_id": "s1", "revision": 1, "spu_id": "s1", "name": "Tea", "status": "on_sale", "price": 500}
    await shop.publish("sku.upsert", sku | {"currency": "CNY"})
    delivered = {"ref": "note-1", "sku_id": "s1", "warehouse": "main", "qty": 100}
    for cell in CELLS:
        await shop.publish("stock.receive", delivered, headers={"cell": cell})
    await shop.wait_for_events("sku.changed", len(CELLS))
    await shop.wait_for_events("stock.received", len(CELLS))


async def test_every_order_is_in_the_cell_of_its_user_and_all_that_follows_reaches_it(
    entered_broker: Broker, cell_urls: dict[str, str], cell_pools: dict[str, Pool]
) -> None:
    topology_url, names = entered_broker["topology"], entered_broker.names
    for cell in CELLS:
        assert await cell_entry.declare_entry(topology_url, names.prefix, CELLS) is None, "a cell has no queues yet"
        await declare.declare(topology_url, names.of_cell(cell), TIERS_SECONDS)
    for _ in range(2):
        assert await cell_entry.declare_entry(topology_url, names.prefix, CELLS)
    async with AsyncExitStack() as stack:
        for cell, url in cell_urls.items():
            about: dict[str, Any] = {"cells": CELLS, "cell": cell, "payment_window_seconds": 1800}
            await stack.enter_async_context(running_system(entered_broker, url, **about))
        shop = await stack.enter_async_context(Upstream.connect(entered_broker))
        operator = await stack.enter_async_context(Upstream.connect(entered_broker, "operator"))
        await set_up(shop)

        placed: dict[str, dict[str, Any]] = {}
        for number, user in enumerate(USERS):
            await place(shop, user, number)
        for event in await shop.wait_for_events("order.created", len(USERS)):
            placed[event["user_id"]] = event
        for number, (user, order) in enumerate(placed.items()):
            about = shard_header(number // 2, shard_of_id(int(order["order_id"])))
            await (pay if number % 3 else cancel)(shop, user, order, about)
        paid = [user for number, user in enumerate(placed) if number % 3]
        await shop.wait_for_events("order.paid", len(paid))
        await shop.wait_for_events("order.cancelled", len(USERS) - len(paid))

        by_cell = {cell: [user for user in USERS if OWNER[shard_of_user(user)] == cell] for cell in CELLS}
        assert all(len(users) > 2 for users in by_cell.values())
        for cell, users in by_cell.items():
            found = await cell_pools[cell].fetch("SELECT user_id FROM orders ORDER BY user_id")
            assert [row["user_id"] for row in found] == sorted(users)
            assert (await states(cell_pools[cell])).get("paid", 0) == len(set(users) & set(paid))
        await ask_by_number(shop, placed)
        await refuse_what_leads_to_no_cell_or_to_two(shop, operator, placed, by_cell)
        for pool in cell_pools.values():
            await wait_for_value(pool, "SELECT count(*) FROM outbox", 0)
    async with AsyncExitStack() as stack:
        connections = {cell: await stack.enter_async_context(pool.acquire()) for cell, pool in cell_pools.items()}
        assert [one for one in await cross_checks(connections, CELLS) if one.violations] == []
        swapped = dict(zip(CELLS, reversed(connections.values()), strict=True))
        broken = {one.invariant: one.violations for one in await cross_checks(swapped, CELLS)}
        assert broken["orders are in the cell of their user"] == len(USERS)


async def place(shop: Upstream, user: str, number: int) -> None:
    """Place an order; its sender names the shard, or not, or a wrong one."""
    address = {"receiver": "Wang Fang", "phone": "13812345678", "country": "CN", "detail": "Nanjing Road 1"}
    body: dict[str, Any] = {
        "request_id": f"r-{user}",
        "actor": {"type": "user", "id": user},
        "user_id": user,
        "channel": "pc",
    }
    body |= {"currency": "CNY", "items": [{"sku_id": "s1", "qty": 1}], "address": address, "expected_pay_amount": 500}
    shard = shard_of_user(user) if number % 4 else (shard_of_user(user) + 32) % 64
    await shop.publish("order.create", body, **shard_header(number % 3 or 1, shard))


async def pay(shop: Upstream, user: str, order: dict[str, Any], about: dict[str, Any]) -> None:
    fact = {"order_id": order["order_id"], "provider": "alipay", "trade_no": f"t-{user}", "kind": "captured"}
    fact |= {"amount": 500, "currency": "CNY", "occurred_at": "2026-11-30T00:00:00Z"}
    await shop.publish("payment.result", fact, **about)


async def cancel(shop: Upstream, user: str, order: dict[str, Any], about: dict[str, Any]) -> None:
    body = {"request_id": f"c-{user}", "actor": {"type": "user", "id": user}, "order_id": order["order_id"]}
    await shop.publish("order.cancel", body, **about)


async def ask_by_number(shop: Upstream, placed: dict[str, dict[str, Any]]) -> None:
    """Ask for each order by its number alone, of whichever cell."""
    queries = [
        shop.ask("order.get", {"actor": {"type": "user", "id": user}, "order": order["order_no"]})
        for user, order in placed.items()
    ]
    answers = await asyncio.gather(*queries)
    assert {answer["answer"] for answer in answers} == {"order.described.v1"}


async def refuse_what_leads_to_no_cell_or_to_two(
    shop: Upstream, operator: Upstream, placed: dict[str, dict[str, Any]], by_cell: dict[str, list[str]]
) -> None:
    """Neither is half handled: nothing is received, nothing is deleted."""
    await shop.publish("stock.receive", {"ref": "note-2", "sku_id": "s1", "warehouse": "main", "qty": 1})
    several = [placed[users[0]]["order_id"] for users in by_cell.values()]
    await operator.publish("order.delete", {"request_id": "d1", "actor": OPERATOR, "order_ids": several})
    refused = await shop.wait_for_events("command.rejected", 2)
    assert {event["details"]["error"] for event in refused} == {"wrong_cell"}
    assert any("name its cell in the header cell, a or b" in event["message"] for event in refused)
    answer = await operator.ask("order.stuck", {"actor": OPERATOR})
    assert (answer["answer"], answer["code"]) == ("query.rejected.v1", "QUERY_INVALID")
