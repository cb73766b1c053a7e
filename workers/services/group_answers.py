"""Answers queries about groups of buyers."""

from collections.abc import Sequence
from typing import Any

from db.pool import Transaction
from messages.base import QueryRejected, Reply
from messages.envelope import Envelope
from messages.group_queries import GroupDescribed, GroupGet
from workers.domain.buying_groups import GroupOrder
from workers.domain.codes import Code
from workers.store import buying_groups

NOT_FOUND = QueryRejected(code=Code.GROUP_NOT_FOUND, message="there is no such group", path="$.group_id")


async def answer_about_groups(tx: Transaction, items: Sequence[Envelope[GroupGet]]) -> list[Reply]:
    """Answer each group.get, in order."""
    found = await buying_groups.described(tx, {item.body.group_id for item in items})
    orders = await buying_groups.orders_of(tx, [row["id"] for row in found.values()])
    return [_described(item.body, found.get(item.body.group_id), orders) for item in items]


def _described(body: GroupGet, row: Any | None, orders: dict[int, list[GroupOrder]]) -> Reply:
    if row is None:
        return NOT_FOUND
    seated = [order for order in orders.get(row["id"], ()) if order.seated]
    shown = () if body.actor.type == "user" else tuple(order.order_id for order in seated)
    fields = {name: row[name] for name in ("group_id", "state", "spu_id", "size", "deadline", "opened_at", "ended_at")}
    return GroupDescribed(**fields, seated=len(seated), paid=sum(order.paid for order in seated), order_ids=shown)
