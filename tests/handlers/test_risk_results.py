"""With a risk check, nothing is reserved before its result, and the first result counts."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from messages.orders import OrderCreate
from messages.risk import RiskResult
from tests.handlers.builders import create, receive, sku
from tests.handlers.catalogue_builders import coupon, grant, template
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.shop import Policy, Shop


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    shop.configure(Shop(risk_check=True, policy=Policy(rate_limit_orders=0)))
    await harness.fill_stock()
    await harness.handle(template(), coupon(), grant())
    harness.events.clear()
    return harness


def ordering(**changes: Any) -> OrderCreate:
    fields: dict[str, Any] = {"coupon_id": "c1", "use_points": 100, "expected_pay_amount": 800}
    return create(("s1", 2), **fields | changes)


def verdict(order_id: int, word: str = "passed", reason: str | None = None) -> RiskResult:
    return RiskResult(order_id=order_id, verdict=word, reason=reason)  # type: ignore[arg-type]


async def order_under_check(harness: HandlerHarness, body: OrderCreate | None = None) -> int:
    """An order that waits for its verdict."""
    await harness.handle(body or ordering(), reply_to="client.a")
    return int(harness.events_of("risk.requested")[-1]["order_id"])


async def holds(harness: HandlerHarness) -> list[tuple[Any, ...]]:
    """The coupon, the points and the stock that are held."""
    return [
        *await harness.rows("SELECT state, order_id IS NOT NULL FROM coupons"),
        *await harness.rows("SELECT balance, held FROM points_accounts"),
        await harness.stock(),
    ]


NOTHING = [("issued", False), (1000, 0), (10, 0)]


async def test_the_risk_check_gets_what_it_needs_and_no_address(harness: HandlerHarness) -> None:
    order_id = await order_under_check(harness)
    [question] = harness.events_of("risk.requested")
    [(due_at,)] = await harness.rows("SELECT due_at FROM timers WHERE kind = 'saga'")
    assert {name: question[name] for name in question if name not in ("answer_before", "type", "seq")} == {
        "order_id": str(order_id),
        "stream": str(order_id),
        "user_id": "u1",
        "channel": "pc",
        "business_type": "normal",
        "amount": 800,
        "currency": "CNY",
        "units": 2,
        "country": "CN",
        "client": None,
        "captcha_token": None,
        "captcha_answers": 0,
    }
    assert question["answer_before"] == orjson.loads(orjson.dumps(due_at)).replace("+00:00", "Z")


async def test_before_the_verdict_nothing_is_reserved_and_nothing_announced(harness: HandlerHarness) -> None:
    order_id = await order_under_check(harness)
    assert await harness.states() == ["placing"]
    assert await holds(harness) == [("locked", True), (1000, 100), (10, 0)]
    assert await harness.rows("SELECT * FROM stock_holders") == []
    assert harness.replies == []
    await harness.handle(verdict(order_id), trusted=True)
    assert await harness.states() == ["awaiting_payment"]
    assert await holds(harness) == [("locked", True), (1000, 100), (10, 2)]
    assert [reply["type"] for reply in harness.replies] == ["order.created.v1"]


@pytest.mark.parametrize(
    ("word", "code"), [("rejected", "RISK_BLOCKED"), ("captcha_required", "RISK_CAPTCHA_REQUIRED")]
)
async def test_a_rejected_order_holds_nothing_and_takes_no_number(
    harness: HandlerHarness, word: str, code: str
) -> None:
    shop.configure(replace(shop.current(), captcha_window_seconds=0))
    order_id = await order_under_check(harness)
    await harness.handle(verdict(order_id, word, "too many cards"), trusted=True)
    assert await harness.states() == ["rejected"]
    assert await holds(harness) == NOTHING
    assert await harness.rows("SELECT order_no FROM orders") == [(None,)]
    assert await harness.rows("SELECT is_called FROM order_no_sequence") == [(False,)]
    assert await harness.rows("SELECT * FROM timers") == []
    assert [(reply["code"], reply["order_no"]) for reply in harness.replies] == [(code, None)]
    assert "cards" not in str(harness.replies), "what the check knows stays with us"


@pytest.mark.parametrize(
    ("words", "state"), [(("passed", "rejected"), "awaiting_payment"), (("rejected", "passed"), "rejected")]
)
@pytest.mark.parametrize("together", [True, False])
async def test_of_two_verdicts_the_first_counts(
    harness: HandlerHarness, words: tuple[str, ...], state: str, together: bool
) -> None:
    order_id = await order_under_check(harness)
    verdicts = [verdict(order_id, word) for word in words]
    for batch in [verdicts] if together else [[one] for one in verdicts]:
        await harness.handle(*batch, trusted=True)
    assert await harness.states() == [state]
    [(kept,)] = await harness.rows("SELECT data FROM order_snapshots WHERE type = 6")
    assert orjson.loads(kept) == {"verdict": words[0], "by": "oms-operator"}


async def test_two_verdicts_before_the_stock_has_answered_reserve_once(harness: HandlerHarness) -> None:
    order_id = await order_under_check(harness)
    await harness.handle_batch([harness.envelope(verdict(order_id))])
    await harness.handle_batch([harness.envelope(verdict(order_id, "rejected"))])
    await harness.relay()
    assert await harness.states() == ["awaiting_payment"]
    assert await harness.stock() == (10, 2)


async def test_one_that_comes_after_the_saga_has_ended_means_nothing(harness: HandlerHarness) -> None:
    order_id = await order_under_check(harness)
    await harness.sweep("saga")
    assert await harness.states() == ["rejected"]
    assert await holds(harness) == NOTHING
    await harness.handle(verdict(order_id), trusted=True)
    assert await harness.states() == ["rejected"]
    assert await holds(harness) == NOTHING
    assert [reply["code"] for reply in harness.replies] == ["ORDER_SAGA_TIMEOUT"]


async def test_a_reservation_keeps_the_sagas_deadline(harness: HandlerHarness) -> None:
    order_id = await order_under_check(harness)
    await harness.make_timers_due("saga")
    await harness.handle(verdict(order_id), trusted=True)
    assert await harness.states() == ["rejected"]
    assert [event["code"] for event in harness.events_of("order.rejected")] == ["ORDER_SAGA_TIMEOUT"]
    assert await holds(harness) == NOTHING


async def test_a_result_for_an_unknown_order_is_retried(harness: HandlerHarness) -> None:
    batch = await harness.handle_batch([harness.envelope(verdict(404))])
    assert [(v.reason, v.retry) for v in batch.verdicts.values()] == [("order_unknown", True)]


@pytest.mark.parametrize("word", ["passed", "rejected"])
async def test_a_split_order_is_judged_once_for_all_its_children(harness: HandlerHarness, word: str) -> None:
    await harness.handle(sku("card", product_type="virtual"))
    await harness.handle(receive("card", 10))
    root = await order_under_check(harness, create(("s1", 1), ("card", 2)))
    assert len(harness.events_of("risk.requested")) == 1
    await harness.handle(verdict(root, word), trusted=True)
    assert set(await harness.states()) == {"awaiting_payment" if word == "passed" else "rejected"}
    assert (await harness.stock("s1"), await harness.stock("card")) == (
        ((10, 1), (10, 2)) if word == "passed" else ((10, 0), (10, 0))
    )


async def test_a_shop_without_a_risk_check_requests_none(harness: HandlerHarness) -> None:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0)))
    await harness.create_order(ordering())
    assert harness.events_of("risk.requested") == []
