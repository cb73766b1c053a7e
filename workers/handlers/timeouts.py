"""Handles timer.due. The timer's row decides; the message only wakes the handler.

    timer     its order is       then
    --------  -----------------  -----------------------------------------------------------------------
    saga      placing            rejected with ORDER_SAGA_TIMEOUT, or with RISK_CAPTCHA_REQUIRED if its buyer has not
                                 answered a captcha; whatever is reserved or held is released
    saga      reinstating        cancelled again, its stock released, its late payment refunded
    payment   awaiting payment   cancelled, everything released: once payment results have caught up with the deadline
    receipt   delivered          completed, points awarded
    attempt   any                its provider is polled for the attempt's state until it is final, in ever longer steps:
                                 at most once a minute, in the end once an hour
    refund    any                its provider is polled for the refund's state, in the same steps
    waybill   any                its carrier is polled for the parcel's history, in the same steps, until the parcel has
                                 ended or OMS_CARRIERS does not say =poll any more; an unused waybill is cancelled, and
                                 one without an answer is requested again
    authorization  any           payment_authorizations.py polls or captures it (authorization.due)
    shortage  any                partial_orders.py decides for the buyer (order.shortage_due)
    after_sale  any              after_sales.py decides about the case (after_sale.due)
    dispute  any                 disputes.py raises an alert before it has to be answered (dispute.due)
    cancellation  any            order_cancellations.py ends it (order_cancellation.due)
    group    -                   buying_groups.py decides about all its orders (group.due)
    receipt   delivered, held    woken again within the hour; a release sets a new time (order_holds.py)
    receipt   with an open case  woken again within the hour
    cancelling  cancelling       an alert, and again after OMS_FULFILMENT_CANCEL_SECONDS: a warehouse has not answered
    any       in another state   the timer is dropped
    any       not due yet        woken again a second later

A timer without a row has no effect, so a timer that is woken twice takes effect once. Every second the sweeper wakes
the timers that the delay exchange does not carry or has lost, and sends progress marks while timers of payments or
groups wait. Every ten minutes waybills get timers that were booked when their carrier was not polled.
Beside that the queue's workers purge and archive what is old, make the partitions of months to come (db/README.md) and
raise alerts of what waits too long and of dead letters (workers/services/standing_alerts.py).
"""

import math
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.after_sales import AfterSaleDue
from messages.authorizations import AuthorizationDue
from messages.base import AlertRaised, Internal
from messages.buying_groups import GroupDue
from messages.cancellations import OrderCancellationDue
from messages.carrier_modes import PUSH, polled
from messages.carriers import CarrierBook, CarrierCall, CarrierCancel, CarrierTrack
from messages.disputes import DisputeDue
from messages.envelope import Envelope
from messages.orders import OrderRejected
from messages.payments import ProgressMark
from messages.providers import ProviderQuery, ProviderRefundQuery
from messages.rests import ShortageDue
from messages.timers import TimerDue
from messages.topology import carrier_calls_queue
from outbox import backlog
from outbox.shared_gauge import SharedGauge
from workers import shop
from workers.domain.book import Book, Step
from workers.domain.captchas import NOT_RESERVED, why_not_placed
from workers.domain.codes import Code
from workers.domain.order import CancelType, Order, State, Trigger
from workers.domain.payment_rules import PAYMENT_TIMEOUT
from workers.domain.refusal import Refusal
from workers.runtime.batch import Batch
from workers.runtime.route import Every, Route
from workers.services import (
    archive,
    attempts,
    benefits,
    commands,
    order_events,
    order_partitions,
    refunds,
    reinstatements,
    retention,
    standing_alerts,
)
from workers.store import after_sales, captchas, orders, timers, waybills
from workers.store import attempts as attempt_rows
from workers.store.timers import Timer, TimerKind
from workers.store.waybills import Waybill, WaybillState

