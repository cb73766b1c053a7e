"""Authorised payments in the audit's database: one that waits, one that was captured in part, and a voided one."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from messages.authorizations import AuthorizationObserved, PaymentCapture
from messages.payments import PaymentObserved
from messages.rests import ShortageReport, ShortLine
from tests.db.audit_payment_fixtures import start_attempt
from tests.handlers.alipay_payments import MERCHANT
from tests.handlers.builders import OPERATOR, book, cancel, create, update
from tests.handlers.harness import HandlerHarness
from workers import providers
from workers.providers.alipay import Alipay, AlipaySettings

AT = datetime(2026, 1, 21, 2, 0, tzinfo=UTC)


async def add_authorizations(harness: HandlerHarness) -> None:
    """Authorise three payments. The audit knows no providers, so that Alipay will do, which reserves no money."""
    providers.configure({"alipay": Alipay(AlipaySettings.model_validate(MERCHANT))})
    await reserve(harness, "auth-1")
    shipped, attempt_id = await reserve(harness, "auth-2", units=2)
    short = ShortageReport(request_id=uuid4().hex, order_id=shipped, lines=(ShortLine(sku_id="s2", qty=1),))
    await harness.handle(short, trusted=True)
    await harness.handle(PaymentCapture(request_id="take", actor=OPERATOR, order_id=shipped), trusted=True)
    wanted = int(harness.events_of("payment.capture_requested")[-1]["amount"])
    await harness.handle(observed(attempt_id, "captured", "taken-2", wanted))
    await harness.handle(book(shipped, "authorised"), update(shipped, "authorised", "outbound"))
    gone, attempt_id = await reserve(harness, "auth-3")
    await harness.handle(cancel(gone, uuid4().hex))
    await harness.handle(observed(attempt_id, "voided", "auth-3", await harness.payable(gone)))
    providers.configure({})


async def reserve(harness: HandlerHarness, number: str, units: int = 1) -> tuple[int, int]:
    """Place an order of some s2, and authorise its payment; return the ids of both."""
    order_id = await harness.create_order(
        create(("s2", units), request_id=uuid4().hex, expected_pay_amount=units * 500 + 7)
    )
    amount = await harness.payable(order_id)
    started = await start_attempt(harness, order_id, amount=amount)
    attempt_id = int(started["attempt_id"])
    about: dict[str, Any] = {"amount": amount, "currency": "CNY", "occurred_at": AT}
    until = datetime.now(UTC) + timedelta(days=29)
    await harness.handle(
        PaymentObserved(attempt_id=attempt_id, trade_no=number, kind="authorized", expire_at=until, **about)
    )
    return order_id, attempt_id


def observed(attempt_id: int, status: Any, number: str, amount: int) -> AuthorizationObserved:
    """What the provider reports of an authorisation."""
    return AuthorizationObserved(
        attempt_id=attempt_id, status=status, number=number, amount=amount, currency="CNY", occurred_at=AT
    )
