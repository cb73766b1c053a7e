"""Connects all outside systems: which of them receives which events, and who orders when."""

import asyncio
import itertools
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from scripts.amqp_client import AmqpClient, ReceivedMessage
from scripts.demo import after_sales, group_orders, notified_buyers, payments, placed_orders, queries, warehouse
from scripts.demo.after_sales import AfterSales
from scripts.demo.background_tasks import BackgroundTasks
from scripts.demo.baskets import Basket, Year
from scripts.demo.benefits_log import BenefitsLog
from scripts.demo.browser import Browser
from scripts.demo.buyer_benefits import BuyerBenefits
from scripts.demo.buyers import Buyers, Pace
from scripts.demo.carrier import Carrier
from scripts.demo.checkout import Rules
from scripts.demo.client_job import PUBLISHERS, WAREHOUSES, ClientJob, client_queues, instructions_queue
from scripts.demo.command_outcomes import CommandOutcomes
from scripts.demo.day_check import DayCount
from scripts.demo.group_orders import GroupOrders
from scripts.demo.malformed_messages import MalformedMessages
from scripts.demo.merged_orders import MergedOrders, in_pairs
from scripts.demo.notified_buyers import NotifiedBuyers
from scripts.demo.operators import Operators
from scripts.demo.order_placement import OrderPlacement
from scripts.demo.order_reads import OrderReads
from scripts.demo.own_orders import OwnOrders
from scripts.demo.parcel_bookings import ParcelBookings
from scripts.demo.parcel_labels import ParcelLabels
from scripts.demo.payments import Payments
from scripts.demo.placed_orders import PlacedOrders
from scripts.demo.queries import Queries
from scripts.demo.role_links import RoleLinks
from scripts.demo.stocked_products import StockedProducts
from scripts.demo.wanted_goods import WantedGoods
from scripts.demo.warehouse import Warehouse

CHUNK_BASKETS = 50
AHEAD_CHUNKS = 6


