"""The scenarios of notifications to buyers."""

import orjson

from messages.base import Event, Message
from messages.buyer_notifications import BuyerNotificationSend
from messages.contacts import ContactSet
from messages.media import Medium
from messages.orders import OrderPaid
from messages.refunds import RefundSucceeded
from tests.e2e.scenarios import Arrange, paid, plain, unique
from tests.handlers.builders import cancel, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.refund_builders import refund_result


def contact(key: int) -> Message:
    """A contact of a user of its own."""
    name = f"u{key}"
    about = {"request_id": unique(), "actor": user(name), "user_id": name, "medium": Medium.EMAIL}
    return ContactSet.model_validate(about | {"address": f"{name}@mail.example"})


def reachable() -> ContactSet:
    """The contact of the buyer u1, whose orders are notified."""
    about = {"request_id": unique(), "actor": user(), "user_id": "u1", "medium": Medium.EMAIL}
    return ContactSet.model_validate(about | {"address": "ada@mail.example"})


async def orders_paid(harness: HandlerHarness, n: int) -> list[Message]:
    """Events that name their user."""
    await harness.handle(reachable())
    await paid(harness, n)
    return events(harness, OrderPaid)


async def refunds_succeeded(harness: HandlerHarness, n: int) -> list[Message]:
    """Events that name only an order."""
    await harness.handle(reachable())
    await harness.handle(*(cancel(key, unique()) for key in await paid(harness, n)))
    requested = harness.events_of("refund.requested")
    await harness.handle(*(refund_result(one) for one in requested), trusted=True)
    return events(harness, RefundSucceeded)


def events(harness: HandlerHarness, model: type[Event]) -> list[Message]:
    """The events of this type since the orders were placed."""
    found = harness.events_of(model.routing_key())
    return [
        model.model_validate_json(orjson.dumps({name: one.get(name) for name in model.model_fields})) for one in found
    ]


async def to_send(harness: HandlerHarness, n: int) -> list[Message]:
    """Notifications that wait to be sent."""
    await harness.handle(*await orders_paid(harness, n))
    rows = await harness.rows("SELECT id FROM buyer_notifications ORDER BY id DESC LIMIT $1", n)
    return [BuyerNotificationSend(notification_id=key) for (key,) in rows]


CONTACTS: dict[str, Arrange] = {"contact.set": plain(contact)}
NOTIFYING: dict[str, Arrange] = {
    "order.paid": orders_paid,
    "refund.succeeded": refunds_succeeded,
    "buyer_notification.send": to_send,
}
