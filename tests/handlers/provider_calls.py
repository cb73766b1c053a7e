"""Calls of providers on the floor: what is asked of a provider is asked there, and its answers are handled."""

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
    """The buyer u1 wants to pay 1000 there."""
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
    """A notification as the edge passes it on."""
    encoded = base64.b64encode(notification.body).decode()
    return PaymentCallback(
        provider=provider, headers=dict(notification.headers), body=encoded, received_at=notification.received_at
    )


def taken(harness: HandlerHarness, provider: str) -> list[Message]:
    """What was asked of a provider since the last time."""
    mine = [message for name, message in harness.provider_calls if name == provider]
    harness.provider_calls = [(name, message) for name, message in harness.provider_calls if name != provider]
    return mine


async def ask(harness: HandlerHarness, provider: str, bodies: Sequence[Message]) -> Batch[Any]:
    """One batch of calls, in the way of the runtime: read, ask while no transaction is held, write."""
    items: list[Envelope[Any]] = [harness.envelope(body) for body in bodies]
    route = ROUTE[f"provider-calls.{provider}"]
    assert isinstance(route, CallRoute)
    async with harness.pool.acquire() as tx, tx.transaction(readonly=True):
        questions = await route.prepare(tx, items)
    answers = await route.ask(questions)
    async with harness.pool.acquire() as tx, tx.transaction():
        batch = Batch[Any](items, await tx.fetchval("SELECT clock_timestamp()"), answers)
        await route.handler(tx, batch)
    return batch


async def run_provider_calls(harness: HandlerHarness, provider: str) -> None:
    """Until nothing more is asked of the provider."""
    while bodies := taken(harness, provider):
        await ask(harness, provider, bodies)
        await harness.relay()
