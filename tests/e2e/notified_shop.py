"""A running shop that notifies its buyers: by e-mail over SMTP, by SMS and push over HTTP, all of them real servers.

`order` places an order of one unit and pays it. `republish` sends an event to our queue of notifications once more.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aio_pika
import orjson

from messages.media import Medium
from messages.topology import BUYER_NOTIFICATIONS
from outbox import declare
from tests.broker import TIERS_SECONDS, Broker
from tests.e2e.system import SKU, settled_batches
from tests.e2e.upstream import Upstream, running_system, settings, wait_for
from tests.notifiers.fake_letter_service import FakeLetterService, open_letter_service
from tests.notifiers.fake_mailbox import FakeMailbox, open_mailbox
from workers import notifiers
from workers.app import all_routes, select_routes
from workers.notifiers import Notifying

MEDIA = tuple(Medium)
SERVED = ("catalogue", "stock", "stock-results", "order-creation", "payment-results", "contacts", BUYER_NOTIFICATIONS)
ADDRESSES = {Medium.EMAIL: "ada@mail.example", Medium.SMS: "+441632960000", Medium.PUSH: "device-7"}


@dataclass
class NotifiedShop:
    """The clients of the shop, and the servers of the media."""

    broker: Broker
    upstream: Upstream
    payments: Upstream
    mailbox: FakeMailbox
    sms: FakeLetterService
    push: FakeLetterService
    database_url: str
    given: dict[str, Any]

    @asynccontextmanager
    async def worker(self, medium: Medium) -> AsyncIterator[None]:
        """Run another worker, which sends by one medium."""
        given = self.given | {"notifications_paused": ""}
        chosen = settings(self.broker, self.database_url, "worker", **given)
        queues = [f"notification-calls.{medium}"]
        await notifiers.close()
        notifiers.configure(chosen.notifying)
        routes = select_routes(queues, all_routes(queues, chosen))
        async with running_system(self.broker, self.database_url, routes=routes, **given):
            yield

    async def set_contact(self, medium: Medium, **changes: Any) -> None:
        """Have the buyer u1 reached by a medium."""
        about = {"request_id": uuid4().hex, "actor": {"type": "user", "id": "u1"}, "user_id": "u1", "medium": medium}
        known = len(self.upstream.events_of("contact.changed"))
        await self.upstream.publish("contact.set", about | {"address": ADDRESSES[medium]} | changes)
        await self.upstream.wait_for_events("contact.changed", known + 1)

    async def order(self) -> dict[str, Any]:
        """Place an order of u1 and pay it; return its order.paid event."""
        created = await self.upstream.place_order((SKU, 1))
        await self.payments.pay(created)
        [paid] = await self.upstream.wait_for_events("order.paid", order_id=created["order_id"])
        return paid

    async def republish(self, event: dict[str, Any]) -> None:
        """Deliver an event to the queue of notifications again, and wait until it is settled."""
        before, properties = settled_batches(BUYER_NOTIFICATIONS), event["properties"]
        body = orjson.dumps({name: event[name] for name in event if name not in ("event", "properties", "headers")})
        about = {"type": properties.message_type, "message_id": properties.message_id, "user_id": properties.user_id}
        message = aio_pika.Message(body, content_type="application/json", headers=event["headers"], **about)
        exchange = await (await self.upstream.channel("relay")).get_exchange(self.broker.names.events, ensure=False)
        await exchange.publish(message, event["event"])
        await wait_for(lambda: settled_batches(BUYER_NOTIFICATIONS) > before, "the repeated event to be settled")


@asynccontextmanager
async def notified_shop(broker: Broker, database_url: str, **changes: Any) -> AsyncIterator[NotifiedShop]:
    """Run the shop with its servers, and a buyer's SKU in stock. `changes` are those of settings."""
    await declare.declare(broker["topology"], broker.names, TIERS_SECONDS, media=MEDIA)
    async with AsyncExitStack() as stack:
        mailbox = await stack.enter_async_context(open_mailbox())
        sms, push = [await stack.enter_async_context(open_letter_service()) for _ in range(2)]
        given: dict[str, Any] = {
            "notifications": ",".join(MEDIA),
            "smtp_url": mailbox.url,
            "notification_email_from": "Tea <orders@shop.example>",
            "sms_url": sms.url,
            "push_url": push.url,
            "notification_timeout_seconds": 5.0,
            "payment_window_seconds": 1800,
        }
        chosen = settings(broker, database_url, "worker", **(given | changes))
        served = (*SERVED, *(f"notification-calls.{medium}" for medium in chosen.senders))
        notifiers.configure(chosen.notifying)
        stack.push_async_callback(forget_servers)
        routes = select_routes(served, all_routes(served, chosen))
        await stack.enter_async_context(running_system(broker, database_url, routes=routes, **(given | changes)))
        upstream = await stack.enter_async_context(Upstream.connect(broker))
        payments = await stack.enter_async_context(Upstream.connect(broker, "payments"))
        await upstream.fill_stock(SKU)
        yield NotifiedShop(broker, upstream, payments, mailbox, sms, push, database_url, given | changes)


async def forget_servers() -> None:
    """Close the connections of this process, which notifies nobody from now on."""
    await notifiers.close()
    notifiers.configure(Notifying())
