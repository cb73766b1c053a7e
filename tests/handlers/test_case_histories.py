"""Random histories of orders with after-sale cases: whatever happens in whatever order, the audit finds nothing.

The dice choose among everything that buyers, operators, warehouses, carriers and providers may send about an order and
about those that replace its goods, fitting or not, also messages that were sent before (case_stories.py). Some orders
are paid at once, of others the money is only authorised. Then every provider and every carrier ends what it has.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from scripts.commands.audit import findings
from tests.handlers.alipay_payments import MERCHANT
from tests.handlers.authorization_builders import ABILITY, authorize
from tests.handlers.builders import create, sku
from tests.handlers.case_stories import PRICES, Story
from tests.handlers.catalogue_builders import coupon, grant, template
from tests.handlers.folded_events import event_differences
from tests.handlers.harness import HandlerHarness
from workers import providers, shop
from workers.domain.after_sale_policy import AfterSaleRules, ExchangeShips, OnUnreviewed
from workers.domain.after_sales import ENDED
from workers.domain.shop import CaptureOn, DeductOn, Policy, Shop
from workers.handlers import timeouts
from workers.providers.alipay import Alipay, AlipaySettings

STEPS, ORDERS = 40, 3
SEEDS = range(4)


@pytest.fixture(autouse=True)
def _alipay_authorizes() -> Iterator[None]:
    """Alipay stands for a provider that authorises. No call is made here."""
    providers.configure({"alipay": Alipay(AlipaySettings.model_validate(MERCHANT))})
    with patch(ABILITY, Alipay):
        yield
    providers.configure({})


async def fire(harness: HandlerHarness) -> None:
    """Let the sweeper fire what is due."""
    async with harness.pool.acquire() as tx, tx.transaction():
        await timeouts.sweep(tx)
    await harness.relay()


async def audit(harness: HandlerHarness, *, drained: bool = False) -> list[Any]:
    """What the audit finds once the timers that are due have fired: those of receipts wait for the end of a case."""
    await fire(harness)
    async with harness.pool.acquire() as tx, tx.transaction():
        found = await findings(tx, drained=drained, grace_seconds=0)
    return [(one.id, one.invariant, one.first) for one in found if one.violations and one.id != "excess"]


async def place(harness: HandlerHarness, dice: random.Random, number: int) -> Story:
    """A paid order of two lines, with shipping. One pays when its goods leave, the last with a coupon and points."""
    authorized = number % 3 == 1
    rules = shop.current()
    capture_on = CaptureOn.HAND_OVER if authorized else CaptureOn.PAYMENT
    shop.configure(replace(rules, policy=replace(rules.policy, capture_on=capture_on)))
    lines = ("s1", dice.randint(1, 3)), ("s2", dice.randint(1, 3))
    price = sum(qty for _, qty in lines) * 500 + 7
    benefits: dict[str, Any] = {"coupon_id": "c1", "use_points": 200} if number == ORDERS - 1 else {}
    price -= 300 if benefits else 0
    order_id = await harness.create_order(
        create(*lines, request_id=f"h{number}", expected_pay_amount=price, **benefits)
    )
    if authorized:
        return Story(harness, dice, order_id, await authorize(harness, order_id))
    await harness.pay(order_id)
    return Story(harness, dice, order_id)


def rules(dice: random.Random) -> AfterSaleRules:
    """What a shop may say about its cases."""
    return AfterSaleRules(
        on_unreviewed=dice.choice(list(OnUnreviewed)),
        full_refund_closes=dice.random() < 0.7,
        approve_up_to_minor_units=dice.choice([{}, {"CNY": 500}]),
        exchange_ships=dice.choice(list(ExchangeShips)),
    )


async def check_money(story: Story) -> None:
    """Nothing went back twice, and all of it went back if every unit did."""
    [(units, back, given, price, kept)] = await story.harness.rows(
        "SELECT sum(i.qty), sum(i.refunded_qty), sum(i.refunded_amount), sum(i.payable_amount),"
        " min(o.captured_amount - o.refunded_amount) FROM order_items i JOIN orders o ON o.id = i.order_id"
        " WHERE o.id = $1",
        story.root_id,
    )
    assert kept >= 0
    assert back < units or given == price


async def check_exchanges(story: Story) -> None:
    """No exchange waits; each accepted unit was replaced or given back, and the difference is where it should be.

    Without the other goods the buyer has his money, and the exchange order keeps none.
    """
    rows = await story.harness.rows(
        "SELECT c.state, (SELECT (sum(accepted_qty), sum(refunded_qty + replaced_qty), sum(replaced_qty))"
        " FROM after_sale_lines WHERE case_id = c.id), e.price_amount - e.value_amount,"
        " o.captured_amount - o.refunded_amount, coalesce((SELECT sum(r.amount) FROM refunds r"
        " WHERE r.cause = 'exchange:' || c.id AND r.state = 'succeeded'), 0)"
        " FROM after_sales c JOIN LATERAL (SELECT * FROM exchange_orders WHERE case_id = c.id ORDER BY order_id DESC"
        " LIMIT 1) e ON true JOIN orders o ON o.id = e.order_id WHERE e.first_order_id = ANY($1)",
        story.order_ids,
    )
    for state, (accepted, done, replaced), difference, kept, given in rows:
        assert state in ENDED, rows
        if state == "completed" and replaced:
            assert (done, kept, given) == (accepted, max(0, difference), max(0, -difference)), rows
        else:
            assert kept == 0, rows


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_happens_to_cases_the_audit_finds_nothing(harness: HandlerHarness, seed: int) -> None:
    dice = random.Random(seed)
    policy = Policy(rate_limit_orders=0, deduct_on=dice.choice([DeductOn.PAY, DeductOn.SHIP]), after_sale=rules(dice))
    shop.configure(Shop(policy=policy, shipping_fee_minor_units={"CNY": 7}))
    for sku_id, price in PRICES.items():
        await harness.fill_stock(100, price, [sku_id])
    await harness.handle(
        template(), coupon(), grant(), *(sku(name, revision=2, gift_points=7) for name in ("s1", "s2"))
    )
    for number in range(ORDERS):
        story = await place(harness, dice, number)
        await story.begin(exchanges=number == 0)
        for _ in range(STEPS):
            await story.step()
        assert await audit(harness) == []
        await story.end()
        await check_money(story)
        await check_exchanges(story)
    assert await audit(harness) == []
    assert await audit(harness, drained=True) == []
    assert await event_differences(harness) == []
