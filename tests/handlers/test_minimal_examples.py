"""The examples with the fewest fields do something in a new shop, which their models alone do not say."""

from typing import Any

import orjson

from messages.base import Query, QueryRejected
from messages.registry import MODELS
from tests.golden.examples import MINIMAL, minimal
from tests.handlers.builders import receive, update
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask

BEFORE_AN_ORDER = ("sku.upsert.v1", "order.draft.save.v1", "order.preview.v1", "order.create.v1", "order.list.v1")
UNPAID = ("order.amount.adjust.v1", "payment.start.v1", "payment.result.v1")
PAID = (
    "order.hold.v1",
    "order.release.v1",
    "shipment.book.v1",
    "refund.request.v1",
    "refund.result.v1",
    "shipment.update.v1",
)
QUERIES = (
    "order.get.v1",
    "order.explain.v1",
    "after_sale.get.v1",
    "after_sale.list.v1",
    "archived_order.list.v1",
    "order.stuck.v1",
    "dispute.list.v1",
    "dashboard.get.v1",
    "plan.forecast.v1",
    "plan.price.v1",
    "subject.export.v1",
)
LAST = ("coupon_template.upsert.v1", "promotion.upsert.v1", "settings.set.v1", "warehouses.set.v1", "contact.set.v1")
AFTER_SALE = ("after_sale.apply.v1", "after_sale.review.v1")
ELSEWHERE = {"risk.result.v1", "plan.reorder.v1"}
"""The one takes a shop with a risk check, the other a shop that has sold for weeks."""


async def test_the_examples_with_the_fewest_fields_are_accepted_one_after_the_other(
    harness: HandlerHarness, alipay_configured: None
) -> None:
    await harness.handle(receive("sku-1", 10))
    assert {*BEFORE_AN_ORDER, *UNPAID, *PAID, *AFTER_SALE, *QUERIES, *LAST, "order.cancel.v1"} | ELSEWHERE == set(
        MINIMAL
    )

    async def send(type_: str, **ids: Any) -> None:
        body = MODELS[type_].model_validate_json(orjson.dumps(minimal(type_) | ids))
        if isinstance(body, Query):
            (reply,) = await ask(harness, body)
            assert not isinstance(reply, QueryRejected), f"{type_}: {reply}"
            assert getattr(reply, "refusal", None) is None, type_
            return
        batch = await harness.handle(body, trusted=True)
        assert (harness.rejections(), batch.verdicts) == ([], {}), type_

    for type_ in BEFORE_AN_ORDER:
        await send(type_)
    await send("order.create.v1", request_id="another")
    another = await harness.pool.fetchval("SELECT max(id) FROM orders")
    await send("order.cancel.v1", order_id=str(another))
    (order_id, payable, buyer) = (await harness.rows("SELECT id, payable_amount, user_id FROM orders ORDER BY id"))[0]
    about, number = {"order_id": str(order_id)}, minimal("shipment.book.v1")["tracking_no"]
    await send(UNPAID[0], **about)
    for type_ in UNPAID[1:]:
        await send(type_, **about, amount=payable - minimal(UNPAID[0])["discount"])
    for type_ in PAID[:4]:
        await send(type_, **about)
    await send("refund.result.v1", refund_no=await harness.pool.fetchval("SELECT refund_no FROM refunds"))
    await send("shipment.update.v1")
    await harness.handle(update(order_id, number, "delivered"))
    user = {"type": "user", "id": buyer}
    await send("after_sale.apply.v1", **about, actor=user)
    (case_id, case_no) = (await harness.rows("SELECT id, case_no FROM after_sales"))[0]
    await send("after_sale.review.v1", **about, case_id=str(case_id))
    for type_ in QUERIES:
        query = minimal(type_)
        ids = {"order": str(order_id), "case": case_no, "user_id": buyer}
        ids = {name: value for name, value in ids.items() if name in query}
        await send(type_, **ids, **({"actor": user} if query["actor"]["type"] == "user" else {}))
    for type_ in LAST:  # prices above are those without a promotion
        await send(type_)
