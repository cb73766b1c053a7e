"""Books parcels for a warehouse: under a number of its own, or at a carrier, which gives number and label."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scripts.amqp_client import OutgoingMessage, ReceivedMessage, new_id
from scripts.demo.browser import Browser
from scripts.demo.carrier import CARRIER, TWICE
from scripts.demo.client_job import CARRIERS
from scripts.demo.command_outcomes import CommandOutcomes
from scripts.demo.role_links import RoleLinks

BOOKING_TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class ParcelBooking:
    """The answer to a booking. `code` says why there is no parcel, and `by_carrier` that the carrier does not take it.

    `label` is the address that the carrier printed, None if the warehouse prints its own.
    """

    carrier: str
    tracking_no: str = ""
    code: str | None = None
    by_carrier: bool = False
    label: Mapping[str, Any] | None = None


class ParcelBookings:
    """Sends bookings, some twice, and waits for the event that answers each."""

    def __init__(self, link: RoleLinks, outcomes: CommandOutcomes, browser: Browser) -> None:
        self._link, self._outcomes, self._browser = link, outcomes, browser
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def book(self, plan: Mapping[str, Any]) -> ParcelBooking:
        """Book under a number of the warehouse's own, for a carrier that pushes its facts."""
        tracking_no = f"T{new_id()[:20]}"
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[tracking_no] = answer
        message = OutgoingMessage("shipment.book.v1", {"carrier": CARRIER, "tracking_no": tracking_no, **plan})
        await self._send(message)
        async with asyncio.timeout(BOOKING_TIMEOUT_SECONDS):
            return ParcelBooking(CARRIER, tracking_no, (await answer).get("code"))

    async def create(self, plan: Mapping[str, Any]) -> ParcelBooking:
        """Have the order system book at one of the carriers."""
        carrier = random.choice(CARRIERS)
        message = OutgoingMessage("shipment.create.v1", {"request_id": new_id(), "carrier": carrier, **plan})
        sent = self._outcomes.remember(message)
        await self._send(message)
        body = (await sent.outcome()).body
        if (code := body.get("code")) is not None:
            return ParcelBooking(carrier, code=code, by_carrier="carrier_code" in body["details"])
        tracking_no = body["tracking_no"]
        return ParcelBooking(carrier, tracking_no, label=await self._browser.label(carrier, tracking_no))

    def receive(self, received: ReceivedMessage) -> None:
        """Handle shipment.booked or shipment.booking_failed. The first of several orders speaks for all."""
        answer = self._waiting.pop(received.body["tracking_no"], None)
        if answer is not None:
            answer.set_result(received.body)

    def stuck(self) -> list[str]:
        """Return bookings without an answer, as text."""
        return [f"booking of parcel {tracking_no} unanswered" for tracking_no in list(self._waiting)[:3]]

    async def _send(self, message: OutgoingMessage) -> None:
        for _ in range(2 if random.random() < TWICE else 1):
            await self._link.send(message)
