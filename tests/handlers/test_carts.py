"""Items that are ordered from a cart leave it with the order; all others stay."""

import asyncio
from typing import Any

import pytest

from messages.carts import CartPut, CartRemove
from messages.orders import OrderCreate
from messages.stock import StockReserved
from tests.handlers.builders import create, sku, user
from tests.handlers.catalogue_builders import promotion
from tests.handlers.harness import WAITING, HandlerHarness
from tests.handlers.order_endings import out_of_stock, place_without_stock_answer
from workers.store import carts


def put(sku_id: str, qty: int, request_id: str, user_id: str = "u1") -> CartPut:
    return CartPut(request_id=request_id, actor=user(user_id), user_id=user_id, sku_id=sku_id, qty=qty)


def remove(sku_id: str, request_id: str) -> CartRemove:
    return CartRemove(request_id=request_id, actor=user(), user_id="u1", sku_id=sku_id)


def checkout(*lines: tuple[str, int], **changes: Any) -> OrderCreate:
    return create(*lines, **{"source": "cart", **changes})


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    """Two carts with the same things in them."""
    await harness.fill_stock(skus=("s1", "s2", "s3"))
    for name in ("u1", "u2"):
        await harness.handle(*(put(sku_id, 2, sku_id, name) for sku_id in ("s1", "s2", "s3")))
    harness.events.clear()
    return harness


async def cart(harness: HandlerHarness, user_id: str = "u1") -> dict[str, int]:
    return dict(await harness.rows("SELECT sku_id, qty FROM cart_lines WHERE user_id = $1 ORDER BY sku_id", user_id))


async def test_a_cart_holds_what_was_put_there_last(harness: HandlerHarness) -> None:
    await harness.handle(put("s1", 5, "a"), put("s1", 7, "b"), remove("s2", "c"), remove("s9", "d"))
    assert await cart(harness) == {"s1": 7, "s3": 2}
    assert [(e["sku_id"], e["qty"]) for e in harness.events_of("cart.changed")] == [
        ("s1", 5),
        ("s1", 7),
        ("s2", 0),
        ("s9", 0),
    ]
    await harness.handle(remove("s1", "e"), put("s1", 1, "f"))
    assert await cart(harness) == {"s1": 1, "s3": 2}
    assert await cart(harness, "u2") == {"s1": 2, "s2": 2, "s3": 2}


async def test_a_repeated_change_is_answered_and_not_done_again(harness: HandlerHarness) -> None:
    await harness.handle(put("s1", 5, "a"))
    await harness.handle(put("s1", 6, "b"))
    await harness.handle(put("s1", 5, "a"), reply_to="client.a")
    assert [(reply["duplicate"], reply["qty"]) for reply in harness.replies] == [(True, 5)]
    assert (await cart(harness))["s1"] == 6
    await harness.handle(put("s1", 9, "a"))
    assert [code for code, _ in harness.rejections()] == ["IDEMPOTENCY_CONFLICT"]


async def test_a_user_cannot_fill_anothers_cart(harness: HandlerHarness) -> None:
    await harness.handle(put("s1", 9, "a").model_copy(update={"actor": user("thief")}))
    assert [code for code, _ in harness.rejections()] == ["AUTH_FORBIDDEN"]
    assert (await cart(harness))["s1"] == 2


async def test_what_was_ordered_leaves_the_cart_and_the_rest_stays(harness: HandlerHarness) -> None:
    await harness.handle(checkout(("s1", 2), ("s3", 1)))
    [created] = harness.events_of("order.created")
    assert [line["sku_id"] for line in created["lines"]] == ["s1", "s3"]
    assert await cart(harness) == {"s2": 2}
    assert await cart(harness, "u2") == {"s1": 2, "s2": 2, "s3": 2}
    assert [(e["user_id"], e["sku_ids"]) for e in harness.events_of("cart.items_removed")] == [("u1", ["s1", "s3"])]


