"""The adapter of the fulfilment service: what it requests, and what it makes of every answer."""

from typing import Any

import orjson
import pytest

from messages.orders import Address
from workers.carriers.http import HttpCarrier
from workers.carriers.port import (
    CarrierRefusal,
    Consignment,
    ConsignmentBooked,
    ConsignmentCancelled,
    ConsignmentLine,
    ParcelHistory,
)
from workers.providers.port import HttpResponse, UnknownOutcome

CARRIER = HttpCarrier("sf", "https://ship.test/v1/", "s3cret")
ADDRESS = Address(receiver="Wang Fang", phone="13812345678", country="CN", detail="Nanjing Road 1")
CONSIGNMENT = Consignment("W7", ["20261128"], "main", [ConsignmentLine("20261128", "s1", 2)], ADDRESS)
EVENT = {"event_id": "E1", "status": "delivered", "occurred_at": "2026-11-28T09:30:00Z", "place": "Hangzhou"}


def response(status: int, content: Any = None) -> HttpResponse:
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    return HttpResponse(status, {}, body)


def test_the_requests_name_the_parcel_by_our_number() -> None:
    book, track, cancel = CARRIER.book(CONSIGNMENT), CARRIER.track("W7"), CARRIER.cancel("W7")
    assert {one.url for one in (book, track, cancel)} == {"https://ship.test/v1/sf/waybills/W7"}
    assert [one.method for one in (book, track, cancel)] == ["PUT", "GET", "DELETE"]
    assert {one.headers["authorization"] for one in (book, track, cancel)} == {"Bearer s3cret"}
    assert orjson.loads(book.body) == {
        "order_nos": ["20261128"],
        "warehouse": "main",
        "lines": [{"order_no": "20261128", "sku_id": "s1", "qty": 2}],
        "ship_to": ADDRESS.model_dump(exclude_none=True),
    }
    assert (track.body, cancel.body) == (b"", b"")


def test_neither_the_token_nor_the_address_is_shown() -> None:
    shown = f"{CARRIER.book(CONSIGNMENT)} {CONSIGNMENT}"
    assert not any(secret in shown for secret in ("s3cret", "Wang Fang", "13812345678", "Nanjing"))


def test_without_a_token_a_call_carries_none() -> None:
    assert "authorization" not in HttpCarrier("sf", "https://ship.test").book(CONSIGNMENT).headers


BOOKINGS = [
    (200, {"tracking_no": "SF1"}, ConsignmentBooked("SF1", None)),
    (201, {"tracking_no": "SF1", "ship_time": None, "more": 1}, ConsignmentBooked("SF1", None)),
    (422, {"code": "NO_SERVICE_THERE", "message": "not to Nanjing Road 1"}, CarrierRefusal("NO_SERVICE_THERE")),
    (409, {"code": "call 13812345678"}, CarrierRefusal("HTTP_409")),
    (400, b"<html>", CarrierRefusal("HTTP_400")),
    (400, [1], CarrierRefusal("HTTP_400")),
    (200, {"tracking_no": ""}, UnknownOutcome("the answer cannot be read")),
    (200, {"tracking_no": "x" * 65}, UnknownOutcome("the answer cannot be read")),
    (200, {"tracking_no": 7}, UnknownOutcome("the answer cannot be read")),
    (200, {"tracking_no": "SF1", "ship_time": "tomorrow"}, UnknownOutcome("the answer cannot be read")),
    (200, b"", UnknownOutcome("the answer cannot be read")),
    (401, {"code": "UNAUTHORIZED"}, UnknownOutcome("HTTP 401")),
    (404, {"code": "WAYBILL_UNKNOWN"}, UnknownOutcome("HTTP 404")),
    (429, {}, UnknownOutcome("HTTP 429")),
    (500, b"system error", UnknownOutcome("HTTP 500")),
    (302, b"", UnknownOutcome("HTTP 302")),
]


@pytest.mark.parametrize(("status", "content", "expected"), BOOKINGS)
def test_a_booking_is_sure_only_of_what_it_can_read(status: int, content: Any, expected: object) -> None:
    assert CARRIER.read_booking(response(status, content)) == expected


HISTORIES = [
    (200, {"events": []}, []),
    (200, {"events": [EVENT, EVENT | {"event_id": "E2", "status": "Sorted by robot 7"}]}, ["E1"]),
    (200, {"events": [EVENT | {"occurred_at": "1700000000"}]}, "the answer cannot be read"),
    (200, {"events": [EVENT | {"event_id": "x" * 65}]}, "the answer cannot be read"),
    (200, {"events": "none"}, "the answer cannot be read"),
    (503, b"", "HTTP 503"),
    (404, b"", "HTTP 404"),
]


@pytest.mark.parametrize(("status", "content", "expected"), HISTORIES)
def test_a_history_has_the_statuses_that_we_know(status: int, content: Any, expected: object) -> None:
    history = CARRIER.read_history(response(status, content))
    shown: object = history.why if isinstance(history, UnknownOutcome) else None
    if isinstance(history, ParcelHistory):
        shown = [event.event_id for event in history.events]
    assert shown == expected


def test_a_parcel_that_the_carrier_does_not_know_has_no_history() -> None:
    assert CARRIER.read_history(response(404, {"code": "WAYBILL_UNKNOWN"})) == CarrierRefusal("WAYBILL_UNKNOWN")


CANCELLATIONS = [
    (200, {}, ConsignmentCancelled()),
    (204, b"", ConsignmentCancelled()),
    (404, {"code": "WAYBILL_UNKNOWN"}, ConsignmentCancelled()),
    (404, b"wrong URL", UnknownOutcome("HTTP 404")),
    (409, {"code": "ALREADY_PICKED_UP"}, CarrierRefusal("ALREADY_PICKED_UP")),
    (500, b"", UnknownOutcome("HTTP 500")),
]


@pytest.mark.parametrize(("status", "content", "expected"), CANCELLATIONS)
def test_a_cancellation_is_believed_only_if_it_is_answered(status: int, content: Any, expected: object) -> None:
    assert CARRIER.read_cancellation(response(status, content)) == expected
