"""What may happen to a CaseModel: commands about cases and orders, carriers' and providers' reports, other goods.

Each event is one message, given to the pure function that its handler gives it to, in any state: most are refused.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import outbox
from messages.after_sales import (
    AfterSaleApply,
    AfterSaleCancel,
    AfterSaleClose,
    AfterSaleDue,
    AfterSaleInspect,
    AfterSaleParcelMoved,
    AfterSaleReceive,
    AfterSaleRefundMoved,
    AfterSaleReopen,
    AfterSaleReview,
    AfterSaleShipBack,
    AppliedLine,
    InspectedLine,
)
from messages.base import Actor, CommandRejected
from messages.orders import OrderCancel
from messages.refunds import RefundRequest, RefundResult
from messages.replacements import AfterSaleExchangeMoved
from messages.rests import OrderCancelRest
from messages.send_backs import AfterSaleSendBack
from messages.shipments import ShipmentUpdate
from tests.domain.builders import NOW, ORDER_ID, envelope
from tests.domain.case_model import GOODWILL, CaseModel, Event, EventResult, ModelRefund, effects
from workers.domain.after_sales import AfterSaleCase, CaseState
from workers.domain.book import Book
from workers.domain.order import Effect
from workers.domain.refund_amounts import PENDING, RefundState, give_back, refund_units, remaining_units
from workers.domain.shipping import ParcelState
from workers.handlers import after_sales, order_changes, partial_orders, refunds
from workers.runtime.batch import Batch
from workers.services import cancellations, parcels
from workers.services.parcels import ShipmentContext
from workers.services.refunds import case_moved, cases_of_replacements
from workers.services.shortages import ShortageAnswers
from workers.store.ids import NewIds
from workers.store.refunds import OpenedRefund
from workers.store.timers import TimerKind

BUYER, OPERATOR = Actor(type="user", id="u1"), Actor(type="operator", id="ops-7")
APPLICATIONS: dict[str, tuple[Any, dict[int, int], str | None]] = {
    "apply for money for one": ("refund_only", {1: 1}, None),
    "apply to return the first line": ("return_refund", {1: 2}, None),
    "apply to return all": ("return_refund", {}, None),
    "apply for the same": ("exchange", {1: 2}, "s1"),
    "apply for cheaper goods": ("exchange", {1: 2, 2: 1}, "cheap"),
    "apply for dearer goods": ("exchange", {1: 2}, "dear"),
}
CANCEL = OrderCancel(request_id="r", actor=BUYER, order_id=ORDER_ID)
REPORTS = {
    "booked": ("outbound",),
    "outbound": ("delivered", "lost"),
    "lost": ("delivered", "loss_confirmed", "returned"),
    "delivered": ("returned",),
}
"""The state of a parcel -> what its carrier may report next."""
ARRIVES = {"booked": ("outbound",), "outbound": ("delivered",)}
NEXT = {"placing": ("reserved", "rejected"), "sent": ("paid", "cancelled"), "paid": ("delivered", "cancelled")}
"""The state of an exchange order -> what may become of it."""


def apply_event(model: CaseModel, event: Event) -> EventResult:
    """The model after one event, and what it announces to the queue of the cases."""
    name, place = event
    if name in APPLICATIONS or name in OF_CASES:
        return on_case(model, name, place), []
    if name in OF_REFUNDS:
        return on_refund(model, name, place)
    if name in OF_EXCHANGES:
        return on_exchange(model, OF_EXCHANGES[name])
    if name in OF_ORDERS:
        return OF_ORDERS[name](model)
    return on_parcel(model, name, place)


def on_case(model: CaseModel, name: str, place: int) -> CaseModel:
    """Give the handler a command about a case, or the end of a case's time: one that is refused writes nothing."""
    context = model.context
    if name == "time":
        case = model.cases[place]
        context.due[TimerKind.AFTER_SALE, case.id] = NOW - timedelta(seconds=1)
        item = envelope(AfterSaleDue(case_id=case.id), "m")
        after_sales.expire(context, item, item.body, NOW)
        return model.read(context)
    item = applied(name) if name in APPLICATIONS else command(name, model.cases[place])
    before = effects(context)
    refused = isinstance(after_sales.change(context, item, NOW), CommandRejected)
    written, after = effects(context) != before, model.read(context)
    assert written is not refused, f"{name} is refused and writes, or does nothing"
    assert written or after is model, f"{name} is refused and changes a case"
    return after


