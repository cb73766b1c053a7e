"""What the facts about parcels do to their orders: steps, refunds, stock and alerts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, TypeAlias

import outbox
from db.pool import Transaction
from messages.after_sales import AfterSaleParcelMoved, ReturnedLine
from messages.base import AlertRaised
from messages.carriers import ShipmentObserved, WaybillAnswered
from messages.envelope import Envelope
from messages.orders import Address
from messages.shipments import ParcelPlan, ShipmentBook, ShipmentCreate, ShipmentUpdate, ShipmentUpdated
from messages.stock import StockCommit, StockRestock
from workers.domain.book import Book
from workers.domain.codes import Code
from workers.domain.order import CancelType, Order, State, Trigger
from workers.domain.refund_amounts import BoughtLine, RefundLine, give_back, refund_units, remaining_units
from workers.domain.rests import to_ship
from workers.domain.shipping import (
    DELAYED,
    NOT_WITH_BUYER,
    SETTLED,
    CarrierFact,
    Parcel,
    ParcelState,
    after_facts,
    came_back,
    next_trigger,
)
from workers.domain.shop import DeductOn
from workers.services import business_counts, order_events, refunds
from workers.services.commands import Outcomes
from workers.store import after_sales, orders, payments, shipments, waybills
from workers.store.refunds import RefundDue
from workers.store.timers import Key, Timer
from workers.store.waybills import Waybill, WaybillAnswer

CarrierReport: TypeAlias = ShipmentUpdate | ShipmentObserved
"""A carrier fact, sent by the carrier or found by a poll."""
ParcelMessage: TypeAlias = ShipmentBook | ShipmentCreate | WaybillAnswered | CarrierReport
Item: TypeAlias = Envelope[ParcelMessage]
Box: TypeAlias = dict[int, Parcel]
"""One parcel: order id -> what the order has in it."""
ParcelOutcome: TypeAlias = Literal["on_its_way", "arrived", "failed"]
"""What became of a parcel, for the cases of its order."""
LOST = frozenset({ParcelState.LOST, ParcelState.LOSS_CONFIRMED})
REFUNDING = (State.PAID, State.FULFILLING, State.CANCELLING, State.SHIPPED)


@dataclass
class ShipmentContext:
    """What one batch reads and decides with: orders, lines and parcels as its facts change them, and the effects.

    `boxes` is parcel id -> order id -> what the order has in the parcel; parcels that the batch books are last.
    `known` is parcel id -> event id -> fact. `numbers` is (carrier, tracking number) -> parcel ids, the newest last.
    `addresses` are those of orders that are to share a parcel, so that they can be compared.
    `leaving` are the orders of which a parcel leaves, with the message that says so.
    `requested` are the waybills that carriers are to book, `answers` what they answered about those in `waybills`.
    """

    book: Book[Item]
    lines: dict[int, list[BoughtLine]]
    boxes: dict[int, Box] = field(default_factory=dict)
    known: dict[int, dict[str, CarrierFact]] = field(default_factory=dict)
    numbers: dict[shipments.ParcelKey, list[int]] = field(default_factory=dict)
    warehouses: dict[int, str | None] = field(default_factory=dict)
    addresses: dict[int, Address | None] = field(default_factory=dict)
    booked: set[int] = field(default_factory=set)
    added: list[tuple[int, int]] = field(default_factory=list)
    moved: set[int] = field(default_factory=set)
    facts: list[shipments.ParcelFact] = field(default_factory=list)
    failures: list[tuple[Item, Parcel, list[RefundLine]]] = field(default_factory=list)
    news: list[outbox.Announcement] = field(default_factory=list)
    waybills: dict[int, Waybill] = field(default_factory=dict)
    requested: list[Waybill] = field(default_factory=list)
    answers: dict[int, WaybillAnswer] = field(default_factory=dict)
    started: list[Timer] = field(default_factory=list)
    stopped: list[Key] = field(default_factory=list)
    outcomes: Outcomes = field(default_factory=dict)
    leaving: dict[int, Item] = field(default_factory=dict)

    def units(self, order: Order) -> dict[int, int]:
        """Line number -> the units that the order ships, or has shipped."""
        return to_ship(self.lines[order.id])

    def of(self, order: Order) -> list[Parcel]:
        """Return what the order has in parcels, as the batch has changed them, without those that bring goods back."""
        return [box[order.id] for box in self.boxes.values() if order.id in box and box[order.id].case_id is None]

    def find(self, body: ParcelMessage, order_ids: Collection[int]) -> Box | None:
        """Return the parcel with the message's number that holds goods of one of the orders, or None.

        Without orders, any parcel with the number counts. Of several it is the one that has not ended, or the newest.
        """
        named = [self.boxes[parcel_id] for parcel_id in reversed(self.numbers.get(key_of(body), []))]
        found = [box for box in named if not order_ids or box.keys() & set(order_ids)]
        return next((box for box in found if not live(box).ended), found[0] if found else None)

    def taken(self, body: ParcelMessage) -> bool:
        """True if a parcel with the message's number has not ended, whosever goods it holds."""
        box = self.find(body, ())
        return box is not None and not live(box).ended

    def open_box(self, parcel_id: int, key: shipments.ParcelKey) -> Box:
        """Return a parcel without goods, the newest with this number."""
        self.numbers.setdefault(key, []).append(parcel_id)
        return self.boxes.setdefault(parcel_id, {})

    def locked(self, box: Box) -> bool:
        """True if the batch has locked every order in the parcel."""
        return all(order_id in self.book for order_id in box)


