"""Answers queries for pages of orders. Pages of one kind are found with one statement, whatever their number."""

from collections.abc import Mapping, Sequence
from typing import Any

from db.pool import Transaction
from messages.base import QueryRejected, Reply
from messages.envelope import Envelope
from messages.order_queries import PAGE_MAX_ORDERS, OrderList, OrderListed, OrderSummary
from workers.domain.ids import least_id
from workers.domain.order import State
from workers.domain.pages import FIRST, PageStart
from workers.services.answer_parts import money
from workers.services.list_pages import (
    LONG_AGO,
    NEVER,
    Finder,
    find_by_kind,
    invalid,
    refuse_page,
    shown_of,
    size_of,
    start_of,
)
from workers.store import order_lists, order_partitions
from workers.store.order_lists import Page

APART_MS = 600_000
"""The id of an order is made in the transaction that creates it, soon after. SQL says `10 minutes`."""
NAMES = ("trade_no", "tracking_no", "order_no", "request_id")


FINDERS: Mapping[str, Finder[Page]] = {
    "named": order_lists.named,
    "user_sku": order_lists.of_user_skus,
    "sku": order_lists.of_skus,
    "user_states": order_lists.of_user_states,
    "user": order_lists.of_users,
    "states": order_lists.of_states,
    "all": order_lists.of_all,
}


async def answer_lists(tx: Transaction, items: Sequence[Envelope[OrderList]]) -> list[Reply]:
    """Answer each query for a page of orders, in order."""
    oldest_ms = await order_partitions.oldest_ms(tx) if any(item.body.created_before for item in items) else 0
    wanted = [page_of(item.body, oldest_ms) for item in items]
    found = await find_by_kind(tx, wanted, _kind, FINDERS)
    rows = await order_lists.summaries(tx, {key for ids in found for key in ids})
    return [
        page if isinstance(page, QueryRejected) else listed(item.body, ids, rows)
        for item, page, ids in zip(items, wanted, found, strict=True)
    ]


def page_of(body: OrderList, oldest_ms: int) -> Page | QueryRejected:
    """Return the page that a query names, or why there is no such page. No I/O.

    `oldest_ms` is the least time that ids have, which those of older imported orders have, too.
    """
    buyer = body.actor.type == "user"
    names = tuple((name, value) for name in NAMES if (value := getattr(body, name)) is not None)
    if buyer and body.user_id != body.actor.id:
        return invalid("user_id", "a user lists his own orders: user_id must be the actor's id")
    if body.request_id is not None and body.user_id is None:
        return invalid("user_id", "a request_id is unique for one user only, so name the user, too")
    if (wrong := refuse_page(body, "orders", PAGE_MAX_ORDERS, tuple(State))) is not None:
        return wrong
    start = start_of(body, FIRST)
    if isinstance(start, QueryRejected):
        return start
    before = body.created_before or NEVER
    return Page(
        user_id=body.user_id,
        with_deleted=not buyer,
        states=body.states,
        since=body.created_from or LONG_AGO,
        before=before,
        before_id=least_id(max(int(before.timestamp() * 1000), oldest_ms) + APART_MS),
        sku_id=body.sku_id,
        names=names,
        start=start,
        size=size_of(body),
    )


def _kind(page: Page) -> str:
    if page.names or page.sku_id:
        return "named" if page.names else "user_sku" if page.user_id else "sku"
    if page.user_id:
        return "user_states" if page.states else "user"
    return "states" if page.states else "all"


def listed(body: OrderList, ids: Sequence[int], rows: Mapping[int, Any]) -> OrderListed:
    """Build order.listed. `ids` has one more than the page shows if another page follows."""
    entries = [rows[key] for key in ids]
    shown, cursor = shown_of(body, entries, lambda row: PageStart(row["created_at"], row["order_id"]))
    return OrderListed(orders=tuple(_summary(row) for row in shown), next_cursor=cursor)


def _summary(row: Any) -> OrderSummary:
    shown = {name: row[name] for name in OrderSummary.model_fields if name != "payable"}
    return OrderSummary(**shown, payable=money(row["payable_amount"], row["currency"]))