@cache
def applied(name: str) -> Any:
    kind, units, wanted = APPLICATIONS[name]
    lines = tuple(AppliedLine(line_no=no, qty=qty, wanted_sku_id=wanted) for no, qty in units.items())
    body = AfterSaleApply(request_id="r", actor=BUYER, order_id=ORDER_ID, type=kind, reason_code="price", lines=lines)
    return envelope(body, "m")


def command(name: str, case: AfterSaleCase) -> Any:
    """The command of this name about a case. An inspection is about one unit that was not inspected yet."""
    open_lines = [part.line_no for part in case.lines if part.uninspected] or [case.lines[0].line_no]
    return command_of(name, case.id, open_lines[0])


@cache
def command_of(name: str, case_id: int, line_no: int) -> Any:
    """Commands are made once: most of the time of a search would go into making them."""
    about: dict[str, Any] = {"request_id": "r", "order_id": ORDER_ID, "case_id": case_id, "actor": OPERATOR}
    disposition: Any = "restock" if name == "accept" else "send_back"
    line = InspectedLine(line_no=line_no, qty=1, disposition=disposition)
    bodies: dict[str, Any] = {
        "approve": lambda: AfterSaleReview(**about, decision="approve"),
        "reject": lambda: AfterSaleReview(**about, decision="reject"),
        "pay all the same": lambda: AfterSaleReview(**about, decision="approve", amount=GOODWILL, reason_code="price"),
        "withdraw": lambda: AfterSaleCancel(**about | {"actor": BUYER}),
        "reopen": lambda: AfterSaleReopen(**about | {"actor": BUYER}),
        "ship back": lambda: AfterSaleShipBack(**about | {"actor": BUYER}, carrier="sf", tracking_no=f"C{case_id}"),
        "close": lambda: AfterSaleClose(**about, reason_code="given_up"),
        "receive": lambda: AfterSaleReceive(**about),
        "accept": lambda: AfterSaleInspect(**about, lines=(line,)),
        "refuse": lambda: AfterSaleInspect(**about, lines=(line,)),
        "hand over": lambda: AfterSaleSendBack(**about, warehouse="main", carrier="sf", tracking_no=f"B{case_id}"),
    }
    return envelope(bodies[name](), "m")


OF_CASES = (
    "approve",
    "reject",
    "withdraw",
    "reopen",
    "ship back",
    "close",
    "receive",
    "accept",
    "refuse",
    "hand over",
    "time",
    "pay all the same",
)


def of_cases(model: CaseModel, names: Sequence[str]) -> Iterator[Event]:
    """These events of every case. Goods come back only from a buyer who had them."""
    for place, case in enumerate(model.cases):
        for name in names:
            at_buyer = all(one.parcel.state is ParcelState.DELIVERED for one in model.parcels if one.parcel.out)
            if name == "receive" and not at_buyer:
                continue
            if name != "pay all the same" or case.state is CaseState.INSPECT_FAILED:
                yield name, place


OF_REFUNDS = ("goodwill", "refund succeeds", "refund fails", "refund again", "replace refund")


def of_refunds(model: CaseModel, *, goodwill: bool = False, failing: bool = False) -> Iterator[Event]:
    """What providers and operators may do about refunds. Of several refunds one fails: they are alike to the code."""
    if goodwill and not any(one.cause.startswith("operator") for one in model.refunds):
        yield "goodwill", 0
    if not failing:
        yield from [("providers succeed", 0)] if any(one.state in PENDING for one in model.refunds) else []
        return
    failed = [place for place, one in enumerate(model.refunds) if one.failed_once]
    for place in range(len(model.refunds)):
        yield "refund succeeds", place
        if not failed or place in failed:
            yield from ((name, place) for name in ("refund fails", "refund again", "replace refund"))


