"""Turns steps of orders into the events that announce them, and into the stock messages that they owe."""

from collections.abc import Mapping, Sequence
from typing import Any

import outbox
from messages.base import Actor, AlertRaised, Event
from messages.envelope import Envelope
from messages.fulfilments import FulfilmentReview, OrderCancelling, OrderCancelRefused, OrderFulfilling
from messages.orders import (
    Amounts,
    Cause,
    OrderAddressChanged,
    OrderCancelled,
    OrderCompleted,
    OrderDeleted,
    OrderDelivered,
    OrderDeliveryFailed,
    OrderEvent,
    OrderPaid,
    OrderShipped,
    OrderSplit,
)
from messages.reinstatements import OrderReinstated, OrderReinstating
from messages.replacements import AfterSaleExchangeMoved
from messages.stock import RestockLine, StockCommit, StockDisposition, StockRelease, StockRestock
from workers import shop
from workers.domain.book import Book, Step
from workers.domain.codes import Code
from workers.domain.order import CancelType, Effect, Order, OrderKind, State, Trigger
from workers.domain.refund_amounts import BoughtLine
from workers.services import order_counts

PLAIN: dict[State, type[OrderEvent]] = {
    State.PAID: OrderPaid,
    State.SHIPPED: OrderShipped,
    State.SPLIT: OrderSplit,
    State.REINSTATING: OrderReinstating,
    State.FULFILLING: OrderFulfilling,
    State.DELIVERED: OrderDelivered,
    State.COMPLETED: OrderCompleted,
    State.DELIVERY_FAILED: OrderDeliveryFailed,
}
"""States with an event that has no fields besides the common ones, or besides what its order was promised."""
FOLLOWED = frozenset({State.REJECTED, State.PAID, State.DELIVERED, State.COMPLETED, State.CANCELLED})
"""The states of an exchange order that its case follows."""


def common(step: Step[Envelope[Any]]) -> dict[str, Any]:
    """Return the fields that every order event has."""
    order = step.order
    return {
        "order_id": order.id,
        "conversation_id": order.conversation_id,
        "parent_id": order.parent_id,
        "order_no": order.order_no,
        "user_id": order.user_id,
        "state": order.state.value,
        "previous": step.previous.value,
        "version": order.version,
        "amounts": amounts(order),
        "cause": Cause(type=step.because.body.TYPE, id=step.because.id, actor=_actor(step)),
    }


def _actor(step: Step[Envelope[Any]]) -> Actor:
    return Actor(type=step.who.type, id=step.who.id)


def amounts(order: Order) -> Amounts:
    """Return the order's amounts as events have them."""
    return Amounts(
        currency=order.currency,
        origin=order.origin_amount,
        promotion=order.promotion_amount,
        coupon=order.coupon_amount,
        points=order.points_amount,
        shipping=order.shipping_fee,
        tax=order.tax_amount,
        adjustment=order.adjustment_amount,
        payable=order.payable_amount,
    )


def event_of(step: Step[Envelope[Any]]) -> OrderEvent:
    """Return the event of a step. The handlers build order.created and order.rejected, for which they know more."""
    match step.trigger:
        case Trigger.ADDRESS_CHANGED:
            return OrderAddressChanged(**common(step))
        case Trigger.DELETED:
            return OrderDeleted(**common(step))
        case Trigger.REINSTATED:
            return OrderReinstated(**common(step))
        case Trigger.CANCEL_REFUSED:
            return OrderCancelRefused(**common(step))
    if step.order.state in {State.CANCELLED, State.CANCELLING}:
        cancel_type = step.order.cancel_type or CancelType.SYSTEM
        event = OrderCancelled if step.order.state is State.CANCELLED else OrderCancelling
        return event(**common(step), cancel_type=cancel_type, reason_code=step.order.reason_code)
    return PLAIN[step.order.state](**common(step), **_promise(step.order))


def _promise(order: Order) -> dict[str, Any]:
    match order.state:
        case State.PAID:
            return {"ship_by": order.ship_by}
        case State.SHIPPED:
            return {"ship_by": order.ship_by, "on_time": order.on_time}
    return {}


def steps(book: Book[Envelope[Any]]) -> list[outbox.Announcement]:
    """Announce each step, in order: with the event that the handler gave to it, else with the plain one.

    The case of an exchange order follows it. An order that left later than promised raises an alert. The steps are
    counted once their transaction has committed.
    """
    order_counts.note(book.steps)
    events = [announced(step, given(step) or event_of(step)) for step in book.steps]
    return [*events, *_exchanges(book), *_late(book)]


