"""Orders that are paid through test gateways, which speak the providers' own protocols over HTTP and AMQP."""

import asyncio

import pytest

from scripts.gateways import by_hand
from tests.conftest import Broker
from tests.e2e.all_providers import Market
from tests.e2e.provider_harness import PAYABLE, Counter, now

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_order_is_paid_and_given_back_whatever_copies_come(market: Market) -> None:
    """Two copies of every notification by different routes, and before them one that something wrote anew."""

    async def scenario(counter: Counter) -> None:
        sale = await counter.bought()
        await counter.shop.hears("order.paid", order_id=sale.order_id)
        await sale.cancel()
        refund = await sale.refunded()
        assert refund["amount"] == PAYABLE
        rewritten = (await counter.ledger())["habits"]["reserialised"]
        refused = await counter.shop.hears("payment.callback_rejected", rewritten, provider=counter.name)
        assert {event["code"] for event in refused} == {"PAY_SIGNATURE_INVALID"}

    await market.everywhere(scenario, doubled=1.0, reserialised=1.0)


async def test_a_hundred_copies_are_one_capture_and_a_forged_one_none(market: Market) -> None:
    async def scenario(counter: Counter) -> None:
        sale = await counter.sale()
        started = await sale.start()
        before = len(counter.shop.heard("payment.callback_rejected", provider=counter.name))
        with counter.withheld() as kept:
            await sale.pay(started)
            await counter.notify(counter.gateway.forged(kept[0](now())))
            refused = await counter.shop.hears("payment.callback_rejected", before + 1, provider=counter.name)
            assert refused[-1]["code"] == "PAY_SIGNATURE_INVALID"
            await sale.is_("awaiting_payment")
            await asyncio.gather(*(counter.notify(kept[0](now())) for _ in range(100)))
            await sale.captured("kept")
            await asyncio.gather(*(counter.notify(kept[-1](now())) for _ in range(10)))
        await sale.is_("paid")

    await market.everywhere(scenario)
    told = [
        (event["provider"], event["trade_no"]) for event in market.counters["alipay"].shop.heard("payment.captured")
    ]
    assert len(told) == len(set(told))


async def test_a_wrong_amount_goes_back_and_the_right_one_is_taken_next(market: Market) -> None:
    async def scenario(counter: Counter) -> None:
        sale = await counter.sale()
        await sale.pay(await sale.start())
        captured = await sale.captured("mismatch")
        assert captured["amount"] != PAYABLE
        assert (await sale.refunded())["amount"] == captured["amount"]
        await sale.is_("awaiting_payment")
        counter.behaves()
        await sale.pay(await sale.start())
        assert (await sale.captured("kept"))["amount"] == PAYABLE

    await market.everywhere(scenario, wrong_amount=1.0)


async def test_what_is_never_told_is_asked_for(market: Market) -> None:
    async def scenario(counter: Counter) -> None:
        sale = await counter.sale()
        await sale.pay(await sale.start())
        await sale.captured("kept", asking=True)
        await sale.cancel()
        await sale.refunded(asking=True)

    await market.everywhere(scenario, untold=1.0)


async def test_an_order_can_be_made_and_paid_by_hand(market: Market, hall_broker: Broker) -> None:
    """With nothing but what payment.started says, given to the gateway as it is."""

    async def scenario(counter: Counter) -> None:
        started = await by_hand.start(hall_broker["upstream"], hall_broker.names.prefix, counter.name)
        async with counter.client.post(f"{counter.gateway.origin}/buyer/pay", json=started) as answer:
            assert (await answer.json())["out_trade_no"] == started["out_trade_no"]
        await counter.shop.hears("order.paid", order_id=started["order_id"])

    await market.everywhere(scenario)


async def test_what_the_shop_refuses_is_said_by_hand(hall_broker: Broker, market: Market) -> None:
    with pytest.raises(by_hand.RefusedError, match="PAY_PARAM_INVALID"):
        await by_hand.start(hall_broker["upstream"], hall_broker.names.prefix, "wechat", "smoke")
