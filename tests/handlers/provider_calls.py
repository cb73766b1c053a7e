"""Calls to providers from the handler harness, as the runtime makes them.

`take_calls` takes the messages that wait for a provider, `call_provider` makes the calls of one batch and handles the
answers, `run_provider_calls` does so until no call is left.
`start` and `callback` build payment.start and payment.callback.
"""

import base64
from collections.abc import Sequence
from typing import Any

from messages.base import Message
from messages.envelope import Envelope
from messages.payments import PaymentCallback, PaymentStart
from tests.handlers.builders import user
from tests.handlers.harness import HandlerHarness
from workers.providers.port import Notification
from workers.routes import ROUTES
from workers.runtime.batch import Batch
from workers.runtime.route import CallRoute

ROUTE = {route.queue: route for route in ROUTES}


def start(order_id: int, provider: str, scene: str, request_id: str, **changes: Any) -> PaymentStart:
    """The payment.start of user u1, who pays 1000."""
    fields: dict[str, Any] = {
        "request_id": request_id,
        "actor": user(),
        "order_id": order_id,
        "provider": provider,
        "scene": scene,
        "amount": 1000,
        "currency": "USD" if provider == "paypal" else "CNY",
    }
    return PaymentStart(**fields | changes)


def callback(provider: str, notification: Notification) -> PaymentCallback:
    """The payment.callback that carries this notification."""
    encoded = base64.b64encode(notification.body).decode()
    return PaymentCallback(
        provider=provider, headers=dict(notification.headers), body=encoded, received_at=notification.received_at
    )


def take_calls(harness: HandlerHarness, provider: str) -> list[Message]:
    """The messages that wait for this provider; they are taken away."""
    mine = [message for name, message in harness.provider_calls if name == provider]
    harness.provider_calls = [(name, message) for name, message in harness.provider_calls if name != provider]
    return mine


async def call_provider(harness: HandlerHarness, provider: str, bodies: Sequence[Message]) -> Batch[Any]:
    """Make the calls of one batch as the runtime does: read, call while no transaction is open, write."""
    items: list[Envelope[Any]] = [harness.envelope(body) for body in bodies]
    route = ROUTE[f"provider-calls.{provider}"]
    assert isinstance(route, CallRoute)
    async with harness.pool.acquire() as tx, tx.transaction(readonly=True):
        needed = await route.prepare(tx, items)
    answers = await route.call(needed)
    async with harness.pool.acquire() as tx, tx.transaction():
        batch = Batch[Any](items, await tx.fetchval("SELECT clock_timestamp()"), answers)
        await route.handler(tx, batch)
    return batch


async def run_provider_calls(harness: HandlerHarness, provider: str) -> None:
    """Make calls and handle their answers until none is left."""
    while bodies := take_calls(harness, provider):
        await call_provider(harness, provider, bodies)
        await harness.relay()
