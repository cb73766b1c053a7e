"""Answers the queries about archived orders. A batch takes a fixed number of statements, whatever it asks for."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from db.pool import Transaction
from messages.archived_orders import (
    PAGE_MAX_ARCHIVED,
    ArchivedLine,
    ArchivedOrderGet,
    ArchivedOrderList,
    ArchivedOrderShown,
    ArchivedOrdersListed,
    ArchivedOrderSummary,
)
from messages.base import Actor, QueryRejected, Reply
from messages.envelope import Envelope
from workers.domain.codes import Code
from workers.domain.order import State
from workers.domain.pages import FIRST, PageStart
from workers.services.answer_parts import money
from workers.services.list_pages import invalid, shown_of, size_of, start_of
from workers.store import archived_orders
from workers.store.archived_orders import ArchivedName, ArchivedOrder
from workers.store.exports import exact
from workers.views.keys import id_of

NOT_FOUND = QueryRejected(code=Code.ORDER_NOT_FOUND, message="there is no such archived order", path="$.order")
"""The same for an unknown order, another user's, and one that is not archived."""
ARCHIVED = QueryRejected(
    code=Code.ORDER_ARCHIVED,
    message="the order ended long ago and is archived: archived_order.get shows what is kept of it",
    path="$.order",
)


def _may_see(actor: Actor, found: ArchivedName) -> bool:
    return actor.type != "user" or actor.id == found.user_id


async def find(tx: Transaction, names: Iterable[str]) -> dict[str, ArchivedName]:
    """Name (id, number or UUID) -> the archived order that it means; names of none are missing."""
    return await archived_orders.find(tx, {name: id_of(name) for name in sorted(set(names))})


def why_unknown(
    actor: Actor, name: str, archived: Mapping[str, ArchivedName], otherwise: QueryRejected
) -> QueryRejected:
    """Reject a query about an order that the tables do not have: as archived, to whom may know it. No I/O."""
    found = archived.get(name)
    return ARCHIVED if found is not None and _may_see(actor, found) else otherwise


async def answer_archived(tx: Transaction, items: Sequence[Envelope[ArchivedOrderGet]]) -> list[Reply]:
    """Answer each archived_order.get, in order."""
    names = await find(tx, [item.body.order for item in items])
    orders = await archived_orders.read(tx, [found.id for found in names.values()])
    return [_answer(item.body, names.get(item.body.order), orders) for item in items]


def _answer(body: ArchivedOrderGet, found: ArchivedName | None, orders: Mapping[int, ArchivedOrder]) -> Reply:
    if found is None or not _may_see(body.actor, found):
        return NOT_FOUND
    order = orders[found.id]
    return ArchivedOrderShown(
        order=summary(order),
        lines=tuple(_line(row) for row in order.document["items"] or ()),
        document=None if body.actor.type == "user" else exact(dict(order.document)),
    )


async def answer_archive_lists(tx: Transaction, items: Sequence[Envelope[ArchivedOrderList]]) -> list[Reply]:
    """Answer each archived_order.list, in order. All pages take one statement."""
    starts = [_start(item.body) for item in items]
    pages = [
        (item.body.user_id, start.id, size_of(item.body), item.body.actor.type != "user")
        for item, start in zip(items, starts, strict=True)
        if isinstance(start, PageStart)
    ]
    found = iter(await archived_orders.of_users(tx, pages))
    return [
        start if isinstance(start, QueryRejected) else _listed(item.body, next(found))
        for item, start in zip(items, starts, strict=True)
    ]


def _start(body: ArchivedOrderList) -> PageStart | QueryRejected:
    if not 1 <= body.limit <= PAGE_MAX_ARCHIVED:
        return invalid("limit", f"a page has 1 to {PAGE_MAX_ARCHIVED} orders")
    return start_of(body, FIRST)


def _listed(body: ArchivedOrderList, orders: Sequence[ArchivedOrder]) -> ArchivedOrdersListed:
    shown, cursor = shown_of(body, orders, lambda order: PageStart(order.archived_at, order.id))
    return ArchivedOrdersListed(user_id=body.user_id, orders=tuple(map(summary, shown)), next_cursor=cursor)


def summary(order: ArchivedOrder) -> ArchivedOrderSummary:
    """Return how an archived order ended. No I/O."""
    row = order.document
    currency, state = row["currency"], State(row["state"])
    return ArchivedOrderSummary(
        order_id=order.id,
        parent_id=row["parent_id"],
        order_no=row["order_no"],
        user_id=row["user_id"],
        state=state.value,
        payable=money(row["payable_amount"], currency),
        captured=money(row["captured_amount"], currency),
        refunded=money(row["refunded_amount"], currency),
        created_at=_time(row["created_at"]),
        paid_at=_time(row["paid_at"]) if row["paid_at"] else None,
        ended_at=_time(row["cancelled_at" if state is State.CANCELLED else "completed_at"] or row["updated_at"]),
        archived_at=order.archived_at,
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _line(row: Mapping[str, Any]) -> ArchivedLine:
    same = {name: row[name] for name in ("line_no", "sku_id", "name", "qty", "unit_price", "refunded_qty")}
    return ArchivedLine(**same, payable=row["payable_amount"], refunded=row["refunded_amount"])
