"""Answers queries for pages of orders. Pages of one kind are found with one statement, whatever their number."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from db.pool import Transaction
from messages.base import QueryRejected, Reply
from messages.envelope import Envelope
from messages.order_queries import PAGE_MAX_ORDERS, OrderList, OrderListed, OrderSummary
from messages.topology import PROVIDERS
from workers.domain.codes import Code
from workers.domain.order import State
from workers.domain.pages import FIRST, PageStart, cursor_of, page_start
from workers.services.answer_parts import money
from workers.store import order_lists
from workers.store.order_lists import Page

LONG_AGO, NEVER = datetime(2000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
NAMES = ("trade_no", "tracking_no", "order_no", "request_id")


async def answer_lists(tx: Transaction, items: Sequence[Envelope[OrderList]]) -> list[Reply]:
    """Answer each query for a page of orders, in order."""
    wanted = [page_of(item.body) for item in items]
    pages = [page for page in wanted if isinstance(page, Page)]
    found = iter(await _find(tx, pages))
    ids = [next(found) if isinstance(page, Page) else [] for page in wanted]
    shown = await order_lists.summaries(tx, {key for each in ids for key in each})
    return [
        listed(item.body, each, shown) if isinstance(page, Page) else page
        for item, page, each in zip(items, wanted, ids, strict=True)
    ]


def page_of(body: OrderList) -> Page | QueryRejected:
    """Return the page that a query names, or why there is no such page. No I/O."""
    buyer = body.actor.type == "user"
    names = tuple((name, value) for name in NAMES if (value := getattr(body, name)) is not None)
    if buyer and body.user_id != body.actor.id:
        return _invalid("user_id", "a user lists his own orders: user_id must be the actor's id")
    if body.request_id is not None and body.user_id is None:
        return _invalid("user_id", "a request_id is unique for one user only, so name the user, too")
    if not 1 <= body.limit <= PAGE_MAX_ORDERS:
        return _invalid("limit", f"a page has 1 to {PAGE_MAX_ORDERS} orders")
    if unknown := sorted(set(body.states) - set(State)):
        return _invalid("states", f"{unknown[0]} is no state; the states are {', '.join(State)}")
    start = FIRST if body.cursor is None else page_start(body.cursor, _filter(body))
    if start is None:
        return _invalid("cursor", "it is not the next_cursor of a page of the same list; begin without a cursor")
    since, before = body.created_from or LONG_AGO, body.created_before or NEVER
    size = body.limit + 1  # one more tells whether there is a next page
    states = body.states or (() if body.user_id else tuple(State))
    return Page(body.user_id, not buyer, states, since, before, body.sku_id, names, start, size)


def _invalid(name: str, why: str) -> QueryRejected:
    return QueryRejected(code=Code.ORDER_PARAM_INVALID, message=why, path=f"$.{name}")


def _filter(body: OrderList) -> str:
    return body.model_dump_json(exclude={"cursor", "limit", "actor"}) + body.actor.type


async def _find(tx: Transaction, pages: Sequence[Page]) -> list[list[int]]:
    """The ids of each page. Pages of one kind take one statement."""
    kinds: dict[str, list[int]] = {}
    for place, page in enumerate(pages):
        if page.names or page.sku_id:
            kind = "named" if page.names else "user_sku" if page.user_id else "sku"
        else:
            kind = ("user_states" if page.states else "user") if page.user_id else "states"
        kinds.setdefault(kind, []).append(place)
    found: dict[int, list[int]] = {}
    for kind, places in kinds.items():
        those = [pages[place] for place in places]
        match kind:
            case "named":
                ids = await order_lists.named(tx, those, sorted(PROVIDERS))
            case "user_sku":
                ids = await order_lists.of_user_skus(tx, those)
            case "sku":
                ids = await order_lists.of_skus(tx, those)
            case "user_states":
                ids = await order_lists.of_user_states(tx, those)
            case "user":
                ids = await order_lists.of_users(tx, those)
            case _:
                ids = await order_lists.of_states(tx, those)
        found |= dict(zip(places, ids, strict=True))
    return [found[place] for place in range(len(pages))]


def listed(body: OrderList, ids: Sequence[int], rows: Mapping[int, Any]) -> OrderListed:
    """Build order.listed. `ids` has one more than the page shows if another page follows."""
    shown = [rows[key] for key in ids[: body.limit]]
    cursor = None
    if len(ids) > body.limit:
        cursor = cursor_of(PageStart(shown[-1]["created_at"], shown[-1]["order_id"]), _filter(body))
    return OrderListed(orders=tuple(_summary(row) for row in shown), next_cursor=cursor)


def _summary(row: Any) -> OrderSummary:
    shown = {name: row[name] for name in OrderSummary.model_fields if name != "payable"}
    return OrderSummary(**shown, payable=money(row["payable_amount"], row["currency"]))
