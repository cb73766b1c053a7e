"""Groups of buyers: what must exist before n messages of each kind make sense, and the messages."""

from messages.base import Message
from messages.buying_groups import GroupDue, GroupPaid, OrderGroupFailed, OrderGroupFormed
from tests.e2e.scenarios import REVISIONS, Arrange, per, unique
from tests.handlers.builders import captured
from tests.handlers.catalogue_builders import settings
from tests.handlers.group_builders import joining
from tests.handlers.harness import HandlerHarness

PRICE = 1000


async def forming(harness: HandlerHarness, n: int) -> list[str]:
    """The ids of so many groups of two that nobody has joined."""
    await harness.handle(settings("group_buy", revision=next(REVISIONS), group_size=2), trusted=True)
    return [unique() for _ in range(n)]


async def openings(harness: HandlerHarness, n: int) -> list[Message]:
    return [joining("a", group_id) for group_id in await forming(harness, n)]


async def half_paid(harness: HandlerHarness, n: int) -> list[int]:
    """The unpaid order of each of so many groups, whose other order is paid."""
    harness.events.clear()
    groups = await forming(harness, n)
    for user_id in ("a", "b"):
        await harness.handle(*(joining(user_id, group_id) for group_id in groups))
    keys = [int(event["order_id"]) for event in harness.events_of("order.created")]
    await harness.handle(*(captured(key, PRICE, f"t{key}") for key in keys[:n]), trusted=True)
    return keys[n:]


async def of_orders(harness: HandlerHarness, order_ids: list[int]) -> list[int]:
    query = "SELECT group_key FROM buying_group_orders WHERE order_id = ANY ($1)"
    return [row[0] for row in await harness.rows(query, order_ids)]


async def full(harness: HandlerHarness, n: int) -> list[int]:
    """The keys of groups that are paid and do not know it yet."""
    keys = await half_paid(harness, n)
    await harness.handle_batch([harness.envelope(captured(key, PRICE, f"t{key}"), trusted=True) for key in keys])
    await harness.pool.execute("DELETE FROM outbox")
    return await of_orders(harness, keys)


async def overdue(harness: HandlerHarness, n: int) -> list[int]:
    keys = await of_orders(harness, await half_paid(harness, n))
    await harness.pool.execute("UPDATE buying_groups SET deadline = now() WHERE state = 'open'")
    await harness.mark_progress()
    return keys


async def held_for_groups(harness: HandlerHarness, n: int) -> list[int]:
    await half_paid(harness, n)
    return [row[0] for row in await harness.rows("SELECT id FROM orders WHERE held ORDER BY id DESC LIMIT $1", n)]


async def held_by_formed_groups(harness: HandlerHarness, n: int) -> list[int]:
    """The orders that groups still hold which have formed."""
    order_ids = await held_for_groups(harness, n)
    keys = await of_orders(harness, order_ids)
    await harness.pool.execute("DELETE FROM timers WHERE kind = 'group' AND key = ANY ($1)", keys)
    ends = "UPDATE buying_groups SET state = 'formed', ended_at = now() WHERE id = ANY ($1)"
    await harness.pool.execute(ends, keys)
    return order_ids


GROUPS: dict[str, Arrange] = {
    "order.create of a group": openings,
    "payment.result of a group": per(half_paid, lambda key: captured(key, PRICE, f"t{key}")),
    "group.paid": per(full, lambda key: GroupPaid(key=key)),
    "group.due": per(overdue, lambda key: GroupDue(key=key)),
    "order.group_formed": per(held_by_formed_groups, lambda key: OrderGroupFormed(order_id=key)),
    "order.group_failed": per(held_for_groups, lambda key: OrderGroupFailed(order_id=key)),
}
