"""PayPal and Stripe authorise payments, and the money is taken when the goods leave: by gateways, on real servers.

After each test the audit is clean, and the gateway's books are ours.
"""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.all_providers import AllProviders, short_timeout
from tests.e2e.provider_harness import PAYABLE, PRICE, WAKE, ProviderHarness, Purchase
from tests.e2e.system import wait_until

RULES = {"business_type": "group_buy", "revision": 1, "capture_on": "hand_over"}
OPERATOR = {"type": "operator", "id": "ops-7"}
AUTHORIZING = ["paypal", "stripe"]
RENEWING = ["paypal"]
TROUBLES = [{"lost": 1.0}, {"error": 1.0}, {"slow": 1.0, "slow_seconds": 1.0}]


async def placed(provider: ProviderHarness, currency: str = "USD") -> Purchase:
    """Place an order that pays when its goods leave."""
    if not provider.upstream.events_of("settings.changed"):
        await provider.upstream.publish("settings.set", RULES)
        await provider.upstream.wait_for_events("settings.changed")
    lines = ((f"s-{currency}", 2),)
    created = await provider.upstream.place_order(*lines, currency=currency, business_type="group_buy")
    return Purchase(provider, created["order_id"], currency)


async def authorized(provider: ProviderHarness) -> Purchase:
    """Place such an order, and let its buyer approve the payment."""
    purchase = await placed(provider)
    await purchase.pay(await purchase.start_attempt())
    await event(purchase, "payment.authorized", verdict="kept", amount=PAYABLE)
    await event(purchase, "order.paid")
    assert not provider.upstream.events_of("payment.captured", order_id=purchase.order_id)
    return purchase


async def event(purchase: Purchase, type_: str, *, polling: bool = False, **fields: Any) -> dict[str, Any]:
    """Wait for the one event of this type about the purchase; with `polling`, its timer fires until then."""
    upstream, about = purchase.provider.upstream, {"order_id": purchase.order_id, **fields}
    if polling:

        async def look() -> bool:
            await purchase.provider.pool.execute(WAKE, "authorization", int(purchase.order_id))
            await asyncio.sleep(0.1)
            return bool(upstream.events_of(type_, **about))

        await wait_until(look, f"{type_} {about}")
    [found] = await upstream.wait_for_events(type_, **about)
    return found


async def wait_for_state(purchase: Purchase, state: str) -> None:
    """Wait until the purchase's authorisation is in this state."""
    query = "SELECT state FROM payment_authorizations WHERE order_id = $1"

    async def look() -> bool:
        return bool(await purchase.provider.pool.fetchval(query, int(purchase.order_id)) == state)

    await wait_until(look, f"an authorisation that is {state}")


async def ship(purchase: Purchase, qty: int = 2) -> None:
    """Book a parcel with these units, and let it leave."""
    await book(purchase, qty)
    await purchase.provider.upstream.ship(purchase.order_id, f"T{purchase.order_id}", "outbound")


async def book(purchase: Purchase, qty: int) -> None:
    """Book a parcel with these units."""
    lines = [{"sku_id": "s-USD", "qty": qty}]
    about = {"order_id": purchase.order_id, "carrier": "sf", "tracking_no": f"T{purchase.order_id}"}
    await purchase.provider.upstream.publish("shipment.book", {**about, "lines": lines})
    await purchase.provider.upstream.wait_for_events("shipment.booked", order_id=purchase.order_id)


async def lack(purchase: Purchase, qty: int = 1) -> None:
    """The warehouse does not have these units."""
    body = {"request_id": uuid4().hex, "order_id": purchase.order_id, "lines": [{"sku_id": "s-USD", "qty": qty}]}
    await purchase.provider.operator.publish("order.shortage.report", body)
    await event(purchase, "order.shortage_recorded")


async def operate(purchase: Purchase, type_: str, **more: Any) -> None:
    """An operator sends a command about the order."""
    body = {"request_id": uuid4().hex, "actor": OPERATOR, "order_id": purchase.order_id, **more}
    await purchase.provider.operator.publish(type_, body)


async def at_page(purchase: Purchase, step: str) -> None:
    """A person captures or voids at the provider's own page, or the authorisation expires there."""
    number = await purchase.provider.pool.fetchval(
        "SELECT out_trade_no FROM payment_attempts WHERE order_id = $1", int(purchase.order_id)
    )
    origin, posted = purchase.provider.gateway.origin, {"out_trade_no": number, "step": step}
    async with purchase.provider.client.post(f"{origin}/merchant/authorization", json=posted) as answer:
        assert answer.status == 200, await answer.text()


