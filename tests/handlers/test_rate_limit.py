"""At most three orders of one user are accepted in any 300 seconds (S1-49)."""

from datetime import datetime, timedelta

import pytest

from messages.orders import OrderCreate
from tests.handlers.builders import cancel, create, receive, sku
from tests.handlers.catalogue_builders import settings
from tests.handlers.harness import HandlerHarness
from tests.handlers.order_endings import out_of_stock
from workers import shop
from workers.domain.shop import Shop


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    shop.configure(Shop())
    await harness.fill_stock(qty=100)
    return harness


def ordering(*names: str, user_id: str = "u1", business_type: str = "normal") -> list[OrderCreate]:
    return [create(("s1", 1), request_id=name, user_id=user_id, business_type=business_type) for name in names]


async def age(harness: HandlerHarness, request_id: str, seconds: int) -> None:
    """Move the time at which the order was accepted into the past."""
    await harness.pool.execute(
        "UPDATE orders SET created_at = clock_timestamp() - make_interval(secs => $2) WHERE request_id = $1",
        request_id,
        seconds,
    )


async def accepted(harness: HandlerHarness) -> int:
    return len(await harness.states())


async def test_the_fourth_is_rejected_with_the_time_to_try_again(harness: HandlerHarness) -> None:
    await harness.handle(*ordering("a", "b", "c"))
    await age(harness, "a", 200)
    [(oldest,)] = await harness.rows("SELECT created_at FROM orders WHERE request_id = 'a'")
    await harness.handle(*ordering("d"))
    [(code, details)] = harness.rejections()
    assert (code, details["limit"]) == ("RISK_RATE_LIMITED", 3)
    assert datetime.fromisoformat(details["retry_at"]) == oldest + timedelta(seconds=300)
    assert await accepted(harness) == 3
    assert await harness.stock() == (100, 3)


@pytest.mark.parametrize(("seconds", "count"), [(0, 3), (290, 3), (301, 4), (900, 4)])
async def test_the_window_slides_with_the_oldest_of_the_three(
    harness: HandlerHarness, seconds: int, count: int
) -> None:
    await harness.handle(*ordering("a", "b", "c"))
    await age(harness, "a", seconds)
    await harness.handle(*ordering("d"))
    assert await accepted(harness) == count
    await harness.handle(*ordering("e"))
    assert await accepted(harness) == count, "b, c and d are within the window"


async def test_within_one_batch_the_first_three_are_taken(harness: HandlerHarness) -> None:
    await harness.handle(*ordering("a", "b", "c", "d", "e"))
    assert await harness.rows("SELECT request_id FROM orders ORDER BY request_id") == [("a",), ("b",), ("c",)]
    assert [code for code, _ in harness.rejections()] == ["RISK_RATE_LIMITED"] * 2


async def test_what_was_refused_or_rejected_does_not_count_and_what_was_cancelled_does(harness: HandlerHarness) -> None:
    await harness.handle(create(("none", 1), request_id="x"), *ordering("a"))
    await out_of_stock(harness, ordering("y")[0])
    order_id = await harness.create_order(ordering("b")[0])
    await harness.handle(cancel(order_id))
    await harness.handle(*ordering("c"))
    assert sorted(await harness.states()) == ["awaiting_payment", "awaiting_payment", "cancelled", "rejected"]
    await harness.handle(*ordering("d"))
    assert [code for code, _ in harness.rejections()] == ["PRODUCT_NOT_FOUND", "RISK_RATE_LIMITED"]


async def test_a_repeat_gets_its_answer_at_any_rate(harness: HandlerHarness) -> None:
    await harness.handle(*ordering("a", "b", "c"))
    await harness.handle(*ordering("a"), reply_to="client.a")
    assert [(reply["type"], reply["duplicate"]) for reply in harness.replies] == [("order.created.v1", True)]


async def test_each_user_has_a_rate_of_ones_own(harness: HandlerHarness) -> None:
    await harness.handle(*ordering("a", "b", "c"), *ordering("a", "b", "c", user_id="u2"))
    assert await accepted(harness) == 6


async def test_a_split_order_counts_once(harness: HandlerHarness) -> None:
    await harness.handle(sku("card", product_type="virtual"))
    await harness.handle(receive("card", 10))
    await harness.create_order(create(("s1", 1), ("card", 1), request_id="split"))
    await harness.handle(*ordering("b", "c", "d"))
    assert await harness.pool.fetchval("SELECT count(*) FROM orders WHERE parent_id IS NULL") == 3


async def test_workers_at_once_take_exactly_three_of_one_user(harness: HandlerHarness) -> None:
    await harness.handle_concurrently(*([one] for one in ordering(*"abcdefgh")), ordering(*"ijkl"))
    assert await accepted(harness) == 3
    assert [code for code, _ in harness.rejections()] == ["RISK_RATE_LIMITED"] * 9


async def test_a_worker_that_began_earlier_counts_what_was_accepted_since(harness: HandlerHarness) -> None:
    await harness.handle_overlapping(ordering("a", "b"), ordering("c", "d"), ordering("e"))
    assert await harness.rows("SELECT request_id FROM orders ORDER BY request_id") == [("a",), ("b",), ("c",)]


async def test_each_business_type_has_its_own_limit_and_window(harness: HandlerHarness) -> None:
    await harness.handle(
        settings("seckill", rate_limit_orders=1),
        settings("group_buy", rate_limit_orders=0),
        settings(rate_limit_orders=5, rate_limit_window_seconds=1000),
        trusted=True,
    )
    await harness.handle(*ordering("a", business_type="seckill"), *ordering("b", business_type="seckill"))
    await harness.handle(*ordering(*"cdefgh", business_type="group_buy"))
    assert (await accepted(harness), len(harness.rejections())) == (7, 1)
    for name in "acdef":
        await age(harness, name, 400)
    await harness.handle(*ordering("i"), *ordering("j", business_type="seckill"))
    assert len(harness.rejections()) == 3, "seven are within 1000 s, two within 300 s"
    await harness.handle(settings(revision=2, rate_limit_orders=5), trusted=True)
    await harness.handle(*ordering(*"klmn"))
    assert (await accepted(harness), len(harness.rejections())) == (10, 4), "two and three more are within 300 s"
