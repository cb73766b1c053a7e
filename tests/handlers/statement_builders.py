"""Day statements in a plain layout, and payments to put on them.

A line is `capture P1 t1 500 CNY`: kind, our number, the provider's number, amount, currency. A line of a refund may go
on with the capture's number, and with `accepted` if it may have failed since. `statement_of` writes the file,
`reconcile` sends it, `pay_order_at` and `refund_order_at` make the payments that it lists.
"""

import base64
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

from db import cipher
from messages.payments import PaymentReconcile
from messages.refunds import RefundRequest, RefundResult
from tests.handlers.builders import OPERATOR, captured
from tests.handlers.harness import HandlerHarness
from workers.domain.payment_rules import AttemptState
from workers.providers import configure
from workers.providers.port import Provider, StatementError, StatementRow
from workers.store import attempts
from workers.store.attempts import Attempt, AttemptChange

DAY = date(2026, 11, 21)
NOON = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
"""Noon of DAY in Shanghai."""


class FakeStatements:
    """A provider that only reads its statements."""

    name = "alipay"
    scenes = frozenset({"page"})
    currencies = frozenset({"CNY"})

    def statement(self, content: bytes, day: date) -> Sequence[StatementRow]:
        lines = content.decode().splitlines()
        if not lines or lines[0] != day.isoformat():
            raise StatementError(f"line 1: expected {day.isoformat()}")
        return [self._row(line, number) for number, line in enumerate(lines[1:], start=2)]

    def _row(self, line: str, number: int) -> StatementRow:
        words = line.split(" ")
        if len(words) not in (5, 6, 7) or not words[3].lstrip("-").isdigit():
            raise StatementError(f"line {number}: expected five words")
        capture_no, certain = words[5] if len(words) > 5 else None, words[-1] != "accepted"
        row = StatementRow(cast(Any, words[0]), words[1], words[2], int(words[3]), words[4], number)
        return replace(row, capture_no=capture_no, certain=certain)


def configure_fake_statements(*names: str) -> None:
    """Configure providers that read such statements; Alipay if none is named."""
    configure({name: cast(Provider, FakeStatements()) for name in names or ("alipay",)})


def statement_of(*lines: str, day: date = DAY) -> bytes:
    return "\n".join([day.isoformat(), *lines]).encode()


def reconcile(content: bytes, provider: str = "alipay", day: date = DAY, **changes: Any) -> PaymentReconcile:
    fields: dict[str, Any] = {
        "request_id": uuid4().hex,
        "actor": OPERATOR,
        "provider": provider,
        "day": day,
        "content": base64.b64encode(content).decode(),
    }
    return PaymentReconcile(**fields | changes)


async def add_attempt(
    harness: HandlerHarness, order_id: int, trade_no: str, provider: str = "alipay", state: str = "captured"
) -> str:
    """Add an attempt with this trade number to the order; return our number of it."""
    order = await harness.pool.fetchrow(
        "SELECT intent_id, payable_amount, currency FROM orders WHERE id = $1", order_id
    )
    assert order is not None
    attempt_id = uuid4().int % 2**60 + 1
    attempt = Attempt(
        id=attempt_id,
        out_trade_no=f"P{attempt_id}",
        intent_id=order["intent_id"],
        order_id=order_id,
        provider=provider,
        scene="page",
        amount=order["payable_amount"],
        currency=order["currency"],
        state=AttemptState.CREATED,
        reference=None,
        trade_no=None,
        command=(f"order:{order_id}", uuid4().hex),
        details={},
        started_at=NOON,
        expire_at=NOON + timedelta(minutes=30),
    )
    async with harness.pool.acquire() as tx, tx.transaction():
        await attempts.open_all(tx, [attempt], NOON, {attempt_id: cipher.current()})
        await attempts.save(
            tx, [AttemptChange(attempt_id, AttemptState(state), trade_no=trade_no if state == "captured" else None)]
        )
    return attempt.out_trade_no


async def pay_order_at(
    harness: HandlerHarness, at: datetime = NOON, trade_no: str = "t1", provider: str = "alipay"
) -> tuple[int, str]:
    """Place an order of 1000 that was paid at this time: its id, and our number of the attempt."""
    order_id = await harness.place_order()
    capture = captured(order_id, 1000, trade_no).model_copy(update={"occurred_at": at, "provider": provider})
    await harness.handle(capture, trusted=True)
    return order_id, await add_attempt(harness, order_id, trade_no, provider)


async def refund_order_at(harness: HandlerHarness, order_id: int, amount: int, at: datetime | None = NOON) -> str:
    """Refund some of an order; it succeeded at this time, or is still open: our number of the refund."""
    request = RefundRequest(request_id=uuid4().hex, actor=OPERATOR, order_id=order_id, amount=amount, reason="sorry")
    await harness.handle(request, trusted=True)
    number: str = harness.events_of("refund.requested")[-1]["refund_no"]
    if at is not None:
        result = RefundResult(refund_no=number, status="succeeded", amount=amount, currency="CNY", occurred_at=at)
        await harness.handle(result, trusted=True)
        await harness.pool.execute("UPDATE refunds SET finished_at = $2 WHERE refund_no = $1", number, at)
    return number