async def read(tx: Transaction, book: Book[Item], bodies: Sequence[ParcelMessage]) -> ShipmentContext:
    """Read what the decisions depend on besides the orders, which are locked."""
    context = ShipmentContext(book, await orders.lines(tx, book.before))
    for parcel in await shipments.of_orders(tx, book.before, with_returns=True):
        box = context.boxes.get(parcel.id)
        box = context.open_box(parcel.id, key_of(parcel)) if box is None else box
        box[parcel.order_id] = parcel
    reports = [body for body in bodies if isinstance(body, CarrierReport)]
    moving = [parcel_id for body in reports for parcel_id in context.numbers.get(key_of(body), ())]
    context.known |= await shipments.facts(tx, moving)
    context.waybills |= await waybills.read(
        tx, [body.waybill_id for body in bodies if isinstance(body, WaybillAnswered)]
    )
    return context


def live(box: Box) -> Parcel:
    """Return the parcel as an order has it that did not withdraw its goods, so with the parcel's own state."""
    return next((part for part in box.values() if part.state is not ParcelState.CANCELLED), next(iter(box.values())))


def key_of(body: ParcelMessage | ParcelPlan | Parcel) -> shipments.ParcelKey:
    """Return (carrier, tracking number), by which the carrier knows the parcel. A parcel without a number has none."""
    return body.carrier, getattr(body, "tracking_no", None) or ""


def update_parcel(context: ShipmentContext, box: Box, item: Item, body: CarrierReport, now: datetime) -> None:
    """Apply one carrier fact to the parcel, and so to each order in it."""
    parcel_id = next(iter(box.values())).id
    facts = context.known.setdefault(parcel_id, {})
    if body.event_id in facts:
        return
    if live(box).case_id is None:
        business_counts.note_parcel(body.carrier, body.status, [fact.status for fact in facts.values()])
    facts[body.event_id] = CarrierFact(body.event_id, body.status, body.occurred_at)
    before = dict(box)
    for part in before.values():
        box[part.order_id] = after_facts(part, facts.values())
    if box != before:
        context.moved.add(parcel_id)
    stale = all(state_of(box[order_id]) == state_of(part) for order_id, part in before.items())
    context.facts.append(shipments.ParcelFact(body, parcel_id, stale))
    for order_id, part in sorted(before.items()):
        if move_part(context, context.book[order_id], item, part, box[order_id]):
            order = context.book[order_id]
            advance_order(context.book, order_id, context.units(order), context.of(order), item, now)


def move_part(context: ShipmentContext, order: Order, item: Item, before: Parcel, after: Parcel) -> bool:
    """Announce what a fact did to one order's goods in a parcel, and move its money and its stock.

    Returns False if it did nothing.
    """
    status = item.body.status if isinstance(item.body, CarrierReport) else None
    if (contradiction := contradicts_order(before, after, status)) is not None:
        context.news.append(outbox.event(alert(order, before, contradiction), because=item))
    if state_of(after) == state_of(before):
        return False
    if after.case_id is not None:
        move_return(context, order, item, before, after)
        return False
    returned = came_back(context.known[after.id].values())
    context.news.append(outbox.event(updated(before, after, returned), because=item, stream=order.root_id))
    leave(context, order, item, before, after)
    if after.state in NOT_WITH_BUYER and after.state is not before.state:
        lose(context, order, item, before, after, returned)
    return True


