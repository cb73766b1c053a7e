"""An operator changes what an order costs before it is paid (R-17)."""

from typing import Any

import asyncpg
import pytest

from messages.base import Message
from messages.explanations import OrderAsOf, OrderExplain, OrderExplained, OrderShownAsOf
from messages.order_history import OrderHistoryListed
from messages.order_queries import OrderDescribed, OrderGet, OrderHistory
from messages.orders import OrderMerge
from messages.payments import PaymentResult
from messages.refunds import RefundRequest
from tests.handlers.adjustment_builders import adjustment
from tests.handlers.alipay_payments import start
from tests.handlers.builders import OPERATOR, cancel, captured, create, receive, sku, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold
from tests.handlers.querying import ask
from workers import shop, views
from workers.domain.shop import Policy, Shop
from workers.views import loading


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    await harness.fill_stock(qty=100)
    return harness


async def adjust(harness: HandlerHarness, *bodies: Message, **about: Any) -> None:
    await harness.handle(*bodies, trusted=True, **about)


async def merged(harness: HandlerHarness, *order_ids: int) -> int:
    """The intent that pays all of these."""
    await harness.handle(OrderMerge(request_id="g1", actor=user(), order_ids=order_ids))
    return int(harness.events_of("order.merged")[-1]["intent_id"])


def capture(order_id: int, intent_id: int, amount: int, trade_no: str) -> PaymentResult:
    return captured(order_id, amount, trade_no).model_copy(update={"intent_id": intent_id})


async def verdicts(harness: HandlerHarness) -> dict[str, str]:
    return dict(await harness.rows("SELECT trade_no, verdict FROM payment_facts"))


def given_back(harness: HandlerHarness) -> list[tuple[str, int]]:
    """(cause, amount) of every refund."""
    return [(refund["cause"], refund["amount"]) for refund in harness.events_of("refund.requested")]


async def prices(harness: HandlerHarness) -> list[tuple[int, int]]:
    """(adjustment, payable) of every line, in the order of the lines."""
    return await harness.rows("SELECT adjustment_amount, payable_amount FROM order_items ORDER BY order_id, line_no")


async def test_an_adjusted_order_is_paid_with_the_new_amount_and_refunded_by_it(harness: HandlerHarness) -> None:
    order_id = await harness.place_order(("s1", 2), ("s2", 1))
    for _ in range(2):
        await adjust(harness, adjustment(order_id, discount=100), reply_to="client.a")
    [event] = harness.events_of("order.amount_changed")
    assert (event["state"], event["previous"], event["version"], event["reason_code"]) == (
        "awaiting_payment", "awaiting_payment", 3, "PRICE_MATCH"
    )  # fmt: skip
    assert (event["before"]["payable"], event["before"]["adjustment"]) == (1500, 0)
    assert (event["amounts"]["payable"], event["amounts"]["adjustment"]) == (1400, 100)
    assert event["lines"] == [
        {"line_no": 1, "payable_before": 1000, "payable": 933},
        {"line_no": 2, "payable_before": 500, "payable": 467},
    ]
    assert event["cause"]["actor"] == {"type": "operator", "id": "ops-7"}
    assert [reply.get("duplicate", False) for reply in harness.replies] == [False, True]
    assert await harness.rows("SELECT operate_type, remark FROM operate_logs ORDER BY version DESC LIMIT 1") == [
        (110, "amount_changed")
    ]
    assert await harness.rows("SELECT amount FROM payment_intents") == [(1400,)]

    await harness.handle(captured(order_id, 1400), trusted=True)
    await harness.handle(
        RefundRequest(request_id="g1", actor=OPERATOR, order_id=order_id, amount=1400, reason="all"), trusted=True
    )
    await harness.handle(cancel(order_id))
    assert [amount for _, amount in given_back(harness)] == [1400]
    assert await harness.rows("SELECT sum(refunded_amount) FROM order_items") == [(1400,)]


async def test_a_repeated_creation_is_answered_with_the_price_of_the_creation(harness: HandlerHarness) -> None:
    body = create(("s1", 2), request_id="same")
    order_id = await harness.create_order(body)
    await adjust(harness, adjustment(order_id, discount=300))
    await harness.handle(body, reply_to="client.a")
    [again] = harness.replies
    assert (again["amounts"]["payable"], again["lines"][0]["payable"]) == (1000, 1000)
    snapshots = await harness.rows("SELECT data ->> 'payable' FROM snapshots WHERE type = 2")
    assert snapshots == [("1000",)]


