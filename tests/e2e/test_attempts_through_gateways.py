"""Attempts that are no longer wanted: the provider closes them, and a payment that arrives after all is refunded."""

from collections.abc import Awaitable

from tests.e2e.all_providers import AllProviders
from tests.e2e.provider_harness import ProviderHarness, Purchase, now
from tests.e2e.upstream import wait_for

CLOSING = ("wechat", "alipay", "stripe")
"""UnionPay closes nothing: an attempt there can be paid until it expires. PayPal's is closed when we do not capture."""
DIRECT = (*CLOSING, "unionpay")
"""The providers at which the buyer's approval is the payment."""


async def paid_after(purchase: Purchase, started: dict[str, str], what: Awaitable[None]) -> None:
    """Pay an attempt that was to be closed after that: its provider does not answer to it in time."""
    provider = purchase.provider
    did = provider.gateway.dice.did
    before = did["error"]
    provider.set_habits(error=1.0 if provider.name in CLOSING else 0.0)
    await what
    await wait_for(lambda: provider.name not in CLOSING or did["error"] > before, "a call that closes", lambda: did)
    with provider.withheld_notifications() as kept:
        await purchase.pay(started)
    provider.set_habits()
    await provider.post_notification(kept[0](now()))


async def test_what_is_paid_of_a_cancelled_order_goes_back(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.purchase()
        await paid_after(purchase, await purchase.start_attempt(), purchase.cancel())
        late = await purchase.wait_for_capture("late")
        assert (await purchase.wait_for_refund())["trade_no"] == late["trade_no"]

    await all_providers.run(scenario, DIRECT)


async def test_what_is_paid_twice_goes_back_once(all_providers: AllProviders) -> None:
    """Those that close are paid after the order was paid at UnionPay; UnionPay is paid by an earlier attempt."""

    async def scenario(provider: ProviderHarness) -> None:
        other = all_providers.providers["unionpay"]
        purchase = await provider.purchase()
        first = await purchase.start_attempt()

        async def second() -> None:
            await purchase.pay(await purchase.start_attempt(other), other)
            await purchase.wait_for_capture("kept")

        await paid_after(purchase, first, second())
        duplicate = await purchase.wait_for_capture("duplicate")
        assert duplicate["provider"] == provider.name
        assert (await purchase.wait_for_refund())["trade_no"] == duplicate["trade_no"]
        await purchase.assert_state("paid")

    await all_providers.run(scenario, DIRECT)


async def test_the_next_attempt_closes_the_one_before(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.purchase()
        first = await purchase.start_attempt()
        await purchase.open_link(first)
        second = await purchase.start_attempt()
        await provider.upstream.wait_for_events("payment.attempt_closed", attempt_id=first["attempt_id"])
        await purchase.pay(first, status=409)
        await purchase.pay(second)
        await purchase.wait_for_capture("kept")

    await all_providers.run(scenario, CLOSING)


async def test_what_is_approved_too_late_is_not_captured(all_providers: AllProviders) -> None:
    """The payments are of an attempt that was replaced and of an order that was cancelled."""

    async def scenario(provider: ProviderHarness) -> None:
        purchase, other = await provider.purchase(), await provider.purchase()
        replaced, late = await purchase.start_attempt(), await other.start_attempt()
        await other.cancel()
        second = await purchase.start_attempt()
        for started in (replaced, late):
            await provider.upstream.wait_for_events("payment.attempt_closed", attempt_id=started["attempt_id"])
            await purchase.pay(started)
        await purchase.pay(second)
        await purchase.wait_for_capture("kept")
        assert len((await provider.ledger())["captures"]) == before + 1

    before = len((await all_providers.providers["paypal"].ledger())["captures"])
    await all_providers.run(scenario, ("paypal",))


async def test_a_capture_whose_answer_was_lost_is_found_when_the_order_is_cancelled(
    all_providers: AllProviders,
) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.purchase()
        started = await purchase.start_attempt()
        with provider.withheld_notifications() as kept:
            provider.set_habits(lost=1.0)
            await purchase.pay(started)
            await provider.post_notification(kept[0](now()))
            await wait_for(lambda: len(kept) == 2, "a capture", lambda: kept)
            await purchase.cancel()
        provider.set_habits()
        await purchase.wait_for_capture("late", polling=True)
        await purchase.wait_for_refund()

    await all_providers.run(scenario, ("paypal",))


async def test_an_attempt_that_cannot_be_closed_is_waited_for(all_providers: AllProviders) -> None:
    """Meanwhile the next attempt pays the order."""

    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.purchase()
        first = await purchase.start_attempt()
        await purchase.pay(await purchase.start_attempt())
        await purchase.wait_for_capture("kept")
        await purchase.wait_for_attempt_state(first, "closing")
        await all_providers.assert_books_agree()
        await purchase.expire(first)
        await provider.upstream.wait_for_events("payment.attempt_closed", attempt_id=first["attempt_id"])

    await all_providers.run(scenario, ("unionpay",))


async def test_a_payment_during_the_close_is_found_by_a_poll_and_refunded(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.purchase()
        started = await purchase.start_attempt()
        await purchase.open_link(started)
        await purchase.cancel()
        await purchase.wait_for_capture("late", polling=True)
        await purchase.wait_for_refund(polling=True)
        await purchase.wait_for_attempt_state(started, "captured")

    await all_providers.run(scenario, CLOSING, paid_at_close=1.0, unsent=1.0)


async def test_an_unpaid_attempt_is_closed_when_it_expires(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.purchase()
        started = await purchase.start_attempt()
        await purchase.open_link(started)
        await purchase.expire(started)
        await provider.upstream.wait_for_events("payment.attempt_closed", attempt_id=started["attempt_id"])

    await all_providers.run(scenario)
