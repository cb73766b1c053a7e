"""Orders that are paid through test gateways, which speak the providers' own protocols over HTTP and AMQP."""

import asyncio

import pytest

from scripts.gateways import example_order
from tests.broker import Broker
from tests.e2e.all_providers import AllProviders
from tests.e2e.provider_harness import PAYABLE, ProviderHarness, now


async def test_an_order_is_paid_and_refunded_once_with_any_copies_of_notifications(all_providers: AllProviders) -> None:
    """Every notification arrives twice by different routes, and before them once with its body serialised again."""

    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.paid_purchase()
        await provider.upstream.wait_for_events("order.paid", order_id=purchase.order_id)
        await purchase.cancel()
        refund = await purchase.wait_for_refund()
        assert refund["amount"] == PAYABLE
        rewritten = (await provider.ledger())["habits"]["reserialised"]
        refused = await provider.upstream.wait_for_events(
            "payment.callback_rejected", rewritten, provider=provider.name
        )
        assert {event["code"] for event in refused} == {"PAY_SIGNATURE_INVALID"}

    await all_providers.run(scenario, doubled=1.0, reserialised=1.0)


async def test_a_hundred_copies_are_one_capture_and_a_forged_one_none(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.purchase()
        started = await purchase.start_attempt()
        before = len(provider.upstream.events_of("payment.callback_rejected", provider=provider.name))
        with provider.withheld_notifications() as kept:
            await purchase.pay(started)
            await provider.post_notification(provider.gateway.forged(kept[0](now())))
            refused = await provider.upstream.wait_for_events(
                "payment.callback_rejected", before + 1, provider=provider.name
            )
            assert refused[-1]["code"] == "PAY_SIGNATURE_INVALID"
            await purchase.assert_state("awaiting_payment")
            await asyncio.gather(*(provider.post_notification(kept[0](now())) for _ in range(100)))
            await purchase.wait_for_capture("kept")
            await asyncio.gather(*(provider.post_notification(kept[-1](now())) for _ in range(10)))
        await purchase.assert_state("paid")

    await all_providers.run(scenario)
    captured = [
        (event["provider"], event["trade_no"])
        for event in all_providers.providers["alipay"].upstream.events_of("payment.captured")
    ]
    assert len(captured) == len(set(captured))


async def test_a_wrong_amount_goes_back_and_the_right_one_is_taken_next(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.purchase()
        await purchase.pay(await purchase.start_attempt())
        captured = await purchase.wait_for_capture("mismatch")
        assert captured["amount"] != PAYABLE
        assert (await purchase.wait_for_refund())["amount"] == captured["amount"]
        await purchase.assert_state("awaiting_payment")
        provider.set_habits()
        await purchase.pay(await purchase.start_attempt())
        assert (await purchase.wait_for_capture("kept"))["amount"] == PAYABLE

    await all_providers.run(scenario, wrong_amount=1.0)


async def test_a_payment_without_a_notification_is_polled(all_providers: AllProviders) -> None:
    async def scenario(provider: ProviderHarness) -> None:
        purchase = await provider.purchase()
        await purchase.pay(await purchase.start_attempt())
        await purchase.wait_for_capture("kept", polling=True)
        await purchase.cancel()
        await purchase.wait_for_refund(polling=True)

    await all_providers.run(scenario, unsent=1.0)


async def test_an_order_can_be_made_and_paid_by_hand(all_providers: AllProviders, module_broker: Broker) -> None:
    """It takes only the fields of payment.started, given to the gateway as they are."""

    async def scenario(provider: ProviderHarness) -> None:
        started = await example_order.start(module_broker.urls, module_broker.names.prefix, provider.name)
        async with provider.client.post(f"{provider.gateway.origin}/buyer/pay", json=started) as answer:
            assert (await answer.json())["out_trade_no"] == started["out_trade_no"]
        await provider.upstream.wait_for_events("order.paid", order_id=started["order_id"])

    await all_providers.run(scenario)


async def test_what_the_shop_refuses_is_answered_by_hand(module_broker: Broker, all_providers: AllProviders) -> None:
    with pytest.raises(example_order.RefusedError, match="PAY_PARAM_INVALID"):
        await example_order.start(module_broker.urls, module_broker.names.prefix, "wechat", "smoke")
