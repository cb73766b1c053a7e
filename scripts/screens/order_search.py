"""Finds orders for `oms order find`, with the query order.list: a person sees the same page as a program."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from db.pool import Transaction
from messages.base import Actor, QueryRejected
from messages.envelope import Envelope
from messages.order_queries import OrderList, OrderListed, OrderSummary
from scripts.commands.connections import connected, person
from scripts.commands.problems import Code, CommandError
from scripts.screens.layout import Column, Lines, grid
from scripts.screens.order_loading import ANONYMOUS
from scripts.screens.timeline import FULL_DATES_COLUMNS, text_of, when
from workers.domain.order import State
from workers.services import order_pages
from workers.store import order_lists
from workers.views import loading

NAME_MAX = 64  # the longest name that a message may have
NUMBERS = ("order_no", "tracking_no", "trade_no")
"""The fields that a NAME without an option may mean."""
EXACT = (*NUMBERS, "request_id")
OPTIONS = {
    "user_id": "--user",
    "states": "--state",
    "created_from": "--from",
    "created_before": "--before",
    "sku_id": "--sku",
}
"""Field of a search -> its option, where that is not simply its name."""
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


@dataclass(frozen=True)
class Search:
    """What a person typed. The fields are those of order.list; times are still texts."""

    user_id: str | None = None
    states: tuple[str, ...] = ()
    created_from: str | None = None
    created_before: str | None = None
    order_no: str | None = None
    tracking_no: str | None = None
    trade_no: str | None = None
    request_id: str | None = None
    sku_id: str | None = None
    limit: int = 20
    cursor: str | None = None


@dataclass(frozen=True)
class FoundOrders:
    """A page of orders, and the command that shows the next page, if there is one."""

    listed: OrderListed
    more: str = ""


async def search(name: str | None, wanted: Search) -> FoundOrders:
    """Return the page that a person wants to see.

    Raises CommandError for an option that fits no order, and if a number that was given leads to none.
    """
    others = [_option(one.name) for one in fields(wanted) if one.name != "limit" and getattr(wanted, one.name)]
    if name is not None and others:
        why = f"NAME is searched among all kinds of numbers, and {others[0]} does not go with it"
        raise CommandError(Code.FAILED, "one search at a time", why=why, hint=f"oms order find {shlex.quote(name)}")
    body = body_of(wanted, datetime.now(UTC))
    async with connected() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
        if name is not None:
            return FoundOrders(await _named(tx, body, name))
        (listed,) = await _listed(tx, [body])
    number = next((value for one in EXACT if (value := getattr(wanted, one)) is not None), None)
    if not listed.orders and number is not None:
        raise CommandError(Code.NOTHING, f"no order {number} fits", hint=f"oms order find {shlex.quote(number)}")
    return FoundOrders(listed, _next(body, listed.next_cursor))


async def _named(tx: Transaction, body: OrderList, name: str) -> OrderListed:
    """Return the orders that a name leads to, whatever kind of name it is. Raises CommandError if there are none."""
    queries = [body.model_copy(update={one: name}) for one in NUMBERS] if len(name) <= NAME_MAX else []
    found = {one.order_id: one for page in await _listed(tx, queries) for one in page.orders}
    key = await loading.find(tx, name)
    if key is not None and key not in found:
        itself = order_pages.listed(body, [key], await order_lists.summaries(tx, [key]))
        found |= {one.order_id: one for one in itself.orders}
    if not found:
        why = "it is no order's id, UUID, order number, tracking number or trade number"
        hint = f"oms order find --user {shlex.quote(name)}, or --sku, or --from 3d"
        raise CommandError(Code.NOTHING, f"no order {name}", why=why, hint=hint)
    orders = sorted(found.values(), key=lambda one: one.created_at, reverse=True)
    return OrderListed(orders=tuple(orders), next_cursor=None)


def body_of(wanted: Search, now: datetime) -> OrderList:
    """Return the query of a search. Raises CommandError for a state or a time that does not exist."""
    if unknown := [state for state in wanted.states if state not in set(State)]:
        close = get_close_matches(unknown[0], list(State), n=1) or [State.PAID.value]
        hint = f"oms order find --state {close[0]}"
        raise CommandError(
            Code.FAILED, f"there is no state {unknown[0]}", why=f"the states are: {', '.join(State)}", hint=hint
        )
    given: dict[str, Any] = {one.name: getattr(wanted, one.name) for one in fields(wanted)}
    for bound in ("created_from", "created_before"):
        given[bound] = None if given[bound] is None else moment_of(given[bound], _option(bound), now)
    try:
        return OrderList(actor=Actor(type="operator", id=person()[:NAME_MAX]), **given)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        raise _refused(str(fault["loc"][0]), fault["msg"]) from None


def moment_of(text: str, option: str, now: datetime, command: str = "oms order find") -> datetime:
    """Return the time that a text names: a day or time (UTC if it has no offset), or so long ago: 3d, 2h, 30m."""
    if ago := re.fullmatch(r"([0-9]{1,5})([dhm])", text, re.ASCII):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        why = "a time is a day (2026-11-21), a time (2026-11-21T08:30:00Z), or how long ago (3d, 2h, 30m)"
        raise CommandError(Code.FAILED, f"{text} is no time", why=why, hint=f"{command} {option} 3d") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


async def _listed(tx: Transaction, queries: Sequence[OrderList]) -> list[OrderListed]:
    """Answer the queries as the worker of queries does. Raises CommandError for one that it rejects."""
    now = datetime.now(UTC)
    items = [Envelope(body, message_id=ANONYMOUS, correlation_id=ANONYMOUS, occurred_at=now) for body in queries]
    pages = []
    for reply in await order_pages.answer_lists(tx, items):
        if isinstance(reply, QueryRejected):
            raise _refused((reply.path or "").removeprefix("$."), reply.message)
        assert isinstance(reply, OrderListed)
        pages.append(reply)
    return pages


def _refused(name: str, why: str) -> CommandError:
    return CommandError(Code.FAILED, f"{_option(name)} cannot be searched", why=why, hint="oms order find --help")


def _option(name: str) -> str:
    return OPTIONS.get(name) or "--" + name.replace("_", "-")


def _next(body: OrderList, cursor: str | None) -> str:
    """The command for the next page. Times are absolute in it, because a cursor belongs to one search."""
    if cursor is None:
        return ""
    words = ["oms", "order", "find"]
    for name, value in body.model_dump(mode="json", exclude={"actor", "cursor"}, exclude_none=True).items():
        for one in value if isinstance(value, list) else [value]:
            words += [_option(name), str(one)]
    return shlex.join([*words, "--cursor", cursor])


def listing(orders: Sequence[OrderSummary], width: int) -> Lines:
    """Return the table of a page of orders. A narrow one has the number of an order, or the id of one without."""
    wide = width >= FULL_DATES_COLUMNS
    columns = [
        *((Column("id"), Column("number", extra=True)) if wide else (Column("order"),)),
        Column("state", least=12),
        Column("buyer", least=8),
        Column("payable", right=True),
        Column("created (UTC)"),
        Column("units", right=True, extra=True),
        Column("first line", least=12, cut=True, extra=True),
    ]
    rows = [
        (*((one.order_id, one.order_no) if wide else (one.order_no or one.order_id,)), _state(one), one.user_id,
         text_of(one.payable), when(one.created_at, width), one.units, one.first_line)
        for one in orders
    ]  # fmt: skip
    return grid(columns, rows, width).lines if rows else []


def _state(one: OrderSummary) -> str:
    return ", ".join([one.state, *(word for word, is_so in (("held", one.held), ("deleted", one.deleted)) if is_so)])
