"""A buyer changes the remark until the goods are handed over, and an order is marked as commented once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from messages.annotations import CommentMark, OrderChangeNote, OrderChangeRemark
from messages.base import Actor
from messages.order_queries import OrderDescribed, OrderGet
from tests.handlers.builders import OPERATOR, book, update, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask
from workers import shop
from workers.services import subject_exports
from workers.store import fulfilments

RING = "ring at Wang Fang's, 13812345678"


def change_remark(
    order_id: int, remark: str | None = RING, request_id: str = "n1", actor: Actor | None = None
) -> OrderChangeRemark:
    return OrderChangeRemark(request_id=request_id, actor=actor or user(), order_id=order_id, remark=remark)


def mark(order_id: int, request_id: str = "c1") -> CommentMark:
    return CommentMark(request_id=request_id, actor=user(), order_id=order_id)


def change_note(order_id: int, text: str | None, request_id: str = "o1", actor: Actor = OPERATOR) -> OrderChangeNote:
    return OrderChangeNote(request_id=request_id, actor=actor, order_id=order_id, note=text)


async def describe(harness: HandlerHarness, order_id: int, actor: Actor, **more: Any) -> OrderDescribed:
    [answer] = await ask(harness, OrderGet(actor=actor, order=str(order_id), **more))
    assert isinstance(answer, OrderDescribed)
    return answer


async def note_shown(harness: HandlerHarness, order_id: int, actor: Actor, **more: Any) -> str | None:
    return (await describe(harness, order_id, actor, **more)).note


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


async def test_operators_keep_a_note_that_no_buyer_sees(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    for request_id, text in (("o1", "first"), ("o2", "call 13812345678")):
        await harness.handle(change_note(order_id, text, request_id), trusted=True)
    assert "13812345678" not in str(harness.events)
    assert [b"138" in sealed for (sealed,) in await harness.rows("SELECT ciphertext FROM order_notes")] == [False]
    both = await ask(harness, *(OrderGet(actor=actor, order=str(order_id)) for actor in (OPERATOR, user())))
    assert [one.note for one in both if isinstance(one, OrderDescribed)] == ["call 138****5678", None], "in one batch"
    assert [await note_shown(harness, order_id, actor) for actor in (OPERATOR, user())] == ["call 138****5678", None]
    assert await note_shown(harness, order_id, OPERATOR, reveal_reason="they ask") == "call 13812345678"
    await harness.handle(change_note(order_id, "theirs", "o3", user()), trusted=True)
    assert [code for code, _ in harness.rejections()] == ["AUTH_FORBIDDEN"]
    await harness.handle(change_note(order_id, None, "o4"), trusted=True)
    assert await note_shown(harness, order_id, OPERATOR) is None
    assert len(harness.events_of("order_note.changed")) == 3


async def test_a_note_and_every_command_of_an_operator_are_exported(harness: HandlerHarness) -> None:
    """Also that of an operator who has left no other trace."""
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    await harness.handle(change_note(order_id, "call 13812345678"), trusted=True)
    await harness.handle(change_remark(order_id, "none", "n1", Actor(type="operator", id="ops-2")), trusted=True)
    async with harness.pool.acquire() as tx, tx.transaction(readonly=True):
        [order] = (await subject_exports.part(tx, "u1", "orders", None)).data["orders"]
    assert order["note"]["text"] == "call 13812345678"
    assert {command["scope"] for command in order["commands"]} == {
        f"order.change_note:{order_id}:operator:{OPERATOR.id}",
        f"order.change_remark:{order_id}:operator:ops-2",
    }


async def test_an_order_shows_its_comment_and_until_when_it_is_promised_to_leave(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 1))
    described = await describe(harness, order_id, user())
    assert described.paid_at is not None
    assert described.ship_by == described.paid_at + timedelta(seconds=shop.current().policy.ship_within_seconds)
    await harness.deliver(order_id)
    await harness.handle(mark(order_id))
    assert (await describe(harness, order_id, user())).commented
