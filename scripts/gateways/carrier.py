"""A shop's fulfilment service on loopback: it books, follows and cancels parcels at carriers.

On request it misbehaves, as the gateways of the providers do.

PUT    /<carrier>/waybills/<number>         books a parcel; the same number again is the same parcel
GET    /<carrier>/waybills/<number>         its number, its address and its events
DELETE /<carrier>/waybills/<number>         cancels it, unless it has left
POST   /<carrier>/waybills/<number>/events  lets something happen to it: {"status", "place"}
GET    /<carrier>/labels/<tracking_no>      the label: where the parcel goes, and its goods
GET    /ledger                              every parcel, and how often each habit happened
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from scripts.gateways.habits import Dice, Habits
from scripts.gateways.ledger import FullError
from scripts.gateways.server import Handler, MisbehavingServer

PARCELS_MAX = 100_000
FETCHED_AFTER = timedelta(hours=4)
PATH = "/{carrier}/waybills/{number}"


@dataclass
class BookedParcel:
    """One parcel as the carrier knows it. `requested` is the booking as it came."""

    tracking_no: str
    requested: Any
    ship_time: datetime
    cancelled: bool = False
    bookings: int = 1
    events: list[dict[str, Any]] = field(default_factory=list)


class CarrierService(MisbehavingServer):
    """The service, for any number of carriers. `token`: the bearer token that a call must carry, if there is one."""

    def __init__(self, habits: Habits | None = None, *, token: str = "", seed: int | None = None) -> None:
        super().__init__(Dice(habits or Habits(), seed))
        self.parcels: dict[tuple[str, str], BookedParcel] = {}
        self.by_tracking_no: dict[tuple[str, str], BookedParcel] = {}
        self._token = token

    async def start(self, port: int = 0) -> None:
        """Listen on loopback, on a free port if none is given."""
        routes = [
            web.put(PATH, self._vouched(self._book)),
            web.get(PATH, self._vouched(self._show)),
            web.delete(PATH, self._vouched(self._cancel)),
            web.post(f"{PATH}/events", self._happen),
            web.get("/ledger", self._ledger),
            web.get("/{carrier}/labels/{number}", self._label),
        ]
        await self.listen(routes, port)

    def _vouched(self, handler: Handler) -> Handler:
        """Wrap a handler of the merchant's calls with the habits, for calls that carry the token."""
        answer = self.call(handler)

        async def check(request: web.Request) -> web.StreamResponse:
            if self._token and request.headers.get("authorization") != f"Bearer {self._token}":
                return web.json_response({"code": "UNAUTHORIZED"}, status=401)
            return await answer(request)

        return check

    async def _book(self, request: web.Request) -> web.Response:
        key, requested = _key(request), await _json(request)
        known = self.parcels.get(key)
        if known is not None:
            known.bookings += 1
            if known.requested != requested:
                return _refused("NUMBER_IN_USE", 409)
            return _refused("WAYBILL_CANCELLED", 409) if known.cancelled else _booking(known)
        if self.dice("refused") or not isinstance(requested, dict) or not requested.get("ship_to"):
            return _refused("NO_SERVICE_THERE", 422)
        if len(self.parcels) >= PARCELS_MAX:
            raise FullError
        carrier, _ = key
        fetched = (datetime.now(UTC) + FETCHED_AFTER).replace(microsecond=0)
        number = f"{carrier.upper()}{len(self.parcels) + 1:010}"
        parcel = self.parcels[key] = self.by_tracking_no[carrier, number] = BookedParcel(number, requested, fetched)
        return _booking(parcel)

    async def _show(self, request: web.Request) -> web.Response:
        parcel = self.parcels.get(_key(request))
        if parcel is None:
            return _refused("WAYBILL_UNKNOWN", 404)
        events = parcel.events * 2 if self.dice("doubled") else parcel.events
        return web.json_response(_shown(parcel) | {"events": events})

    async def _cancel(self, request: web.Request) -> web.Response:
        parcel = self.parcels.get(_key(request))
        if parcel is None:
            return _refused("WAYBILL_UNKNOWN", 404)
        if parcel.events:
            return _refused("ALREADY_PICKED_UP", 409)
        parcel.cancelled = True
        return web.Response(status=204)

    async def _happen(self, request: web.Request) -> web.Response:
        parcel, posted = self.parcels.get(_key(request)), await _json(request)
        if parcel is None or not isinstance(posted, dict) or not isinstance(posted.get("status"), str):
            return web.json_response({"error": "there is no such parcel, or no status"}, status=409)
        return web.json_response(happen(parcel, posted["status"], posted.get("place")))

    async def _label(self, request: web.Request) -> web.Response:
        parcel = self.by_tracking_no.get(_key(request))
        if parcel is None:
            return _refused("WAYBILL_UNKNOWN", 404)
        return web.json_response({"ship_to": parcel.requested["ship_to"], "lines": parcel.requested["lines"]})

    async def _ledger(self, _request: web.Request) -> web.Response:
        parcels = [
            {"carrier": carrier, "number": number, "cancelled": parcel.cancelled, "bookings": parcel.bookings}
            | _shown(parcel)
            | {"events": parcel.events}
            for (carrier, number), parcel in self.parcels.items()
        ]
        return web.json_response({"parcels": parcels, "habits": self.dice.did})


def happen(parcel: BookedParcel, status: str, place: str | None = None) -> dict[str, Any]:
    """Let something happen to a parcel now."""
    at = datetime.now(UTC).isoformat()
    event = {"event_id": f"E{len(parcel.events) + 1}", "status": status, "occurred_at": at, "place": place}
    parcel.events.append(event)
    return event


def _key(request: web.Request) -> tuple[str, str]:
    return request.match_info["carrier"], request.match_info["number"]


async def _json(request: web.Request) -> Any:
    try:
        return await request.json()
    except ValueError:
        return None


def _shown(parcel: BookedParcel) -> dict[str, Any]:
    return {"tracking_no": parcel.tracking_no, "ship_time": parcel.ship_time.isoformat()}


def _booking(parcel: BookedParcel) -> web.Response:
    return web.json_response(_shown(parcel), status=200 if parcel.bookings > 1 else 201)


def _refused(code: str, status: int) -> web.Response:
    return web.json_response({"code": code, "message": "the carrier refuses"}, status=status)
