"""Buyers save orders before placing them (S1-09)."""

from typing import Any

import orjson
import pytest

from messages.base import Actor
from messages.order_drafts import (
    DraftLine,
    OrderDraftDelete,
    OrderDraftGet,
    OrderDraftList,
    OrderDraftSave,
    OrderDraftsListed,
)
from messages.orders import OrderCreate
from tests.handlers.builders import ADDRESS, create, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.order_endings import out_of_stock
from tests.handlers.querying import ask
from workers.domain.order_drafts import DRAFTS_MAX, too_many
from workers.store import orders


def save(request_id: str = "d1", user_id: str = "u1", **changes: Any) -> OrderDraftSave:
    fields: dict[str, Any] = {"request_id": request_id, "actor": user(user_id), "user_id": user_id}
    fields |= {"channel": "pc", "currency": "CNY", "items": (DraftLine(sku_id="s1", qty=2),), "address": ADDRESS}
    return OrderDraftSave(**(fields | changes))


def delete(draft_id: int, request_id: str = "x1", actor: Actor | None = None, **changes: Any) -> OrderDraftDelete:
    actor = actor or user()
    return OrderDraftDelete(request_id=request_id, actor=actor, user_id=actor.id, draft_id=draft_id, **changes)


def place(draft_id: int, request_id: str = "r1", **changes: Any) -> OrderCreate:
    fields = {"items": (), "address": None, "expected_pay_amount": 1000, "draft_id": draft_id}
    return create(request_id=request_id, **(fields | changes))


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    await harness.fill_stock()
    return harness


async def saved(harness: HandlerHarness, **changes: Any) -> int:
    await harness.handle(save(**changes))
    return int(harness.events_of("order_draft.saved")[-1]["draft_id"])


async def drafts(harness: HandlerHarness, user_id: str = "u1") -> OrderDraftsListed:
    [listed] = await ask(harness, OrderDraftList(actor=user(user_id), user_id=user_id))
    assert isinstance(listed, OrderDraftsListed)
    return listed


async def addresses(harness: HandlerHarness) -> list[dict[str, Any]]:
    """The addresses of all orders, in clear."""
    rows = await harness.pool.fetch(
        "SELECT a.*, k.shop_key_id, k.wrapped FROM order_addresses a LEFT JOIN user_keys k USING (key_id)"
        " ORDER BY a.order_id"
    )
    return [orjson.loads(orders.decrypt_address(row["order_id"], row)) for row in rows]


async def test_a_draft_is_saved_encrypted_shown_masked_and_holds_nothing(harness: HandlerHarness) -> None:
    draft_id = await saved(harness, remark="ring 13812345678")
    [(content, sealed)] = await harness.rows("SELECT content::text, ciphertext FROM order_drafts")
    assert orjson.loads(content)["lines"] == [{"qty": 2, "sku_id": "s1"}]
    assert b"138" not in sealed
    [shown] = (await drafts(harness)).drafts
    assert (shown.draft_id, shown.revision, shown.has_remark) == (draft_id, 1, True)
    assert shown.address is not None
    assert shown.address.receiver != ADDRESS.receiver
    assert shown.address.phone != ADDRESS.phone
    assert await harness.stock() == (10, 0)
    assert await harness.states() == []


async def test_a_save_replaces_a_draft_and_keeps_what_it_says(harness: HandlerHarness) -> None:
    draft_id = await saved(harness, remark="ring twice")
    line = (DraftLine(sku_id="s2", qty=1),)
    await harness.handle(save("d2", draft_id=draft_id, revision=1, items=line, address=None, keep=("address",)))
    [shown] = (await drafts(harness)).drafts
    assert (shown.revision, shown.items, shown.has_remark) == (2, line, False)
    assert shown.address is not None
    await harness.handle(save("d3", draft_id=draft_id, revision=1))
    assert harness.rejections() == [
        ("ORDER_DRAFT_CHANGED", {"field": "draft_id", "draft_id": str(draft_id), "revision": 2})
    ]


async def test_a_repeat_saves_nothing_more(harness: HandlerHarness) -> None:
    for _ in range(2):
        await harness.handle(save(), reply_to="client.a")
    assert [reply.get("duplicate", False) for reply in harness.replies] == [False, True]
    assert len((await drafts(harness)).drafts) == 1


