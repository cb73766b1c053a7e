"""Builds the HTTP requests for a batch of carrier.* messages, sends them, and reads the responses.

This runs before the handler's transaction; no transaction is open during the calls. A booking carries our number of the
waybill, so that sending it again after a crash or a lost answer does no harm. The address is decrypted as the request
is built, and is in nothing else.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from db.pool import Transaction
from messages.carriers import CarrierBook, CarrierCancel, CarrierTrack
from messages.envelope import Envelope
from workers import carriers
from workers.carriers.port import (
    CarrierAdapter,
    CarrierRefusal,
    Consignment,
    ConsignmentBooked,
    ConsignmentCancelled,
    ConsignmentLine,
    ParcelHistory,
)
from workers.providers.calls import Caller, ProviderAwayError
from workers.providers.port import HttpRequest, HttpResponse, UnknownOutcome
from workers.services.parcel_plans import order_ids_of
from workers.store import fulfilments, waybills
from workers.store.fulfilments import Papers
from workers.store.waybills import Waybill, WaybillState
from workers.telemetry import lines

Item: TypeAlias = Envelope[Any]
CarrierAnswer: TypeAlias = ConsignmentBooked | ParcelHistory | ConsignmentCancelled | CarrierRefusal | UnknownOutcome
NEEDED_IN = {
    CarrierBook: WaybillState.REQUESTED,
    CarrierTrack: WaybillState.BOOKED,
    CarrierCancel: WaybillState.UNUSED,
}
"""Message -> the state of a waybill in which the carrier is called about it."""


@dataclass(frozen=True)
class CarrierRequest:
    """One message as an HTTP request."""

    item_id: str
    build: Callable[[], HttpRequest]
    read: Callable[[HttpResponse], CarrierAnswer]


@dataclass(frozen=True)
class CarrierRequests:
    """The requests of one batch to one carrier."""

    carrier: str
    requests: Sequence[CarrierRequest]


async def prepare(tx: Transaction, items: Sequence[Item], *, carrier: str) -> CarrierRequests:
    """Read what the requests need, one statement per table. Items that need no request are left out.

    Raises ProviderAwayError if this process does not call the carrier; another worker will take the message.
    """
    adapter = carriers.adapter(carrier)
    if adapter is None:
        raise ProviderAwayError(f"this process does not call {carrier}: set OMS_CARRIERS and FULFILLMENT_SERVICE_URL")
    found = await waybills.read(tx, [item.body.waybill_id for item in items])
    wanted = [item for item in items if needs_call(item, found)]
    booking = [found[item.body.waybill_id] for item in wanted if isinstance(item.body, CarrierBook)]
    papers = await fulfilments.papers(tx, {order_id for one in booking for order_id in order_ids_of(one.plan)})
    return CarrierRequests(
        carrier, [request_for(adapter, item, found[item.body.waybill_id], papers) for item in wanted]
    )


def needs_call(item: Item, found: Mapping[int, Waybill]) -> bool:
    """True if the message's waybill still is in the state that the message is about."""
    waybill = found.get(item.body.waybill_id)
    return waybill is not None and waybill.state is NEEDED_IN[type(item.body)]


def request_for(adapter: CarrierAdapter, item: Item, waybill: Waybill, papers: Mapping[int, Papers]) -> CarrierRequest:
    """Return the request for one message."""
    match item.body:
        case CarrierBook():
            return CarrierRequest(item.id, partial(book, adapter, waybill, papers), adapter.read_booking)
        case CarrierCancel():
            return CarrierRequest(item.id, partial(adapter.cancel, waybill.number), adapter.read_cancellation)
    return CarrierRequest(item.id, partial(adapter.track, waybill.number), adapter.read_history)


def book(adapter: CarrierAdapter, waybill: Waybill, papers: Mapping[int, Papers]) -> HttpRequest:
    """Build the booking, with the address in clear, which all orders in the parcel have. Raises CipherError."""
    plan, mine = waybill.plan, papers.get(waybill.order_id)
    numbers = {key: papers[key].order_no for key in order_ids_of(plan) if key in papers}
    lines = [ConsignmentLine(numbers.get(line.order_id or plan.order_id), line.sku_id, line.qty) for line in plan.lines]
    address = mine.address() if mine else None
    return adapter.book(Consignment(waybill.number, [*filter(None, numbers.values())], plan.warehouse, lines, address))


async def send(batch: CarrierRequests) -> Mapping[str, CarrierAnswer]:
    """Send the requests side by side: item id -> answer. Raises ProviderAwayError if the carrier is not reached."""
    if not batch.requests:
        return {}
    caller = carriers.caller(batch.carrier)
    answers = await asyncio.gather(*(send_one(caller, request) for request in batch.requests))
    return {request.item_id: answer for request, answer in zip(batch.requests, answers, strict=True)}


async def send_one(caller: Caller, request: CarrierRequest) -> CarrierAnswer:
    """Send one request. Raises ProviderAwayError."""
    with lines.about(request.item_id):
        answer = await caller.call(lambda _at: request.build(), lambda response, _at: request.read(response))
    assert answer is not None, "every request is built"
    return answer
