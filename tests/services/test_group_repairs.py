"""A repair finds what was lost between a group of buyers and its orders."""

import pytest

from db.pool import Pool
from tests.handlers.group_builders import group_state, joining, let_end, ready
from tests.services.lossy_harness import open_lossy

LOST = {
    "group.paid.v1": (True, ["group.paid"], ["paid", "paid"]),
    "order.group_formed.v1": (True, ["order.group_formed"] * 2, ["paid", "paid"]),
    "order.group_failed.v1": (False, ["order.group_failed"] * 2, ["cancelled", "cancelled"]),
}
"""The message that is lost: whether all have paid, what is owed then, and the orders after the repair."""


@pytest.mark.parametrize("lost", LOST)
async def test_a_lost_message_of_a_group_is_owed_and_announced_again(pool: Pool, lost: str) -> None:
    harness, (full, owed, states) = await open_lossy(pool), LOST[lost]
    await ready(harness, size=2)
    ids = [await harness.create_order(joining(name)) for name in ("a", "b")]
    harness.loses = frozenset({lost})
    for order_id in ids if full else ids[:1]:
        await harness.pay(order_id)
    if not full:
        assert await harness.plan() == [], "an open group that lacks a payment owes nothing"
        await let_end(harness)
    assert await harness.plan(grace_seconds=60) == []
    assert await harness.plan() == owed
    assert await harness.repair(ids[1]) == owed[:1], "any order of a group leads to what the group is owed"
    await harness.repair(*ids)
    assert (await harness.plan(), await harness.violations(), await harness.states()) == ([], [], states)


async def test_an_open_group_without_its_timer_gets_it_again(pool: Pool) -> None:
    harness = await open_lossy(pool)
    await ready(harness, size=2)
    order_id = await harness.create_order(joining("a"))
    [(key, due_at)] = await harness.rows("DELETE FROM timers WHERE kind = 'group' RETURNING key, due_at")
    assert await harness.repair(order_id) == [f"timer group {key}"]
    assert await harness.rows("SELECT due_at FROM timers WHERE kind = 'group'") == [(due_at,)]
    assert await group_state(harness) == "open"
