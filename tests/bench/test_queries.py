"""Queries beside new orders: both loads run at once, and the figures are those of their waits."""

import asyncio
import time
from typing import Any

import orjson
import pytest

from messages.registry import MODELS
from tests.bench import queries
from tests.bench.queries import Reading, cuts


class FakeShop:
    """Creates an order after 10 ms."""

    def __init__(self) -> None:
        self.created: list[float] = []

    async def create(self, body: bytes) -> tuple[float, dict[str, Any]]:
        self.created.append(time.perf_counter())
        await asyncio.sleep(0.01)
        return 0.01, {"order_id": str(len(self.created)), "user_id": body.decode()}


class FakeSite:
    """Answers a query after 5 ms."""

    def __init__(self) -> None:
        self.put_for: set[str] = set()

    async def put(self, _kind: str, _order_id: str, user: str) -> float:
        self.put_for.add(user)
        await asyncio.sleep(0.005)
        return 0.005


@pytest.mark.parametrize("per_second", [0.0, 40.0])
async def test_queries_run_beside_as_many_orders_as_wanted(per_second: float) -> None:
    shop, site = FakeShop(), FakeSite()
    reading = Reading(shop, site, iter([b"new"] * 100), [("0", "old")])  # type: ignore[arg-type]
    run = await reading.run("order.get", per_second, 0.5, 2)
    assert (run.orders, len(shop.created)) == (int(per_second / 2), int(per_second / 2))
    assert run.questions_per_second > 20
    assert run.p50_ms == pytest.approx(5, abs=0.1)
    assert site.put_for == ({"old", "new"} if per_second else {"old"})


@pytest.mark.parametrize("kind", queries.KINDS)
def test_every_question_is_one_that_a_buyer_may_put(kind: str) -> None:
    body = queries.KINDS[kind]("379226153377300480", "u") | {"actor": {"type": "user", "id": "u"}}
    assert MODELS[f"{kind}.v1"].model_validate_json(orjson.dumps(body))


def test_without_waits_there_are_no_percentiles() -> None:
    assert cuts([]) == (0.0, 0.0)
    assert cuts([0.01, 0.01, 0.01]) == (10.0, 10.0)