Item: TypeAlias = Envelope[TimerDue]
FOLLOW_SECONDS = 600.0  # a change of OMS_CARRIERS is rare, and a parcel is polled every ten minutes at most
TRIGGERS = {
    TimerKind.SAGA: Trigger.PLACING_EXPIRED,
    TimerKind.PAYMENT: Trigger.PAYMENT_EXPIRED,
    TimerKind.RECEIPT: Trigger.RECEIPT_EXPIRED,
}
"""The timers that move an order here."""
PASSED_ON: Mapping[TimerKind, Callable[[int], Internal]] = {
    TimerKind.SHORTAGE: lambda key: ShortageDue(order_id=key),
    TimerKind.AUTHORIZATION: lambda key: AuthorizationDue(attempt_id=key),
    TimerKind.AFTER_SALE: lambda key: AfterSaleDue(case_id=key),
    TimerKind.DISPUTE: lambda key: DisputeDue(dispute_id=key),
    TimerKind.CANCELLATION: lambda key: OrderCancellationDue(order_id=key),
    TimerKind.GROUP: lambda key: GroupDue(key=key),
}
"""The timers that another handler decides, and the message that passes them on."""
OF_ORDERS = frozenset({*TRIGGERS, TimerKind.CANCELLING})
"""The timers that this handler decides by the order. The others poll, or wake partial_orders.py."""
LOOK_AGAIN = timedelta(seconds=1)
LOOK_AGAIN_HELD = timedelta(hours=1)  # a release starts the timer anew, so this only replaces a lost start
RUNNING = SharedGauge("oms_timeouts_scheduled", "Timers that run, counted up to 100,000")
LAG = SharedGauge("oms_timeouts_lag_seconds", "How late the next timer is woken, 0 in time")


class NoStep(Enum):
    """Why a timer moves no order now: it is too early or the order is stopped, and it stays; or it is too late."""

    TOO_EARLY = auto()
    HELD = auto()
    TOO_LATE = auto()


def decide(
    timer: Timer, order: Order | None, now: datetime, handled_until: datetime, in_case: Collection[int] = ()
) -> Trigger | NoStep:
    """Return the step that the order takes, or why it takes none. No I/O.

    `handled_until`: payment-results has handled every payment that was reported before this moment. `in_case` are the
    orders with an open after-sale case.
    """
    reinstating = timer.kind is TimerKind.SAGA and order is not None and order.state is State.REINSTATING
    trigger = Trigger.NOT_REINSTATED if reinstating else TRIGGERS[timer.kind]
    if order is None or not order.allows(trigger):
        return NoStep.TOO_LATE
    if timer.due_at > now or (timer.kind is TimerKind.PAYMENT and handled_until < timer.due_at):
        return NoStep.TOO_EARLY
    if timer.kind is TimerKind.RECEIPT and (order.held or order.id in in_case):
        return NoStep.HELD
    return trigger


async def take_timers(tx: Transaction, batch: Batch[TimerDue]) -> None:
    """Lock every order once, act on the timers that are due, drop those without effect."""
    polls, polling, over, waiting = await poll(tx, batch)
    book = Book[Item](await orders.lock(tx, {item.body.key for item in batch if item.body.kind in OF_ORDERS}))
    due = await timers.read(tx, [key_of(item.body) for item in batch])
    handled_until = await timers.progress(tx)
    held = list[timers.Key]()
    challenges = await captchas.read(tx, [key for kind, key in due if kind is TimerKind.SAGA])
    in_case = await after_sales.open_orders(tx, [key for kind, key in due if kind is TimerKind.RECEIPT])
    unanswered, ended = remind(batch, book, due)
    for item in batch:
        key = key_of(item.body)
        if key not in due or key in ended or item.body.kind not in TRIGGERS:
            continue
        match decide(Timer(*key, due[key]), book.get(item.body.key), batch.now, handled_until, in_case):
            case Trigger() as trigger:
                move(book, item, trigger, why_not_placed(challenges.get(item.body.key)), batch.now)
                ended.append(key)
            case NoStep.TOO_LATE:
                ended.append(key)
            case NoStep.TOO_EARLY:
                waiting.append(key)
            case NoStep.HELD:
                held.append(key)

    await orders.save(tx, book)
    await captchas.change(tx, saved=(), ended={key for key in challenges if (TimerKind.SAGA, key) in ended})
    opened = await reinstatements.end(tx, book)
    applied = await benefits.apply(tx, book, batch.now)
    closings = await attempts.close_superseded(tx, book)
    again = batch.now + timedelta(seconds=shop.current().fulfilment_cancel_seconds)
    await timers.start(tx, [Timer(TimerKind.CANCELLING, key, again) for key in unanswered])
    await timers.stop(tx, [*ended, *over])
    await timers.postpone(tx, waiting, batch.now + LOOK_AGAIN)
    await timers.postpone(tx, held, batch.now + LOOK_AGAIN_HELD)
    await timers.back_off(tx, polling)
    answers = await commands.conclude(tx, commands.creations(book))
    await outbox.append(
        tx,
        [
            *order_events.steps(book),
            *order_events.stock_orders(book),
            *refunds.announcements(opened),
            *benefits.announcements(applied),
            *attempts.close_calls(closings),
            *polls,
            *[outbox.event(unanswered_alert(key), because=item) for key, item in unanswered.items()],
            *answers,
        ],
    )


