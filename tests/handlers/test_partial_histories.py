"""Random histories of partly shipped orders end, with the exact money back, and the audit finds nothing."""

import random
from collections.abc import Callable

import pytest

from messages.base import Message
from messages.rests import OrderCancelRest, ShortageDecide, ShortageReport, ShortLine
from scripts.commands.audit import findings
from tests.handlers.builders import OPERATOR, book, cancel, captured, create, update, user
from tests.handlers.folded_events import event_differences
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold, release
from workers import shop
from workers.domain.shop import DeductOn, OnShortage, Policy, Shop

ORDERS, EVENTS = 4, 32
ENDED = {"shipped", "delivered", "completed", "cancelled"}


def event(order_id: int, number: int, dice: random.Random) -> Message:
    """One message about an order, whether or not it fits the order now."""
    sku_id, qty, parcel = dice.choice(["s1", "s2"]), dice.randint(1, 3), f"T{order_id}-{dice.randint(1, 5)}"
    name = f"{order_id}-{number}"
    about = {"request_id": name, "actor": user(), "order_id": order_id}
    kinds: dict[str, Callable[[], Message]] = {
        "book": lambda: book(order_id, parcel, (sku_id, qty)),
        "move": lambda: update(
            order_id, parcel, dice.choice(["outbound", "delivered", "lost", "loss_confirmed"]), name
        ),
        "short": lambda: ShortageReport(request_id=name, order_id=order_id, lines=(ShortLine(sku_id=sku_id, qty=qty),)),
        "answer": lambda: ShortageDecide.model_validate(
            about | {"decision": dice.choice(["ship_rest", "cancel_rest"])}
        ),
        "rest": lambda: OrderCancelRest.model_validate(about),
        "cancel": lambda: cancel(order_id, name),
        "hold": lambda: hold(order_id, name),
        "release": lambda: release(order_id, name),
    }
    weights = {"book": 6, "move": 8, "short": 2, "answer": 2, "rest": 1, "cancel": 0.2, "hold": 1, "release": 2}
    [kind] = dice.choices(list(weights), list(weights.values()))
    return kinds[kind]()


async def end(harness: HandlerHarness, order_id: int) -> None:
    """Release the order from every hold, cancel what has not left, and let every parcel arrive."""
    holds = "SELECT id FROM order_holds WHERE order_id = $1 AND released_at IS NULL"
    for (hold_id,) in await harness.rows(holds, order_id):
        await harness.handle(release(order_id, f"end-{hold_id}", hold_id), trusted=True)
    await harness.handle(OrderCancelRest(request_id="end", actor=OPERATOR, order_id=order_id), trusted=True)
    await harness.handle(cancel(order_id, "end"))
    for number, state in await harness.rows(
        "SELECT s.tracking_no, s.state FROM shipments s JOIN shipment_items i ON i.shipment_id = s.id"
        " WHERE i.order_id = $1 AND s.state IN ('outbound', 'lost') GROUP BY 1, 2",
        order_id,
    ):
        await harness.handle(update(order_id, number, "delivered" if state == "outbound" else "loss_confirmed", "end"))


@pytest.mark.parametrize("on_shortage", OnShortage)
@pytest.mark.parametrize("deduct_on", [DeductOn.PAY, DeductOn.SHIP])
async def test_every_history_ends_and_the_books_agree(
    harness: HandlerHarness, on_shortage: OnShortage, deduct_on: DeductOn
) -> None:
    policy = Policy(rate_limit_orders=0, on_shortage=on_shortage, deduct_on=deduct_on)
    shop.configure(Shop(policy=policy, shipping_fee_minor_units={"CNY": 7}))
    await harness.fill_stock(qty=100)
    dice = random.Random(f"{on_shortage} {deduct_on}")
    for number in range(ORDERS):
        lines = ("s1", dice.randint(1, 4)), ("s2", dice.randint(1, 4))
        price = sum(qty for _, qty in lines) * 500 + 7
        order_id = await harness.create_order(create(*lines, request_id=f"h{number}", expected_pay_amount=price))
        await harness.handle(captured(order_id, price, f"t{number}"), trusted=True)
        for step in range(EVENTS):
            await harness.handle(event(order_id, step, dice), trusted=True)
            if dice.random() < 0.05:
                await harness.sweep("shortage")
        await end(harness, order_id)
    assert set(await harness.states()) <= ENDED
    wrong = "SELECT order_id, line_no FROM order_items WHERE refunded_amount <> payable_amount * refunded_qty / qty"
    assert await harness.rows(wrong + " AND shipping_share = 0") == []
    async with harness.pool.acquire() as tx, tx.transaction():
        found = await findings(tx, drained=False, grace_seconds=0)
    assert [(one.id, one.invariant, one.first) for one in found if one.violations] == []
    assert await event_differences(harness) == []
