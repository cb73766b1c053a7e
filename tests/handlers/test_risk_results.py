"""Where a risk check is asked for, nothing is reserved before it has answered, and its first answer counts."""

from typing import Any

import orjson
import pytest

from messages.orders import OrderCreate
from messages.risk import RiskResult
from tests.handlers.catalogue_builders import coupon, grant, template
from tests.handlers.harness import Floor, create, receive, sku
from workers import shop
from workers.domain.shop import Policy, Shop


@pytest.fixture
async def mall(floor: Floor) -> Floor:
    shop.configure(Shop(risk_check=True, policy=Policy(rate_limit_orders=0)))
    await floor.open_shop()
    await floor.say(template(), coupon(), grant())
    floor.events.clear()
    return floor


def ordering(**changes: Any) -> OrderCreate:
    fields: dict[str, Any] = {"coupon_id": "c1", "use_points": 100, "expected_pay_amount": 800}
    return create(("s1", 2), **fields | changes)


def verdict(order_id: int, word: str = "passed", reason: str | None = None) -> RiskResult:
    return RiskResult(order_id=order_id, verdict=word, reason=reason)  # type: ignore[arg-type]


async def asked(mall: Floor, body: OrderCreate | None = None) -> int:
    """An order that waits for its verdict."""
    await mall.say(body or ordering(), reply_to="client.a")
    return int(mall.heard("risk.requested")[-1]["order_id"])


async def holds(mall: Floor) -> list[tuple[Any, ...]]:
    """Coupon, points held, stock."""
    return [
        *await mall.rows("SELECT state, order_id IS NOT NULL FROM coupons"),
        *await mall.rows("SELECT balance, held FROM points_accounts"),
        await mall.stock(),
    ]


NOTHING = [("issued", False), (1000, 0), (10, 0)]


async def test_the_check_is_told_what_it_needs_and_nobodys_address(mall: Floor) -> None:
    order_id = await asked(mall)
    [question] = mall.heard("risk.requested")
    [(due_at,)] = await mall.rows("SELECT due_at FROM timers WHERE kind = 'saga'")
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
    }
    assert question["answer_before"] == orjson.loads(orjson.dumps(due_at)).replace("+00:00", "Z")


async def test_until_it_has_answered_nothing_is_reserved_and_nothing_announced(mall: Floor) -> None:
    order_id = await asked(mall)
    assert await mall.states() == ["placing"]
    assert await holds(mall) == [("locked", True), (1000, 100), (10, 0)]
    assert await mall.rows("SELECT * FROM stock_holders") == []
    assert mall.replies == []
    await mall.say(verdict(order_id), trusted=True)
    assert await mall.states() == ["awaiting_payment"]
    assert await holds(mall) == [("locked", True), (1000, 100), (10, 2)]
    assert [reply["type"] for reply in mall.replies] == ["order.created.v1"]


@pytest.mark.parametrize(
    ("word", "code"), [("rejected", "RISK_BLOCKED"), ("captcha_required", "RISK_CAPTCHA_REQUIRED")]
)
async def test_a_rejected_order_holds_nothing_and_takes_no_number(mall: Floor, word: str, code: str) -> None:
    order_id = await asked(mall)
    await mall.say(verdict(order_id, word, "too many cards"), trusted=True)
    assert await mall.states() == ["rejected"]
    assert await holds(mall) == NOTHING
    assert await mall.rows("SELECT order_no FROM orders") == [(None,)]
    assert await mall.rows("SELECT * FROM order_no_counters") == []
    assert await mall.rows("SELECT * FROM timers") == []
    assert [(reply["code"], reply["order_no"]) for reply in mall.replies] == [(code, None)]
    assert "cards" not in str(mall.replies), "what the check knows stays with us"


@pytest.mark.parametrize(
    ("words", "state"), [(("passed", "rejected"), "awaiting_payment"), (("rejected", "passed"), "rejected")]
)
@pytest.mark.parametrize("together", [True, False])
async def test_of_two_verdicts_the_first_counts(
    mall: Floor, words: tuple[str, ...], state: str, together: bool
) -> None:
    order_id = await asked(mall)
    verdicts = [verdict(order_id, word) for word in words]
    for batch in [verdicts] if together else [[one] for one in verdicts]:
        await mall.say(*batch, trusted=True)
    assert await mall.states() == [state]
    [(kept,)] = await mall.rows("SELECT data FROM order_snapshots WHERE type = 6")
    assert orjson.loads(kept) == {"verdict": words[0], "reason": None, "by": "oms-operator"}


async def test_two_verdicts_before_the_stock_has_answered_reserve_once(mall: Floor) -> None:
    order_id = await asked(mall)
    await mall.handle([mall.wrap(verdict(order_id))])
    await mall.handle([mall.wrap(verdict(order_id, "rejected"))])
    await mall.pump()
    assert await mall.states() == ["awaiting_payment"]
    assert await mall.stock() == (10, 2)


async def test_one_that_comes_after_the_saga_has_ended_means_nothing(mall: Floor) -> None:
    order_id = await asked(mall)
    await mall.sweep("saga")
    assert await mall.states() == ["rejected"]
    assert await holds(mall) == NOTHING
    await mall.say(verdict(order_id), trusted=True)
    assert await mall.states() == ["rejected"]
    assert await holds(mall) == NOTHING
    assert [reply["code"] for reply in mall.replies] == ["ORDER_SAGA_TIMEOUT"]


async def test_a_reservation_keeps_the_sagas_deadline(mall: Floor) -> None:
    order_id = await asked(mall)
    await mall.let_due("saga")
    await mall.say(verdict(order_id), trusted=True)
    assert await mall.states() == ["rejected"]
    assert [event["code"] for event in mall.heard("order.rejected")] == ["ORDER_SAGA_TIMEOUT"]
    assert await holds(mall) == NOTHING


async def test_one_about_an_order_that_nobody_knows_is_tried_again(mall: Floor) -> None:
    batch = await mall.handle([mall.wrap(verdict(404))])
    assert [(v.reason, v.retry) for v in batch.verdicts.values()] == [("order_unknown", True)]


@pytest.mark.parametrize("word", ["passed", "rejected"])
async def test_a_split_order_is_judged_once_for_all_its_children(mall: Floor, word: str) -> None:
    await mall.say(sku("card", product_type="virtual"))
    await mall.say(receive("card", 10))
    root = await asked(mall, create(("s1", 1), ("card", 2)))
    assert len(mall.heard("risk.requested")) == 1
    await mall.say(verdict(root, word), trusted=True)
    assert set(await mall.states()) == {"awaiting_payment" if word == "passed" else "rejected"}
    assert (await mall.stock("s1"), await mall.stock("card")) == (
        ((10, 1), (10, 2)) if word == "passed" else ((10, 0), (10, 0))
    )


async def test_a_shop_without_a_check_asks_nobody(mall: Floor) -> None:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0)))
    await mall.order(ordering())
    assert mall.heard("risk.requested") == []