def remind(
    batch: Batch[TimerDue], book: Book[Item], due: Mapping[timers.Key, datetime]
) -> tuple[dict[int, Item], list[timers.Key]]:
    """Return the orders that a warehouse has not answered for too long, and the timers without a purpose."""
    unanswered: dict[int, Item] = {}
    ended: list[timers.Key] = []
    for item in batch:
        key, order = key_of(item.body), book.get(item.body.key)
        if key[0] is not TimerKind.CANCELLING or key not in due:
            continue
        if order is None or order.state is not State.CANCELLING:
            ended.append(key)
        elif due[key] <= batch.now:
            unanswered[order.id] = item
    return unanswered, ended


def unanswered_alert(order_id: int) -> AlertRaised:
    """Build alert.raised: a warehouse does not say whether it could stop, and the order stays as it is."""
    content = "a warehouse has not answered fulfilment.cancel_requested: call it, and have it answer"
    code = Code.FULFILMENT_CANCEL_UNANSWERED
    return AlertRaised.of(title="cancellation unanswered", content=content, code=code, order_id=order_id)


def key_of(body: TimerDue) -> timers.Key:
    """Return the key of the timer's row."""
    return TimerKind(body.kind), body.key


async def poll(
    tx: Transaction, batch: Batch[TimerDue]
) -> tuple[list[outbox.Announcement], Collection[timers.Key], Collection[timers.Key], list[timers.Key]]:
    """Return a query to the provider of each attempt and refund that has no result yet, and to each parcel's carrier.

    Beside them come the timers that stay, those that end, and those that are not due yet. A shortage or a case whose
    time is over is passed to the handler that knows the order's lines.
    """
    waiting = {key_of(item.body): item for item in batch if item.body.kind not in OF_ORDERS}
    if not waiting:
        return [], (), (), []
    due = await timers.read(tx, waiting)
    providers = await attempt_rows.providers_of(tx, [key for kind, key in due if kind is TimerKind.ATTEMPT])
    numbers = await attempt_rows.refund_numbers(tx, [key for kind, key in due if kind is TimerKind.REFUND])
    known = await waybills.read(tx, [key for kind, key in due if kind is TimerKind.WAYBILL])
    calls, over = [], []
    # a cancellation that was replaced leaves a wake-up behind, and its new time may be weeks away
    early = [key for key, due_at in due.items() if key[0] is TimerKind.CANCELLATION and due_at > batch.now]
    for attempt_id, provider in providers.items():
        because = waiting[TimerKind.ATTEMPT, attempt_id]
        calls.append(attempts.provider_call(ProviderQuery(attempt_id=attempt_id), provider, because=because))
    for refund_id, (refund_no, provider) in numbers.items():
        because = waiting[TimerKind.REFUND, refund_id]
        calls.append(attempts.provider_call(ProviderRefundQuery(refund_no=refund_no), provider, because=because))
    for kind, key in due:
        if kind in PASSED_ON and (kind, key) not in early:
            calls.append(outbox.internal(PASSED_ON[kind](key), because=waiting[kind, key]))
    for waybill_id, waybill in known.items():
        mode = shop.current().carriers.get(waybill.plan.carrier)
        call = carrier_call(waybill, mode)
        if call is None:
            over.append((TimerKind.WAYBILL, waybill_id))
        elif mode is not None:  # else its queue is gone, and the timer waits
            queue, because = carrier_calls_queue(waybill.plan.carrier), waiting[TimerKind.WAYBILL, waybill_id]
            calls.append(outbox.to_queue(call, queue=queue, because=because))
    return calls, due.keys() - {*over, *early}, over, early