def on_refund(model: CaseModel, name: str, place: int) -> EventResult:
    """Give the handler an operator's request, or a provider's answer."""
    book, rows = Book[Any]({ORDER_ID: model.order}), dict(model.refund_rows)
    context = refunds.RefundContext(
        book, rows, {one.draws_on: one.share for one in rows.values()}, {ORDER_ID: model.kept}
    )
    if name == "goodwill":
        dues, _ = refunds.requests([requested(GOODWILL)], book, context.left)
        return model.with_dues(dues), []
    one = model.refunds[place]
    if name in ("refund again", "replace refund"):
        named = {"refund_no": one.cause} if name == "refund again" else {"replaces": one.cause}
        again, dues, _ = refunds.repeated([requested(one.amount, **named)], context)
        changed = replace(one, state=context.known[one.cause].state, replaced=bool(dues) or one.replaced)
        after = with_refund(model, place, changed).with_dues(dues)
        opened = [OpenedRefund(due, place) for due in dues]
        begun = [n for item, row in again for n in case_moved(row, RefundState.REQUESTED, item)]
        return after, moved(AfterSaleRefundMoved, [*begun, *cases_of_replacements(opened)])
    status: Any = name.removeprefix("refund ").replace("succeeds", "succeeded").replace("fails", "failed")
    item = envelope(result(one.cause, one.amount, status), "m")
    news, _ = refunds.decide_results(Batch([item], NOW), context)
    end = context.ends.get(one.cause)
    if end is None:
        return model, []
    failed = one.failed_once or end.state is RefundState.FAILED
    changed = replace(one, state=end.state, excess=end.excess_amount, failed_once=failed)
    after = replace(with_refund(model, place, changed), order=book[ORDER_ID])
    return after, moved(AfterSaleRefundMoved, news)


def moved(kind: type[Any], news: Sequence[outbox.Announcement]) -> list[Any]:
    """The messages of this type to the queue of the cases."""
    return [one.body for one in news if isinstance(one.body, kind)]


def all_succeed(model: CaseModel) -> EventResult:
    """Let every refund succeed that is under way."""
    news: list[Any] = []
    for place, one in enumerate(model.refunds):
        if one.state in PENDING:
            model, more = on_refund(model, "refund succeeds", place)
            news += more
    return model, news


def with_refund(model: CaseModel, place: int, changed: ModelRefund) -> CaseModel:
    return replace(model, refunds=(*model.refunds[:place], changed, *model.refunds[place + 1 :]))


@cache
def requested(amount: int, **named: str) -> Any:
    body = RefundRequest(
        request_id="r" + "".join(named.values()), actor=OPERATOR, order_id=ORDER_ID, amount=amount, reason="x", **named
    )
    return envelope(body, "m")


@cache
def result(refund_no: str, amount: int, status: Any) -> RefundResult:
    return RefundResult(refund_no=refund_no, status=status, amount=amount, currency="CNY", occurred_at=NOW)


def on_parcel(model: CaseModel, status: str, place: int) -> EventResult:
    """Give the service a report of a carrier about a parcel."""
    one = model.parcels[place]
    context = ShipmentContext(Book({ORDER_ID: model.order}), {ORDER_ID: list(model.lines)})
    for each in model.parcels:
        context.open_box(each.id, ("sf", f"T{each.id}"))[ORDER_ID] = each.parcel
        context.known[each.id] = dict(each.facts)
    body = ShipmentUpdate(
        order_id=ORDER_ID,
        carrier="sf",
        tracking_no=f"T{one.id}",
        event_id=f"{len(one.statuses)}",
        status=status,  # type: ignore[arg-type]
        occurred_at=NOW + timedelta(minutes=len(one.statuses)),
    )
    item = envelope(body, "m")
    parcels.update_parcel(context, context.boxes[one.id], item, body, NOW)
    reported = replace(one, statuses=(*one.statuses, status))
    after = replace(
        model,
        order=replace(context.book[ORDER_ID], version=2),
        lines=tuple(context.lines[ORDER_ID]),
        parcels=(*model.parcels[:place], reported, *model.parcels[place + 1 :]),
    )
    after = after.with_parcels({key: box[ORDER_ID] for key, box in context.boxes.items()})
    after = after.with_dues(parcels.failure_dues(context, {ORDER_ID: model.kept})).with_stock(context.news)
    failed = [] if all(case.ended for case in model.cases) else [parcel for _, parcel, _ in context.failures]
    return after, [*moved(AfterSaleParcelMoved, context.news), *(parcels.moved(one, "failed") for one in failed)]