async def test_each_command_of_a_batch_sees_the_one_before(harness: HandlerHarness) -> None:
    order_id = await harness.place_order(("s1", 1), ("s2", 1))
    await adjust(
        harness,
        adjustment(order_id, "one", lines={1: 500}),
        adjustment(order_id, "two", discount=500),
        adjustment(order_id, "three", lines={1: -200}),
    )
    changes = [(e["version"], e["amounts"]["payable"]) for e in harness.events_of("order.amount_changed")]
    assert changes == [(3, 500), (4, 0)]
    assert await harness.states() == ["paid"]  # the second took all that was left, so the third comes too late
    assert [code for code, _ in harness.rejections()] == ["ORDER_STATE_INVALID"]


async def test_an_order_of_which_nothing_is_left_to_pay_is_paid(harness: HandlerHarness) -> None:
    shop.configure(Shop(shipping_fee_minor_units={"CNY": 77}, policy=Policy(rate_limit_orders=0)))
    order_id = await harness.create_order(create(("s1", 1), expected_pay_amount=577))
    await adjust(harness, adjustment(order_id, discount=500))
    assert await harness.states() == ["awaiting_payment"]
    await adjust(harness, adjustment(order_id, "a2", shipping=0))
    assert await harness.states() == ["paid"]
    assert await harness.stock() == (99, 0)
    assert await harness.rows("SELECT kind FROM timers") == []
    await harness.handle(cancel(order_id))
    assert await harness.states() == ["cancelled"]
    assert given_back(harness) == []


async def test_the_shipping_that_is_left_goes_back_with_the_last_unit(harness: HandlerHarness) -> None:
    shop.configure(Shop(shipping_fee_minor_units={"CNY": 77}, policy=Policy(rate_limit_orders=0)))
    order_id = await harness.create_order(create(("s1", 2), ("s2", 1), expected_pay_amount=1577))
    await adjust(harness, adjustment(order_id, shipping=10, lines={2: 100}))
    assert await prices(harness) == [(44, 1007), (123, 403)]
    await harness.pay(order_id)
    await harness.handle(cancel(order_id))
    assert [amount for _, amount in given_back(harness)] == [1410]


async def test_a_split_order_is_adjusted_with_its_children(harness: HandlerHarness) -> None:
    await harness.handle(sku("b1", price=1000, product_type="book"))
    await harness.handle(receive("b1", 10))
    order_id = await harness.create_order(create(("s1", 1), ("b1", 1), ("s2", 1), expected_pay_amount=2000))
    await adjust(harness, adjustment(order_id, lines={2: 300}))
    first, second = await harness.children(order_id)
    changed = {int(e["order_id"]): e["amounts"]["payable"] for e in harness.events_of("order.amount_changed")}
    assert changed == {order_id: 1700, second: 700}
    await adjust(harness, adjustment(order_id, "a2", discount=17))
    await adjust(harness, adjustment(first, "a3", discount=1))
    assert [(code, details["parent_id"]) for code, details in harness.rejections()] == [
        ("ORDER_STATE_INVALID", str(order_id))
    ]
    assert await harness.rows("SELECT sum(payable_amount) FROM orders WHERE parent_id IS NOT NULL") == [(1683,)]
    await harness.handle(captured(order_id, 1683), trusted=True)
    assert await harness.states() == ["split", "paid", "paid"]


async def test_a_merged_payment_has_the_new_sum(harness: HandlerHarness) -> None:
    one, two = await harness.place_order(("s1", 1)), await harness.place_order(("s1", 2))
    intent = await merged(harness, one, two)
    await adjust(harness, adjustment(one, discount=100), adjustment(two, "a2", discount=-50))
    assert await harness.rows("SELECT amount FROM payment_intents ORDER BY amount") == [(400,), (1050,), (1450,)]
    await harness.handle(capture(one, intent, 1500, "old"), capture(one, intent, 1450, "new"), trusted=True)
    assert await verdicts(harness) == {"old": "mismatch", "new": "kept"}
    assert given_back(harness) == [("amount:alipay:old", 1500)]
    assert await harness.states() == ["paid", "paid"]