async def test_an_order_takes_lines_and_address_from_its_draft_and_uses_it_up(harness: HandlerHarness) -> None:
    draft_id = await saved(harness)
    await harness.handle(place(draft_id))
    [created] = harness.events_of("order.created")
    assert [(line["sku_id"], line["qty"]) for line in created["lines"]] == [("s1", 2)]
    assert [one["receiver"] for one in await addresses(harness)] == [ADDRESS.receiver]
    assert await harness.rows("SELECT source FROM orders") == [("draft",)]
    assert (await drafts(harness)).drafts == ()
    await harness.handle(place(draft_id, "r2"))
    assert [code for code, _ in harness.rejections()] == ["ORDER_DRAFT_NOT_FOUND"]


async def test_two_orders_of_one_draft_in_one_batch_are_one(harness: HandlerHarness) -> None:
    draft_id = await saved(harness)
    await harness.handle(place(draft_id), place(draft_id, "r2"))
    assert len(harness.events_of("order.created")) == 1
    assert [code for code, _ in harness.rejections()] == ["ORDER_DRAFT_IN_USE"]


async def test_a_refusal_and_a_rejection_keep_the_draft(harness: HandlerHarness) -> None:
    draft_id = await saved(harness)
    await harness.handle(place(draft_id, "r1", expected_pay_amount=1))
    assert [code for code, _ in harness.rejections()] == ["ORDER_PRICE_MISMATCH"]
    await out_of_stock(harness, place(draft_id, "r2"))
    assert await harness.states() == ["rejected"]
    [shown] = (await drafts(harness)).drafts
    assert shown.order_id is None
    await harness.handle(place(draft_id, "r3"))
    assert len(harness.events_of("order.created")) == 1
    assert (await drafts(harness)).drafts == ()


async def test_a_draft_whose_order_is_being_placed_cannot_be_changed(harness: HandlerHarness) -> None:
    draft_id = await saved(harness)
    await harness.handle_batch([harness.envelope(place(draft_id))])
    [shown] = (await drafts(harness)).drafts
    assert shown.order_id is not None
    await harness.handle_batch([harness.envelope(save("d2", draft_id=draft_id))])
    await harness.handle_batch([harness.envelope(delete(draft_id))])
    await harness.relay()
    assert [code for code, _ in harness.rejections()] == ["ORDER_DRAFT_IN_USE"] * 2
    assert (await drafts(harness)).drafts == ()


async def test_a_draft_that_another_device_changed_is_not_placed(harness: HandlerHarness) -> None:
    draft_id = await saved(harness)
    await harness.handle(save("d2", draft_id=draft_id))
    await harness.handle(place(draft_id, draft_revision=1))
    assert [code for code, _ in harness.rejections()] == ["ORDER_DRAFT_CHANGED"]
    await harness.handle(place(draft_id, "r2", draft_revision=2))
    assert len(harness.events_of("order.created")) == 1


async def test_a_user_has_own_drafts_only(harness: HandlerHarness) -> None:
    draft_id = await saved(harness)
    await harness.handle(
        delete(draft_id, actor=user("thief")),
        save("d2", "thief", draft_id=draft_id),
    )
    await harness.handle(place(draft_id, user_id="thief"))
    assert [code for code, _ in harness.rejections()] == ["ORDER_DRAFT_NOT_FOUND"] * 3
    [answer] = await ask(harness, OrderDraftGet(actor=user("thief"), user_id="thief", draft_id=draft_id))
    assert orjson.loads(answer.json_bytes)["code"] == "ORDER_DRAFT_NOT_FOUND"
    await harness.handle(delete(draft_id))
    assert [event["draft_id"] for event in harness.events_of("order_draft.deleted")] == [str(draft_id)]
    assert (await drafts(harness)).drafts == ()


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no lines": ({"items": ()}, "ORDER_ITEMS_EMPTY"),
    "no units": ({"items": (DraftLine(sku_id="s1", qty=0),)}, "ORDER_PARAM_INVALID"),
    "too many units": ({"items": (DraftLine(sku_id="s1", qty=2**40),)}, "ORDER_PARAM_INVALID"),
    "an unknown channel": ({"channel": "telex"}, "ORDER_CHANNEL_INVALID"),
    "nothing to keep": ({"address": None, "keep": ("address",)}, "ORDER_PARAM_INVALID"),
    "an unknown draft": ({"draft_id": 7}, "ORDER_DRAFT_NOT_FOUND"),
}


async def test_a_draft_that_is_no_order_is_rejected(harness: HandlerHarness) -> None:
    await harness.handle(*(save(name, **changes) for name, (changes, _) in BAD.items()))
    assert [code for code, _ in harness.rejections()] == [code for _, code in BAD.values()]
    assert (await drafts(harness)).drafts == ()


def test_a_user_has_a_hundred_drafts_at_most() -> None:
    assert too_many(DRAFTS_MAX - 1) is None
    assert too_many(DRAFTS_MAX) is not None
