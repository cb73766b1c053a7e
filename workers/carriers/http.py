"""The adapter for every carrier: a small protocol of JSON over HTTP, which the shop's fulfilment service speaks.

    PUT    URL/<carrier>/waybills/<number>   book: {"order_nos", "warehouse", "ship_to",
                                                    "lines": [{"order_no", "sku_id", "qty"}]}
                                             -> {"tracking_no", "ship_time"}
    GET    URL/<carrier>/waybills/<number>   follow: -> {"events": [{"event_id", "status", "occurred_at", "place"}]}
    DELETE URL/<carrier>/waybills/<number>   cancel

URL is FULFILLMENT_SERVICE_URL. A parcel may hold goods of several orders. `number` is ours, and the same number again
is the same parcel: it is answered as the first time. 400, 409 and 422 refuse, with {"code"}; 404 with the code
WAYBILL_UNKNOWN says that there is no such parcel. After every other answer the outcome is unknown, and we call again.
A status that shipment.update does not have is left out of a parcel's history.
"""

from http import HTTPStatus
from typing import Any, Literal, TypeVar, get_args
from urllib.parse import quote

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from messages.base import ExternalId, Moment, ShortText, as_reason_code
from messages.shipments import Status
from workers.carriers.port import (
    CarrierRefusal,
    Consignment,
    ConsignmentBooked,
    ConsignmentCancelled,
    ParcelHistory,
    TrackedEvent,
)
from workers.providers.port import HttpRequest, HttpResponse, UnknownOutcome

UNKNOWN_WAYBILL = "WAYBILL_UNKNOWN"
REFUSALS = (HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)
STATUSES = frozenset(get_args(Status))


class _Answer(BaseModel):
    """A part of an answer. What it has beside its fields is of no interest."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Booking(_Answer):
    tracking_no: ExternalId
    ship_time: Moment | None = None


class _Event(_Answer):
    event_id: ExternalId
    status: str
    occurred_at: Moment
    place: ShortText | None = None


class _History(_Answer):
    events: list[_Event]


A = TypeVar("A", bound=_Answer)


class HttpCarrier:
    """One carrier, behind the fulfilment service at `url`."""

    def __init__(self, name: str, url: str, token: str = "") -> None:
        self.name = name
        self._url = f"{url.rstrip('/')}/{quote(name, safe='')}/waybills"
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    def book(self, consignment: Consignment) -> HttpRequest:
        """Book the parcel."""
        address = consignment.address
        content = {
            "order_nos": list(consignment.order_nos),
            "warehouse": consignment.warehouse,
            "lines": [vars(line) for line in consignment.lines],
            "ship_to": address and address.model_dump(mode="json", exclude_none=True),
        }
        return self._request("PUT", consignment.number, content)

    def read_booking(self, response: HttpResponse) -> ConsignmentBooked | CarrierRefusal | UnknownOutcome:
        """Read the response to `book`."""
        if response.status in REFUSALS:
            return _refusal(response)
        booking = _read(response, _Booking, HTTPStatus.OK, HTTPStatus.CREATED)
        if isinstance(booking, UnknownOutcome):
            return booking
        return ConsignmentBooked(booking.tracking_no, booking.ship_time)

    def track(self, number: str) -> HttpRequest:
        """Poll the parcel."""
        return self._request("GET", number)

    def read_history(self, response: HttpResponse) -> ParcelHistory | CarrierRefusal | UnknownOutcome:
        """Read the response to `track`."""
        if _is_unknown(response):
            return _refusal(response)
        history = _read(response, _History, HTTPStatus.OK)
        if isinstance(history, UnknownOutcome):
            return history
        events: list[Any] = [event for event in history.events if event.status in STATUSES]
        return ParcelHistory([TrackedEvent(one.event_id, one.status, one.occurred_at, one.place) for one in events])

    def cancel(self, number: str) -> HttpRequest:
        """Cancel the parcel."""
        return self._request("DELETE", number)

    def read_cancellation(self, response: HttpResponse) -> ConsignmentCancelled | CarrierRefusal | UnknownOutcome:
        """Read the response to `cancel`."""
        if response.status in (HTTPStatus.OK, HTTPStatus.NO_CONTENT) or _is_unknown(response):
            return ConsignmentCancelled()
        if response.status in REFUSALS:
            return _refusal(response)
        return UnknownOutcome(f"HTTP {response.status}")

    def _request(self, method: Literal["GET", "PUT", "DELETE"], number: str, content: Any = None) -> HttpRequest:
        body = b"" if content is None else orjson.dumps(content)
        about = {"content-type": "application/json"} if body else {}
        return HttpRequest(method, f"{self._url}/{number}", self._headers | about, body)


def _read(response: HttpResponse, model: type[A], *sound: HTTPStatus) -> A | UnknownOutcome:
    if response.status not in sound:
        return UnknownOutcome(f"HTTP {response.status}")
    try:
        return model.model_validate_json(response.body)
    except ValidationError:
        return UnknownOutcome("the answer cannot be read")


def _code(response: HttpResponse) -> str | None:
    try:
        content = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return None
    code = content.get("code") if isinstance(content, dict) else None
    return as_reason_code(code) if isinstance(code, str) else None


def _refusal(response: HttpResponse) -> CarrierRefusal:
    """Return the refusal with its code, which is announced: a text could repeat the address."""
    return CarrierRefusal(_code(response) or f"HTTP_{response.status}")


def _is_unknown(response: HttpResponse) -> bool:
    """True if there is no such parcel. A 404 without that code may come from a wrong URL."""
    return response.status == HTTPStatus.NOT_FOUND and _code(response) == UNKNOWN_WAYBILL