async def test_an_item_leaves_the_cart_once_its_order_is_placed_and_stays_if_that_is_rejected(
    harness: HandlerHarness,
) -> None:
    await out_of_stock(harness, checkout(("s1", 2)))
    assert (await cart(harness))["s1"] == 2
    await harness.handle(checkout(("s1", 11), request_id="r2"))
    assert await harness.states() == ["rejected"] * 2
    assert (await cart(harness))["s1"] == 2
    await harness.handle_batch([harness.envelope(checkout(("s1", 2), request_id="r3"))])
    assert (await cart(harness))["s1"] == 2
    await harness.relay()
    assert "s1" not in await cart(harness)


async def test_what_is_bought_directly_never_touches_the_cart_and_costs_the_same(harness: HandlerHarness) -> None:
    await harness.handle(promotion())
    await harness.handle(create(("s1", 2), expected_pay_amount=800, source="buy_now"))
    assert (await cart(harness))["s1"] == 2
    await harness.handle(checkout(("s1", 2), request_id="r2", expected_pay_amount=800))
    direct, from_cart = harness.events_of("order.created")
    assert direct["amounts"] == from_cart["amounts"]
    assert len(harness.events_of("cart.items_removed")) == 1


async def test_of_a_split_order_every_childs_lines_leave_in_one_message(harness: HandlerHarness) -> None:
    await harness.handle(sku("s3", revision=2, product_type="virtual"))
    await harness.handle(checkout(("s1", 1), ("s3", 1)))
    assert len(await harness.states()) == 3
    assert await cart(harness) == {"s2": 2}
    assert [e["sku_ids"] for e in harness.events_of("cart.items_removed")] == [["s1", "s3"]]


async def test_orders_of_one_batch_empty_each_ones_own_cart(harness: HandlerHarness) -> None:
    await harness.handle(
        checkout(("s1", 1)),
        checkout(("s2", 1), user_id="u2"),
        checkout(("s3", 1), request_id="r2"),
        create(("s3", 1), user_id="u2", request_id="r2"),
    )
    assert (await cart(harness), await cart(harness, "u2")) == ({"s2": 2}, {"s1": 2, "s3": 2})


async def test_the_last_change_of_a_cart_line_that_is_being_ordered_counts(harness: HandlerHarness) -> None:
    first, second = [
        await place_without_stock_answer(harness, checkout(("s1", 1), ("s2", 1), request_id=name)) for name in "ab"
    ]
    puts = [put("s2", 8, "p2"), put("s1", 8, "p1")]
    await harness.handle_overlapping([StockReserved(group_id=first)], puts)
    assert await cart(harness) == {"s1": 8, "s2": 8, "s3": 2}
    await harness.handle_overlapping([put("s1", 9, "p3")], [StockReserved(group_id=second)])
    assert await cart(harness) == {"s3": 2}


async def test_lines_leave_a_cart_in_key_order_as_cart_commands_lock_them(harness: HandlerHarness) -> None:
    await harness.handle(checkout(("s2", 1), request_id="r1"), checkout(("s1", 1), request_id="r2"))
    await harness.handle(put("s1", 2, "x"), put("s2", 2, "y"))
    orders = [order_id for (order_id,) in await harness.rows("SELECT id FROM orders")]
    async with harness.pool.acquire() as holder, harness.pool.acquire() as remover, harness.pool.acquire() as other:
        async with holder.transaction():
            await holder.execute("SELECT FROM cart_lines WHERE user_id = 'u1' AND sku_id = 's1' FOR UPDATE")
            removed = asyncio.create_task(carts.remove_ordered(remover, orders))
            while not await other.fetchval(WAITING):
                await asyncio.sleep(0.01)
            found = await other.fetch("SELECT sku_id FROM cart_lines WHERE user_id = 'u1' FOR UPDATE SKIP LOCKED")
        assert {row["sku_id"] for row in found} == {"s2", "s3"}
        assert await removed == {"u1": ("s1", "s2")}