def move_return(context: ShipmentContext, order: Order, item: Item, before: Parcel, after: Parcel) -> None:
    """Announce where a parcel with goods of a case is, and have the case follow once it is at the warehouse.

    One that takes them to the buyer moves no case: they count as the buyer's since they left.
    """
    context.news.append(outbox.event(updated(before, after, False), because=item, stream=order.root_id))
    if after.state is ParcelState.DELIVERED and before.state is not ParcelState.DELIVERED:
        context.news += [] if after.to_buyer else [outbox.internal(moved(after, "arrived"), because=item)]
    elif after.state in NOT_WITH_BUYER and (before.state not in NOT_WITH_BUYER or after.state in SETTLED):
        what = f"brings goods of a case back and is {after.state}: close the case, or inspect them as lost"
        if after.to_buyer:
            what = f"takes goods of a case back to the buyer and is {after.state}: send them again, or pay for them"
        context.news.append(outbox.event(alert(order, after, what, Code.LOGISTICS_RETURN_FAILED), because=item))


def moved(parcel: Parcel, outcome: ParcelOutcome) -> AfterSaleParcelMoved:
    """Build after_sale.parcel_moved: what a parcel means for the order's cases."""
    return AfterSaleParcelMoved(
        order_id=parcel.order_id,
        shipment_id=parcel.id,
        case_id=parcel.case_id,
        carrier=parcel.carrier,
        tracking_no=parcel.tracking_no,
        outcome=outcome,
        lines=tuple(ReturnedLine(line_no=line_no, qty=qty) for line_no, qty in sorted(parcel.units.items())),
    )


def leave(context: ShipmentContext, order: Order, item: Item, before: Parcel, after: Parcel) -> None:
    """Deduct the stock of an order whose policy says so, once a parcel of it leaves; its money is taken, too."""
    if after.out and not before.out:
        context.leaving.setdefault(order.id, item)
    if after.out and not before.out and order.deduct_on == DeductOn.SHIP:
        context.news.append(outbox.internal(StockCommit(holder_id=order.id), because=item))


def state_of(parcel: Parcel) -> tuple[ParcelState, bool]:
    """Return what shipment.updated announces about a parcel: its state, and whether it is delayed."""
    return parcel.state, parcel.delayed


def contradicts_order(before: Parcel, after: Parcel, status: str | None) -> str | None:
    """Return how a fact contradicts what became of the parcel's money, or None. An operator must look at it."""
    if before.state is ParcelState.CANCELLED and status != DELAYED:
        return "moves although its order was cancelled"
    if before.given_up and status == ParcelState.DELIVERED and after.state is not ParcelState.RETURNED:
        return "arrived after it was given up and refunded"
    return None


def lose(  # noqa: PLR0917 (the fact, and the parcel before and after it)
    context: ShipmentContext, order: Order, item: Item, before: Parcel, after: Parcel, returned: bool
) -> None:
    """Decide about money and stock of a parcel that is not with its buyer, or not any more (`returned`).

    Before it arrived, its lines are refunded, and what comes back is sellable. After that it is a case of the order,
    which is opened if there is none: a person decides, who has to see the goods first.
    """
    begins = before.state not in NOT_WITH_BUYER
    if returned:
        if begins or after.state in SETTLED:
            what = f"is {after.state} after it was delivered: inspect the goods, then decide about money and stock"
            news = alert(order, after, what, Code.LOGISTICS_AFTER_DELIVERY)
            context.news.append(outbox.event(news, because=item))
        if after.state not in LOST and (begins or after.state is ParcelState.RETURNED):
            outcome: ParcelOutcome = "arrived" if after.state is ParcelState.RETURNED else "on_its_way"
            context.news.append(outbox.internal(moved(after, outcome), because=item))
        return
    if begins and not after.given_up:
        fail(context, order, item, after)
    if after.state is ParcelState.RETURNED:
        context.news.append(outbox.internal(restock(context, after), because=item))


