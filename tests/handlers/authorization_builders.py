"""Builders of orders that pay when their goods leave, and of what a provider reports about their authorised money."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from messages.authorizations import AuthorizationObserved
from messages.payments import PaymentObserved
from messages.rests import ShortageReport, ShortLine
from scripts.commands.audit import check
from tests.handlers.alipay_payments import MERCHANT, start
from tests.handlers.harness import HandlerHarness
from workers import providers, shop
from workers.domain.shop import CaptureOn
from workers.providers.alipay import Alipay, AlipaySettings

WAREHOUSE = {"main": frozenset[str]()}
ABILITY = "workers.handlers.payment_requests.AuthorizingProvider"


@contextmanager
def paid_at_hand_over() -> Iterator[None]:
    """Orders pay when their goods leave, and Alipay stands for a provider that authorises. No call is made here."""
    rules = shop.current()
    policy = replace(rules.policy, capture_on=CaptureOn.HAND_OVER)
    shop.configure(replace(rules, policy=policy, fulfilment_warehouses=WAREHOUSE))
    providers.configure({"alipay": Alipay(AlipaySettings.model_validate(MERCHANT))})
    with patch(ABILITY, Alipay):
        yield
    providers.configure({})


async def authorize(harness: HandlerHarness, order_id: int, until: timedelta = timedelta(days=29)) -> int:
    """Authorise the payment of an order; return the attempt."""
    amount = await harness.payable(order_id)
    await harness.handle(start(order_id, amount, f"pay-{order_id}"))
    attempt_id = int(harness.events_of("payment.started")[-1]["attempt_id"])
    now = datetime.now(UTC)
    about: dict[str, Any] = {"amount": amount, "currency": "CNY", "occurred_at": now, "expire_at": now + until}
    await harness.handle(PaymentObserved(attempt_id=attempt_id, trade_no=f"a{order_id}", kind="authorized", **about))
    return attempt_id


async def report(  # noqa: PLR0917 (what the provider reports)
    harness: HandlerHarness,
    attempt_id: int,
    status: Any,
    amount: int,
    number: str = "c1",
    until: timedelta | None = None,
) -> None:
    """The provider reports the state of an authorisation."""
    now = datetime.now(UTC)
    about: dict[str, Any] = {"amount": amount, "currency": "CNY", "occurred_at": now}
    about |= {"expire_at": now + until} if until else {}
    await harness.handle(AuthorizationObserved(attempt_id=attempt_id, status=status, number=number, **about))


def requested(harness: HandlerHarness) -> list[int]:
    """The amounts of the captures that were requested."""
    return [int(event["amount"]) for event in harness.events_of("payment.capture_requested")]


def short(order_id: int, sku_id: str, qty: int = 1) -> ShortageReport:
    """The warehouse reports that these units are missing."""
    lines = (ShortLine(sku_id=sku_id, qty=qty),)
    return ShortageReport(request_id=f"short-{sku_id}", order_id=order_id, lines=lines)


async def violated(harness: HandlerHarness) -> list[str]:
    """The invariants of the audit that do not hold at this moment."""
    async with harness.pool.acquire() as tx:
        return [one.id for one in await check(tx) if one.violations]