async def test_a_payment_that_waits_for_the_adjustment_is_judged_by_it(harness: HandlerHarness) -> None:
    one, two = await harness.place_order(("s1", 1)), await harness.place_order(("s1", 2))
    intent = await merged(harness, one, two)
    paid = capture(two, intent, 1500, "old")
    await harness.handle_overlapping([adjustment(one, discount=100)], [paid], trusted=True)
    assert await verdicts(harness) == {"old": "mismatch"}


async def test_merged_orders_of_which_one_costs_nothing_any_more(harness: HandlerHarness) -> None:
    """It is paid alone, so the payment for both comes as one too many."""
    one, two = await harness.place_order(("s1", 1)), await harness.place_order(("s1", 2))
    intent = await merged(harness, one, two)
    await adjust(harness, adjustment(one, discount=500))
    await harness.handle(capture(two, intent, 1000, "both"), trusted=True)
    assert await harness.states() == ["paid", "awaiting_payment"]
    assert given_back(harness) == [("dup:alipay:both", 1000)]
    await harness.pay(two)
    assert await harness.states() == ["paid", "paid"]


async def test_orders_are_merged_with_their_adjusted_amounts(harness: HandlerHarness) -> None:
    one, two = await harness.place_order(("s1", 1)), await harness.place_order(("s1", 2))
    await adjust(harness, adjustment(one, discount=100))
    await merged(harness, one, two)
    assert harness.events_of("order.merged")[-1]["amount"] == 1400


async def test_a_capture_of_the_old_amount_goes_back(harness: HandlerHarness) -> None:
    order_id = await harness.place_order(("s1", 2))
    await adjust(harness, adjustment(order_id, discount=1))
    await harness.handle(captured(order_id, 1000, "old"), captured(order_id, 999, "new"), trusted=True)
    assert await verdicts(harness) == {"old": "mismatch", "new": "kept"}
    assert given_back(harness) == [("amount:alipay:old", 1000)]


@pytest.mark.usefixtures("alipay_configured")
async def test_attempts_of_the_old_amount_are_closed(harness: HandlerHarness) -> None:
    one, two = await harness.place_order(("s1", 2)), await harness.place_order(("s2", 2))
    intent = await merged(harness, one, two)
    await harness.handle(start(one, 1000, "p1"), start(two, 1000, "p2"))
    await harness.handle(start(two, 2000, "p3").model_copy(update={"intent_id": intent}))
    await adjust(harness, adjustment(one, discount=1))
    closing = await harness.rows("SELECT amount FROM payment_attempts WHERE state = 'closing' ORDER BY amount")
    assert closing == [(1000,), (2000,)]  # its own, and that of both; the other order's own stays
    assert [provider for provider, _ in harness.provider_calls] == ["alipay", "alipay"]
    await harness.handle(start(one, 1000, "p4"), start(one, 999, "p5"))
    assert [code for code, _ in harness.rejections()] == ["PAY_AMOUNT_MISMATCH"]


async def test_a_held_order_can_be_adjusted(harness: HandlerHarness) -> None:
    order_id = await harness.place_order(("s1", 2))
    await adjust(harness, hold(order_id))
    await adjust(harness, adjustment(order_id, discount=1000))
    assert await harness.rows("SELECT state, held FROM orders") == [("paid", True)]


async def test_what_is_rejected_changes_nothing(harness: HandlerHarness) -> None:
    order_id, paid = await harness.place_order(("s1", 2)), await harness.place_another_paid_order(("s1", 1))
    before = await harness.rows("SELECT id, version, payable_amount, adjustment_amount FROM orders ORDER BY id")
    await adjust(
        harness,
        adjustment(order_id, "1", discount=1, actor=user()),
        adjustment(order_id, "2", discount=1, actor=user("u2")),
        adjustment(7, "3", discount=1),
        adjustment(paid, "4", discount=1),
        adjustment(order_id, "5", discount=1, expected_version=1),
        adjustment(order_id, "6", discount=1001),
        adjustment(order_id, "7", lines={1: -1001}),
        adjustment(order_id, "8"),
        adjustment(order_id, "9", lines={2: 1}),
    )
    assert [code for code, _ in harness.rejections()] == [
        "AUTH_FORBIDDEN",
        "ORDER_NOT_FOUND",
        "ORDER_NOT_FOUND",
        "ORDER_STATE_INVALID",
        "ORDER_VERSION_CONFLICT",
        "ORDER_AMOUNT_OUT_OF_RANGE",
        "ORDER_AMOUNT_OUT_OF_RANGE",
        "ORDER_PARAM_INVALID",
        "ORDER_PARAM_INVALID",
    ]
    assert await harness.rows("SELECT id, version, payable_amount, adjustment_amount FROM orders ORDER BY id") == before
    await adjust(harness, adjustment(order_id, "a", discount=1), adjustment(order_id, "a", discount=2))
    assert harness.rejections()[-1][0] == "IDEMPOTENCY_CONFLICT"
    await adjust(harness, adjustment(order_id, "b", discount=1, expected_version=3))
    assert await harness.payable(order_id) == 998


