"""Lists in queries: an empty one that filters is no filter, an empty one of what is wanted is refused."""

from typing import Any

import orjson
import pytest

from messages.account_queries import CouponsListed
from messages.after_sale_queries import AfterSaleListed
from messages.base import MessageKind, Query, QueryRejected, Reply
from messages.benefits import CouponIssue
from messages.dispute_queries import DisputeListed
from messages.order_queries import OrderListed
from messages.queries import OrderPreviewed
from messages.registry import MODELS
from messages.strict_json import read
from tests.golden.examples import example
from tests.handlers.builders import OPERATOR, cancel, create
from tests.handlers.case_builders import apply, last, revoke
from tests.handlers.catalogue_builders import template
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask
from tests.handlers.refund_builders import dispute
from workers.domain.after_sales import CaseState
from workers.services.account_answers import COUPON_STATES

FILTERS = [
    ("after_sale.list.v1", "states"),
    ("coupon.list.v1", "states"),
    ("dispute.list.v1", "states"),
    ("order.list.v1", "states"),
]
WANTED = [("order.preview.v1", "items"), ("stock.get.v1", "sku_ids")]
"""Lists of what is wanted. A preview without lines may be one of the cart, so the business refuses it."""
KINDS = [("order.stuck.v1", "what")]
"""Kinds of waits to keep; tests/handlers/test_stuck_waits.py shows that all of them are what an empty list shows."""
GIVEN = [("plan.forecast.v1", "series"), ("plan.price.v1", "at_prices"), ("plan.price.v1", "points")]
"""Figures to compute with. Without a series or points a plan takes what was sold; no prices are no predictions."""
LISTS = sorted(
    (model.TYPE, name)
    for model in MODELS.values()
    if model.KIND is MessageKind.QUERY
    for name, field in model.model_fields.items()
    if "tuple[" in str(field.annotation)
)


def test_every_list_of_a_query_is_a_filter_or_what_is_wanted() -> None:
    assert sorted(FILTERS + WANTED + KINDS + GIVEN) == LISTS


async def reply(harness: HandlerHarness, type_: str, **fields: Any) -> Reply | None:
    """The reply to a query as it comes on the wire, about the user u1; None if it cannot be read."""
    body = {"actor": {"type": "user", "id": "u1"}} | fields
    message = read(MODELS[type_], orjson.dumps(body)).message
    return (await ask(harness, message))[0] if isinstance(message, Query) else None


def shown(reply: Reply | None) -> list[tuple[str, str]]:
    if isinstance(reply, CouponsListed):
        return sorted((one.coupon_id, one.state) for one in reply.coupons)
    if isinstance(reply, AfterSaleListed):
        return sorted((str(one.case_id), one.state) for one in reply.cases)
    if isinstance(reply, DisputeListed):
        return sorted((one.dispute_no, one.state) for one in reply.disputes)
    assert isinstance(reply, OrderListed), reply
    return sorted((str(one.order_id), one.state) for one in reply.orders)


VALUES = {
    "after_sale.list.v1": list(CaseState),
    "coupon.list.v1": list(COUPON_STATES),
    "dispute.list.v1": ["closed", "lost", "opened", "won"],
    "order.list.v1": ["awaiting_payment", "cancelled", "delivered"],
}


@pytest.mark.parametrize(("type_", "name"), FILTERS, ids=[type_ for type_, _ in FILTERS])
async def test_an_empty_filter_shows_what_all_its_values_show(harness: HandlerHarness, type_: str, name: str) -> None:
    await harness.fill_stock()
    await harness.handle(template(), trusted=True)
    for coupon_id in ("a", "b"):
        await harness.handle(CouponIssue(coupon_id=coupon_id, template_id="t1", user_id="u1"), trusted=True)
    await harness.create_order(create(("s1", 4), coupon_id="a", expected_pay_amount=1900))
    await harness.create_order(create(("s1", 1), request_id="k2"))
    await harness.handle(cancel(await harness.create_order(create(("s1", 1), request_id="k3")), "c"))
    bought = await harness.place_paid_order(("s1", 2))
    await harness.deliver(bought)
    await harness.handle(apply(bought, (1, 1)))
    await harness.handle(revoke(last(harness)), apply(bought, (1, 1)))
    await harness.handle(dispute(), dispute("lost", dispute_no="D2"))
    whose = {"user_id": "u1"} if "user_id" in MODELS[type_].model_fields else {"actor": OPERATOR.model_dump()}
    everything = shown(await reply(harness, type_, **whose, **{name: VALUES[type_]}))
    assert len({state for _, state in everything}) > 1, "what the test needs: things in two states"
    assert shown(await reply(harness, type_, **whose, **{name: []})) == everything


@pytest.mark.parametrize(("type_", "name"), WANTED, ids=[type_ for type_, _ in WANTED])
async def test_an_empty_list_of_what_is_wanted_is_refused(harness: HandlerHarness, type_: str, name: str) -> None:
    body = {
        field: value for field, value in example(type_).items() if field not in ("coupon_id", "from_cart", "group_id")
    }
    answer = await reply(harness, type_, **body | {name: [], "actor": {"type": "user", "id": "u1"}} | same_user(body))
    if isinstance(answer, OrderPreviewed):
        assert answer.refusal is not None
        assert answer.refusal.code == "ORDER_ITEMS_EMPTY"
    else:
        assert answer is None or isinstance(answer, QueryRejected)


def same_user(body: dict[str, Any]) -> dict[str, str]:
    return {"user_id": "u1"} if "user_id" in body else {}
