"""What happened to an order, in the order of its happening: steps, payments, refunds, hand-overs, parcels, failures."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from rich.text import Text

from messages.after_sale_queries import ExchangeShown
from messages.base import MoneyShown
from messages.fulfilments import FulfilmentReview
from messages.group_queries import GroupShown
from messages.order_history import HistoryStep
from scripts.screens.layout import Column, Lines, folded, grid, title
from scripts.screens.order_loading import OrderPage

FULL_DATES_COLUMNS = 100  # from this width on, tables have room for years
REVIEW = FulfilmentReview.TYPE
CAUSES_COLUMNS = 110  # from this width on, causes stand in a column and not under their steps
_UNITS = ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


@dataclass(frozen=True)
class Happening:
    """One line of the timeline. `state` is that of the order after a step that changed it.

    `cause` names the message behind a step, or the number by which others know a payment or a refund.
    """

    at: datetime
    what: str
    state: str | None = None
    by: str | None = None
    cause: str | None = None
    whose: str = ""


def happenings(page: OrderPage) -> list[Happening]:
    """Return everything that happened to the order and its children, the oldest first."""
    money = [*_payments(page), *_refunds(page)]
    goods = [*_hand_overs(page), *_waybills(page), *_parcels(page)]
    found = [*steps(page), *_exchanges(page), *money, *goods, *_notifications(page), *_failures(page)]
    return sorted(found, key=lambda one: one.at)  # stable: what happened at once stays in this order


def steps(page: OrderPage) -> list[Happening]:
    """Return the steps of the order and of its children, the oldest first."""
    found = [(page.names[key], step) for key, of_order in page.steps.items() for step in of_order]
    return sorted((_step(whose, step, page.order.user_id) for whose, step in found), key=lambda one: one.at)


def _step(whose: str, step: HistoryStep, buyer: str) -> Happening:
    state = None if step.state == step.previous else step.state
    return Happening(step.at, what_of(step), state, who_of(step, buyer), cause_of(step), whose)


def what_of(step: HistoryStep) -> str:
    """Return what a step was: its trigger, and of which after-sale case it is."""
    return step.trigger if step.case_no is None else f"case {step.case_no}: {step.trigger}"


def who_of(step: HistoryStep, buyer: str) -> str:
    """Return who took a step: the buyer, oms itself, or another by type and id."""
    acts = f"{step.actor_type} {step.actor_id}"
    return {f"user {buyer}": "buyer", "system oms": "oms"}.get(acts, acts)


def cause_of(step: HistoryStep) -> str:
    """Return the type and the id of the message that caused a step."""
    return f"{step.cause_type} {step.cause_id}"


def _exchanges(page: OrderPage) -> Iterator[Happening]:
    order = page.order
    for one in order.exchanges:
        name, whose = name_of(one.order_id, one.order_no), page.names.get(one.first_order_id, "")
        yield Happening(one.placed_at, f"case {one.case_no}: exchange order {name} placed", by="oms", whose=whose)
    if (itself := order.replaces) is not None:
        first = name_of(itself.first_order_id, itself.first_order_no)
        yield Happening(itself.placed_at, f"placed for case {itself.case_no} of order {first}", by="oms")


def _payments(page: OrderPage) -> Iterator[Happening]:
    for attempt in page.order.attempts:
        yield Happening(attempt.started_at, f"attempt to pay {text_of(attempt.amount)}", by=attempt.provider)
    for fact in page.order.payments:
        verdict = "" if fact.verdict == "kept" else f", {fact.verdict}"
        what = f"payment {fact.kind} {text_of(fact.amount)}{verdict}"
        yield Happening(fact.occurred_at, what, by=fact.provider, cause=f"trade {fact.trade_no}")
        for one in fact.disputes:
            name, cause = f"dispute {one.dispute_no}", f"trade {fact.trade_no}"
            what = f"{name}: {one.state}, {text_of(one.amount)}"
            yield Happening(one.occurred_at, what, by=fact.provider, cause=cause)
            for number, at in enumerate(one.submitted, start=1):
                yield Happening(at, f"{name}: evidence {number} submitted", by="operator", cause=cause)


def _refunds(page: OrderPage) -> Iterator[Happening]:
    for refund in page.order.refunds:
        whose, cause = page.names.get(refund.order_id, ""), f"refund {refund.refund_no}"
        amount = text_of(refund.amount)
        if refund.requested_at is not None:
            what = f"refund of {amount} requested"
            because = f"{cause}, {refund.cause}"
            yield Happening(refund.requested_at, what, by=refund.provider, cause=because, whose=whose)
        if refund.finished_at is not None:
            what = f"refund of {amount} {refund.state}"
            yield Happening(refund.finished_at, what, by=refund.provider, cause=cause, whose=whose)


def _hand_overs(page: OrderPage) -> Iterator[Happening]:
    for row in page.records.get("hand_over_steps", ()):
        what = f"warehouse {row['warehouse']}: {row['cur_state']}"
        if row["reason_code"]:
            what += f" ({row['reason_code']})"
        yield Happening(
            row["at"],
            what,
            by="warehouse" if row["cause_type"] != REVIEW else "oms",
            cause=f"{row['cause_type']} {row['cause_id']}",
            whose=_whose(page, row),
        )


def _waybills(page: OrderPage) -> Iterator[Happening]:
    for row in page.records.get("waybills", ()):
        cause, by, whose = f"waybill {row['waybill_id']}", row["carrier"], _whose(page, row)
        yield Happening(row["requested_at"], "waybill: requested", by="oms", cause=cause, whose=whose)
        if row["answered_at"] is not None:
            why = f" ({row['refusal']})" if row["refusal"] else ""
            yield Happening(row["answered_at"], f"waybill: {row['state']}{why}", by=by, cause=cause, whose=whose)


def _parcels(page: OrderPage) -> Iterator[Happening]:
    for parcel in page.order.parcels:
        name = f"parcel {parcel.tracking_no}"
        if parcel.booked_at is not None:
            yield Happening(parcel.booked_at, f"{name}: booked", by=parcel.carrier)
        for fact in parcel.facts:
            place = f", {fact.place}" if fact.place else ""
            late = " (late)" if fact.stale else ""
            yield Happening(fact.occurred_at, f"{name}: {fact.status}{place}{late}", by=parcel.carrier)


def _notifications(page: OrderPage) -> Iterator[Happening]:
    for row in page.records.get("notifications", ()):
        if row["ended_at"] is not None:
            why = f" ({row['reason']})" if row["reason"] else ""
            what = f"{row['medium']} to the buyer, {row['kind']}: {row['state']}{why}"
            cause = f"notification {row['notification_id']}"
            yield Happening(row["ended_at"], what, by="oms", cause=cause, whose=_whose(page, row))


def _failures(page: OrderPage) -> Iterator[Happening]:
    for row in page.records.get("dead_letters", ()):
        yield Happening(
            row["died_at"], f"dead letter {row['id']}: {row['reason']}", cause=f"{row['type']} in {row['queue']}"
        )


def _whose(page: OrderPage, row: Any) -> str:
    return page.names.get(row["order_id"], "")


def lines(found: Sequence[Happening], width: int, *, causes: bool = False) -> Lines:
    """Return the table of a timeline. With `causes` each line names its cause, under itself if there is no room."""
    beside = causes and width >= CAUSES_COLUMNS
    columns = [
        Column("at (UTC)"),
        Column("after", right=True),
        Column("order"),
        Column("what", least=16),
        Column("by", least=8),
        *([Column("cause", least=20)] if beside else []),
    ]
    since = [None, *((later.at - one.at).total_seconds() for one, later in pairwise(found))]
    rows = [
        (
            when(one.at, width),
            since_text(gap),
            one.whose,
            f"{one.what}: {one.state}" if one.state else one.what,
            one.by,
            *([one.cause] if beside else []),
        )
        for one, gap in zip(found, since, strict=True)
    ]
    fitted = grid(columns, rows, width)
    shown: Lines = [fitted.header]
    for one, row in zip(found, fitted.rows, strict=True):
        shown += row
        if causes and not beside and one.cause:
            shown += [Text(f"    {part}") for part in folded(one.cause, width - 4)]
    return shown


def timeline_screen(page: OrderPage, width: int) -> Lines:
    """Return the screen of `oms order timeline`."""
    order = page.order
    return [
        *title(f"Order {order.order_no or order.order_id}: {order.state}, version {order.version}", width),
        *lines(happenings(page), width, causes=True),
    ]


def name_of(order_id: int, order_no: str | None) -> str:
    """Return what people call an order: its number, or its id while it has none."""
    return order_no or str(order_id)


def replaced(one: ExchangeShown | None) -> str | None:
    """Return which goods an exchange order replaces."""
    if one is None:
        return None
    return f"goods of order {name_of(one.first_order_id, one.first_order_no)}: oms cases show {one.case_no}"


def sent_instead(one: ExchangeShown | None) -> str | None:
    """Return which order sends other goods for those of a case."""
    return None if one is None else f"{name_of(one.order_id, one.order_no)}, {one.state}"


def text_of(money: MoneyShown) -> str:
    """Return an amount as a person reads it, with its currency."""
    return f"{money.text} {money.currency}"


def when(at: datetime | None, width: int) -> str | None:
    """Return a time (UTC) for a table: on a narrow screen without the year."""
    form = "%Y-%m-%d %H:%M:%S" if width >= FULL_DATES_COLUMNS else "%m-%d %H:%M:%S"
    return None if at is None else at.strftime(form)


def since_text(seconds: float | None) -> str | None:
    """Return how long after the line before a line came."""
    return None if seconds is None else f"+{duration(seconds)}"


def duration(seconds: float) -> str:
    """Return a duration in its two largest units: 0.05 s, 12 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    if seconds < 10:
        return f"{max(seconds, 0):.2f} s"
    for size, unit, part_size, part_unit in _UNITS:
        if seconds >= size:
            part = int(seconds % size // part_size)
            return f"{int(seconds // size)} {unit}" + (f" {part} {part_unit}" if part else "")
    return f"{int(seconds)} s"


def moment(at: datetime) -> str:
    """Return a time with its day, in UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def ago(at: datetime, now: datetime) -> str:
    """Return a time, and how long ago it was."""
    return f"{moment(at)} ({duration((now - at).total_seconds())} ago)"


def until(at: datetime, now: datetime) -> str:
    """Return a time, and how far away it is."""
    left = (at - now).total_seconds()
    return f"{moment(at)} (in {duration(left)})" if left > 0 else ago(at, now)


def group_text(group: GroupShown | None, now: datetime) -> str | None:
    """Return how full a group of buyers is, and what becomes of its orders if it does not form; None without one."""
    if group is None:
        return None
    text = f"{group.group_id}: {group.state}, {group.paid} of {group.size} paid, {group.seated} seated"
    if group.otherwise is None:
        return text
    return f"{text}, until {until(group.deadline, now)}, then it is {group.otherwise}"


def timeline_document(page: OrderPage) -> dict[str, Any]:
    """Return the timeline as JSON: the fields of order.history_listed, and everything else that happened."""
    order = page.order
    return {
        "order_id": str(order.order_id),
        "order_no": order.order_no,
        "state": order.state,
        "version": order.version,
        "steps": _timed(page.steps[order.order_id]),
        "child_orders": [
            {"order_id": str(child["id"]), "steps": _timed(page.steps[child["id"]])} for child in page.children
        ],
        "exchanges": [one.model_dump(mode="json") for one in order.exchanges],
        "replaces": None if order.replaces is None else order.replaces.model_dump(mode="json"),
        "happenings": [_as_json(one) for one in happenings(page)],
    }


def _timed(found: Iterable[HistoryStep]) -> list[dict[str, Any]]:
    """The steps, each with the seconds since the one before."""
    given = list(found)
    gaps = [None, *((later.at - one.at).total_seconds() for one, later in pairwise(given))]
    return [step.model_dump(mode="json") | {"after_seconds": gap} for step, gap in zip(given, gaps, strict=True)]


def _as_json(one: Happening) -> dict[str, Any]:
    return {
        "at": one.at,
        "what": one.what,
        "state": one.state,
        "by": one.by,
        "cause": one.cause,
        "whose": one.whose or None,
    }
