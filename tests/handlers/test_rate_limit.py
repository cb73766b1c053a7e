"""At most three accepted orders of one user in 300 seconds that slide (S1-49)."""

from datetime import datetime, timedelta

import pytest

from messages.orders import OrderCreate
from tests.handlers.catalogue_builders import refused, settings
from tests.handlers.harness import Floor, cancel, create, receive, sku
from tests.handlers.order_endings import out_of_stock
from workers import shop
from workers.domain.shop import Shop


@pytest.fixture
async def mall(floor: Floor) -> Floor:
    shop.configure(Shop())
    await floor.open_shop(qty=100)
    return floor


def ordering(*names: str, user_id: str = "u1", business_type: str = "normal") -> list[OrderCreate]:
    return [create(("s1", 1), request_id=name, user_id=user_id, business_type=business_type) for name in names]


async def age(mall: Floor, request_id: str, seconds: int) -> None:
    """The order was accepted so long ago."""
    await mall.pool.execute(
        "UPDATE orders SET created_at = clock_timestamp() - make_interval(secs => $2) WHERE request_id = $1",
        request_id,
        seconds,
    )


async def accepted(mall: Floor) -> int:
    return len(await mall.states())


async def test_the_fourth_is_refused_and_told_when_to_come_again(mall: Floor) -> None:
    await mall.say(*ordering("a", "b", "c"))
    await age(mall, "a", 200)
    [(oldest,)] = await mall.rows("SELECT created_at FROM orders WHERE request_id = 'a'")
    await mall.say(*ordering("d"))
    [(code, details)] = refused(mall)
    assert (code, details["limit"]) == ("RISK_RATE_LIMITED", 3)
    assert datetime.fromisoformat(details["retry_at"]) == oldest + timedelta(seconds=300)
    assert await accepted(mall) == 3
    assert await mall.stock() == (100, 3)


@pytest.mark.parametrize(("seconds", "count"), [(0, 3), (290, 3), (301, 4), (900, 4)])
async def test_the_window_slides_with_the_oldest_of_the_three(mall: Floor, seconds: int, count: int) -> None:
    await mall.say(*ordering("a", "b", "c"))
    await age(mall, "a", seconds)
    await mall.say(*ordering("d"))
    assert await accepted(mall) == count
    await mall.say(*ordering("e"))
    assert await accepted(mall) == count, "b, c and d are within the window"


async def test_within_one_batch_the_first_three_are_taken(mall: Floor) -> None:
    await mall.say(*ordering("a", "b", "c", "d", "e"))
    assert await mall.rows("SELECT request_id FROM orders ORDER BY request_id") == [("a",), ("b",), ("c",)]
    assert [code for code, _ in refused(mall)] == ["RISK_RATE_LIMITED"] * 2


async def test_what_was_refused_or_rejected_does_not_count_and_what_was_cancelled_does(mall: Floor) -> None:
    await mall.say(create(("none", 1), request_id="x"), *ordering("a"))
    await out_of_stock(mall, ordering("y")[0])
    order_id = await mall.order(ordering("b")[0])
    await mall.say(cancel(order_id))
    await mall.say(*ordering("c"))
    assert sorted(await mall.states()) == ["awaiting_payment", "awaiting_payment", "cancelled", "rejected"]
    await mall.say(*ordering("d"))
    assert [code for code, _ in refused(mall)] == ["PRODUCT_NOT_FOUND", "RISK_RATE_LIMITED"]


async def test_a_repeat_gets_its_answer_whatever_the_rate(mall: Floor) -> None:
    await mall.say(*ordering("a", "b", "c"))
    await mall.say(*ordering("a"), reply_to="client.a")
    assert [(reply["type"], reply["duplicate"]) for reply in mall.replies] == [("order.created.v1", True)]


async def test_each_user_has_a_rate_of_ones_own(mall: Floor) -> None:
    await mall.say(*ordering("a", "b", "c"), *ordering("a", "b", "c", user_id="u2"))
    assert await accepted(mall) == 6


async def test_a_split_order_counts_once(mall: Floor) -> None:
    await mall.say(sku("card", product_type="virtual"))
    await mall.say(receive("card", 10))
    await mall.order(create(("s1", 1), ("card", 1), request_id="split"))
    await mall.say(*ordering("b", "c", "d"))
    assert await mall.pool.fetchval("SELECT count(*) FROM orders WHERE parent_id IS NULL") == 3


async def test_workers_at_once_take_exactly_three_of_one_user(mall: Floor) -> None:
    await mall.at_once(*([one] for one in ordering(*"abcdefgh")), ordering(*"ijkl"))
    assert await accepted(mall) == 3
    assert [code for code, _ in refused(mall)] == ["RISK_RATE_LIMITED"] * 9


async def test_a_worker_that_began_earlier_counts_what_was_accepted_since(mall: Floor) -> None:
    await mall.overlap(ordering("a", "b"), ordering("c", "d"), ordering("e"))
    assert await mall.rows("SELECT request_id FROM orders ORDER BY request_id") == [("a",), ("b",), ("c",)]


async def test_each_business_type_has_its_own_limit_and_window(mall: Floor) -> None:
    await mall.say(
        settings("seckill", rate_limit_orders=1),
        settings("group_buy", rate_limit_orders=0),
        settings(rate_limit_orders=5, rate_limit_window_seconds=1000),
        trusted=True,
    )
    await mall.say(*ordering("a", business_type="seckill"), *ordering("b", business_type="seckill"))
    await mall.say(*ordering(*"cdefgh", business_type="group_buy"))
    assert (await accepted(mall), len(refused(mall))) == (7, 1)
    for name in "acdef":
        await age(mall, name, 400)
    await mall.say(*ordering("i"), *ordering("j", business_type="seckill"))
    assert len(refused(mall)) == 3, "seven are within 1000 s, two within 300 s"
    await mall.say(settings(revision=2, rate_limit_orders=5), trusted=True)
    await mall.say(*ordering(*"klmn"))
    assert (await accepted(mall), len(refused(mall))) == (10, 4), "two and three more are within 300 s"
