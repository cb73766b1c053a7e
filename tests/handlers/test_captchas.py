"""The risk check may want a captcha: the order waits for the buyer's answer, and ends without one (S1-49)."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from messages.captchas import OrderCaptchaAnswer
from messages.explanations import OrderExplain, OrderExplained
from messages.risk import ClientFacts, RiskResult
from tests.handlers.builders import create, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask
from workers import shop
from workers.domain.shop import Policy, Shop


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    shop.configure(Shop(risk_check=True, policy=Policy(rate_limit_orders=0)))
    await harness.fill_stock()
    return harness


def result(order_id: int, verdict: str = "captcha_required", **fields: Any) -> RiskResult:
    return RiskResult.model_validate({"order_id": str(order_id), "verdict": verdict} | fields)


def answer(order_id: int, request_id: str = "a1", user_id: str = "u1") -> OrderCaptchaAnswer:
    return OrderCaptchaAnswer(
        request_id=request_id, actor=user(user_id), order_id=order_id, captcha_token=f"t-{request_id}"
    )


async def challenged(harness: HandlerHarness) -> int:
    """An order that waits for the answer to a captcha."""
    facts = ClientFacts(device_ref="0123456789abcdef", device_kind="phone", behaviour_score=12)
    await harness.handle(create(("s1", 2), client=facts, captcha_token="stale"), reply_to="client.a")
    order_id = int(harness.events_of("risk.requested")[-1]["order_id"])
    await harness.handle(result(order_id), trusted=True)
    return order_id


async def test_an_answered_captcha_goes_to_the_risk_check_and_the_order_goes_on(harness: HandlerHarness) -> None:
    order_id = await challenged(harness)
    [required] = harness.events_of("order_captcha.required")
    assert (required["request_id"], required["user_id"]) == (create(("s1", 2)).request_id, "u1")
    [reply] = await ask(harness, OrderExplain(actor=user(), order=str(order_id)))
    assert isinstance(reply, OrderExplained)
    [awaited] = reply.awaits
    assert (awaited.what, awaited.whom, awaited.otherwise) == ("captcha", "buyer", "rejected")
    assert awaited.moved_by == ("order.captcha.answer",)
    [(due_at,)] = await harness.rows("SELECT due_at FROM timers WHERE kind = 'saga'")
    assert awaited.until == due_at
    await harness.handle(answer(order_id))
    first, second = harness.events_of("risk.requested")
    assert (first["client"]["device_kind"], first["captcha_token"], first["captcha_answers"]) == ("phone", "stale", 0)
    assert (second["captcha_token"], second["captcha_answers"], second["client"]) == ("t-a1", 1, None)
    same = ("order_id", "user_id", "channel", "business_type", "amount", "currency", "units", "country")
    assert [first[name] for name in same] == [second[name] for name in same]
    assert datetime.fromisoformat(second["answer_before"]) > datetime.now(UTC)
    await harness.handle(result(order_id, "passed", captcha_answers=1), trusted=True)
    assert await harness.states() == ["awaiting_payment"]
    assert await harness.rows("SELECT * FROM captcha_challenges") == []
    assert [one["type"] for one in harness.replies] == ["order.created.v1"]
    assert orjson.loads((await harness.rows("SELECT data FROM order_snapshots"))[0][0])["verdict"] == "passed"


async def test_an_unanswered_captcha_rejects_the_order_at_its_time(harness: HandlerHarness) -> None:
    await challenged(harness)
    await harness.sweep("saga")
    assert await harness.states() == ["rejected"]
    assert [one["code"] for one in harness.replies] == ["RISK_CAPTCHA_REQUIRED"]
    assert await harness.rows("SELECT * FROM captcha_challenges") == []


async def test_an_answer_that_is_not_judged_in_time_rejects_it_as_any_silence(harness: HandlerHarness) -> None:
    await harness.handle(answer(await challenged(harness)))
    await harness.sweep("saga")
    assert [one["code"] for one in harness.replies] == ["ORDER_SAGA_TIMEOUT"]


@pytest.mark.parametrize("together", [True, False])
async def test_three_answers_are_enough(harness: HandlerHarness, together: bool) -> None:
    order_id = await challenged(harness)
    messages = [
        one for n in range(1, 4) for one in (answer(order_id, f"a{n}"), result(order_id, captcha_answers=n - 1),
                                             result(order_id, captcha_answers=n))
    ]  # fmt: skip
    for batch in [messages] if together else [[one] for one in messages]:
        await harness.handle(*batch, trusted=True)
    assert len(harness.events_of("order_captcha.required")) == 3, "a late result wants nothing"
    assert await harness.states() == ["rejected"]
    assert [one["code"] for one in harness.replies] == ["RISK_CAPTCHA_REQUIRED"]
    assert await harness.rows("SELECT * FROM timers") == []


async def test_an_answer_needs_an_open_captcha_of_the_users_own_order(harness: HandlerHarness) -> None:
    order_id = await challenged(harness)
    await harness.handle(
        answer(order_id, "a1", "u2"), answer(404, "a2"), answer(order_id, "a3"), answer(order_id, "a4")
    )
    codes = [event["code"] for event in harness.events_of("command.rejected")]
    assert codes == ["ORDER_NOT_FOUND", "ORDER_NOT_FOUND", "ORDER_STATE_INVALID"]
    await harness.handle(result(order_id, "rejected"), trusted=True)
    await harness.handle(answer(order_id, "a5"))
    assert [event["code"] for event in harness.events_of("command.rejected")][3:] == ["ORDER_STATE_INVALID"]
    assert [one["code"] for one in harness.replies] == ["RISK_BLOCKED"]


async def test_an_order_that_was_placed_without_time_for_captchas_waits_for_none(harness: HandlerHarness) -> None:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0)))
    await harness.handle_batch([harness.envelope(create(("s1", 1)))])
    [(order_id,)] = await harness.rows("SELECT id FROM orders")
    shop.configure(Shop(risk_check=True, policy=Policy(rate_limit_orders=0)))
    await harness.handle(result(order_id), trusted=True)
    assert await harness.states() == ["rejected"]
