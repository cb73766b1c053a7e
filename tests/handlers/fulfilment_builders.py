"""Builders for tests of hand-overs: what warehouses report, and their instructions."""

from datetime import UTC, datetime
from typing import Any

from messages.fulfilments import FulfilmentFact
from tests.handlers.harness import HandlerHarness


def fact(kind: type[FulfilmentFact], order_id: int, number: int = 1, warehouse: str = "main", **more: Any) -> Any:
    return kind(order_id=order_id, warehouse=warehouse, number=number, occurred_at=datetime.now(UTC), **more)


def instructions(harness: HandlerHarness) -> list[tuple[str, str, int]]:
    """(what, warehouse, number) of every instruction."""
    return [(m.routing_key().partition(".")[2], m.warehouse, m.number) for m in harness.instructions]  # type: ignore[attr-defined]


def cancel_no(harness: HandlerHarness) -> int:
    return int(harness.instructions[-1].cancel_no)  # type: ignore[attr-defined]


async def hand_overs(harness: HandlerHarness) -> list[tuple[Any, ...]]:
    return await harness.rows("SELECT warehouse, state, number FROM fulfilments ORDER BY warehouse")
