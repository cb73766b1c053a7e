"""The screen of `oms order show`: what a support person has to know first, then the timeline, then tables."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rich.text import Text

from scripts.commands.output import counted
from scripts.screens import timeline
from scripts.screens.layout import Lines, fields, heading, title
from scripts.screens.order_loading import OrderPage, Record
from scripts.screens.order_tables import tables
from scripts.screens.state_meanings import MEANINGS, awaited_text, start_again
from scripts.screens.timeline import ago, group_text, replaced, text_of, until
from workers.domain.money import render
from workers.domain.order import State

AWAITED_MAX = 5  # a split order may wait for each of its children


def order_screen(page: OrderPage, width: int) -> Lines:
    """Return the whole screen."""
    order = page.order
    marks = [word for word, is_so in (("held", order.held), ("deleted by its buyer", order.deleted)) if is_so]
    parts = (
        title(f"Order {order.order_no or order.order_id}: {', '.join([order.state, *marks])}", width),
        fields(list(summary(page)), width),
        [Text(), heading("timeline"), *timeline.lines(timeline.steps(page), width)],
        *(table.lines(width) for table in tables(page, width)),
    )
    return [line for part in parts for line in part]


def summary(page: OrderPage) -> Iterator[tuple[str, Any]]:
    """Yield what a person has to know of an order, line by line; lines without a value are left out."""
    order, facets = page.order, page.order.facets
    yield "means", MEANINGS[State(order.state)]
    if page.explained.entered is not None:
        yield "since", ago(page.explained.entered.at, page.now)
    yield from _awaited(page)
    yield from (("held", _hold(hold, page.now)) for hold in _open_holds(page))
    yield "group", group_text(order.group, page.now)
    if failed := [str(row["id"]) for row in page.records.get("dead_letters", ()) if row["state"] == "open"]:
        yield "failed", f"{counted(len(failed), 'open dead letter')}: oms dead-letters show {failed[0]}"
    if page.outbox:
        since = ago(page.outbox[0]["created_at"], page.now)
        yield "behind", f"{counted(len(page.outbox), 'event')} not published, since {since}"
    yield "reason", order.reason_code
    yield "id", f"{order.order_id} ({order.order_uuid})"
    yield "buyer", f"{order.user_id}, channel {order.channel}, request {order.request_id}"
    came, went = text_of(order.captured), text_of(order.refunded)
    yield "money", f"{text_of(order.payable)} to pay, {came} captured, {went} refunded: {facets.payment}"
    yield "price", _price(page)
    units = counted(sum(line.qty for line in order.lines), "unit")
    yield "goods", f"{units}; shipping: {facets.fulfilment}; stock: {facets.stock}"
    yield "address", _address(page)
    yield "note", page.note or order.note
    if order.ship_by is not None and order.shipped_at is None and order.cancelled_at is None:
        yield "promised", f"to leave until {until(order.ship_by, page.now)}"
    yield "created", ago(order.created_at, page.now)
    if page.parent is not None:
        yield "child of", f"{page.parent['id']} ({page.parent['order_no'] or '-'}), which is {page.parent['state']}"
    yield "replaces", replaced(order.replaces)


def _awaited(page: OrderPage) -> Iterator[tuple[str, str]]:
    """What the order waits for, one line each. Only `oms order explain` shows all if it is a lot."""
    awaits = page.explained.awaits
    for number, one in enumerate(awaits[:AWAITED_MAX]):
        whose = f"{name}: " if (name := page.names.get(one.order_id, "")) else ""
        limit = "" if one.until is None else f", until {until(one.until, page.now)}"
        becomes = "it" if one.case_no is None else "the case"
        otherwise = f", then {becomes} is {one.otherwise}" if one.until and one.otherwise else ""
        then = f": {again}" if (again := start_again(one)) else ""
        yield "" if number else "waits for", f"{whose}{awaited_text(one)}{limit}{otherwise}{then}"
    if not awaits:
        yield "waits for", "nothing"
    if len(awaits) > AWAITED_MAX:
        yield "", f"and {len(awaits) - AWAITED_MAX} more: oms order explain {page.order.order_id}"


def _hold(hold: Record, now: datetime) -> str:
    who = f"{hold['placed_by_type']} {hold['placed_by']}"
    return f"{hold['reason_code']} ({hold['kind']}) by {who}, {ago(hold['placed_at'], now)}; hold {hold['hold_id']}"


def _open_holds(page: OrderPage) -> list[Record]:
    return [hold for hold in page.records.get("holds", ()) if hold["released_at"] is None]


def _price(page: OrderPage) -> str | None:
    """How the amount came about, if it is not simply that of the goods."""
    amounts = page.order.amounts
    parts = [
        (f"{sign} {name}", getattr(amounts, name))
        for sign, name in (("-", "promotion"), ("-", "coupon"), ("-", "points"), ("+", "shipping"), ("+", "tax"))
    ]
    changed = [f"{name} {render(amount, amounts.currency)}" for name, amount in parts if amount]
    return " ".join([f"goods {render(amounts.origin, amounts.currency)}", *changed]) if changed else None


def _address(page: OrderPage) -> str | None:
    shown = page.order.address
    if shown is None:
        return None
    changes = f" (changed {counted(shown.changes, 'time')})" if shown.changes else ""
    if page.address is not None:
        return f"{', '.join(page.address.values())}{changes}; that you saw it is recorded"
    return f"{shown.country}, {shown.receiver}, {shown.phone}, {shown.detail}{changes}"
