"""The warehouse: it knows only the queue of its instructions, and books a parcel for what it finds there.

It waits for fulfilment.updated before it packs: an acceptance that came too late counts for nothing, and the request
that replaced it has another address or other lines.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.amqp_client import OutgoingMessage, ReceivedMessage, new_id, now
from scripts.demo.background_tasks import BackgroundTasks
from scripts.demo.carrier import CARRIER, TWICE, Carrier
from scripts.demo.client_job import WAREHOUSE
from scripts.demo.command_outcomes import CommandOutcomes
from scripts.demo.parcel_labels import ParcelLabels
from scripts.demo.role_links import RoleLinks

EVENTS = ("shipment.booked", "shipment.booking_failed", "fulfilment.updated")
CHANCES = {"two parcels": 0.15, "something is short": 0.08, "everything is short": 0.1, "stops to cancel": 0.7}
"""`everything is short` is a share of the shortages, and `stops to cancel` of the cancellations of work."""
HELD = "ORDER_HELD"
BOOK_AGAIN_SECONDS = 0.5
BOOKINGS_MAX = 240
"""A booking may pass the message of a hold, so it is refused. A hold ends within seconds."""
BOOKING_TIMEOUT_SECONDS = 600


@dataclass
class WarehouseJob:
    """One request, with its newest lines. `decided` is set once it is accepted, replaced or withdrawn.

    `released` is set unless the order is held.
    """

    order_id: str
    number: int
    lines: list[dict[str, Any]]
    address: dict[str, Any]
    decided: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    withdrawn: bool = False
    left: bool = False

    def __post_init__(self) -> None:
        self.released.set()

    def withdraw(self) -> None:
        """Stop the work, wherever it is."""
        self.withdrawn = True
        self.decided.set()
        self.released.set()


class Warehouse:
    """Accepts every request, and reports each step, some twice."""

    def __init__(
        self,
        link: RoleLinks,
        tasks: BackgroundTasks,
        outcomes: CommandOutcomes,
        carrier: Carrier,
        labels: ParcelLabels,
    ) -> None:
        self.did: Counter[str] = Counter()
        self._link, self._tasks, self._outcomes = link, tasks, outcomes
        self._carrier, self._labels = carrier, labels
        self._jobs: dict[str, WarehouseJob] = {}
        self._booking: dict[str, asyncio.Future[dict[str, Any]]] = {}

    def receive_instruction(self, received: ReceivedMessage) -> None:
        """Handle a message of the warehouse's own queue."""
        body = received.body
        job = self._jobs.get(body["order_id"])
        match received.type:
            case "fulfilment.requested.v1" if job is None or body["number"] > job.number:
                if job is not None:
                    job.withdraw()
                job = WarehouseJob(body["order_id"], body["number"], body["lines"], body["address"])
                self._jobs[job.order_id] = job
                self._tasks.start(self._work(job))
                self.did["requests"] += 1
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
            case "fulfilment.cancel_requested.v1" if job is not None:
                self._tasks.start(self._answer_cancel(job, body["cancel_no"]))

    def receive(self, received: ReceivedMessage) -> None:
        """Handle an event: a step of ours has counted, or a booking is answered."""
        body = received.body
        if received.type == "fulfilment.updated.v1":
            job = self._jobs.get(body["order_id"])
            if job is not None and body["number"] == job.number and body["state"] != "requested":
                job.decided.set()
            return
        answer = self._booking.pop(body["tracking_no"], None)
        if answer is not None:
            answer.set_result(body)

    def stuck(self) -> list[str]:
        """Return bookings without an answer, as text."""
        return [f"booking of parcel {tracking_no} unanswered" for tracking_no in list(self._booking)[:3]]

    async def _work(self, job: WarehouseJob) -> None:
        await asyncio.sleep(random.uniform(0.2, 1.5))
        if not job.withdrawn:
            await self._report(job, "accept")
            await job.decided.wait()
        for step in ("pick", "pack"):
            if job.withdrawn:
                return
            await self._report(job, step)
            if step == "pick" and self._by_chance("something is short"):
                await self._report_short(job)
            await asyncio.sleep(random.uniform(0, 0.5))
        if await self._dispatch(job) and not job.withdrawn:
            await self._report(job, "hand_over")

    async def _report(self, job: WarehouseJob, step: str, **more: Any) -> None:
        about = {"order_id": job.order_id, "warehouse": WAREHOUSE, "number": job.number, "occurred_at": now()}
        for _ in range(2 if random.random() < TWICE else 1):
            await self._link.send(OutgoingMessage(f"fulfilment.{step}.v1", about | more))

    async def _report_short(self, job: WarehouseJob) -> None:
        """Report a whole line, or everything, that is not on the shelf."""
        line = random.choice(job.lines)
        short = [] if self._by_chance("everything is short") else [{"sku_id": line["sku_id"], "qty": line["qty"]}]
        body = {"request_id": new_id(), "order_id": job.order_id, "lines": short}
        message = OutgoingMessage("order.shortage.report.v1", body)
        sent = self._outcomes.remember(message)
        await self._link.send(message)
        await sent.outcome()

    async def _answer_cancel(self, job: WarehouseJob, cancel_no: int) -> None:
        """Stop if nothing has left, mostly; from then on nothing leaves."""
        if not job.left and self._by_chance("stops to cancel"):
            job.withdraw()
            await self._report(job, "cancel_accepted", cancel_no=cancel_no)
        else:
            self.did["goes on despite a cancellation"] += 1
            await self._report(job, "cancel_refused", cancel_no=cancel_no, reason_code="PACKED")

    # ------------------------------------------------------------ parcels

    async def _dispatch(self, job: WarehouseJob) -> bool:
        """Book one or two parcels and give them to the carrier. Returns False if nothing left."""
        first = job.lines[: len(job.lines) // 2]
        if first and self._by_chance("two parcels") and await self._ship(job, first):
            self.did["parcels before the rest"] += 1
            await asyncio.sleep(random.uniform(0, 3))
        await self._ship(job, ())
        return job.left

    async def _ship(self, job: WarehouseJob, lines: Sequence[dict[str, Any]]) -> bool:
        """Ship these lines, or without lines all that is not in a parcel."""
        tracking_no = await self._book(job, lines)
        await asyncio.sleep(random.uniform(0, 0.5))
        if tracking_no is None or job.withdrawn:
            self.did["parcels not shipped"] += 1
            return False
        job.left = True
        self._labels.print(tracking_no, job.order_id, job.address)
        self._tasks.start(self._carrier.carry(job.order_id, tracking_no))
        return True

    async def _book(self, job: WarehouseJob, lines: Sequence[dict[str, Any]]) -> str | None:
        """Book a parcel, again while the order is held. Returns its number, or None if it is not wanted any more."""
        wanted = [{"sku_id": line["sku_id"], "qty": line["qty"]} for line in lines]
        for _ in range(BOOKINGS_MAX):
            await job.released.wait()
            if job.withdrawn:
                return None
            tracking_no = f"T{new_id()[:20]}"
            code = (await self._answer(job, tracking_no, wanted)).get("code")
            if code is None:
                return tracking_no
            self.did[f"bookings refused, {code}"] += 1
            if code != HELD:
                return None
            await asyncio.sleep(BOOK_AGAIN_SECONDS)
        return None

    async def _answer(self, job: WarehouseJob, tracking_no: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
        """Send a booking and return the event that answers it."""
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._booking[tracking_no] = answer
        about = {"order_id": job.order_id, "carrier": CARRIER, "tracking_no": tracking_no, "warehouse": WAREHOUSE}
        for _ in range(2 if random.random() < TWICE else 1):
            await self._link.send(OutgoingMessage("shipment.book.v1", about | {"lines": lines}))
        async with asyncio.timeout(BOOKING_TIMEOUT_SECONDS):
            return await answer

    def _by_chance(self, what: str) -> bool:
        """Decide by chance whether this happens, and count it."""
        chosen = random.random() < CHANCES[what]
        self.did[what] += chosen
        return chosen
