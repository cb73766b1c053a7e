"""An operator changes a price over a real broker and database: the new amount is paid, the old one goes back."""

from uuid import uuid4

from db.pool import Pool
from tests.broker import Broker
from tests.e2e.upstream import Upstream, running_system, states

ACTOR = {"type": "operator", "id": "ops-7"}


async def test_an_adjusted_order_is_paid_with_its_new_amount(
    declared_broker: Broker, database_url: str, pool: Pool
) -> None:
    async with (
        running_system(declared_broker, database_url),
        Upstream.connect(declared_broker) as shop,
        Upstream.connect(declared_broker, "payments") as gateway,
    ):
        await shop.fill_stock("s1")
        created = await shop.place_order(("s1", 2))
        wanted = {"request_id": uuid4().hex, "actor": ACTOR, "order_id": created["order_id"], "reason_code": "AGREED"}
        await shop.publish("order.amount.adjust", wanted | {"discount": 1})
        [changed] = await shop.wait_for_events("order.amount_changed")
        await gateway.pay(created)
        [refund] = await shop.wait_for_events("refund.requested")
        await gateway.pay(changed, trade_no="new")
        await shop.wait_for_events("order.paid")
    paid, payable = created["amounts"]["payable"], changed["amounts"]["payable"]
    assert (payable, refund["amount"]) == (paid - 1, paid)
    assert await states(pool) == {"paid": 1}
