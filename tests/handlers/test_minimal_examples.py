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
ABOUT_AN_ORDER = ("payment.start.v1", "shipment.book.v1", "refund.request.v1", "after_sale.apply.v1")
OTHERS = ("coupon_template.upsert.v1", "promotion.upsert.v1", "settings.set.v1")


async def test_the_examples_with_the_fewest_fields_are_accepted_one_after_the_other(
    harness: HandlerHarness, alipay_configured: None
) -> None:
    await harness.handle(receive("sku-1", 10))
    assert {*BEFORE_AN_ORDER, *ABOUT_AN_ORDER, *OTHERS} == set(MINIMAL)

    async def send(type_: str, **ids: Any) -> None:
        body = MODELS[type_].model_validate_json(orjson.dumps(minimal(type_) | ids))
        if isinstance(body, Query):
            (reply,) = await ask(harness, body)
            assert not isinstance(reply, QueryRejected), type_
            assert getattr(reply, "refusal", None) is None, type_
            return
        await harness.handle(body, trusted=True)
        assert harness.rejections() == [], type_

    for type_ in BEFORE_AN_ORDER:
        await send(type_)
    (order_id, payable, buyer) = (await harness.rows("SELECT id, payable_amount, user_id FROM orders"))[0]
    about = {"order_id": str(order_id)}
    await send("payment.start.v1", **about, amount=payable)
    await harness.pay(order_id)
    await send("shipment.book.v1", **about)
    await send("refund.request.v1", **about)
    number = minimal("shipment.book.v1")["tracking_no"]
    for status in ("outbound", "delivered"):
        await harness.handle(update(order_id, number, status))
    await send("after_sale.apply.v1", **about, actor={"type": "user", "id": buyer})
    for type_ in OTHERS:  # last, for prices above are those without a promotion
        await send(type_)
