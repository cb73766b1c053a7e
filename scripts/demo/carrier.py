"""The carrier: it reports the way of each parcel, sometimes twice, late or out of order."""

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from scripts.amqp_client import OutgoingMessage, new_id
from scripts.demo.role_links import RoleLinks

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
TWICE, SHUFFLED, LATE = 0.08, 0.1, 0.05
"""The share of messages sent twice, of parcels reported out of order, of late reports."""


class Carrier:
    """Carries the parcels that the warehouse gives to it."""

    def __init__(self, link: RoleLinks) -> None:
        self.did: Counter[str] = Counter()
        self._link = link

    async def carry(self, order_id: str, tracking_no: str, carrier: str = CARRIER) -> None:
        """Report the way of one parcel to its end."""
        road = random.choices(list(ODDS), list(ODDS.values()))[0]
        self.did["parcels"] += 1
        self.did[road] += 1
        about = {"order_id": order_id, "carrier": carrier, "tracking_no": tracking_no}
        for fact in facts(ROADS[road]):
            await asyncio.sleep(random.uniform(2, 5) if random.random() < LATE else random.uniform(0, 0.6))
            for _ in range(2 if random.random() < TWICE else 1):
                self.did["facts"] += 1
                await self._link.send(OutgoingMessage("shipment.update.v1", about | fact))


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
