"""Payments at the same time: orders are paid, cancelled and expire in random order, on many connections.

In the end the captures and refunds of the provider are compared with our books, and the audit is clean.
"""

import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from messages.orders import OrderMerge
from messages.payments import ProgressMark
from messages.refunds import RefundRequest
from messages.timers import TimerDue
from scripts.commands.audit import Finding, check
from tests.handlers.builders import OPERATOR, cancel, create, user
from tests.handlers.concurrent_harness import ConcurrentHarness, unique
from tests.handlers.fake_provider import FakeAlipay, FakeCaller, FakeProvider
from tests.handlers.harness import HandlerHarness
from tests.handlers.provider_calls import start
from workers import providers, shop
from workers.domain.shop import Policy, Shop
from workers.services import provider_requests

ORDERS, PAIRS, PRICE = 200, 25, 1000
SEED = 20260121
LEFT = """
SELECT id, state, captured_amount, refunded_amount FROM orders
WHERE captured_amount - refunded_amount <> CASE state WHEN 'paid' THEN payable_amount ELSE 0 END
"""
"""Orders that keep more or less than they cost."""


@dataclass
class PaymentRace:
    """Orders of 1000, some of them merged in pairs, their buyers and the provider."""

    harness: HandlerHarness
    rng: random.Random
    starts: int = 0
    events: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.concurrent = ConcurrentHarness(self.harness.pool, self.rng, self.on_event)
        self.fake_provider = FakeProvider(self.rng, self.concurrent.publish)

    def on_event(self, type_: str, event: dict[str, Any]) -> None:
        """Most buyers pay once payment.started arrives; an operator requests a failed refund again."""
        self.events[type_.rsplit(".", 1)[0]].append(event)
        if type_ == "refund.failed.v1":
            again = {"order_id": int(event["order_id"]), "amount": event["amount"], "refund_no": event["refund_no"]}
            self.concurrent.publish(RefundRequest(request_id=unique(), actor=OPERATOR, reason="once more", **again))
        if type_ == "payment.started.v1" and self.rng.random() < 0.8:
            self.fake_provider.pay(event["out_trade_no"], event["amount"])

    async def plan_all(self) -> None:
        """Plan attempts, cancellations and expiries of all orders, in random order."""
        await self.harness.fill_stock(qty=10_000)
        await self.harness.handle(*(create(("s1", 2), request_id=unique()) for _ in range(ORDERS)))
        order_ids = [int(event["order_id"]) for event in self.harness.events_of("order.created")]
        pairs = [tuple(order_ids[2 * n : 2 * n + 2]) for n in range(PAIRS)]
        await self.harness.handle(*(OrderMerge(request_id=unique(), actor=user(), order_ids=pair) for pair in pairs))
        for event in self.harness.events_of("order.merged"):
            merged = {"amount": 2 * PRICE, "intent_id": int(event["intent_id"])}
            self.plan(partial(self.start_attempt, int(event["order_id"]), **merged))
        for order_id in order_ids:
            self.plan(*[partial(self.start_attempt, order_id)] * self.rng.choice([0, 1, 2, 3, 3]))
            self.plan(*[partial(self.cancel, order_id)] * self.rng.choice([0, 0, 1]))
            self.plan(*[partial(self.end_windows, [order_id])] * self.rng.choice([0, 0, 0, 1]))
        self.plan(*[partial(self.fire_timers, "attempt", share=0.2)] * 10, *[self.assert_invariants] * 5)
        self.rng.shuffle(self.concurrent.actions)

    def plan(self, *happenings: Callable[[], Awaitable[None]]) -> None:
        self.concurrent.actions += happenings

    async def start_attempt(self, order_id: int, **changes: Any) -> None:
        """Send payment.start, sometimes twice."""
        wish = start(order_id, "alipay", self.rng.choice(["qr", "page"]), unique(), **changes)
        self.starts += 1
        for _ in range(self.rng.choice([1, 1, 1, 2])):
            self.concurrent.publish(wish)

    async def cancel(self, order_id: int) -> None:
        self.concurrent.publish(cancel(order_id, unique()))

    async def end_windows(self, order_ids: Sequence[int] | None = None) -> None:
        """End the payment windows of these orders, or of all."""
        rows = await self.harness.pool.fetch(
            "UPDATE timers SET due_at = now() - interval '1 s'"
            " WHERE kind = 'payment' AND (key = ANY ($1) OR $1 IS NULL) RETURNING key",
            order_ids,
        )
        self.concurrent.publish(ProgressMark(at=datetime.now(UTC) + timedelta(hours=1)))
        self.concurrent.publish(*(TimerDue(kind="payment", key=row["key"], due_at=datetime.now(UTC)) for row in rows))

    async def assert_invariants(self) -> None:
        """Assert the invariants that hold at any moment."""
        assert await violations(self.harness, drained=False) == []

    async def fire_timers(self, kind: Any, share: float = 1.0) -> None:
        """Fire all timers of a kind, or this share of them."""
        rows = await self.harness.pool.fetch("SELECT key FROM timers WHERE kind = $1 AND random() <= $2", kind, share)
        self.concurrent.publish(*(TimerDue(kind=kind, key=row["key"], due_at=datetime.now(UTC)) for row in rows))

    async def finish(self) -> None:
        """End all windows, make the provider reliable, and run until nothing is open."""
        self.fake_provider.is_reliable = True
        await self.end_windows()
        await self.concurrent.run()
        await self.harness.pool.execute("UPDATE payment_attempts SET expire_at = now() - interval '1 hour'")
        for kind in ("attempt", "attempt", "refund", "refund"):
            await self.fire_timers(kind)
            await self.concurrent.run()


