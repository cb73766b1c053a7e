"""What queries, commands and erasures find of orders that are archived (S1-40)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from messages.archived_orders import ArchivedOrderGet, ArchivedOrderList, ArchivedOrderShown, ArchivedOrdersListed
from messages.base import Actor, Query, QueryRejected
from messages.order_queries import OrderGet, OrderTrack
from messages.subjects import SubjectErase
from tests.handlers.builders import OPERATOR, cancel, create, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.personal_data import canary, die, lived, readable
from tests.handlers.querying import ask
from workers.domain.codes import Code
from workers.domain.ids import ID_MAX
from workers.services import subject_exports
from workers.services.archive import archive_ended
from workers.services.archive_answers import summary
from workers.store import archive
from workers.store.archived_orders import ArchivedOrder

pytestmark = pytest.mark.usefixtures("alipay_configured")
FIELDS = ("notification", "refund", "letter")
"""What an archived order leaves of a person in tables with a retention of their own."""


async def archived(harness: HandlerHarness) -> list[int]:
    async with harness.pool.acquire() as tx, tx.transaction():
        return await archive_ended(tx, await archive.lock_roots(tx, ID_MAX, 0, 100))


def seen(text: str, user_id: str = "u1") -> set[str]:
    return {field for field in FIELDS if canary(field, user_id) in text}


async def test_an_erasure_reaches_what_is_kept_about_archived_orders(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    subject = await lived(harness)
    await lived(harness, "u2")
    await die(harness, b'{"order_id": "%d", "remark": "about an order"}' % subject.completed)
    looks = "INSERT INTO address_accesses (order_id, reason) VALUES ($1, 'she called about her parcel')"
    await harness.pool.execute(looks, subject.completed)
    await harness.pool.execute(
        "INSERT INTO repairs (order_id, owed, reason) VALUES ($1, 'stock', 'she called')", subject.completed
    )
    assert len(await archived(harness)) == 4
    assert seen(await readable(harness.pool)) == set(FIELDS)

    await harness.handle(
        SubjectErase(request_id="e", actor=OPERATOR, user_id="u1", reason_code="USER_REQUEST"), trusted=True
    )

    [erased] = harness.events_of("subject.erased")
    assert erased["orders"] == 2
    left = await readable(harness.pool)
    assert (seen(left), seen(left, "u2")) == (set(), set(FIELDS))
    assert [word for word in ("about an order", "she called") if word in left] == []


async def test_an_export_has_what_is_kept_about_archived_orders(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    subject = await lived(harness)
    await harness.pool.execute(
        "INSERT INTO repairs (order_id, owed, reason) VALUES ($1, 'stock', 'late')", subject.completed
    )
    assert len(await archived(harness)) == 2
    sections = {}
    for section in ("archived_orders", "texts", "notifications"):
        async with harness.pool.acquire() as tx, tx.transaction(readonly=True):
            part = await subject_exports.part(tx, "u1", section, None)
        sections[section] = part.data[section]
    first = sections["archived_orders"][0]
    assert [row["reason"] for row in first["repairs"]] == ["late"]
    assert f"order.confirm_receipt:{subject.completed}:user:u1" in {row["scope"] for row in first["commands"]}
    assert canary("refund", "u1") in str(sections["texts"])
    assert canary("notification", "u1") in str(sections["notifications"])


async def test_a_repeat_of_the_command_that_placed_an_archived_order_gets_its_outcome_again(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    command = create(("s1", 1), request_id="one")
    await harness.handle(command, reply_to="client.a")
    order_id = int(harness.events_of("order.created")[0]["order_id"])
    await harness.handle(cancel(order_id, "stop"))
    assert await archived(harness) == [order_id]
    await harness.handle(command, reply_to="client.a")
    first, again = harness.replies
    assert again | {"correlation_id": first["correlation_id"]} == first | {"duplicate": True}


async def test_buyer_and_operator_see_what_is_kept_of_an_archived_order(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    first, second = [await harness.place_order() for _ in range(2)]
    await harness.handle(cancel(first, "a"), cancel(second, "b"))
    number = (await harness.rows(f"SELECT order_no FROM orders WHERE id = {first}"))[0][0]
    assert await archived(harness) == [first, second]

    async def shown(actor: Actor, order: str) -> ArchivedOrderShown:
        [reply] = await ask(harness, ArchivedOrderGet(actor=actor, order=order))
        assert isinstance(reply, ArchivedOrderShown)
        return reply

    mine, theirs = await shown(user(), number), await shown(OPERATOR, str(first))
    assert (mine.order, mine.lines, mine.document) == (theirs.order, theirs.lines, None)
    assert (mine.order.order_id, mine.order.state, mine.lines[0].sku_id) == (first, "cancelled", "s1")
    assert theirs.document is not None
    assert theirs.document["log"][-1]["cur_state"] == "cancelled"

    listed, cursor = [], None
    for _ in range(2):
        [page] = await ask(harness, ArchivedOrderList(actor=user(), user_id="u1", limit=1, cursor=cursor))
        assert isinstance(page, ArchivedOrdersListed)
        cursor = page.next_cursor
        listed += [one.order_id for one in page.orders]
    assert (listed, cursor) == ([second, first], None)


def test_an_order_that_came_back_after_its_completion_ended_with_its_cancellation() -> None:
    created, completed, cancelled = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))
    times = {"created_at": created, "completed_at": completed, "cancelled_at": cancelled, "updated_at": cancelled}
    row: dict[str, Any] = {"parent_id": None, "order_no": None, "user_id": "u1", "currency": "USD", "paid_at": None}
    row |= {name: at.isoformat() for name, at in times.items()}
    row |= dict.fromkeys(("payable_amount", "captured_amount", "refunded_amount"), 0)
    ended = {
        state: summary(ArchivedOrder(7, row | {"state": state}, cancelled)).ended_at
        for state in ("completed", "cancelled")
    }
    assert ended == {"completed": completed, "cancelled": cancelled}


REFUSED: list[tuple[Query, Code]] = [
    (OrderGet(actor=user(), order="{id}"), Code.ORDER_ARCHIVED),
    (OrderTrack(actor=OPERATOR, order="{id}"), Code.ORDER_ARCHIVED),
    (OrderGet(actor=user("u2"), order="{id}"), Code.ORDER_NOT_FOUND),
    (ArchivedOrderGet(actor=user("u2"), order="{id}"), Code.ORDER_NOT_FOUND),
    (ArchivedOrderGet(actor=OPERATOR, order="7"), Code.ORDER_NOT_FOUND),
    (ArchivedOrderList(actor=user("u2"), user_id="u1"), Code.AUTH_FORBIDDEN),
    (ArchivedOrderList(actor=user(), user_id="u1", limit=101), Code.ORDER_PARAM_INVALID),
    (ArchivedOrderList(actor=user(), user_id="u1", cursor="x"), Code.ORDER_PARAM_INVALID),
]


async def test_a_query_about_an_archived_order_is_rejected_with_a_code(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order()
    await harness.handle(cancel(order_id))
    assert await archived(harness) == [order_id]
    for query, code in REFUSED:
        named = query.model_copy(update={"order": str(order_id)}) if getattr(query, "order", "") == "{id}" else query
        [answer] = await ask(harness, named)
        assert isinstance(answer, QueryRejected), query
        assert answer.code == code, query
