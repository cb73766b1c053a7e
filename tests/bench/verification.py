"""Measures the cost of verifying notifications, and how long a batch of them blocks the event loop.

The notifications are those of the tests, each of another payment, signed with 2048-bit RSA as the providers do it.
Checking a signature holds the interpreter's lock, making one does not. So a thread that verifies competes with the
loop, which waits for it up to the interpreter's switch interval each time that it has something to do.
"""

import asyncio
import base64
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from messages.envelope import Envelope
from messages.payments import PaymentCallback
from tests.providers import alipay_builders, paypal_builders, stripe_builders, unionpay_builders, wechat_builders
from workers.providers.port import Notification, PaymentReport, Provider
from workers.services.payment_notifications import VERIFIED_PER_TURN, Callback, verify, verify_all

TICK_SECONDS = 0.001
WARM_SECONDS = 0.05
Verify = Callable[[Sequence[Callback], dict[str, Provider]], Awaitable[None]]


@dataclass(frozen=True)
class Subject:
    """A provider, its notification of the payment with a number, and a request that we sign to poll it."""

    provider: Provider
    notification: Callable[[int], Notification]
    request: Callable[[], object]


@dataclass(frozen=True)
class Cost:
    """Median microseconds: to verify one notification, and to write one request and sign it where it is signed."""

    verify: float
    request: float
    body_bytes: int


@dataclass(frozen=True)
class Stall:
    """How long a batch delayed the ticks of a timer, and how long it took itself, in milliseconds.

    `longest` is the longest delay of a tick in a round, the median over the rounds; `worst` is the longest of all
    rounds; `batch` is the median time of a batch.
    """

    longest: float
    worst: float
    batch: float


def subjects() -> dict[str, Subject]:
    """The providers."""
    alipay, wechat, unionpay = alipay_builders.provider(), wechat_builders.provider(), unionpay_builders.provider()
    paypal, stripe = paypal_builders.provider(), stripe_builders.provider()
    return {
        "alipay": Subject(
            alipay,
            lambda n: alipay_builders.notification(alipay_builders.trade(out_trade_no=f"P{n:020d}")),
            lambda: alipay.start(alipay_builders.ATTEMPT, alipay_builders.AT),
        ),
        "wechat": Subject(
            wechat,
            lambda n: wechat_builders.notification(
                wechat_builders.transaction(out_trade_no=f"P{n:020d}"), nonce=f"{n:012d}"
            ),
            lambda: wechat.start(wechat_builders.ATTEMPT, wechat_builders.AT),
        ),
        "unionpay": Subject(
            unionpay,
            lambda n: unionpay_builders.notification(unionpay_builders.payment(orderId=f"P{n:020d}")),
            lambda: unionpay.start(unionpay_builders.ATTEMPT, unionpay_builders.AT),
        ),
        "paypal": Subject(
            paypal,
            lambda n: paypal_builders.notification(
                "PAYMENT.CAPTURE.COMPLETED", paypal_builders.capture(custom_id=f"P{n:020d}")
            ),
            lambda: paypal.start(replace(paypal_builders.ATTEMPT, reference=None), paypal_builders.AT),
        ),
        "stripe": Subject(
            stripe,
            lambda n: stripe_builders.succeeded(stripe_builders.intent(metadata={"out_trade_no": f"P{n:020d}"})),
            lambda: stripe.start(stripe_builders.ATTEMPT, stripe_builders.AT),
        ),
    }


def calls(name: str, subject: Subject, size: int) -> list[Callback]:
    """A batch of payment.callback messages, each of another payment."""
    notifications = [subject.notification(number) for number in range(size)]
    assert all(isinstance(subject.provider.verify(one), PaymentReport) for one in notifications), (
        f"{name} does not verify its own notification"
    )
    return [_call(name, one, number) for number, one in enumerate(notifications)]


def _call(name: str, notification: Notification, number: int) -> Callback:
    body = PaymentCallback(
        provider=name,
        headers=dict(notification.headers),
        body=base64.b64encode(notification.body).decode(),
        received_at=notification.received_at,
    )
    return Envelope(body, f"m-{number}", f"m-{number}", notification.received_at)


def cost(subject: Subject, given: Sequence[Callback], repeats: int) -> Cost:
    """Measure one after another, on one thread."""
    notifications = [subject.notification(number) for number in range(20)]
    verify = [_seconds(lambda n=n: subject.provider.verify(notifications[n % 20])) for n in range(repeats)]  # type: ignore[misc]
    request = [_seconds(subject.request) for _ in range(repeats)]
    size = len(base64.b64decode(given[0].body.body))
    return Cost(1e6 * statistics.median(verify), 1e6 * statistics.median(request), size)


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


async def nothing(batch: Sequence[Callback], providers: dict[str, Provider]) -> None:
    """Do nothing for about as long as a batch takes: shows the delays that the machine itself causes."""
    await asyncio.sleep(0.0001 * len(batch))


async def on_the_loop(batch: Sequence[Callback], providers: dict[str, Provider]) -> None:
    """Verify the whole batch on the loop without a pause."""
    _all(batch, providers)


def _all(batch: Sequence[Callback], providers: dict[str, Provider]) -> None:
    for call in batch:
        verify(call.body, providers[call.body.provider])


async def beside_the_loop(batch: Sequence[Callback], providers: dict[str, Provider]) -> None:
    """Verify the batch in a thread."""
    await asyncio.to_thread(_all, batch, providers)


async def in_chunks(batch: Sequence[Callback], providers: dict[str, Provider]) -> None:
    """Verify the batch on the loop, with a pause for other tasks after every few, as the handler does."""
    await verify_all(batch, providers)


async def yielding(batch: Sequence[Callback], providers: dict[str, Provider]) -> None:
    """Verify the batch in a thread that offers the interpreter to the loop after every notification."""

    def each() -> None:
        for call in batch:
            verify(call.body, providers[call.body.provider])
            time.sleep(0)

    await asyncio.to_thread(each)


WAYS: dict[str, Verify] = {
    "nothing to do": nothing,
    "on the loop": on_the_loop,
    "in a thread": beside_the_loop,
    "in a thread that yields after each": yielding,
    f"on the loop, {VERIFIED_PER_TURN} at a time, as the handler does": in_chunks,
}


async def stalls(batch: Sequence[Callback], providers: dict[str, Provider], rounds: int) -> dict[str, Stall]:
    """Verify the batch in each way in turn, `rounds` times, and measure the ticks of a timer meanwhile."""
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, way in WAYS.items():
            measured[name].append(await _round(way, batch, providers))
    return {name: _stall(every) for name, every in measured.items()}


def _stall(measured: Sequence[tuple[float, float]]) -> Stall:
    longest, took = ([1000 * one[part] for one in measured] for part in (0, 1))
    return Stall(statistics.median(longest), max(longest), statistics.median(took))


async def _round(way: Verify, batch: Sequence[Callback], providers: dict[str, Provider]) -> tuple[float, float]:
    gaps: list[float] = []
    ticker = asyncio.create_task(_tick(gaps))
    await asyncio.sleep(WARM_SECONDS)
    gc.collect()
    await asyncio.sleep(2 * TICK_SECONDS)
    gaps.clear()
    began = time.perf_counter()
    await way(batch, providers)
    took = time.perf_counter() - began
    await asyncio.sleep(2 * TICK_SECONDS)
    ticker.cancel()
    return max(gaps) - TICK_SECONDS, took


async def _tick(gaps: list[float]) -> None:
    last = time.perf_counter()
    while True:
        await asyncio.sleep(TICK_SECONDS)
        now = time.perf_counter()
        gaps.append(now - last)
        last = now