@pytest.fixture(params=["keep_open", "cancel"])
async def race(
    harness: HandlerHarness, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[PaymentRace]:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0, on_payment_failure=request.param)))
    made = PaymentRace(harness, random.Random(SEED))
    providers.configure({"alipay": FakeAlipay(made.fake_provider)})
    monkeypatch.setattr(provider_requests, "caller", lambda _name: FakeCaller())
    await made.plan_all()
    await made.concurrent.run()
    await made.finish()
    yield made
    providers.configure({})


async def test_in_any_order_of_events_the_books_agree_with_the_provider_and_no_attempt_stays_open(
    race: PaymentRace,
) -> None:
    assert await violations(race.harness, drained=True) == []
    await assert_books_agree(race)
    await assert_all_attempts_ended(race)
    seen = {verdict for (verdict,) in await race.harness.rows("SELECT DISTINCT verdict FROM payment_facts")}
    assert seen == {"kept", "late", "duplicate", "mismatch", "failed"}, "what never happened would prove nothing"
    assert race.events["refund.failed"], "nor that"


async def violations(harness: HandlerHarness, *, drained: bool) -> list[Finding]:
    async with harness.pool.acquire() as connection:
        return [one for one in await check(connection, drained=drained) if one.violations]


async def assert_books_agree(race: PaymentRace) -> None:
    """Compare capture by capture, and what is left of each order."""
    harness, fake_provider = race.harness, race.fake_provider
    took = {trade.trade_no: trade.charged for trade in fake_provider.trades.values() if trade.state == "paid"}
    gave = Counter[str]()
    for refund_no, refund in fake_provider.refunds.items():
        gave[fake_provider.refund_of[refund_no]] += refund.amount
    assert dict(await harness.rows("SELECT trade_no, amount FROM payment_facts WHERE kind = 'captured'")) == took
    assert dict(await harness.rows("SELECT trade_no, sum(amount)::bigint FROM refunds GROUP BY trade_no")) == gave
    assert await harness.rows(LEFT) == []
    [(keeps,)] = await harness.rows("SELECT count(*) FROM orders WHERE state = 'paid'")
    assert sum(took.values()) - sum(gave.values()) == keeps * PRICE


async def assert_all_attempts_ended(race: PaymentRace) -> None:
    """Assert that each payment.start has one outcome and that every attempt has ended."""
    answers = Counter(event["attempt_id"] for event in race.events["payment.started"])
    refused = [event for event in race.events["command.rejected"] if event["type"] == "payment.start.v1"]
    assert set(answers.values()) == {1}
    assert len(answers) + len(refused) == race.starts
    states = {state for (state,) in await race.harness.rows("SELECT DISTINCT state FROM payment_attempts")}
    assert states <= {"captured", "closed", "failed"}
