"""Warehouse and carrier: they book parcels and report their way, sometimes twice, late or out of order."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from scripts.amqp_client import OutgoingMessage, ReceivedMessage, new_id
from scripts.demo.background_tasks import BackgroundTasks
from scripts.demo.role_links import RoleLinks
from scripts.demo.stocked_products import WAREHOUSE

EVENTS = ("order.created", "order.paid", "order.cancelled", "shipment.booked", "shipment.booking_failed")
CARRIER = "demo-express"

ROADS = {
    "delivered": ["outbound", "picked_up", "in_transit", "out_for_delivery", "delivered"],
    "delayed": ["outbound", "picked_up", "delayed", "in_transit", "out_for_delivery", "delivered"],
    "lost": ["outbound", "picked_up", "in_transit", "lost", "loss_confirmed"],
    "refused": ["outbound", "picked_up", "in_transit", "out_for_delivery", "refused", "returning", "returned"],
    "undeliverable": ["outbound", "picked_up", "in_transit", "undeliverable", "returned"],
}
ODDS = {"delivered": 88, "delayed": 6, "lost": 2, "refused": 3, "undeliverable": 1}
"""How many parcels of a hundred take each road."""
BOOKING_TIMEOUT_SECONDS = 600
TWO_PARCELS, TWICE, SHUFFLED, LATE = 0.12, 0.08, 0.1, 0.05
"""The share of orders in two parcels, of messages sent twice, of parcels reported out of order, of late reports."""


@dataclass
class Parcel:
    """One parcel. `booked` becomes True once the order system has booked it, False if it refused the booking."""

    order_id: str
    lines: list[dict[str, Any]]
    tracking_no: str = field(default_factory=lambda: f"T{new_id()[:20]}")
    booked: "asyncio.Future[bool]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Carrier:
    """Ships paid orders and the parts of split orders, and stops if an order is cancelled before the parcel leaves."""

    def __init__(self, link: RoleLinks, tasks: BackgroundTasks) -> None:
        self.did: Counter[str] = Counter()
        self._link, self._tasks = link, tasks
        self._two_parcels: dict[str, list[dict[str, Any]]] = {}
        self._parents: set[str] = set()
        self._cancelled: set[str] = set()
        self._booking: dict[str, Parcel] = {}

    def receive(self, received: ReceivedMessage) -> None:
        """Handle an event of the order system."""
        body = received.body
        order_id = body["order_id"]
        if received.type == "order.created.v1":
            if body["children"]:
                self._parents.add(order_id)
            elif len(body["lines"]) > 1 and random.random() < TWO_PARCELS:
                self._two_parcels[order_id] = [{"sku_id": line["sku_id"], "qty": line["qty"]} for line in body["lines"]]
        elif received.type == "order.paid.v1":
            if order_id not in self._parents:
                self._tasks.start(self._ship(order_id, self._two_parcels.pop(order_id, [])))
        elif received.type == "order.cancelled.v1":
            self._two_parcels.pop(order_id, None)
            if body["previous"] == "paid":
                self._cancelled.add(order_id)
        elif received.type.startswith("shipment.book"):
            parcel = self._booking.pop(body["tracking_no"], None)
            if parcel is not None and not parcel.booked.done():
                parcel.booked.set_result(received.type == "shipment.booked.v1")

    def stuck(self) -> list[str]:
        """Return bookings without an answer, as text."""
        return [f"parcel {p.tracking_no} of order {p.order_id} unanswered" for p in list(self._booking.values())[:3]]

    async def _ship(self, order_id: str, lines: list[dict[str, Any]]) -> None:
        await asyncio.sleep(random.uniform(0.2, 2))
        half = len(lines) // 2
        parcels = [Parcel(order_id, part) for part in ([lines[:half], lines[half:]] if lines else [[]])]
        for parcel in parcels:
            self._tasks.start(self._carry(parcel))

    async def _carry(self, parcel: Parcel) -> None:
        self._booking[parcel.tracking_no] = parcel
        self.did["parcels"] += 1
        await self._book(parcel)
        async with asyncio.timeout(BOOKING_TIMEOUT_SECONDS):
            is_booked = await parcel.booked
        await asyncio.sleep(random.uniform(0, 1))
        if not is_booked or parcel.order_id in self._cancelled:
            self.did["bookings refused or withdrawn"] += 1
            return
        road = random.choices(list(ODDS), list(ODDS.values()))[0]
        self.did[road] += 1
        await self._report(parcel, facts(ROADS[road]))

    async def _book(self, parcel: Parcel) -> None:
        body = {
            "order_id": parcel.order_id,
            "carrier": CARRIER,
            "tracking_no": parcel.tracking_no,
            "warehouse": WAREHOUSE,
            "lines": parcel.lines,
        }
        for _ in range(2 if random.random() < TWICE else 1):
            await self._link.send(OutgoingMessage("shipment.book.v1", body))

    async def _report(self, parcel: Parcel, reports: list[dict[str, Any]]) -> None:
        for fact in reports:
            await asyncio.sleep(random.uniform(2, 5) if random.random() < LATE else random.uniform(0, 0.6))
            body = {"order_id": parcel.order_id, "carrier": CARRIER, "tracking_no": parcel.tracking_no} | fact
            for _ in range(2 if random.random() < TWICE else 1):
                self.did["facts"] += 1
                await self._link.send(OutgoingMessage("shipment.update.v1", body))


def facts(statuses: list[str]) -> list[dict[str, Any]]:
    """Return the facts of a road, each with its own id and time; some parcels report theirs in a wrong order."""
    begin = datetime.now(UTC)
    reports = [
        {"event_id": new_id(), "status": status, "occurred_at": (begin + timedelta(milliseconds=n)).isoformat()}
        for n, status in enumerate(statuses)
    ]
    if random.random() < SHUFFLED:
        random.shuffle(reports)
    return reports
