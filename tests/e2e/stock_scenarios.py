"""Stock: what must exist before n messages of each kind make sense, and the messages."""

from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import uuid4

from messages.base import Message
from messages.stock import (
    StockAdjust,
    StockCommit,
    StockLine,
    StockRelease,
    StockReserve,
    StockRestock,
    StockThresholdSet,
)
from tests.e2e.scenarios import Arrange, per, plain, unique
from tests.handlers.builders import receive, transfer
from tests.handlers.harness import HandlerHarness


def reserves(n: int) -> list[Message]:
    deadline = datetime.now(UTC) + timedelta(hours=1)
    keys = [uuid4().int % 2**60 + 1 for _ in range(n)]
    return [
        StockReserve(
            group_id=key,
            deadline=deadline,
            lines=(
                StockLine(holder_id=key, sku_id="s1", warehouse="main", qty=1),
                StockLine(holder_id=key, sku_id="s2", warehouse="main", qty=1),
            ),
        )
        for key in keys
    ]


async def held(harness: HandlerHarness, n: int) -> list[int]:
    bodies = reserves(n)
    await harness.handle_batch([harness.envelope(body) for body in bodies])
    await harness.pool.execute("DELETE FROM outbox")
    return [cast(StockReserve, body).group_id for body in bodies]


async def committed(harness: HandlerHarness, n: int) -> list[int]:
    keys = await held(harness, n)
    await harness.handle_batch([harness.envelope(StockCommit(holder_id=key)) for key in keys])
    return keys


def threshold(units: int) -> StockThresholdSet:
    return StockThresholdSet(request_id=unique(), sku_id="s1", warehouse="main", units=units)


def adjust(delta: int) -> StockAdjust:
    return StockAdjust(request_id=unique(), sku_id="s1", warehouse="main", delta=delta, reason="counted")


STOCK: dict[str, Arrange] = {
    "stock.reserve": plain(lambda _: reserves(1)[0]),
    "stock.commit": per(held, lambda key: StockCommit(holder_id=key)),
    "stock.release": per(held, lambda key: StockRelease(holder_id=key)),
    "stock.restock": per(committed, lambda key: StockRestock(holder_id=key, ref="cancel")),
    "stock.receive": plain(lambda _: receive("s1", 1, ref=unique())),
    "stock.transfer": plain(lambda _: transfer(("s1", 1), request_id=unique())),
    "stock.threshold.set": plain(threshold),
    "stock.adjust": plain(lambda _: adjust(1)),
}
