"""The scenarios of orders that are handed over to a warehouse."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from messages.base import Message
from messages.fulfilments import (
    FulfilmentAccept,
    FulfilmentCancelAccepted,
    FulfilmentCancelRefused,
    FulfilmentFact,
    FulfilmentGet,
    FulfilmentHandOver,
    FulfilmentPack,
    FulfilmentPick,
    FulfilmentRefuse,
    FulfilmentReview,
)
from tests.e2e.scenarios import Arrange, creates, paid, per, plain, timers, unique
from tests.handlers.builders import cancel
from tests.handlers.catalogue_builders import hours, warehouses
from tests.handlers.harness import HandlerHarness
from workers import shop


async def requested(harness: HandlerHarness, n: int) -> list[int]:
    """Paid orders that are requested from a warehouse."""
    rules = shop.current()
    shop.configure(replace(rules, fulfilment_warehouses={"main": frozenset()}))
    ids = await paid(harness, n)
    harness.instructions.clear()
    shop.configure(rules)
    return ids


def report(kind: type[FulfilmentFact], key: int, **more: Any) -> FulfilmentFact:
    about: dict[str, Any] = {"warehouse": "main", "number": 1, "occurred_at": datetime.now(UTC)}
    return kind(order_id=key, **about | more)


async def accepted(harness: HandlerHarness, n: int) -> list[int]:
    ids = await requested(harness, n)
    await harness.handle(*(report(FulfilmentAccept, key) for key in ids))
    return ids


async def cancelling(harness: HandlerHarness, n: int) -> list[int]:
    ids = await accepted(harness, n)
    await harness.handle(*(cancel(key, unique()) for key in ids))
    return ids


async def overdue(harness: HandlerHarness, n: int) -> Sequence[Message]:
    return await timers(harness, await cancelling(harness, n), "cancelling")


async def sourced(harness: HandlerHarness, n: int) -> Sequence[Message]:
    """Orders of a SKU that the best warehouse of its list does not have."""
    await harness.handle(warehouses("east", "main", sku_id="s1"))
    return creates(n)


FULFILMENT: dict[str, Arrange] = {
    "warehouses.set": plain(lambda _: warehouses("main", sku_id=unique())),
    "warehouse_hours.set": plain(lambda _: hours("monday", warehouse=unique())),
    "order.create sourced": sourced,
    "fulfilment.review": per(paid, lambda key: FulfilmentReview(order_id=key)),
    "fulfilment.get": per(requested, lambda key: FulfilmentGet(
        request_id=unique(), order_id=key, warehouse="main")),
    "fulfilment.accept": per(requested, lambda key: report(FulfilmentAccept, key)),
    "fulfilment.refuse": per(requested, lambda key: report(FulfilmentRefuse, key, reason_code="closed")),
    "fulfilment.pick": per(requested, lambda key: report(FulfilmentPick, key)),
    "fulfilment.pack": per(requested, lambda key: report(FulfilmentPack, key)),
    "fulfilment.hand_over": per(requested, lambda key: report(FulfilmentHandOver, key)),
    "fulfilment.cancel_accepted": per(cancelling, lambda key: report(FulfilmentCancelAccepted, key, cancel_no=5)),
    "fulfilment.cancel_refused": per(cancelling, lambda key: report(
        FulfilmentCancelRefused, key, cancel_no=5, reason_code="packed")),
    "order.cancel fulfilling": per(accepted, lambda key: cancel(key, unique())),
    "timer.due cancelling": overdue,
}  # fmt: skip
