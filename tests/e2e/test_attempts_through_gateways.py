"""Attempts that nobody should pay any more: the provider closes them, and what is paid there after all goes back."""

from collections.abc import Awaitable

import pytest

from tests.e2e.all_providers import Market
from tests.e2e.provider_harness import Counter, Sale, now
from tests.e2e.upstream import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
CLOSING = ("wechat", "alipay")
"""UnionPay closes nothing: an attempt there can be paid until it expires. PayPal's is closed when we do not capture."""
DIRECT = (*CLOSING, "unionpay")
"""Where the buyer's approval is payment."""


async def paid_after(sale: Sale, started: dict[str, str], what: Awaitable[None]) -> None:
    """Pay an attempt that was to be closed after that: its provider does not answer to it in time."""
    counter = sale.counter
    did = counter.gateway.dice.did
    before = did["error"]
    counter.behaves(error=1.0 if counter.name in CLOSING else 0.0)
    await what
    await until(lambda: counter.name not in CLOSING or did["error"] > before, "a call that closes", lambda: did)
    with counter.withheld() as kept:
        await sale.pay(started)
    counter.behaves()
    await counter.notify(kept[0](now()))


async def test_what_is_paid_of_a_cancelled_order_goes_back(market: Market) -> None:
    async def scenario(counter: Counter) -> None:
        sale = await counter.sale()
        await paid_after(sale, await sale.start(), sale.cancel())
        late = await sale.captured("late")
        assert (await sale.refunded())["trade_no"] == late["trade_no"]

    await market.everywhere(scenario, DIRECT)


async def test_what_is_paid_twice_goes_back_once(market: Market) -> None:
    """At WeChat Pay and Alipay after the order was paid at UnionPay; at UnionPay by an earlier attempt."""

    async def scenario(counter: Counter) -> None:
        other = market.counters["unionpay"]
        sale = await counter.sale()
        first = await sale.start()

        async def second() -> None:
            await sale.pay(await sale.start(other), other)
            await sale.captured("kept")

        await paid_after(sale, first, second())
        duplicate = await sale.captured("duplicate")
        assert duplicate["provider"] == counter.name
        assert (await sale.refunded())["trade_no"] == duplicate["trade_no"]
        await sale.is_("paid")

    await market.everywhere(scenario, DIRECT)


async def test_the_next_attempt_closes_the_one_before(market: Market) -> None:
    async def scenario(counter: Counter) -> None:
        sale = await counter.sale()
        first = await sale.start()
        await sale.look(first)
        second = await sale.start()
        await counter.shop.hears("payment.attempt_closed", attempt_id=first["attempt_id"])
        await sale.pay(first, status=409)
        await sale.pay(second)
        await sale.captured("kept")

    await market.everywhere(scenario, CLOSING)


async def test_what_is_approved_too_late_is_not_captured(market: Market) -> None:
    """Of an attempt that was replaced, and of an order that was cancelled."""

    async def scenario(counter: Counter) -> None:
        sale, other = await counter.sale(), await counter.sale()
        replaced, late = await sale.start(), await other.start()
        await other.cancel()
        second = await sale.start()
        for started in (replaced, late):
            await counter.shop.hears("payment.attempt_closed", attempt_id=started["attempt_id"])
            await sale.pay(started)
        await sale.pay(second)
        await sale.captured("kept")
        assert len((await counter.ledger())["captures"]) == before + 1

    before = len((await market.counters["paypal"].ledger())["captures"])
    await market.everywhere(scenario, ("paypal",))


async def test_a_capture_whose_answer_was_lost_is_found_when_the_order_is_cancelled(market: Market) -> None:
    async def scenario(counter: Counter) -> None:
        sale = await counter.sale()
        started = await sale.start()
        with counter.withheld() as kept:
            counter.behaves(lost=1.0)
            await sale.pay(started)
            await counter.notify(kept[0](now()))
            await until(lambda: len(kept) == 2, "a capture", lambda: kept)
            await sale.cancel()
        counter.behaves()
        await sale.captured("late", asking=True)
        await sale.refunded()

    await market.everywhere(scenario, ("paypal",))


async def test_an_attempt_that_cannot_be_closed_is_waited_for(market: Market) -> None:
    """Meanwhile the order is paid by the next one, and all is well."""

    async def scenario(counter: Counter) -> None:
        sale = await counter.sale()
        first = await sale.start()
        await sale.pay(await sale.start())
        await sale.captured("kept")
        await sale.attempt_is(first, "closing")
        await market.clean()
        await sale.expires(first)
        await counter.shop.hears("payment.attempt_closed", attempt_id=first["attempt_id"])

    await market.everywhere(scenario, ("unionpay",))


async def test_what_is_paid_while_it_is_closed_is_asked_for_and_goes_back(market: Market) -> None:
    async def scenario(counter: Counter) -> None:
        sale = await counter.sale()
        started = await sale.start()
        await sale.look(started)
        await sale.cancel()
        await sale.captured("late", asking=True)
        await sale.refunded(asking=True)
        await sale.attempt_is(started, "captured")

    await market.everywhere(scenario, CLOSING, paid_at_close=1.0, untold=1.0)


async def test_what_nobody_pays_is_closed_when_its_time_is_over(market: Market) -> None:
    async def scenario(counter: Counter) -> None:
        sale = await counter.sale()
        started = await sale.start()
        await sale.look(started)
        await sale.expires(started)
        await counter.shop.hears("payment.attempt_closed", attempt_id=started["attempt_id"])

    await market.everywhere(scenario)
