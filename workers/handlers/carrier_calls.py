"""Handles calls to carriers, one queue for each that OMS_CARRIERS names.

    message         the carrier's answer    then
    --------------  ----------------------  -------------------------------------------------------------------------
    carrier.book    booked, a refusal       waybill.answered, for shipping_updates to book the parcel or to say why not
                    none                    retried, under the same number
    carrier.track   its history             shipment.observed for every fact that is not known here
                    a refusal, none         nothing: the timer polls again
    carrier.cancel  cancelled               the waybill is cancelled, and its timer ends
                    a refusal               it stays uncancelled, its timer ends, and an alert has a person call
                    none, or the carrier    nothing: the timer has it cancelled again
                    booked it meanwhile

A message about a waybill that is in another state meanwhile needs no call. The calls are made before the transaction,
while none is open (services/carrier_requests.py). While a carrier cannot be reached, only its own queue waits.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.base import AlertRaised
from messages.carriers import CarrierBook, CarrierTrack, ShipmentObserved, WaybillAnswered
from messages.envelope import Envelope
from messages.reasons import Reason
from messages.topology import carrier_calls_queue
from workers.carriers.port import (
    CarrierRefusal,
    ConsignmentBooked,
    ConsignmentCancelled,
    ParcelHistory,
)
from workers.domain.codes import Code
from workers.providers.port import UnknownOutcome
from workers.runtime.batch import Batch
from workers.runtime.route import CallRoute
from workers.services.carrier_requests import CarrierAnswer, prepare, send
from workers.store import shipments, timers, waybills
from workers.store.timers import TimerKind
from workers.store.waybills import Waybill, WaybillState

Item: TypeAlias = Envelope[Any]
BATCH_MAX_ITEMS = 20  # the calls of a batch are made side by side, and the calls module makes 20 at once


@dataclass(frozen=True)
class CarrierDecision:
    """What one answer changes: the state in which the waybill ends, and what is announced. `retry` says why."""

    retry: str | None = None
    closed: WaybillState | None = None
    announcements: tuple[outbox.Announcement, ...] = ()


NOTHING = CarrierDecision()


def decide(item: Item, answer: CarrierAnswer | None, waybill: Waybill, known: Set[str]) -> CarrierDecision:
    """Decide what the answer to one message changes. It is None if no call was needed. No I/O.

    `known` are the ids of the carrier's events that are recorded for the parcel.
    """
    if answer is None:
        return NOTHING
    match item.body:
        case CarrierBook():
            return decide_booking(item, answer, waybill)
        case CarrierTrack():
            return decide_history(item, answer, waybill, known)
    return decide_cancellation(item, answer, waybill)


def decide_booking(item: Item, answer: CarrierAnswer, waybill: Waybill) -> CarrierDecision:
    """Pass a definite answer on to the handler that knows the orders. Without one, book again."""
    outcome: dict[str, Any] = {}
    match answer:
        case ConsignmentBooked():
            outcome = {"tracking_no": answer.tracking_no, "ship_time": answer.ship_time}
        case CarrierRefusal():
            outcome = {"refusal": answer.code}
        case UnknownOutcome():
            return CarrierDecision(retry=answer.why)
    news = WaybillAnswered(**vars(waybill.plan), waybill_id=waybill.id, **outcome)
    return CarrierDecision(announcements=(outbox.internal(news, because=item),))


def decide_history(item: Item, answer: CarrierAnswer, waybill: Waybill, known: Set[str]) -> CarrierDecision:
    """Report what is new, in the order in which it happened."""
    if not isinstance(answer, ParcelHistory) or waybill.tracking_no is None:
        return NOTHING
    new = {event.event_id: event for event in answer.events if event.event_id not in known}
    return CarrierDecision(
        announcements=tuple(
            outbox.internal(
                ShipmentObserved(
                    order_id=waybill.order_id,
                    carrier=waybill.plan.carrier,
                    tracking_no=waybill.tracking_no,
                    event_id=event.event_id,
                    status=event.status,
                    occurred_at=event.occurred_at,
                    place=event.place,
                ),
                because=item,
            )
            for event in sorted(new.values(), key=lambda event: event.occurred_at)
        )
    )


def decide_cancellation(item: Item, answer: CarrierAnswer, waybill: Waybill) -> CarrierDecision:
    """Close the waybill, and have a person call a carrier that refuses."""
    match answer:
        case ConsignmentCancelled():
            return CarrierDecision(closed=WaybillState.CANCELLED)
        case CarrierRefusal(code=code):
            content = (
                f"the carrier {waybill.plan.carrier} refuses to cancel {waybill.tracking_no} ({code}), "
                "which no parcel uses: call the carrier"
            )
            alert = AlertRaised.of(
                title="waybill not cancelled",
                content=content,
                code=Code.LOGISTICS_CANCEL_REFUSED,
                order_id=waybill.order_id,
            )
            news = outbox.event(alert, because=item)
            return CarrierDecision(closed=WaybillState.UNCANCELLED, announcements=(news,))
    return NOTHING


async def take_answers(tx: Transaction, batch: Batch[Any]) -> None:
    """Decide on the answers that the carrier gave before this transaction, and write each table once."""
    answers: Mapping[str, CarrierAnswer] = batch.answers
    found = await waybills.read(tx, [item.body.waybill_id for item in batch])
    facts = await shipments.facts(tx, [item.body.waybill_id for item in batch.of(CarrierTrack)])
    closing: dict[int, tuple[WaybillState, int]] = {}
    closed_news: dict[int, Sequence[outbox.Announcement]] = {}
    news: list[outbox.Announcement] = []
    for item in batch:
        waybill = found.get(item.body.waybill_id)
        if waybill is None:
            continue
        decision = decide(item, answers.get(item.id), waybill, facts.get(waybill.id, {}).keys())
        if decision.retry is not None:
            batch.retry(item, Reason.CARRIER_UNKNOWN, decision.retry)
        elif decision.closed is None:
            news += decision.announcements
        elif waybill.id not in closing:
            closing[waybill.id] = decision.closed, item.body.bookings
            closed_news[waybill.id] = decision.announcements
    closed = await waybills.close(tx, [(key, *one) for key, one in closing.items()])
    await timers.stop(tx, [(TimerKind.WAYBILL, waybill_id) for waybill_id in sorted(closed)])
    await outbox.append(tx, [*news, *(each for key in sorted(closed) for each in closed_news[key])])


def route(carrier: str) -> CallRoute:
    """Return the route of one carrier's queue. While that carrier is away, only this queue waits."""
    return CallRoute(
        queue=carrier_calls_queue(carrier),
        handler=take_answers,
        batch_max_items=BATCH_MAX_ITEMS,
        prepare=partial(prepare, carrier=carrier),
        call=send,
    )