async def test_money_is_taken_when_the_first_parcel_leaves(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await authorized(provider)
        await ship(purchase)
        await purchase.wait_for_capture("kept")
        await wait_for_state(purchase, "captured")

    await all_providers.run(scenario, AUTHORIZING)


async def test_a_cancelled_order_voids_its_authorisation(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await authorized(provider)
        await purchase.cancel()
        await event(purchase, "payment.released", amount=PAYABLE)
        await event(purchase, "payment.voided")
        assert not provider.upstream.events_of("refund.requested", order_id=purchase.order_id)

    await all_providers.run(scenario, AUTHORIZING)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda habits: next(iter(habits)))
async def test_an_answer_that_never_comes_is_polled_for(all_providers: AllProviders, trouble: dict[str, float]) -> None:
    """Of a capture, and of a void."""

    async def scenario(provider: ProviderHarness) -> None:
        shipped, cancelled = await authorized(provider), await authorized(provider)
        provider.set_habits(**trouble, unsent=1.0)
        await ship(shipped)
        await event(shipped, "payment.capture_requested", amount=PAYABLE)
        await cancelled.cancel()
        await asyncio.sleep(0.8)
        provider.set_habits(unsent=1.0)
        await event(shipped, "payment.captured", polling=True, verdict="kept")
        await event(cancelled, "payment.voided", polling=True)

    async with short_timeout(0.4):
        await all_providers.run(scenario, AUTHORIZING)


async def test_what_is_short_is_not_captured(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await authorized(provider)
        await lack(purchase)
        await event(purchase, "payment.released", amount=PRICE)
        await ship(purchase, qty=1)
        assert (await purchase.wait_for_capture("kept"))["amount"] == PRICE

    await all_providers.run(scenario, AUTHORIZING)


async def test_a_capture_that_fails_stops_the_goods_until_it_succeeds(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await authorized(provider)
        provider.set_habits(declined=1.0)
        await ship(purchase, qty=1)
        held = await event(purchase, "order.held", kind="payment", reason_code="capture_failed")
        await event(purchase, "alert.raised", code="PAY_CAPTURE_FAILED")
        provider.set_habits()
        await operate(purchase, "payment.capture")
        await purchase.wait_for_capture("kept")
        await operate(purchase, "order.release", hold_id=held["hold_id"])
        await event(purchase, "order.released")
        await operate(purchase, "payment.capture")
        await provider.upstream.wait_for_events("command.rejected", code="PAY_NOT_AUTHORIZED")

    await all_providers.run(scenario, AUTHORIZING)


async def test_an_order_whose_capture_fails_can_be_cancelled(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await authorized(provider)
        provider.set_habits(declined=1.0)
        await operate(purchase, "payment.capture")
        await event(purchase, "order.held", kind="payment")
        await purchase.cancel()
        await event(purchase, "payment.voided")

    await all_providers.run(scenario, AUTHORIZING)


async def test_money_that_the_provider_takes_by_itself_is_in_the_books(all_providers: AllProviders) -> None:
    """Also what was released, which goes back then."""

    async def scenario(provider: ProviderHarness) -> None:
        purchase = await authorized(provider)
        await lack(purchase)
        await at_page(purchase, "capture")
        assert (await purchase.wait_for_capture("kept"))["amount"] == PAYABLE
        await purchase.wait_for_refund(amount=PRICE)
        await ship(purchase, qty=1)

    await all_providers.run(scenario, AUTHORIZING)


async def test_an_authorisation_that_the_provider_ends_stops_the_goods(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await authorized(provider)
        await at_page(purchase, "void")
        await event(purchase, "payment.voided")
        await event(purchase, "order.held", kind="payment", reason_code="authorization_voided")
        await purchase.cancel()

    await all_providers.run(scenario, AUTHORIZING)


async def test_another_amount_than_the_order_costs_is_voided(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await placed(provider)
        await purchase.pay(await purchase.start_attempt())
        await event(purchase, "payment.authorized", verdict="mismatch")
        await event(purchase, "payment.voided")
        await purchase.assert_state("awaiting_payment")
        await purchase.cancel()

    await all_providers.run(scenario, AUTHORIZING, wrong_amount=1.0)


async def test_an_order_that_is_cancelled_after_the_capture_is_refunded(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await authorized(provider)
        await operate(purchase, "payment.capture")
        await purchase.wait_for_capture("kept")
        await purchase.cancel()
        await purchase.wait_for_refund(amount=PAYABLE)

    await all_providers.run(scenario, AUTHORIZING)


async def test_a_cancellation_waits_for_the_end_of_the_capture(all_providers: AllProviders) -> None:
    """The money that is on its way goes back when it has come."""

    async def scenario(provider: ProviderHarness) -> None:
        purchase = await authorized(provider)
        provider.set_habits(lost=1.0, unsent=1.0)
        await operate(purchase, "payment.capture")
        await event(purchase, "payment.capture_requested")
        await purchase.cancel()
        assert not provider.upstream.events_of("refund.requested", order_id=purchase.order_id)
        provider.set_habits()
        await event(purchase, "payment.captured", polling=True, verdict="kept")
        await purchase.wait_for_refund(amount=PAYABLE)

    await all_providers.run(scenario, AUTHORIZING)


async def test_an_authorisation_is_renewed_when_the_promise_ends(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await authorized(provider)
        aged = "UPDATE payment_authorizations SET authorized_at = now() - interval '4 d' WHERE order_id = $1"
        await provider.pool.execute(aged, int(purchase.order_id))
        await provider.pool.execute(WAKE, "authorization", int(purchase.order_id))
        [first, second] = await provider.upstream.wait_for_events("payment.authorized", 2, order_id=purchase.order_id)
        assert first["trade_no"] != second["trade_no"]
        await ship(purchase)
        await purchase.wait_for_capture("kept")

    await all_providers.run(scenario, RENEWING)


async def test_an_authorisation_that_is_about_to_end_is_captured_for_a_parcel(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await authorized(provider)
        await book(purchase, 1)
        ending = "authorized_at = now() - interval '20 d', expire_at = now() + interval '1 h' WHERE order_id = $1"

        async def look() -> bool:
            # A late notification makes oms query PayPal, whose answer has the true end: so this sets it each time.
            await provider.pool.execute(f"UPDATE payment_authorizations SET {ending}", int(purchase.order_id))
            await provider.pool.execute(WAKE, "authorization", int(purchase.order_id))
            await asyncio.sleep(0.1)
            return bool(provider.upstream.events_of("payment.capture_requested", order_id=purchase.order_id))

        await wait_until(look, "payment.capture_requested")
        await purchase.wait_for_capture("kept")

    await all_providers.run(scenario, AUTHORIZING)


async def test_an_authorisation_that_is_about_to_end_is_renewed_without_goods(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await authorized(provider)
        ending = "authorized_at = now() - interval '20 d', expire_at = now() + interval '1 h' WHERE order_id = $1"
        await provider.pool.execute(f"UPDATE payment_authorizations SET {ending}", int(purchase.order_id))
        await provider.pool.execute(WAKE, "authorization", int(purchase.order_id))
        await provider.upstream.wait_for_events("payment.authorized", 2, order_id=purchase.order_id)
        assert not provider.upstream.events_of("payment.capture_requested", order_id=purchase.order_id)
        await purchase.cancel()

    await all_providers.run(scenario, RENEWING)


async def test_an_authorisation_that_cannot_be_renewed_ends_with_its_order(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await authorized(provider)
        ending = "authorized_at = now() - interval '6 d', expire_at = now() + interval '1 h' WHERE order_id = $1"
        await provider.pool.execute(f"UPDATE payment_authorizations SET {ending}", int(purchase.order_id))
        await event(purchase, "order.cancelled", polling=True, reason_code="authorization_expired")
        await event(purchase, "payment.voided")

    await all_providers.run(scenario, ["stripe"])


async def test_a_provider_that_cannot_authorise_is_refused(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await placed(provider, "CNY")
        body = {"request_id": uuid4().hex, "actor": {"type": "user", "id": "u1"}, "order_id": purchase.order_id}
        about = {"provider": provider.name, "scene": "page", "amount": PAYABLE, "currency": "CNY"}
        await provider.upstream.publish("payment.start", {**body, **about})
        rejected = await provider.upstream.wait_for_events("command.rejected", code="PAY_METHOD_INVALID")
        assert {"field": "provider", "providers": ["paypal", "stripe"]} in [one["details"] for one in rejected]
        await purchase.cancel()

    await all_providers.run(scenario, ["alipay", "unionpay"])