class OutsideSystems:
    """All outside systems of one run."""

    def __init__(self, job: ClientJob, group: asyncio.TaskGroup, year: Year, browser: Browser) -> None:
        self.job, self.year = job, year
        self.links = {role: AmqpClient(job.urls[role], f"demo-{role}", job.prefix) for role in PUBLISHERS}
        self.links["replies"] = AmqpClient(job.urls["storefront"], "demo-replies", job.prefix, exchange="queries")
        for name in WAREHOUSES:
            self.links[name] = AmqpClient(job.urls["warehouse"], f"demo-warehouse-{name}", job.prefix)
        self.queues = client_queues(job.run)
        self.tasks = BackgroundTasks(group)
        self.outcomes = CommandOutcomes()
        self.own_orders = OwnOrders()
        self.role_links = RoleLinks(self.links)
        self.carrier, self.labels = Carrier(self.role_links), ParcelLabels()
        about = (self.role_links, self.tasks, self.outcomes, self.carrier, self.labels)
        self.bookings = ParcelBookings(self.role_links, self.outcomes, browser)
        self.warehouses = [Warehouse(*about, name=name, bookings=self.bookings) for name in WAREHOUSES]
        self.day = DayCount()
        self.operators = Operators(self.role_links, self.outcomes, self.tasks)
        self._enter_buyers(self.links["storefront"], browser)
        wanted = WantedGoods(self.stocked_products)
        self.after_sales = AfterSales(self.role_links, self.tasks, self.outcomes, wanted)
        self.draining = asyncio.Event()
        self.placed_all = False
        self.started = time.monotonic()
        self._group = group
        self._stocked: asyncio.Queue[tuple[list[Basket], asyncio.Task[None]] | None] = asyncio.Queue(AHEAD_CHUNKS)
        self._listen()

    def _enter_buyers(self, link: AmqpClient, browser: Browser) -> None:
        replies = self.queues["replies"]
        self.group_orders, window = GroupOrders(), math.ceil(self.job.window_seconds)
        self.stocked_products = StockedProducts(self.role_links, self.outcomes, self.year, window)
        self.buyer_benefits = BuyerBenefits(self.role_links, self.outcomes)
        self.notified_buyers = NotifiedBuyers(self.role_links, self.outcomes, Path(self.job.mails))
        self.queries = Queries(self.links["replies"], replies)
        self.order_reads = OrderReads(self.queries, self.tasks)
        self.placement = OrderPlacement(link, self.outcomes, self.tasks, replies)
        rules = Rules(**self.job.rules)
        self.buyers = Buyers(self.placement, self.stocked_products, self.buyer_benefits, self.queries, rules=rules)
        file, window_seconds = Path(self.job.receipts), self.job.window_seconds
        self.payments = Payments(self.links["payments"], self.placement, browser, file, window_seconds)
        self.merged_orders = MergedOrders(link, self.outcomes, self.buyers, self.payments.bills)
        self.placed_orders = PlacedOrders(link, self.outcomes, self.tasks)
        self.benefits_log = BenefitsLog(Path(self.job.benefits_log))
        self.malformed_messages = MalformedMessages(self.role_links)

    def _listen(self) -> None:
        of_buyers = (*placed_orders.EVENTS, *after_sales.EVENTS, *notified_buyers.EVENTS, *group_orders.EVENTS)
        self._subscribe("storefront", of_buyers, self.receive)
        self._subscribe("payments", payments.EVENTS, self.receive_for_payments)
        self._subscribe("warehouse", warehouse.EVENTS, self.receive_for_warehouses)
        for one in self.warehouses:
            queue = instructions_queue(self.job.prefix, one.name)
            receive = partial(self.receive_instruction, one)
            self.links[one.name].listen_to(queue, receive, url=self.job.urls["warehouse-events"])
        url = self.job.urls["storefront-events"]
        self.links["replies"].listen(self.queues["replies"], (), self.receive_reply, url=url)

    def _subscribe(self, role: str, keys: tuple[str, ...], receive: Callable[[ReceivedMessage], None]) -> None:
        self.links[role].listen(self.queues[role], keys, receive, url=self.job.urls[f"{role}-events"])

    def receive(self, received: ReceivedMessage) -> None:
        """Handle an event that the storefront has subscribed to."""
        self.outcomes.receive(received)
        self.benefits_log.receive(received)
        self.day.receive(received)
        if self.own_orders.has(received):
            return
        self.after_sales.receive(received)
        self.notified_buyers.receive(received)
        if received.type in {"after_sale.reshipping.v1", "after_sale.unreturned.v1"}:
            self.labels.replace(received.body["order_id"], received.body["exchange_order_id"])
        if received.type.startswith(("order.", "group.")):
            self.group_orders.receive(received)
        if received.type.startswith("order."):
            self.placed_orders.receive(received)
            self.labels.receive(received)
            self.operators.receive(received)
            self.order_reads.receive(received)

    def receive_for_payments(self, received: ReceivedMessage) -> None:
        """Handle an event that the shop's payment service has subscribed to."""
        self.payments.receive(received, own=self.own_orders.has(received))
        self.notified_buyers.receive(received)

    def receive_instruction(self, one: Warehouse, received: ReceivedMessage) -> None:
        """Handle a message of a warehouse's own queue."""
        self.own_orders.once_known(received, partial(one.receive_instruction, received))

    def receive_for_warehouses(self, received: ReceivedMessage) -> None:
        """Handle an event that the warehouses have subscribed to: a booking is answered, or a step has counted."""
        if received.type.startswith("shipment."):
            self.outcomes.receive(received)
            self.bookings.receive(received)
            return
        for one in self.warehouses:
            one.receive(received)

    def receive_reply(self, received: ReceivedMessage) -> None:
        """Handle an answer to a query, or the stored outcome of a repeated request."""
        if received.type in queries.ANSWERS:
            self.queries.receive(received)
        else:
            self.placement.receive_reply(received)

    # ------------------------------------------------------------ traffic

    async def trade(self) -> None:
        """Place orders until there are enough, the year is over, or it is time to drain."""
        pace = Pace(self.job.rate)
        while (next_ones := await self._stocked.get()) and not self.draining.is_set():
            chunk, stocked = next_ones
            await stocked
            if self.job.hasty_orders and not self.buyers.ordered:
                self.tasks.start(self.buyers.order_too_often(chunk[0], self.job.hasty_orders))
            for baskets in self.group_orders.in_teams(in_pairs(chunk)):
                await self.outcomes.fewer_than(self.job.open_commands_max)
                for _ in baskets:
                    await pace.wait()
                if self.draining.is_set():
                    break
                self.tasks.start(self._buy(baskets))
                await self.malformed_messages.send_when_due(self.buyers.ordered)
        self.placed_all = True

    async def _buy(self, baskets: Sequence[Basket]) -> None:
        await asyncio.gather(*map(self.notified_buyers.introduce, {basket.user for basket in baskets}))
        if len(baskets) == 1 or baskets[0].group_id is not None:
            await asyncio.gather(*map(self.buyers.order, baskets))
        else:
            await self.merged_orders.order(baskets)

    async def stock(self) -> None:
        """Put the products of the next baskets on sale while earlier baskets are ordered."""
        year = self.year.baskets()
        wanted = itertools.islice(year, self.job.orders) if self.job.orders else year
        while (chunk := list(itertools.islice(wanted, CHUNK_BASKETS))) and not self.draining.is_set():
            await self._stocked.put((chunk, self._group.create_task(self.stocked_products.stock_up(chunk))))
        await self._stocked.put(None)

    def idle(self) -> bool:
        """Tell whether all orders are placed and nothing outside waits for an answer or has a task left."""
        waiting = (
            len(self.outcomes.open) + len(self.placed_orders.live) + len(self.placement.repeats_owed) + len(self.tasks)
        )
        owed = len(self.payments.receipts.open) + len(self.payments.receipts.refunds_open) + self.after_sales.open
        owed += self.group_orders.open
        return self.placed_all and waiting + owed == 0

    def flush(self) -> None:
        """Write the files that the checks read."""
        self.payments.receipts.flush()
        self.benefits_log.flush()