def carrier_call(waybill: Waybill, mode: str | None) -> CarrierCall | None:
    """Return the next call about a waybill, or None if there is none any more. `mode` is its carrier's. No I/O."""
    if waybill.state is WaybillState.REQUESTED:
        return CarrierBook(waybill_id=waybill.id)
    if waybill.state is WaybillState.UNUSED:
        return CarrierCancel(waybill_id=waybill.id, bookings=waybill.bookings)
    if waybill.state is WaybillState.BOOKED and not waybill.parcel_ended and mode != PUSH:
        return CarrierTrack(waybill_id=waybill.id)
    return None


def move(book: Book[Item], item: Item, trigger: Trigger, why: Refusal, now: datetime) -> None:
    """Move the timer's order and its children; `why` is why they could not be placed, if that is the step."""
    for step in book.move_family(item.body.key, trigger, because=item, at=now, **fields(trigger, why)):
        step.event = rejected(step, why) if trigger is Trigger.PLACING_EXPIRED else None


def fields(trigger: Trigger, why: Refusal = NOT_RESERVED) -> dict[str, Any]:
    """Return the fields that the step sets besides the state."""
    if trigger is Trigger.PAYMENT_EXPIRED:
        return {"cancel_type": CancelType.TIMEOUT, "reason_code": PAYMENT_TIMEOUT}
    return {} if trigger is Trigger.RECEIPT_EXPIRED else {"reason_code": why.code}


def rejected(step: Step[Item], why: Refusal) -> OrderRejected:
    """Build order.rejected: the stock, the risk check or the buyer did not answer in time."""
    return OrderRejected(
        **order_events.common(step),
        request_id=step.order.request_id,
        code=why.code,
        message=why.message,
    )


async def sweep(tx: Transaction, back_seconds: float = timers.EVER_SECONDS) -> int:
    """Send timer.due for every timer that became due within these seconds, again if no handler has acted on it.

    Returns how many it sent.
    """
    due = await timers.sweep(tx, back_seconds)
    await outbox.append(tx, [outbox.internal(TimerDue(kind=t.kind, key=t.key, due_at=t.due_at)) for t in due])
    return len(due)


class Sweeper:
    """Sweeps recent timers, and all of them from time to time and as long as that finds many (after an outage)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._whole_look_at = -math.inf

    async def __call__(self, tx: Transaction) -> None:
        """Sweep once."""
        whole = self._clock() >= self._whole_look_at
        found = await sweep(tx, timers.EVER_SECONDS if whole else timers.RECENT_SECONDS)
        if whole and found < timers.SWEEP_MAX_TIMERS:
            self._whole_look_at = self._clock() + timers.WHOLE_LOOK_SECONDS


async def follow_parcels(tx: Transaction) -> None:
    """Start to poll the parcels of polled carriers that were booked when their carrier was not polled."""
    await waybills.follow(tx, polled(shop.current().carriers))


async def mark_progress(tx: Transaction) -> None:
    """While a payment timer waits, send a mark to the tail of payment-results: all before it is handled first."""
    at = await timers.payment_waiting(tx)
    if at is not None:
        await outbox.append(tx, [outbox.to_queue(ProgressMark(at=at), queue="payment-results")])


async def measure(tx: Transaction) -> None:
    """Show Prometheus how many timers run and whether they are woken in time."""
    running, lag_seconds = await timers.backlog(tx)
    RUNNING.set(running)
    LAG.set(lag_seconds)


ROUTE = Route(
    queue="timeouts",
    handler=take_timers,
    every=(
        Every(1.0, Sweeper().__call__),
        Every(1.0, mark_progress),
        Every(10.0, measure),
        Every(FOLLOW_SECONDS, follow_parcels),
        Every(retention.RUN_SECONDS, retention.Purger().__call__),
        Every(order_partitions.RUN_SECONDS, order_partitions.make_months),
        Every(archive.RUN_SECONDS, archive.Archiver().__call__),
        Every(standing_alerts.RUN_SECONDS, standing_alerts.raise_alerts),
        Every(backlog.MEASURE_SECONDS, backlog.measure),  # relays do so too, while one lives
    ),
)
