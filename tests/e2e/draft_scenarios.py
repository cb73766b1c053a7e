"""Drafts and imports of orders: what must exist before n messages of each kind make sense, and the messages."""

from collections.abc import Sequence
from typing import Any

from messages.base import Message
from messages.order_drafts import DraftLine, OrderDraftDelete, OrderDraftSave
from tests.e2e.scenarios import Arrange, plain, unique
from tests.handlers.builders import create, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.import_builders import imported


def draft(**changes: Any) -> OrderDraftSave:
    fields = {"request_id": unique(), "actor": user(), "user_id": "u1", "channel": "pc", "currency": "CNY"}
    return OrderDraftSave.model_validate(fields | {"items": (DraftLine(sku_id="s1", qty=1),)} | changes)


async def saved(harness: HandlerHarness, n: int) -> list[int]:
    harness.events.clear()
    await harness.handle(*(draft() for _ in range(n)))
    return [int(event["draft_id"]) for event in harness.events_of("order_draft.saved")]


async def deleted(harness: HandlerHarness, n: int) -> Sequence[Message]:
    drafts = await saved(harness, n)
    return [OrderDraftDelete(request_id=unique(), actor=user(), user_id="u1", draft_id=key) for key in drafts]


async def placed(harness: HandlerHarness, n: int) -> Sequence[Message]:
    drafts = await saved(harness, n)
    return [create(request_id=unique(), items=(), draft_id=key, expected_pay_amount=500) for key in drafts]


DRAFTS: dict[str, Arrange] = {
    "order.draft.save": plain(lambda _: draft()),
    "order.draft.delete": deleted,
    "order.create of a draft": placed,
    "order.import": plain(lambda _: imported(unique())),
}