def updated(before: Parcel, after: Parcel, returned: bool) -> ShipmentUpdated:
    """Build shipment.updated: the parcel's state now, and the one before."""
    return ShipmentUpdated(
        order_id=after.order_id,
        shipment_id=after.id,
        carrier=after.carrier,
        tracking_no=after.tracking_no,
        status=after.state,
        previous=before.state,
        delayed=after.delayed,
        after_delivery=returned,
        case_id=after.case_id,
        to_buyer=after.to_buyer,
    )


def fail(context: ShipmentContext, order: Order, item: Item, parcel: Parcel) -> None:
    """Refund the lines of a parcel that will not arrive, or raise an alert if its order is closed (received, say)."""
    if order.state not in REFUNDING:
        closed = alert(order, parcel, f"is {parcel.state} after its order was closed")
        context.news.append(outbox.event(closed, because=item))
        return
    lines = context.lines[order.id]
    left = remaining_units(lines)
    parts = refund_units(lines, {line_no: min(qty, left[line_no]) for line_no, qty in parcel.units.items()})
    context.lines[order.id] = give_back(lines, parts)
    context.boxes[parcel.id][order.id] = replace(parcel, given_up=True)
    context.failures.append((item, parcel, parts))


def restock(context: ShipmentContext, parcel: Parcel) -> StockRestock:
    """Build stock.restock: the units of a parcel that came back are sellable again."""
    lines = order_events.restock_lines(context.lines[parcel.order_id], parcel.units)
    return StockRestock(holder_id=parcel.order_id, ref=f"parcel:{parcel.id}", lines=lines)


def advance_order(  # noqa: PLR0917 (the order, what it ships and what it has shipped)
    book: Book[Any],
    order_id: int,
    units: Mapping[int, int],
    parcels: Sequence[Parcel],
    item: Envelope[Any],
    now: datetime,
) -> None:
    """Take every step that the parcels call for: delivered implies shipped, in one transaction."""
    while (trigger := next_trigger(book[order_id], units, parcels)) is not None:
        cancelled: dict[str, Any] = {"cancel_type": CancelType.DELIVERY_FAILED, "reason_code": "delivery_failed"}
        fields = cancelled if trigger is Trigger.FAILURE_SETTLED else {}
        if trigger is Trigger.CANCEL_REFUSED:
            fields = {"cancel_type": None, "reason_code": None}
        book.move(order_id, trigger, because=item, at=now, **fields)


async def fail_cases(tx: Transaction, context: ShipmentContext) -> list[outbox.Announcement]:
    """Have the open cases of orders follow, of which parcels failed: their units went back without a case."""
    in_case = await after_sales.open_orders(tx, [parcel.order_id for _, parcel, _ in context.failures])
    failed = [(item, parcel) for item, parcel, _ in context.failures if parcel.order_id in in_case]
    return [outbox.internal(moved(parcel, "failed"), because=item) for item, parcel in failed]


async def parcel_refunds(tx: Transaction, context: ShipmentContext) -> list[RefundDue]:
    """Return the refunds of parcels that failed, never more than is left of the order's capture."""
    return failure_dues(context, await payments.kept(tx, [parcel.order_id for _, parcel, _ in context.failures]))


def failure_dues(context: ShipmentContext, kept: dict[int, payments.Kept]) -> list[RefundDue]:
    """Return the refunds of parcels that failed. `kept` is order id -> its capture, and changes with each of them."""
    dues = []
    for item, parcel, parts in context.failures:
        order, capture = context.book[parcel.order_id], kept.get(parcel.order_id)
        if capture is None:
            continue
        whole = sum(part.amount for part in parts)
        amount = min(whole, capture.left)  # an operator may have refunded some of it already
        kept[order.id] = replace(capture, owed=capture.owed + amount)
        cause, lines = f"parcel:{parcel.id}", parts if amount == whole else ()
        dues.append(refunds.due(order, capture, cause, amount, because=item, lines=lines))
    return dues


def alert(order: Order, parcel: Parcel, what: str, code: Code = Code.LOGISTICS_EVENT_STALE) -> AlertRaised:
    """Build alert.raised: the parcel contradicts its order, and an operator must look."""
    content = f"parcel {parcel.carrier} {parcel.tracking_no} {what}"
    return AlertRaised.of(title="parcel against its order", content=content, code=code, order_id=order.id)
