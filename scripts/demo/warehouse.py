"""A warehouse: it knows only the queue of its instructions, and books parcels for what it finds there.

It waits for fulfilment.updated before it packs: an acceptance that came too late counts for nothing, and the request
that replaced it has another address or other lines.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from scripts.amqp_client import OutgoingMessage, ReceivedMessage, new_id, now
from scripts.demo.background_tasks import BackgroundTasks
from scripts.demo.carrier import CARRIER, TWICE, Carrier
from scripts.demo.command_outcomes import CommandOutcomes
from scripts.demo.goods_places import places_of
from scripts.demo.parcel_bookings import ParcelBooking, ParcelBookings
from scripts.demo.parcel_labels import ParcelLabels
from scripts.demo.role_links import RoleLinks
from scripts.demo.shared_parcels import SharedParcels
from scripts.demo.warehouse_job import WarehouseJob

EVENTS = ("shipment.booked", "shipment.booking_failed", "fulfilment.updated")
CHANCES = {
    "two parcels": 0.15,
    "something is short": 0.08,
    "something is short after the first parcel": 0.3,
    "everything is short": 0.1,
    "stops to cancel": 0.7,
    "waits for other orders to the address": 0.7,
    "books at a carrier": 0.25,
}
"""`everything is short` is a share of the shortages, and `stops to cancel` of the cancellations of work."""
HELD = "ORDER_HELD"
BOOK_AGAIN_SECONDS = 0.5
BOOKINGS_MAX = 240
"""A booking may pass the message of a hold, so it is refused. A hold ends within seconds."""
IN_TRANSIT_SECONDS = 2.0
"""So long after its first parcel the rest of an order may be found short."""


class Warehouse:
    """Accepts every request, and reports each step, some twice."""

    def __init__(
        self,
        link: RoleLinks,
        tasks: BackgroundTasks,
        outcomes: CommandOutcomes,
        carrier: Carrier,
        labels: ParcelLabels,
        *,
        name: str,
        bookings: ParcelBookings,
    ) -> None:
        self.did: Counter[str] = Counter()
        self.name = name
        self.misled: list[str] = []
        self._link, self._tasks, self._outcomes = link, tasks, outcomes
        self._carrier, self._labels = carrier, labels
        self._jobs: dict[str, WarehouseJob] = {}
        self._sent_back: set[tuple[str, int]] = set()
        self._bookings, self._shared = bookings, SharedParcels()

    def receive_instruction(self, received: ReceivedMessage) -> None:
        """Handle a message of the warehouse's own queue."""
        body = received.body
        self._check(received.type, body)
        job = self._jobs.get(body["order_id"])
        match received.type:
            case "fulfilment.requested.v1" if job is None or body["number"] > job.number:
                if job is not None:
                    job.withdraw()
                job = WarehouseJob(body["order_id"], body["number"], body["lines"], body["address"])
                self._jobs[job.order_id] = job
                self._tasks.start(self._work(job))
                self.did["requests"] += 1
                self.did["lines"] += len(job.lines)
            case "fulfilment.requested.v1" if job is not None and body["number"] == job.number:
                job.lines = body["lines"]
                self.did["requests with other lines"] += 1
            case "fulfilment.withdrawn.v1" if job is not None and body["number"] >= job.number:
                job.withdraw()
                self.did["requests withdrawn"] += 1
            case "fulfilment.held.v1" if job is not None:
                job.released.clear()
                self.did["stopped by a hold"] += 1
            case "fulfilment.released.v1" if job is not None:
                job.released.set()
            case "fulfilment.send_back.v1" if (body["case_id"], body["number"]) not in self._sent_back:
                self._sent_back.add((body["case_id"], body["number"]))
                self._tasks.start(self._send_back(body))
            case "fulfilment.cancel_requested.v1" if job is not None:
                self._tasks.start(self._answer_cancel(job, body["cancel_no"]))

    def receive(self, received: ReceivedMessage) -> None:
        """Handle fulfilment.updated: a step of ours has counted."""
        body = received.body
        job = self._jobs.get(body["order_id"]) if body["warehouse"] == self.name else None
        if job is not None and body["number"] == job.number and body["state"] != "requested":
            job.decided.set()

    @property
    def order_ids(self) -> set[str]:
        """The orders of which this warehouse had a part to ship."""
        return set(self._jobs)

    def _check(self, type_: str, body: dict[str, Any]) -> None:
        """Record an instruction for another warehouse, or for goods that do not lie here."""
        strange = [line["sku_id"] for line in body.get("lines", ()) if self.name not in places_of(line["sku_id"])]
        if body["warehouse"] != self.name or strange:
            about = f"{type_} of order {body['order_id']} for {body['warehouse']}"
            self.misled.append(f"{self.name} got {about}, with {', '.join(strange) or 'nothing'} that it does not have")

    async def _work(self, job: WarehouseJob) -> None:
        """Take a request from its acceptance to the carrier."""
        self._shared.begin(job)
        try:
            await self._take_steps(job)
        finally:
            self._shared.end(job)

    async def _take_steps(self, job: WarehouseJob) -> None:
        await asyncio.sleep(random.uniform(0.2, 1.5))
        if not job.withdrawn:
            await self._report(job, "accept")
            await job.decided.wait()
        for step in ("pick", "pack"):
            if job.withdrawn:
                return
            await self._report(job, step)
            if step == "pick" and self._by_chance("something is short"):
                await self._report_short(job, job.lines)
            await asyncio.sleep(random.uniform(0, 0.5))
        await self._dispatch(job)
        if job.left and not job.withdrawn:
            await self._report(job, "hand_over")

    async def _report(self, job: WarehouseJob, step: str, **more: Any) -> None:
        about = {"order_id": job.order_id, "warehouse": self.name, "number": job.number, "occurred_at": now()}
        for _ in range(2 if random.random() < TWICE else 1):
            await self._link.send(OutgoingMessage(f"fulfilment.{step}.v1", about | more))

    async def _report_short(self, job: WarehouseJob, lines: Sequence[dict[str, Any]]) -> None:
        """Report that one of these lines, or all of them, are not on the shelf."""
        if not self._by_chance("everything is short"):
            lines = [random.choice(lines)]
        short = [{"sku_id": line["sku_id"], "qty": line["qty"]} for line in lines]
        body = {"request_id": new_id(), "order_id": job.order_id, "warehouse": self.name, "lines": short}
        message = OutgoingMessage("order.shortage.report.v1", body)
        sent = self._outcomes.remember(message)
        await self._link.send(message)
        await sent.outcome()

    async def _answer_cancel(self, job: WarehouseJob, cancel_no: int) -> None:
        """Stop if nothing has left, mostly; from then on nothing leaves, and no booking is without an answer.

        What is in a parcel with goods of other orders goes on: the parcel may leave before the answer counts.
        """
        if not (job.left or job.shared) and self._by_chance("stops to cancel"):
            job.withdraw()
            await job.answered.wait()
            await self._report(job, "cancel_accepted", cancel_no=cancel_no)
        else:
            self.did["goes on despite a cancellation"] += 1
            await self._report(job, "cancel_refused", cancel_no=cancel_no, reason_code="PACKED")

    async def _send_back(self, instruction: dict[str, Any]) -> None:
        """Give goods of a case to the carrier, who takes them to the buyer again, and report it, sometimes twice."""
        await asyncio.sleep(random.uniform(0.2, 1.5))
        number = f"again-{instruction['case_id']}-{self.name}"
        about = {name: instruction[name] for name in ("order_id", "case_id", "warehouse")}
        actor = {"type": "system", "id": self.name}
        parcel = {"request_id": new_id(), "actor": actor, "carrier": CARRIER, "tracking_no": number}
        message = OutgoingMessage("after_sale.send_back.v1", about | parcel)
        sent = self._outcomes.remember(message)
        for _ in range(2 if random.random() < TWICE else 1):
            await self._link.send(message)
        if "code" in (await sent.outcome()).body:
            self.did["goods not sent back"] += 1
            return
        self.did["parcels with goods sent back"] += 1
        self._labels.print(number, [instruction["order_id"]], dict(instruction["address"]))
        await self._carrier.carry(instruction["order_id"], number, CARRIER)

    # ------------------------------------------------------------ parcels

    async def _dispatch(self, job: WarehouseJob) -> None:
        """Give the goods to a carrier: in one parcel or in two, or in one with other orders to the same address."""
        half = len(job.lines) // 2
        first, rest = job.lines[:half], job.lines[half:]
        if first and self._by_chance("two parcels") and await self._ship([job], first):
            self.did["parcels before the rest"] += 1
            await asyncio.sleep(random.uniform(0, 3))
            if self._by_chance("something is short after the first parcel"):
                await asyncio.sleep(IN_TRANSIT_SECONDS)
                await self._report_short(job, rest)
        others = self._shared.companions(job)
        if others:
            await self._ship_together(job, others)
        elif self._shared.has_others(job) and self._by_chance("waits for other orders to the address"):
            if not await self._shared.wait(job):
                await self._ship([job])
        else:
            await self._ship([job])

    async def _ship_together(self, job: WarehouseJob, others: Sequence[WarehouseJob]) -> None:
        """Ship all in one parcel, or this one alone if they may not share one."""
        shipped = await self._ship([job, *others])
        for one in others:
            one.take_along() if shipped else one.stay()
        if not shipped:
            await self._ship([job])

    async def _ship(self, jobs: Sequence[WarehouseJob], lines: Sequence[dict[str, Any]] = ()) -> bool:
        """Ship these lines of one order, or without lines all of these orders that is not in a parcel."""
        for job in jobs:
            job.shared = len(jobs) > 1
        parcel = await self._book(jobs, lines)
        await asyncio.sleep(random.uniform(0, 0.5))
        going = [job for job in jobs if not job.withdrawn]
        if parcel is None or not going:
            self.did["parcels not shipped"] += 1
            return False
        for job in going:
            job.left = True
        self.did["parcels at carriers" if parcel.label else "parcels under own numbers"] += 1
        self.did["parcels with several orders"] += len(going) > 1
        label = parcel.label or going[0].address
        self._labels.print(parcel.tracking_no, [job.order_id for job in going], dict(label))
        self._tasks.start(self._carrier.carry(going[0].order_id, parcel.tracking_no, parcel.carrier))
        return True

    async def _book(self, jobs: Sequence[WarehouseJob], lines: Sequence[dict[str, Any]]) -> ParcelBooking | None:
        """Book a parcel, again while its order is held. Returns None if it is not wanted any more, or cannot be."""
        plan = {
            "order_id": jobs[0].order_id,
            "order_ids": [job.order_id for job in jobs[1:]],
            "warehouse": self.name,
            "lines": [{"sku_id": line["sku_id"], "qty": line["qty"]} for line in lines],
        }
        at_carrier = self._by_chance("books at a carrier")
        for _ in range(BOOKINGS_MAX):
            await jobs[0].released.wait()
            if any(job.withdrawn for job in jobs):
                return None
            for job in jobs:
                job.answered.clear()
            found = await (self._bookings.create(plan) if at_carrier else self._bookings.book(plan))
            for job in jobs:
                job.answered.set()
            if found.code is None:
                return found
            self.did["bookings refused, carrier" if found.by_carrier else f"bookings refused, {found.code}"] += 1
            if found.by_carrier:
                at_carrier = False
            elif found.code != HELD or len(jobs) > 1:
                return None
            else:
                await asyncio.sleep(BOOK_AGAIN_SECONDS)
        return None

    def _by_chance(self, what: str) -> bool:
        """Decide by chance whether this happens, and count it."""
        chosen = random.random() < CHANCES[what]
        self.did[what] += chosen
        return chosen
