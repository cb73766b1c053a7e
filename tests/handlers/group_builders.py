"""Builders of groups of buyers: what must exist, the orders of a group, and its deadline."""

from typing import Any

from messages.orders import OrderCreate
from tests.handlers.builders import create
from tests.handlers.catalogue_builders import settings
from tests.handlers.harness import HandlerHarness

TEAM = "team-1"


async def ready(harness: HandlerHarness, size: int = 3, **policy: Any) -> HandlerHarness:
    """Have orders of the type group_buy bought in groups of this size, and stock for them."""
    await harness.fill_stock(100)
    await harness.handle(settings("group_buy", group_size=size, **policy), trusted=True)
    harness.events.clear()
    return harness


def joining(user_id: str, group_id: str | None = TEAM, *lines: tuple[str, int], **changes: Any) -> OrderCreate:
    """The order of a user who joins the group; two units of s1 unless lines are given."""
    fields: dict[str, Any] = {"request_id": f"{group_id}-{user_id}", "business_type": "group_buy"}
    return create(*(lines or (("s1", 2),)), user_id=user_id, group_id=group_id, **fields | changes)


async def let_end(harness: HandlerHarness) -> None:
    """Let the deadline of every group pass, and wake its timer."""
    await harness.pool.execute("UPDATE buying_groups SET deadline = now() - interval '1 s' WHERE state = 'open'")
    await harness.sweep("group")


async def group_state(harness: HandlerHarness, group_id: str = TEAM) -> str | None:
    state: str | None = await harness.pool.fetchval("SELECT state FROM buying_groups WHERE group_id = $1", group_id)
    return state