def cancel_rest(model: CaseModel) -> EventResult:
    """Give the handler order.cancel_rest."""
    found = {one.id: one.parcel for one in model.parcels}
    context = partial_orders.RestContext(
        Book({ORDER_ID: model.order}),
        {ORDER_ID: list(model.lines)},
        {ORDER_ID: found},
        {ORDER_ID: model.kept},
        ShortageAnswers({}, {}, NewIds()),
    )
    item = envelope(OrderCancelRest(request_id="r", actor=BUYER, order_id=ORDER_ID), "m")
    partial_orders.drop_rest(context, item, NOW)
    if not context.book.steps:
        return model, []
    now = replace(context.book[ORDER_ID], version=2)
    after = replace(model, order=now, lines=tuple(context.lines[ORDER_ID]))
    return after.with_parcels(context.parcels[ORDER_ID]).with_dues(context.dues).with_stock(context.stock), []


def cancel(model: CaseModel) -> EventResult:
    """Give the handler order.cancel, and give back what it owes."""
    book, found = Book[Any]({ORDER_ID: model.order}), [one.parcel for one in model.parcels]
    context = order_changes.ChangeContext(book, {ORDER_ID: found}, {}, NewIds())
    item = envelope(CANCEL, "m")
    if order_changes.decide(item, model.order, context) is not None:
        return model, []
    order_changes.step(context, item, ORDER_ID, NOW)
    assert book.ids(Effect.REFUND_ALL), "the order is paid"
    lines, after = list(model.lines), replace(model, order=replace(book[ORDER_ID], version=2))
    back = refund_units(lines, remaining_units(lines))
    dues = cancellations.whole_refunds(book, {ORDER_ID: model.kept}, {ORDER_ID: back})
    after = replace(after, lines=tuple(give_back(lines, back))).with_dues([one for one in dues if one.amount])
    after = after.with_stock([envelope(one, "m") for one in cancellations.restock(book[ORDER_ID], lines, found)])
    waiting = {one.id: replace(one, state=ParcelState.CANCELLED) for one in found if one.state is ParcelState.BOOKED}
    return after.with_parcels({one.id: one for one in found} | waiting), []


OF_ORDERS = {"order.cancel": cancel, "order.cancel_rest": cancel_rest, "providers succeed": all_succeed}


OF_EXCHANGES = {
    f"other goods {state}": state for state in ("reserved", "rejected", "paid", "cancelled", "delivered", "reduced")
}


def of_exchange(model: CaseModel) -> Iterator[Event]:
    """What may become of the exchange order now."""
    yield from ((f"other goods {state}", 0) for state in NEXT.get(model.replacement, ()))
    if model.exchange is not None and model.replacement in ("paid", "delivered") and sum(model.exchange.lost) < 2:
        yield "other goods reduced", 0


def on_exchange(model: CaseModel, name: str) -> EventResult:
    """Let something become of the exchange order: what its case hears of it, if that did not decide it itself."""
    assert model.exchange is not None
    exchange, now = model.exchange, {"rejected": "cancelled", "reduced": model.replacement}.get(name, name)
    if name == "reduced":
        exchange = replace(exchange, lost=(1 + sum(exchange.lost),))
    body: Any = AfterSaleExchangeMoved(exchange_order_id=exchange.order_id, state=name)  # type: ignore[arg-type]
    return replace(model, exchange=exchange, replacement=now), [body]


def of_parcels(model: CaseModel) -> Iterator[Event]:
    """What carriers may report now: the first parcel may be lost and come back, the others arrive."""
    received = any(case.received_at is not None for case in model.cases)
    for place, one in enumerate(model.parcels):
        if one.cancelled:
            continue
        for status in (ARRIVES if place else REPORTS).get(one.parcel.state, ()):
            if not (received and one.parcel.state is ParcelState.DELIVERED):  # a case has its goods
                yield status, place
