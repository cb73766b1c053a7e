"""The prefetch of a route."""

from typing import Any

import pytest

from db.pool import Transaction
from workers.runtime.batch import Batch
from workers.runtime.route import PREFETCH_PACKS, RawRoute, Route


async def nothing(tx: Transaction, batch: Batch[Any]) -> None: ...


TABLE = [
    ("two batches: one commits while the next collects", Route("order-changes", nothing, batch_max_items=50), 100),
    ("a few messages where each may be a batch of items", Route("stock", nothing), PREFETCH_PACKS),
    ("a dead letter queue holds single messages", RawRoute("stock.dlq", nothing, batch_max_items=50), 100),
    ("what the route says", Route("stock", nothing, prefetch_messages=3), 3),
]


@pytest.mark.parametrize(("case", "route", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_prefetch(case: str, route: Route, expected: int) -> None:
    assert route.prefetch == expected
