"""Queries about orders that ended long ago and are archived, and their replies."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from messages.base import Actor, Amount, AnyInt, ExternalId, Moment, MoneyShown, OrderId, Part, Query, Reply
from messages.roles import FOR_BUYERS, Role

PAGE_MAX_ARCHIVED = 100


class ArchivedOrderGet(Query):
    """Ask for an archived order, which its id, number or UUID names. order.get of one is answered ORDER_ARCHIVED."""

    TYPE: ClassVar[str] = "archived_order.get.v1"
    SENDERS: ClassVar[frozenset[Role]] = FOR_BUYERS
    actor: Actor
    order: ExternalId


class ArchivedOrderList(Query):
    """Ask for a page of a user's archived orders, the newest first. A buyer does not see those that he deleted."""

    TYPE: ClassVar[str] = "archived_order.list.v1"
    SENDERS: ClassVar[frozenset[Role]] = FOR_BUYERS
    actor: Actor
    user_id: ExternalId
    limit: AnyInt = 20
    cursor: ExternalId | None = None


class ArchivedOrderSummary(Part):
    """How an archived order ended. `parent_id` is the order that it was split from."""

    order_id: OrderId
    parent_id: OrderId | None
    order_no: str | None
    user_id: str
    state: str
    payable: MoneyShown
    captured: MoneyShown
    refunded: MoneyShown
    created_at: Moment
    paid_at: Moment | None
    ended_at: Moment
    archived_at: Moment


class ArchivedLine(Part):
    """One line as it was sold, and what went back of it."""

    line_no: int
    sku_id: str
    name: str
    qty: int
    unit_price: Amount
    payable: Amount
    refunded_qty: int
    refunded: Amount


class ArchivedOrderShown(Reply):
    """The answer to archived_order.get. For operators `document` has all that was kept: each row as it was stored."""

    TYPE: ClassVar[str] = "archived_order.shown.v1"
    order: ArchivedOrderSummary
    lines: Annotated[
        tuple[ArchivedLine, ...], Field(description="None of an order that was split: its parts have them.")
    ]
    document: dict[str, Any] | None = None


class ArchivedOrdersListed(Reply):
    """The answer to archived_order.list. `next_cursor` is the cursor of the next page, or null after the last one."""

    TYPE: ClassVar[str] = "archived_order.listed.v1"
    user_id: str
    orders: tuple[ArchivedOrderSummary, ...]
    next_cursor: str | None


QUERIES = (ArchivedOrderGet, ArchivedOrderList)
