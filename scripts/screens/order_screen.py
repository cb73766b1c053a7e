"""The screen of `oms order show`: what a support person has to know first, then the timeline, then tables."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rich.text import Text

from scripts.commands.output import counted
from scripts.screens import timeline
from scripts.screens.layout import Lines, fields, folded, heading
from scripts.screens.order_loading import OrderPage, Record
from scripts.screens.order_tables import tables
from scripts.screens.state_meanings import MEANINGS, TIMER_ENDS
from scripts.screens.timeline import duration, text_of
from workers.domain.money import render
from workers.domain.order import State


def order_screen(page: OrderPage, width: int) -> Lines:
    """Return the whole screen."""
    order = page.order
    marks = [word for word, is_so in (("held", order.held), ("deleted by its buyer", order.deleted)) if is_so]
    title = f"Order {order.order_no or order.order_id}: {', '.join([order.state, *marks])}"
    parts = (
        [heading(part) for part in folded(title, width)],
        fields(list(_summary(page)), width),
        [Text(), heading("timeline"), *timeline.lines(timeline.steps(page), width)],
        *tables(page, width),
    )
    return [line for part in parts for line in part]


def _summary(page: OrderPage) -> Iterator[tuple[str, Any]]:
    order, facets = page.order, page.order.facets
    yield "means", MEANINGS[State(order.state)].sentence
    yield "waits for", _awaited(page)
    yield "since", _ago(page, _state_since(page))
    for timer in _own(page, "timers"):
        yield "until", _due(page, timer)
    for hold in _open_holds(page):
        who = f"{hold['placed_by_type']} {hold['placed_by']}"
        yield (
            "held",
            f"{hold['reason_code']} ({hold['kind']}) by {who}, {_ago(page, hold['placed_at'])}; hold {hold['hold_id']}",
        )
    if failed := [str(row["id"]) for row in page.records.get("dead_letters", ()) if row["state"] == "open"]:
        yield "failed", f"{counted(len(failed), 'open dead letter')}: oms dead-letters show {failed[0]}"
    if page.outbox:
        yield (
            "behind",
            f"{counted(len(page.outbox), 'event')} not published, since {_ago(page, page.outbox[0]['created_at'])}",
        )
    yield "reason", order.reason_code
    yield "id", f"{order.order_id} ({order.order_uuid})"
    yield "buyer", f"{order.user_id}, channel {order.channel}, request {order.request_id}"
    came, went = text_of(order.captured), text_of(order.refunded)
    yield "money", f"{text_of(order.payable)} to pay, {came} captured, {went} refunded: {facets.payment}"
    yield "price", _price(page)
    units = counted(sum(line.qty for line in order.lines), "unit")
    yield "goods", f"{units}; shipping: {facets.fulfilment}; stock: {facets.stock}"
    yield "address", _address(page)
    yield "created", _ago(page, order.created_at)
    if page.parent is not None:
        yield "child of", f"{page.parent['id']} ({page.parent['order_no'] or '-'}), which is {page.parent['state']}"


def _awaited(page: OrderPage) -> str:
    awaited = MEANINGS[State(page.order.state)].awaited
    holds = "an operator's order.release" if page.order.held else ""
    running = [refund.refund_no for refund in page.order.refunds if refund.finished_at is None]
    refunds = f"the end of {'refund' if len(running) == 1 else 'refunds'} {', '.join(running)}" if running else ""
    return "; ".join(filter(None, (holds, awaited, refunds))) or "nothing"


def _state_since(page: OrderPage) -> datetime:
    own = page.steps[page.order.order_id]
    return next((step.at for step in reversed(own) if step.state != step.previous), page.order.created_at)


def _due(page: OrderPage, timer: Record) -> str:
    left = (timer["due_at"] - page.now).total_seconds()
    distance = f"in {duration(left)}" if left > 0 else f"{duration(-left)} ago"
    return f"{_moment(timer['due_at'])} ({distance}), {TIMER_ENDS.get(timer['kind'], timer['kind'])}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def _ago(page: OrderPage, at: datetime) -> str:
    return f"{_moment(at)} ({duration((page.now - at).total_seconds())} ago)"


def _own(page: OrderPage, name: str) -> list[Record]:
    return [row for row in page.records.get(name, ()) if row["order_id"] == page.order.order_id]


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
    changes = f" (changed {shown.changes} times)" if shown.changes else ""
    if page.address is not None:
        return f"{', '.join(page.address.values())}{changes}; that you saw it is recorded"
    return f"{shown.country}, {shown.receiver}, {shown.phone}, {shown.detail}{changes}"
