"""Counts what becomes of orders, once the transaction that did it has committed (S0-44 to S0-46, S3-36).

An order here is what a buyer places, as in the dashboard (workers/domain/dashboard.py): parts of a split order count
with their parent, and exchange orders do not count. So the counters of all workers together grow by the dashboard's
figures of the same time: those of `create` and `pay` that succeed by total_orders and paid_orders, those of `pay` that
fail by the orders that were never paid, those of `cancel` by cancelled_orders.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from typing import Any

from prometheus_client import Counter, Histogram

import outbox
from messages.orders import OrderCreate
from outbox import code_counts
from outbox.bounded_label import OTHER
from workers.domain.book import Step
from workers.domain.codes import Code
from workers.domain.order import CancelType, OrderKind, State, Trigger

SUCCESS, FAILURE, TIMEOUT = "success", "failure", "timeout"
CREATE_SECONDS = (0.05, 0.25, 1, 5, 30, 600)  # the saga's deadline is ten minutes
PAY_SECONDS = (30, 60, 180, 600, 1800, 86_400)  # so is the window half an hour, or longer
CREATE = Counter("oms_order_create_total", "Orders that were created, and order.create that were refused", ["result"])
CREATE_DURATION = Histogram(
    "oms_order_create_duration_seconds",
    "Time from order.create until the order was created or refused; of one that got to placing, from there",
    ["result"],
    buckets=CREATE_SECONDS,
)
PAY = Counter("oms_order_pay_total", "Orders that were paid, and orders that were cancelled unpaid", ["result"])
PAY_DURATION = Histogram(
    "oms_order_pay_duration_seconds",
    "Time from placing an order until it was paid, or was cancelled unpaid",
    ["result"],
    buckets=PAY_SECONDS,
)
CANCEL = Counter("oms_order_cancel_total", "Orders that were cancelled, by who or what did it", ["cause"])
SAGAS = Counter(
    "oms_sagas_total",
    "Reservations for a new order (placing), or for one that was paid late (reinstating), by how they ended",
    ["saga", "result"],
)
SHIP = Counter(
    "oms_order_ship_total",
    "Orders, or parts of split ones, whose last unit left: on_time, late, or unpromised if nothing was promised",
    ["result"],
)
SHIPPED = {True: "on_time", False: "late", None: "unpromised"}

for _result in SHIPPED.values():
    SHIP.labels(_result)
for _result in (SUCCESS, FAILURE):
    for _metric in (CREATE, PAY):
        _metric.labels(_result)
for _cause in CancelType:
    CANCEL.labels(_cause)
for _saga, _result in product((State.PLACING, State.REINSTATING), (SUCCESS, FAILURE, TIMEOUT)):
    SAGAS.labels(_saga, _result)


def note(steps: Sequence[Step[Any]]) -> None:
    """Count these steps once their transaction has committed."""
    sold = [step for step in steps if step.order.kind is not OrderKind.EXCHANGE and step.previous != step.order.state]
    if sold:
        outbox.once_committed(partial(_count, sold))


def note_refused(sent_at: Sequence[datetime]) -> None:
    """Count so many refused order.create, by when each was sent, once their transaction has committed."""
    if sent_at:
        outbox.once_committed(partial(_count_refused, sent_at))


def _count_refused(sent_at: Sequence[datetime]) -> None:
    for at in sent_at:
        _created(FAILURE, at)


def _count(steps: Sequence[Step[Any]]) -> None:
    for step in steps:
        if step.order.kind is not OrderKind.SPLIT_CHILD:
            _count_whole(step)
        if step.order.state is State.SHIPPED:
            SHIP.labels(SHIPPED[step.order.on_time]).inc()


def _count_whole(step: Step[Any]) -> None:
    order = step.order
    match step.previous, order.state:
        case State.PLACING, State.AWAITING_PAYMENT:
            _created(SUCCESS, order.created_at)
        case State.PLACING, State.REJECTED:
            _created(FAILURE, order.created_at)
            code_counts.rejected(OrderCreate.TYPE, order.reason_code or OTHER)
        case State.AWAITING_PAYMENT, State.PAID:
            assert order.paid_at is not None, "a paid order has the time of its payment"
            _paid(SUCCESS, order.paid_at - order.created_at)
        case State.AWAITING_PAYMENT, State.CANCELLED:
            assert order.cancelled_at is not None, "a cancelled order has the time of its end"
            _paid(FAILURE, order.cancelled_at - order.created_at)
    if order.state is State.CANCELLED and step.previous is not State.REINSTATING:
        CANCEL.labels(order.cancel_type or CancelType.SYSTEM).inc()
    if step.previous in {State.PLACING, State.REINSTATING}:
        SAGAS.labels(step.previous, _end_of_saga(step)).inc()


def _end_of_saga(step: Step[Any]) -> str:
    if step.order.state is State.AWAITING_PAYMENT:
        return SUCCESS
    timed_out = step.trigger in {Trigger.PLACING_EXPIRED, Trigger.NOT_REINSTATED}
    return TIMEOUT if timed_out and step.order.reason_code == Code.ORDER_SAGA_TIMEOUT else FAILURE


def _created(result: str, since: datetime) -> None:
    CREATE.labels(result).inc()
    CREATE_DURATION.labels(result).observe(max(0.0, (datetime.now(UTC) - since).total_seconds()))


def _paid(result: str, duration: timedelta) -> None:
    PAY.labels(result).inc()
    PAY_DURATION.labels(result).observe(duration.total_seconds())
