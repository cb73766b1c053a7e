"""Every order in which two buyers join, pay and cancel and the deadline passes: all goods go out and all money stays,
or none of either (S1-50).
"""

from collections.abc import Iterator, Sequence

import pytest

from messages.base import Message
from messages.buying_groups import GroupDue
from tests.handlers.builders import cancel, captured, receive, user
from tests.handlers.group_builders import joining, let_end, ready
from tests.handlers.harness import HandlerHarness

LINES = (("join a", "pay a", "cancel a"), ("join b", "pay b"), ("deadline",))
SLOW = ["group.paid.v1", "order.group_formed.v1", "order.group_failed.v1"]
"""The messages between a group and its orders."""
PRICE = 1000


def interleavings(lines: Sequence[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """Every order of the actions that keeps each line in its own order."""
    if not any(lines):
        yield ()
    for place, line in enumerate(lines):
        if line:
            for rest in interleavings([*lines[:place], line[1:], *lines[place + 1 :]]):
                yield (line[0], *rest)


def forms(actions: Sequence[str], late: bool) -> bool:
    """True if both are paid and not cancelled when somebody looks, before the deadline or at it.

    Somebody looks after each payment, or, if messages come late, at the deadline. A group that nobody has joined has
    none yet: it gets one with its first order, far away.
    """
    until = len(actions) if actions[0] == "deadline" else actions.index("deadline")
    seen = actions[:until]
    if not {"pay a", "pay b"} <= set(seen):
        return False
    return "cancel a" not in (seen if late else seen[: max(map(seen.index, ("pay a", "pay b")))])


async def orders_of(harness: HandlerHarness) -> dict[tuple[str, str], int]:
    rows = await harness.rows(
        "SELECT g.group_id, o.user_id, o.id FROM buying_groups g JOIN buying_group_orders m ON m.group_key = g.id"
        " JOIN orders o ON o.id = m.order_id"
    )
    return {(group_id, user_id): order_id for group_id, user_id, order_id in rows}


async def deliver(harness: HandlerHarness, late: Sequence[str]) -> None:
    """Deliver what the handlers announced, but for messages of the types that come late."""
    while rows := await harness.pool.fetch("DELETE FROM outbox WHERE type <> ALL($1) RETURNING *", late):
        for row in sorted(rows, key=lambda row: row["id"]):
            await harness.relay_row(row)


async def pass_deadlines(harness: HandlerHarness, groups: Sequence[str]) -> list[Message]:
    await harness.mark_progress()
    rows = await harness.pool.fetch(
        "UPDATE buying_groups SET deadline = now() - interval '1 ms' WHERE group_id = ANY($1) RETURNING id", groups
    )
    return [GroupDue(key=row["id"]) for row in rows]


async def act(harness: HandlerHarness, action: str, groups: Sequence[str]) -> None:
    """Do one thing in each of these groups, as one batch. What has no order yet is left out."""
    verb, _, name = action.partition(" ")
    orders = [
        order_id for (group, who), order_id in (await orders_of(harness)).items() if group in groups and who == name
    ]
    wanted: list[Message] = []
    match verb:
        case "join":
            wanted += [joining(name, group) for group in groups]
        case "pay":
            wanted += [captured(order_id, PRICE, f"t-{order_id}") for order_id in orders]
        case "cancel":
            wanted += [cancel(order_id, f"x-{order_id}", actor=user(name)) for order_id in orders]
        case "deadline":
            wanted += await pass_deadlines(harness, groups)
    if wanted:
        await harness.handle_batch([harness.envelope(body, trusted=verb == "pay") for body in wanted])


@pytest.mark.parametrize("late", [[], SLOW], ids=["at once", "late"])
async def test_whatever_comes_first_a_group_is_all_or_none(harness: HandlerHarness, late: list[str]) -> None:
    await ready(harness, size=2)
    await harness.handle(receive("s1", 1000, "note-2"))
    cases = {f"team-{number}": actions for number, actions in enumerate(interleavings(LINES))}
    assert len(cases) == 60
    for step in range(sum(map(len, LINES))):
        for action in sorted({actions[step] for actions in cases.values()}):
            await act(harness, action, [group for group, actions in cases.items() if actions[step] == action])
            await deliver(harness, late)
    await harness.relay()
    await let_end(harness)

    formed = {row[0] for row in await harness.rows("SELECT group_id FROM buying_groups WHERE state = 'formed'")}
    assert formed == {group for group, actions in cases.items() if forms(actions, bool(late))}
    assert await harness.rows("SELECT group_id FROM buying_groups WHERE state = 'open'") == []
    kept = await harness.rows(
        "SELECT g.group_id, g.state, o.state, o.held, o.captured_amount - coalesce((SELECT sum(r.amount)::bigint"
        " FROM refunds r WHERE r.order_id = o.id), 0) FROM buying_groups g"
        " JOIN buying_group_orders m ON m.group_key = g.id JOIN orders o ON o.id = m.order_id"
    )
    sound = {("formed", "paid", False, PRICE), ("formed", "cancelled", False, 0), ("failed", "cancelled", False, 0)}
    assert {tuple(row[1:]) for row in kept} == sound
