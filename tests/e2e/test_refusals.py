"""What the business refuses: an answer with a code, an outcome that stays, and never a dead letter."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson
import pytest

from tests.e2e.system import SKU, Hall, ask, cancel
from tests.e2e.upstream import order_body

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class No:
    """A well-formed command that the business refuses, and with which code and details."""

    case: str
    code: str
    changes: dict[str, Any]
    details: dict[str, Any] = field(default_factory=dict)


def lines(*items: tuple[str, int]) -> dict[str, Any]:
    return {"items": [{"sku_id": sku, "qty": qty} for sku, qty in items]}


REFUSED = [
    No("the price is another", "ORDER_PRICE_MISMATCH", {"expected_pay_amount": 499}, {"expected": 500, "got": 499}),
    No("a price below nothing", "ORDER_PRICE_MISMATCH", {"expected_pay_amount": -1}),
    No("an unknown SKU", "PRODUCT_NOT_FOUND", lines(("nothing", 1)), {"line_no": 1, "sku_id": "nothing"}),
    No("one of two SKUs unknown", "PRODUCT_NOT_FOUND", lines((SKU, 1), ("nothing", 1)), {"line_no": 2}),
    No("a SKU off sale", "PRODUCT_NOT_ON_SALE", lines(("off", 1))),
    No("a SKU without stock", "INVENTORY_INSUFFICIENT", lines(("none", 1)) | {"expected_pay_amount": 500}),
    No("more than there is", "INVENTORY_INSUFFICIENT", lines((SKU, 1_000_000)) | {"expected_pay_amount": 500_000_000}),
    No("no lines", "ORDER_ITEMS_EMPTY", {"items": []}),
    No("no units", "ORDER_PARAM_INVALID", lines((SKU, 0)), {"field": "items[0].qty"}),
    No("fewer than no units", "ORDER_PARAM_INVALID", lines((SKU, -1)), {"field": "items[0].qty"}),
    No("more units than a line holds", "ORDER_PARAM_INVALID", lines((SKU, 1_000_001)), {"field": "items[0].qty"}),
    No("as many units as 64 bits hold", "ORDER_PARAM_INVALID", lines((SKU, 2**63 - 1)), {"field": "items[0].qty"}),
    No("an unknown channel", "ORDER_CHANNEL_INVALID", {"channel": "telex"}, {"field": "channel"}),
    No("an unknown business", "ORDER_BUSINESS_TYPE_INVALID", {"business_type": "theft"}, {"field": "business_type"}),
    No("nowhere to go", "ORDER_ADDRESS_MISSING", {"address": None}, {"field": "address"}),
    No("another currency", "ORDER_PARAM_INVALID", {"currency": "USD"}, {"field": "currency", "sku_currency": "CNY"}),
]


@pytest.mark.parametrize("no", [pytest.param(row, id=row.case) for row in REFUSED])
async def test_an_order_that_the_business_refuses(hall: Hall, no: No) -> None:
    await on_the_shelf(hall)
    body = order_body((SKU, 1)) | no.changes
    letters = await hall.pool.fetchval("SELECT count(*) FROM dead_letters")
    told = await hall.answer(correlation_id=await ask(hall, "order.create", body))
    assert told["code"] == no.code
    assert no.details.items() <= told["details"].items()
    stored = await hall.pool.fetchrow("SELECT * FROM commands WHERE request_id = $1", body["request_id"])
    assert stored is not None
    assert (stored["outcome_type"], orjson.loads(stored["outcome"])["code"]) == (
        told["properties"].message_type,
        no.code,
    )
    short = no.code == "INVENTORY_INSUFFICIENT"
    assert told["properties"].message_type == ("order.rejected.v1" if short else "command.rejected.v1")
    states = await hall.pool.fetch("SELECT state FROM orders WHERE request_id = $1", body["request_id"])
    assert [found["state"] for found in states] == (["rejected"] if short else [])
    assert await hall.pool.fetchval("SELECT count(*) FROM dead_letters") == letters


async def on_the_shelf(hall: Hall) -> None:
    """A SKU that is off sale and one without any stock."""
    if await hall.pool.fetchval("SELECT count(*) FROM skus") > 1:
        return
    for sku, status in (("off", "off_sale"), ("none", "on_sale")):
        await hall.upstream.say(
            "sku.upsert",
            {
                "sku_id": sku,
                "revision": 1,
                "spu_id": sku,
                "name": sku,
                "status": status,
                "price": 500,
                "currency": "CNY",
            },
        )
        await hall.upstream.hears("sku.changed", sku_id=sku)


@pytest.mark.parametrize("actor", [{"type": "user", "id": "u2"}, {"type": "operator", "id": "op"}])
async def test_nobody_can_use_up_anothers_request_ids(hall: Hall, actor: dict[str, str]) -> None:
    body = order_body((SKU, 1))
    forged = await ask(hall, "order.create", body | {"actor": actor}, user_id=None)
    assert (await hall.answer(correlation_id=forged))["code"] == "AUTH_FORBIDDEN"
    told = await hall.answer(correlation_id=await ask(hall, "order.create", body))
    assert told["properties"].message_type == "order.created.v1"
    assert "duplicate" not in told


async def test_a_refused_batch_mate_refuses_nobody_else(hall: Hall) -> None:
    await hall.quiet()
    bodies = [order_body((SKU, 1)) | (REFUSED[n % 3].changes if n % 2 else {}) for n in range(10)]
    async with hall.standstill():
        asked = [await ask(hall, "order.create", body) for body in bodies]
        await hall.taken("order-creation", 10)
    told = [await hall.answer(correlation_id=one) for one in asked]
    kinds = [reply["properties"].message_type for reply in told]
    assert kinds == ["order.created.v1", "command.rejected.v1"] * 5


CHANGES = ("order.cancel", "order.change_address", "order.confirm_receipt")
ELSEWHERE = {"address": {"receiver": "Li", "phone": "13900000000", "country": "CN", "detail": "Road 2"}}


def change(type_: str, order_id: str, **actor: str) -> dict[str, Any]:
    """A sound change of an order."""
    about = {"request_id": uuid4().hex, "actor": {"type": "user", "id": "u1"} | actor, "order_id": order_id}
    return about | (ELSEWHERE if type_ == "order.change_address" else {})


@pytest.mark.parametrize("type_", CHANGES)
@pytest.mark.parametrize(
    ("who", "code"), [({"id": "thief"}, "ORDER_NOT_FOUND"), ({"type": "operator", "id": "op"}, "AUTH_FORBIDDEN")]
)
async def test_strangers_change_nothing(hall: Hall, type_: str, who: dict[str, str], code: str) -> None:
    created = await hall.upstream.created((SKU, 1))
    before = await hall.pool.fetchrow("SELECT * FROM orders WHERE id = $1", int(created["order_id"]))
    asked = await ask(hall, type_, change(type_, created["order_id"], **who), user_id=None)
    assert (await hall.answer(correlation_id=asked))["code"] == code
    assert await hall.pool.fetchrow("SELECT * FROM orders WHERE id = $1", int(created["order_id"])) == before


async def test_an_unknown_order_and_a_strangers_order_are_told_apart_by_nobody(hall: Hall) -> None:
    created = await hall.upstream.created((SKU, 1))
    told = []
    for order_id in (created["order_id"], "1"):
        body = orjson.loads(cancel(order_id=order_id)) | {"actor": {"type": "user", "id": "thief"}}
        told.append(await hall.answer(correlation_id=await ask(hall, "order.cancel", body)))
    first, second = ((reply["code"], reply["message"], set(reply["details"])) for reply in told)
    assert first == second


async def test_an_operator_needs_a_trusted_broker_user(hall: Hall) -> None:
    created = await hall.upstream.created((SKU, 1))
    body = change("order.cancel", created["order_id"], type="operator", id="op")
    await ask(hall, "order.cancel", body, speaker=hall.gateway)
    [event] = await hall.upstream.hears("order.cancelled", order_id=created["order_id"])
    assert event["cancel_type"] == "operator"


async def test_a_stock_correction_needs_a_trusted_broker_user(hall: Hall) -> None:
    body = {
        "request_id": uuid4().hex,
        "sku_id": SKU,
        "warehouse": "main",
        "delta": -1,
        "reason": "a mouse ate it",
    }
    assert (await hall.answer(correlation_id=await ask(hall, "stock.adjust", body, user_id=None)))["code"] == (
        "AUTH_FORBIDDEN"
    )
    trusted = body | {"request_id": uuid4().hex}
    told = await hall.answer(correlation_id=await ask(hall, "stock.adjust", trusted, speaker=hall.gateway))
    assert told["properties"].message_type == "stock.adjusted.v1"