UNCHANGEABLE = [
    "UPDATE orders SET payable_amount = payable_amount + 1, adjustment_amount = adjustment_amount - 1",
    "UPDATE orders SET payable_amount = payable_amount",
    "UPDATE order_items SET payable_amount = payable_amount + 1, adjustment_amount = adjustment_amount - 1",
    "UPDATE order_items SET shipping_adjustment = 1",
    "UPDATE order_adjustments SET amount = amount + 1",
    "UPDATE orders SET shipping_fee = shipping_fee",
]


@pytest.mark.parametrize("change", UNCHANGEABLE)
async def test_the_database_lets_a_price_change_by_an_adjustment_alone(harness: HandlerHarness, change: str) -> None:
    order_id, other = await harness.place_order(("s1", 2)), await harness.place_order(("s1", 1))
    await adjust(harness, adjustment(order_id, discount=1))
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await harness.pool.execute(change)
    assert (await harness.payable(order_id), await harness.payable(other)) == (999, 500)


async def test_a_paid_order_keeps_its_price_even_with_a_row(harness: HandlerHarness) -> None:
    order_id = await harness.place_paid_order(("s1", 1))
    row = "INSERT INTO order_adjustments VALUES ($1, 9, 0, 1, 0, 'X')"
    await harness.pool.execute(row, order_id)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await harness.pool.execute("UPDATE orders SET payable_amount = 499, adjustment_amount = 1")


async def test_queries_and_views_show_what_an_order_cost_and_costs(harness: HandlerHarness) -> None:
    order_id = await harness.place_order(("s1", 2))
    created_at = await harness.pool.fetchval("SELECT max(at) FROM operate_logs")
    await adjust(harness, adjustment(order_id, discount=300))
    about: dict[str, Any] = {"actor": OPERATOR, "order": str(order_id)}
    got, history, explained, before = await ask(
        harness, OrderGet(**about), OrderHistory(**about), OrderExplain(**about), OrderAsOf(**about, at=created_at)
    )
    assert isinstance(got, OrderDescribed)
    assert (got.amounts.adjustment, got.payable.minor) == (300, 700)
    assert [(line.payable, line.adjustment) for line in got.lines] == [(700, 300)]
    assert isinstance(history, OrderHistoryListed)
    assert [step.discount for step in history.steps] == [None, None, 300]
    assert isinstance(explained, OrderExplained)
    assert isinstance(before, OrderShownAsOf)
    assert (explained.payable.minor, before.payable.minor) == (700, 1000)


async def test_the_views_of_the_source_documents_show_the_adjustment(harness: HandlerHarness) -> None:
    order_id = await harness.place_order(("s1", 2))
    await adjust(harness, adjustment(order_id, discount=300))
    async with harness.pool.acquire() as tx:
        whole = await loading.read(tx, order_id)
    shown: dict[str, Any] = {name: views.document(name, whole) for name in views.SOURCES}
    assert shown["s0"]["orders"]["discount_amount"] == "3.00"
    assert {row["amount_type"]: row["amount"] for row in shown["s3"]["order_amount"]}[45] == 300
    assert (shown["s4"]["OmsOrder"]["discountAmount"], shown["s4"]["OmsOrder"]["payAmount"]) == ("3.00", "7.00")
    assert shown["s4"]["OmsOrderItem"][0]["realAmount"] == "7.00"


async def test_the_operators_words_are_kept_encrypted(harness: HandlerHarness) -> None:
    order_id = await harness.place_order(("s1", 2))
    await adjust(harness, adjustment(order_id, discount=1))
    [(about, type_, ciphertext)] = await harness.rows("SELECT about, type, ciphertext FROM free_texts")
    assert (about, type_, b"Wang" in ciphertext) == (str(order_id), "order.amount.adjust", False)
