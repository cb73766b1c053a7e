"""A buyer changes the remark until the goods are handed over, and an order is marked as commented once."""

from dataclasses import replace

from messages.annotations import CommentMark, OrderChangeRemark
from messages.base import Actor
from tests.handlers.builders import book, update, user
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.store import fulfilments

RING = "ring at Wang Fang's, 13812345678"


def change_remark(
    order_id: int, remark: str | None = RING, request_id: str = "n1", actor: Actor | None = None
) -> OrderChangeRemark:
    return OrderChangeRemark(request_id=request_id, actor=actor or user(), order_id=order_id, remark=remark)


def mark(order_id: int, request_id: str = "c1") -> CommentMark:
    return CommentMark(request_id=request_id, actor=user(), order_id=order_id)


async def remark_of(harness: HandlerHarness, order_id: int) -> str | None:
    async with harness.pool.acquire() as tx:
        return (await fulfilments.papers(tx, [order_id]))[order_id].remark()


async def test_a_remark_is_kept_encrypted_and_goes_with_the_goods(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    for _ in range(2):
        await harness.handle(change_remark(order_id), reply_to="client.a")
    assert await remark_of(harness, order_id) == RING
    assert [reply.get("duplicate", False) for reply in harness.replies] == [False, True]
    assert "13812345678" not in str(harness.events) + str(await harness.rows("SELECT to_jsonb(o)::text FROM orders o"))
    await harness.pay(order_id)
    await harness.handle(change_remark(order_id, None, "n2"))
    assert await remark_of(harness, order_id) is None
    assert len(harness.events_of("order_remark.changed")) == 2


async def test_a_remark_stays_once_a_warehouse_or_a_carrier_has_the_goods(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    shipped = await harness.place_paid_order(("s1", 1))
    await harness.handle(book(shipped, "T1"))
    await harness.handle(update(shipped, "T1", "outbound"))
    shop.configure(replace(shop.current(), fulfilment_warehouses={"main": frozenset()}))
    requested = await harness.place_another_paid_order(("s1", 1))
    await harness.handle(change_remark(shipped), change_remark(requested), change_remark(requested, actor=user("u2")))
    assert [(code, details.get("state")) for code, details in harness.rejections()] == [
        ("ORDER_STATE_INVALID", "shipped"), ("ORDER_STATE_INVALID", "paid"), ("ORDER_NOT_FOUND", None)
    ]  # fmt: skip


async def test_a_received_order_is_marked_as_commented_once(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 1))
    await harness.handle(mark(order_id))
    await harness.deliver(order_id)
    await harness.handle(mark(order_id, "c2"), mark(order_id, "c3"))
    assert len(harness.events_of("comment.marked")) == 1
    assert [details.get("why", details["state"]) for _, details in harness.rejections()] == ["paid", "commented"]
    assert await harness.rows("SELECT commented FROM orders") == [(True,)]
