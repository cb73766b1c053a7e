"""After-sale commands that cannot be: each is answered with its code and changes nothing, over a real broker."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.system import SKU, RunningSystem, publish_command
from tests.e2e.upstream import wait_for_value

BUYER = {"type": "user", "id": "u1"}
OPERATOR = {"type": "operator", "id": "ops-7"}
WAREHOUSE = {"type": "system", "id": "main"}
LONG_AGO = ", ".join(
    f"{what}_at = {what}_at - interval '30 d'" for what in ("created", "paid", "shipped", "delivered", "completed")
)


@dataclass(frozen=True)
class Shop:
    """The orders of one buyer, by what became of them, and two cases about units of the one that has arrived."""

    orders: dict[str, str]
    cases: dict[str, str]


@dataclass(frozen=True)
class BadCase:
    """A command about the order of this name, or its case; `changes` are its fields, and `code` is the answer."""

    why: str
    code: str
    order: str = "arrived"
    type_: str = "apply"
    changes: dict[str, Any] = field(default_factory=dict)
    actor: dict[str, str] = field(default_factory=lambda: BUYER)
    case: str = ""


def lines(qty: int, line_no: int = 1, **more: Any) -> dict[str, Any]:
    return {"lines": [{"line_no": line_no, "qty": qty, **more}]}


OF_OTHERS = {"reply_to": None}
"""The buyer's client reads no answers to the shop's people and warehouses."""
INSPECTED = {"lines": [{"line_no": 1, "qty": 1, "disposition": "restock"}]}
BAD = [
    BadCase("another buyer's order", "ORDER_NOT_FOUND", actor={"type": "user", "id": "u2"}),
    BadCase("a line that another order has", "AFTERSALE_LINE_INVALID", changes=lines(1, line_no=2)),
    BadCase("more units than were bought", "AFTERSALE_QTY_EXCEEDS", changes=lines(9)),
    BadCase("more units than other cases leave", "AFTERSALE_QTY_EXCEEDS", changes=lines(4)),
    BadCase("no units", "REFUND_PARAM_INVALID", changes=lines(0)),
    BadCase("no reason", "REFUND_PARAM_INVALID", changes={"reason_code": None}),
    BadCase("a sentence for a reason code", "REFUND_PARAM_INVALID", changes={"reason_code": "call me: 13812345678"}),
    BadCase("a description that is too long", "REFUND_PARAM_INVALID", changes={"description": "x" * 256}),
    BadCase("after the window", "AFTERSALE_WINDOW_CLOSED", "old"),
    BadCase("an unpaid order", "ORDER_STATE_INVALID", "unpaid"),
    BadCase("a cancelled order", "ORDER_STATE_INVALID", "cancelled"),
    BadCase("an order that is still in the warehouse", "AFTERSALE_QTY_EXCEEDS", "paid"),
    BadCase("an amount from the client", "MESSAGE_INVALID", changes={"amount": 1}),
    BadCase("an amount in a line", "MESSAGE_INVALID", changes=lines(1, amount=1)),
    BadCase("an unknown reason", "AFTERSALE_REASON_INVALID", changes={"reason_code": "because"}),
    BadCase("too many photos", "AFTERSALE_EVIDENCE_INVALID", changes={"evidence": ["photo"] * 10}),
    BadCase("the photo itself", "AFTERSALE_EVIDENCE_INVALID", changes={"evidence": ["x" * 513]}),
    BadCase(
        "goods that are not listed",
        "PRODUCT_NOT_FOUND",
        changes={"type": "exchange"} | lines(1, wanted_sku_id="unlisted"),
    ),
    BadCase(
        "an inspection before the goods came",
        "AFTERSALE_STATE_INVALID",
        "arrived",
        "inspect",
        INSPECTED,
        WAREHOUSE,
        "open",
    ),
    BadCase(
        "goods sent back too late",
        "AFTERSALE_STATE_INVALID",
        "arrived",
        "ship_back",
        {"carrier": "sf", "tracking_no": "late"},
        BUYER,
        "expired",
    ),
    BadCase(
        "a review of a case that has ended",
        "AFTERSALE_ALREADY_REVIEWED",
        "arrived",
        "review",
        {"decision": "approve"},
        OPERATOR,
        "expired",
    ),
]


@pytest.fixture(scope="module")
async def shop(system: RunningSystem) -> Shop:
    """Four units have arrived; a case about one waits for its goods, and that of another expired."""
    up = system.upstream
    names = ("arrived", "old", "unpaid", "cancelled", "paid")
    placed = {name: await up.place_order((SKU, 4 if name == "arrived" else 1)) for name in names}
    orders = {name: created["order_id"] for name, created in placed.items()}
    for name in ("arrived", "old", "paid"):
        await system.payments.pay(placed[name])
        await up.wait_for_events("order.paid", order_id=orders[name])
    await up.publish("order.cancel", {"request_id": uuid4().hex, "actor": BUYER, "order_id": orders["cancelled"]})
    await up.wait_for_events("order.cancelled", order_id=orders["cancelled"])
    for name in ("arrived", "old"):
        await up.ship(orders[name], f"of-{name}", "outbound", "delivered")
        await up.wait_for_events("order.delivered", order_id=orders[name])
    await up.publish("order.confirm_receipt", {"request_id": uuid4().hex, "actor": BUYER, "order_id": orders["old"]})
    await up.wait_for_events("order.completed", order_id=orders["old"])
    await system.pool.execute(f"UPDATE orders SET {LONG_AGO} WHERE id = $1", int(orders["old"]))
    cases = {name: await approved(system, orders["arrived"]) for name in ("expired", "open")}
    due = "UPDATE timers SET due_at = now(), wake_at = now() WHERE kind = 'after_sale' AND key = $1"
    await system.pool.execute(due, int(cases["expired"]))
    await up.wait_for_events("after_sale.closed", case_id=cases["expired"])
    return Shop(orders, cases)


def apply(order_id: str) -> dict[str, Any]:
    about = {"request_id": uuid4().hex, "actor": BUYER, "order_id": order_id}
    return about | {"type": "return_refund", "reason_code": "quality"} | lines(1)


async def approved(system: RunningSystem, order_id: str) -> str:
    """A case about one unit that has to be sent back. Returns its id."""
    reply = await system.reply(
        correlation_id=await publish_command(system, "after_sale.apply", apply(order_id)),
        type_="after_sale.requested.v1",
    )
    case_id: str = reply["case_id"]
    about = {"request_id": uuid4().hex, "actor": OPERATOR, "order_id": order_id, "case_id": case_id}
    await system.upstream.publish("after_sale.review", about | {"decision": "approve"})
    await system.upstream.wait_for_events("after_sale.return_awaited", case_id=case_id)
    return case_id


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.why)
async def test_what_cannot_be_is_answered_with_its_code_and_changes_nothing(
    system: RunningSystem, shop: Shop, bad: BadCase
) -> None:
    everything = "SELECT (SELECT array_agg(c ORDER BY id) FROM after_sales c)::text, (SELECT sum(amount) FROM refunds)"
    before = await system.pool.fetchrow(everything)
    order_id = shop.orders[bad.order]
    body = apply(order_id)
    if bad.case:
        body = {key: body[key] for key in ("request_id", "order_id")} | {"case_id": shop.cases[bad.case]}
    body |= {"actor": bad.actor} | bad.changes
    sent = await publish_command(
        system, f"after_sale.{bad.type_}", body, **({} if bad.actor["type"] == "user" else OF_OTHERS)
    )
    if bad.actor["type"] == "user":
        assert (await system.reply(correlation_id=sent))["code"] == bad.code
    if bad.code != "MESSAGE_INVALID":
        stored = f"SELECT outcome ->> 'code' FROM commands WHERE request_id = '{body['request_id']}'"
        await wait_for_value(system.pool, stored, bad.code)
    assert await system.pool.fetchrow(everything) == before


async def test_of_two_claims_at_once_one_gets_the_units(system: RunningSystem, shop: Shop) -> None:
    claims = [apply(shop.orders["arrived"]) | lines(2) for _ in range(2)]
    sent = [await publish_command(system, "after_sale.apply", claim) for claim in claims]
    replies = [await system.reply(correlation_id=one) for one in sent]
    assert sorted(reply.get("code", "opened") for reply in replies) == ["AFTERSALE_QTY_EXCEEDS", "opened"]