def _late(book: Book[Envelope[Any]]) -> list[outbox.Announcement]:
    late = [step for step in book.steps if step.order.state is State.SHIPPED and step.order.on_time is False]
    return [outbox.event(shipped_late(step.order), because=step.because) for step in late]


def shipped_late(order: Order) -> AlertRaised:
    """Build alert.raised: the goods left later than the order's policy promised (S0-44)."""
    assert order.ship_by is not None, "only a promise is broken"
    content = f"the order was to leave until {order.ship_by:%Y-%m-%d %H:%M} UTC: see what its warehouse waits for"
    return AlertRaised.of(title="shipped late", content=content, code=Code.ORDER_SHIPPED_LATE, order_id=order.id)


def _exchanges(book: Book[Envelope[Any]]) -> list[outbox.Announcement]:
    """Build after_sale.exchange_moved for each exchange order that has reached a state which matters to its case."""
    return [
        exchange_moved(step.order, step.order.state.value, step.because)
        for step in book.steps
        if step.order.kind is OrderKind.EXCHANGE and step.order.state in FOLLOWED and step.order.state != step.previous
    ]


def exchange_moved(order: Order, state: str, because: Envelope[Any]) -> outbox.Announcement:
    """Build after_sale.exchange_moved: the case of this exchange order follows it."""
    fields = {"exchange_order_id": order.id, "state": state, "reason_code": order.reason_code}
    return outbox.internal(AfterSaleExchangeMoved.model_validate(fields), because=because)


def reduced(book: Book[Envelope[Any]], given: Mapping[int, Envelope[Any]]) -> list[outbox.Announcement]:
    """Announce to their cases the exchange orders of which units were given back: order id -> why."""
    found = ((book[order_id], because) for order_id, because in sorted(given.items()))
    return [exchange_moved(order, "reduced", why) for order, why in found if order.kind is OrderKind.EXCHANGE]


def given(step: Step[Envelope[Any]]) -> OrderEvent | None:
    """Return the event that the handler gave to the step, or None."""
    assert step.event is None or isinstance(step.event, OrderEvent), f"{step.event} does not announce a step"
    return step.event


def announced(step: Step[Envelope[Any]], event: Event) -> outbox.Announcement:
    """Announce an event in the stream of the order's root."""
    return outbox.event(event, because=step.because, stream=step.order.root_id)


def restock_lines(
    lines: Sequence[BoughtLine], units: Mapping[int, int], disposition: StockDisposition = "restock"
) -> tuple[RestockLine, ...]:
    """Return the lines of a stock.restock for `units`, line number -> units."""
    return tuple(
        RestockLine(sku_id=line.sku_id, warehouse=line.warehouse, qty=units[line.line_no], disposition=disposition)
        for line in lines
        if units.get(line.line_no)
    )


def turn_of(step: Step[Any]) -> int:
    """Return which reservation a step of an unpaid order ends: the first one, or that of its reinstatement."""
    return 1 if step.previous is State.REINSTATING else 0


def hand_overs(book: Book[Envelope[Any]]) -> list[outbox.Announcement]:
    """Have the hand-overs of orders reviewed whose steps concern their warehouses, once for each order.

    A shop without warehouses that work by requests has none.
    """
    owing = [step for step in book.owing(Effect.HAND_OVER) if shop.current().fulfilment_warehouses or _at_work(step)]
    last = {step.order.id: step for step in owing}
    return [outbox.internal(FulfilmentReview(order_id=key), because=last[key].because) for key in sorted(last)]


def _at_work(step: Step[Envelope[Any]]) -> bool:
    """True if a warehouse had accepted the order, so that it must hear of the step whatever the settings say now."""
    return step.previous in {State.FULFILLING, State.CANCELLING}


def stock_orders(book: Book[Envelope[Any]]) -> list[outbox.Announcement]:
    """Return the stock messages that the steps owe.

    The handler, which knows the lines, builds restocks of paid orders.
    """
    commits = [(step, StockCommit(holder_id=step.order.id)) for step in book.owing(Effect.STOCK_COMMIT)]
    releases = [
        (step, StockRelease(holder_id=step.order.id, turn=turn_of(step))) for step in book.owing(Effect.STOCK_RELEASE)
    ]
    restocks = [
        (step, StockRestock(holder_id=step.order.id, ref="cancel"))
        for step in book.owing(Effect.STOCK_RESTOCK)
        if step.order.paid_at is None
    ]
    return [outbox.internal(message, because=step.because) for step, message in (*commits, *releases, *restocks)]
