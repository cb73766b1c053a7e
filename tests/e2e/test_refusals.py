"""Commands that the business refuses: each gets a code and a stored outcome, and never becomes a dead letter."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson
import pytest

from tests.e2e.system import SKU, RunningSystem, cancel, publish_command
from tests.e2e.upstream import Upstream, order_body, wait_for_value


@dataclass(frozen=True)
class Rejection:
    """A well-formed command that the business refuses, and with which code and details."""

    case: str
    code: str
    changes: dict[str, Any]
    details: dict[str, Any] = field(default_factory=dict)


def lines(*items: tuple[str, int]) -> dict[str, Any]:
    return {"items": [{"sku_id": sku, "qty": qty} for sku, qty in items]}


REFUSED = [
    Rejection(
        "the price is another", "ORDER_PRICE_MISMATCH", {"expected_pay_amount": 499}, {"expected": 500, "got": 499}
    ),
    Rejection("a price below nothing", "ORDER_PRICE_MISMATCH", {"expected_pay_amount": -1}),
    Rejection("an unknown SKU", "PRODUCT_NOT_FOUND", lines(("nothing", 1)), {"line_no": 1, "sku_id": "nothing"}),
    Rejection("one of two SKUs unknown", "PRODUCT_NOT_FOUND", lines((SKU, 1), ("nothing", 1)), {"line_no": 2}),
    Rejection("a SKU off sale", "PRODUCT_NOT_ON_SALE", lines(("off", 1))),
    Rejection("a SKU without stock", "INVENTORY_INSUFFICIENT", lines(("none", 1)) | {"expected_pay_amount": 500}),
    Rejection(
        "more than there is", "INVENTORY_INSUFFICIENT", lines((SKU, 1_000_000)) | {"expected_pay_amount": 500_000_000}
    ),
    Rejection("no lines", "ORDER_ITEMS_EMPTY", {"items": []}),
    Rejection("no units", "ORDER_PARAM_INVALID", lines((SKU, 0)), {"field": "items[0].qty"}),
    Rejection("fewer than no units", "ORDER_PARAM_INVALID", lines((SKU, -1)), {"field": "items[0].qty"}),
    Rejection(
        "more units than a line holds", "ORDER_PARAM_INVALID", lines((SKU, 1_000_001)), {"field": "items[0].qty"}
    ),
    Rejection(
        "as many units as 64 bits hold", "ORDER_PARAM_INVALID", lines((SKU, 2**63 - 1)), {"field": "items[0].qty"}
    ),
    Rejection("an unknown channel", "ORDER_CHANNEL_INVALID", {"channel": "telex"}, {"field": "channel"}),
    Rejection(
        "an unknown business", "ORDER_BUSINESS_TYPE_INVALID", {"business_type": "theft"}, {"field": "business_type"}
    ),
    Rejection("nowhere to go", "ORDER_ADDRESS_MISSING", {"address": None}, {"field": "address"}),
    Rejection(
        "another currency", "ORDER_PARAM_INVALID", {"currency": "USD"}, {"field": "currency", "sku_currency": "CNY"}
    ),
]


@pytest.mark.parametrize("rejection", [pytest.param(row, id=row.case) for row in REFUSED])
async def test_an_order_that_the_business_refuses(system: RunningSystem, rejection: Rejection) -> None:
    await put_on_sale(system)
    body = order_body((SKU, 1)) | rejection.changes
    letters = await system.pool.fetchval("SELECT count(*) FROM dead_letters")
    reply = await system.reply(correlation_id=await publish_command(system, "order.create", body))
    assert reply["code"] == rejection.code
    assert rejection.details.items() <= reply["details"].items()
    stored = await system.pool.fetchrow("SELECT * FROM commands WHERE request_id = $1", body["request_id"])
    assert stored is not None
    assert (stored["outcome_type"], orjson.loads(stored["outcome"])["code"]) == (
        reply["properties"].message_type,
        rejection.code,
    )
    short = rejection.code == "INVENTORY_INSUFFICIENT"
    assert reply["properties"].message_type == ("order.rejected.v1" if short else "command.rejected.v1")
    states = await system.pool.fetch("SELECT state FROM orders WHERE request_id = $1", body["request_id"])
    assert [found["state"] for found in states] == (["rejected"] if short else [])
    assert await system.pool.fetchval("SELECT count(*) FROM dead_letters") == letters


async def put_on_sale(system: RunningSystem) -> None:
    """A SKU that is off sale and one without any stock."""
    if await system.pool.fetchval("SELECT count(*) FROM skus") > 1:
        return
    for sku, status in (("off", "off_sale"), ("none", "on_sale")):
        await system.upstream.publish(
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
        await system.upstream.wait_for_events("sku.changed", sku_id=sku)


@pytest.mark.parametrize("actor", [{"type": "user", "id": "u2"}, {"type": "operator", "id": "op"}])
async def test_no_sender_can_use_up_anothers_request_ids(system: RunningSystem, actor: dict[str, str]) -> None:
    body = order_body((SKU, 1))
    forged = await publish_command(system, "order.create", body | {"actor": actor}, user_id=None)
    assert (await system.reply(correlation_id=forged))["code"] == "AUTH_FORBIDDEN"
    reply = await system.reply(correlation_id=await publish_command(system, "order.create", body))
    assert reply["properties"].message_type == "order.created.v1"
    assert "duplicate" not in reply


async def test_a_rejected_message_rejects_no_other_of_its_batch(system: RunningSystem) -> None:
    await system.wait_until_idle()
    bodies = [order_body((SKU, 1)) | (REFUSED[n % 3].changes if n % 2 else {}) for n in range(10)]
    async with system.inbox_locked():
        correlation_ids = [await publish_command(system, "order.create", body) for body in bodies]
        await system.wait_until_in_flight("order-creation", 10)
    replies = [await system.reply(correlation_id=one) for one in correlation_ids]
    kinds = [reply["properties"].message_type for reply in replies]
    assert kinds == ["order.created.v1", "command.rejected.v1"] * 5


CHANGES = ("order.cancel", "order.change_address", "order.confirm_receipt")
ELSEWHERE = {"address": {"receiver": "Li", "phone": "13900000000", "country": "CN", "detail": "Road 2"}}


def change(type_: str, order_id: str, **actor: str) -> dict[str, Any]:
    """A valid command that changes an order."""
    about = {"request_id": uuid4().hex, "actor": {"type": "user", "id": "u1"} | actor, "order_id": order_id}
    return about | (ELSEWHERE if type_ == "order.change_address" else {})


@pytest.mark.parametrize("type_", CHANGES)
@pytest.mark.parametrize(
    ("who", "code"), [({"id": "thief"}, "ORDER_NOT_FOUND"), ({"type": "operator", "id": "op"}, "AUTH_FORBIDDEN")]
)
async def test_untrusted_senders_change_nothing(
    system: RunningSystem, type_: str, who: dict[str, str], code: str
) -> None:
    created = await system.upstream.place_order((SKU, 1))
    before = await system.pool.fetchrow("SELECT * FROM orders WHERE id = $1", int(created["order_id"]))
    correlation_id = await publish_command(system, type_, change(type_, created["order_id"], **who), user_id=None)
    assert (await system.reply(correlation_id=correlation_id))["code"] == code
    assert await system.pool.fetchrow("SELECT * FROM orders WHERE id = $1", int(created["order_id"])) == before


async def test_an_unknown_order_and_another_users_order_get_the_same_answer(system: RunningSystem) -> None:
    created = await system.upstream.place_order((SKU, 1))
    replies = []
    for order_id in (created["order_id"], "1"):
        body = orjson.loads(cancel(order_id=order_id)) | {"actor": {"type": "user", "id": "thief"}}
        replies.append(await system.reply(correlation_id=await publish_command(system, "order.cancel", body)))
    first, second = ((reply["code"], reply["message"], set(reply["details"])) for reply in replies)
    assert first == second


async def test_an_operator_cancels_an_order_of_anyone(system: RunningSystem) -> None:
    created = await system.upstream.place_order((SKU, 1))
    body = change("order.cancel", created["order_id"], type="operator", id="op")
    async with Upstream.connect(system.broker, "operator") as operator:
        await operator.publish("order.cancel", body)
    [event] = await system.upstream.wait_for_events("order.cancelled", order_id=created["order_id"])
    assert event["cancel_type"] == "operator"


async def test_a_stock_correction_needs_a_user_of_the_warehouse(system: RunningSystem) -> None:
    body = {
        "request_id": uuid4().hex,
        "sku_id": SKU,
        "warehouse": "main",
        "delta": -1,
        "reason": "a mouse ate it",
    }
    assert (await system.reply(correlation_id=await publish_command(system, "stock.adjust", body, user_id=None)))[
        "code"
    ] == ("AUTH_FORBIDDEN")
    async with Upstream.connect(system.broker, "warehouse") as warehouse:
        await warehouse.publish("stock.adjust", body)
    [adjusted] = await system.upstream.wait_for_events("stock.adjusted", request_id=body["request_id"])
    assert adjusted["delta"] == -1


BUYER, OPERATOR = {"type": "user", "id": "u1"}, {"type": "operator", "id": "ops-7"}
OF_NOBODY = {"provider": "paypal", "dispute_no": "PP-D-0"}
MONEY: list[tuple[str, str, str, dict[str, Any], str]] = [
    ("a price below zero", "order.amount.adjust", "unpaid", {"discount": 501}, "ORDER_AMOUNT_OUT_OF_RANGE"),
    ("a discount in another currency", "order.amount.adjust", "unpaid", {"currency": "USD"}, "ORDER_PARAM_INVALID"),
    ("a discount after the payment", "order.amount.adjust", "paid", {}, "ORDER_STATE_INVALID"),
    ("a buyer's own discount", "order.amount.adjust", "unpaid", {"actor": BUYER}, "AUTH_FORBIDDEN"),
    ("a capture of what nobody authorised", "payment.capture", "unpaid", {}, "PAY_NOT_AUTHORIZED"),
    ("a second capture of a payment", "payment.capture", "paid", {}, "PAY_NOT_AUTHORIZED"),
    ("a capture of another amount", "payment.capture", "paid", {"amount": 501}, "MESSAGE_INVALID"),
    ("evidence of an unknown dispute", "dispute.submit_evidence", "", {"evidence": ["p/1"]}, "PAY_DISPUTE_NOT_FOUND"),
    ("a whole file as evidence", "dispute.submit_evidence", "", {"evidence": ["x" * 9000]}, "MESSAGE_INVALID"),
]
"""What it is, the command, the order it is about, its changes and the code of its refusal."""


async def test_money_that_cannot_move_is_refused_and_nothing_moves(system: RunningSystem) -> None:
    orders = {name: await system.upstream.place_order((SKU, 1)) for name in ("unpaid", "paid")}
    await system.payments.pay(orders["paid"])
    await system.upstream.wait_for_events("order.paid", order_id=orders["paid"]["order_id"])
    money = "SELECT array_agg((id, version, payable_amount, captured_amount) ORDER BY id)::text FROM orders"
    before = await system.pool.fetchval(money)
    async with Upstream.connect(system.broker, "operator") as operator:
        for why, type_, order, changes, code in MONEY:
            about: dict[str, Any] = {"order_id": orders[order]["order_id"]} if order else OF_NOBODY
            body = {"request_id": uuid4().hex, "actor": OPERATOR} | about | changes
            if type_ == "order.amount.adjust":
                body = {"discount": 1, "reason_code": "AGREED"} | body
            message_id = await operator.publish(type_, body)
            [rejected] = await operator.wait_for_events("command.rejected", command_id=message_id)
            assert rejected["code"] == code, why
    assert await system.pool.fetchval(money) == before
    assert await system.pool.fetchval("SELECT count(*) FROM dispute_evidence") == 0


async def test_an_exchange_for_goods_that_are_gone_is_rejected_and_holds_nothing(system: RunningSystem) -> None:
    up = system.upstream
    await up.fill_stock("last", qty=1)
    created = await up.place_order((SKU, 1))
    case: dict[str, Any] = {"order_id": created["order_id"]}
    await system.payments.pay(created)
    await up.wait_for_events("order.paid", order_id=created["order_id"])
    await up.ship(created["order_id"], "exchanged", "outbound", "delivered")
    await up.wait_for_events("order.delivered", order_id=created["order_id"])
    wanted = {
        "type": "exchange",
        "lines": [{"line_no": 1, "qty": 1, "wanted_sku_id": "last"}],
        "reason_code": "quality",
    }
    await up.publish("after_sale.apply", {"request_id": uuid4().hex, "actor": BUYER} | case | wanted)
    [requested] = await up.wait_for_events("after_sale.requested", order_id=created["order_id"])
    case |= {"case_id": requested["case_id"], "request_id": uuid4().hex, "actor": OPERATOR}
    await up.place_order(("last", 1))
    await up.publish("after_sale.review", case | {"decision": "approve"})
    [rejected] = await up.wait_for_events("after_sale.rejected", case_id=requested["case_id"])
    assert rejected["reason_code"] == "INVENTORY_INSUFFICIENT"
    await wait_for_value(system.pool, "SELECT string_agg(state, ',') FROM exchange_orders", "ended")
    assert await system.pool.fetchval("SELECT locked FROM stock WHERE sku_id = 'last'") == 1
    assert await system.pool.fetchval("SELECT count(*) FROM refunds") == 0
