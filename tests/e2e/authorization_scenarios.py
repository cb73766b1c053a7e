"""For each kind of message about authorised payments: what must exist before n of them make sense, and the messages."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from messages.authorizations import AuthorizationDue, AuthorizationObserved, PaymentCapture
from messages.base import Message
from messages.providers import ProviderAuthorizationCapture, ProviderAuthorizationRenew
from messages.timers import TimerDue
from tests.e2e.payment_scenarios import Arrange, PaymentHarness, Scenario
from tests.e2e.scenarios import unique
from tests.handlers.builders import OPERATOR, cancel
from tests.handlers.provider_calls import run_provider_calls, take_calls
from workers import shop
from workers.domain.shop import CaptureOn


async def authorized(payments: PaymentHarness, n: int) -> list[dict[str, Any]]:
    """Authorise the payments of n orders; return their payment.authorized events."""
    rules = shop.current()
    shop.configure(replace(rules, policy=replace(rules.policy, capture_on=CaptureOn.HAND_OVER)))
    payments.harness.events.clear()
    await payments.harness.handle(*await payments.pay(await payments.open_attempts(n)))
    await run_provider_calls(payments.harness, payments.provider)
    found = payments.harness.events_of("payment.authorized")
    assert len(found) == n, payments.harness.events[-1]
    return found


async def attempts_of(payments: PaymentHarness, found: Sequence[dict[str, Any]]) -> list[int]:
    """The attempts of these authorisations."""
    rows = await payments.harness.rows(
        "SELECT attempt_id FROM payment_authorizations WHERE order_id = ANY($1::bigint[]) ORDER BY attempt_id",
        [int(event["order_id"]) for event in found],
    )
    return [key for (key,) in rows]


def per_authorization(make: Callable[[int], Message]) -> Arrange:
    """One message for each authorised attempt."""

    async def arrange(payments: PaymentHarness, n: int) -> list[Message]:
        return [make(key) for key in await attempts_of(payments, await authorized(payments, n))]

    return arrange


async def captures(payments: PaymentHarness, n: int) -> Sequence[Message]:
    """Operators' captures of n orders."""
    found = await authorized(payments, n)
    return [PaymentCapture(request_id=unique(), actor=OPERATOR, order_id=int(one["order_id"])) for one in found]


async def capture_calls(payments: PaymentHarness, n: int) -> Sequence[Message]:
    await payments.harness.handle(*await captures(payments, n), trusted=True)
    return take_calls(payments.harness, payments.provider)


async def void_calls(payments: PaymentHarness, n: int) -> Sequence[Message]:
    found = await authorized(payments, n)
    await payments.harness.handle(*(cancel(int(one["order_id"]), unique()) for one in found))
    return take_calls(payments.harness, payments.provider)


def observed(status: Any, amount: int = 1000) -> Arrange:
    """Reports of the captures of n orders."""

    async def arrange(payments: PaymentHarness, n: int) -> list[Message]:
        calls = await capture_calls(payments, n)
        keys = [call.attempt_id for call in calls if isinstance(call, ProviderAuthorizationCapture)]
        about: dict[str, Any] = {"amount": amount, "currency": "USD", "occurred_at": datetime.now(UTC)}
        return [AuthorizationObserved(attempt_id=key, status=status, number=unique(), **about) for key in keys]

    return arrange


def due(attempt_id: int) -> Message:
    return AuthorizationDue(attempt_id=attempt_id)


def timer(attempt_id: int) -> Message:
    return TimerDue(kind="authorization", key=attempt_id, due_at=datetime.now(UTC))


def renew(attempt_id: int) -> Message:
    return ProviderAuthorizationRenew(attempt_id=attempt_id)


AUTHORIZING: dict[str, Scenario] = {
    "payment.capture": Scenario("paypal", captures, "payment.capture_requested.v1"),
    "provider.authorization_capture": Scenario("paypal", capture_calls, "authorization.observed.v1"),
    "provider.authorization_void": Scenario("paypal", void_calls, "authorization.observed.v1"),
    "provider.authorization_renew": Scenario("paypal", per_authorization(renew), "authorization.observed.v1"),
    "authorization.observed captured": Scenario("paypal", observed("captured"), "payment.captured.v1"),
    "authorization.observed failed": Scenario("paypal", observed("failed"), "order.held.v1"),
    "authorization.observed mismatch": Scenario("paypal", observed("captured", 999), "refund.requested.v1"),
    "authorization.due": Scenario("paypal", per_authorization(due), None),
    "timer.due authorization": Scenario("paypal", per_authorization(timer), "authorization.due.v1"),
}
