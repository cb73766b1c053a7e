"""A command is decided once, and whoever repeats it hears the same."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import orjson
import pytest

from tests.e2e.system import SKU, Hall, ask, eventually
from tests.e2e.upstream import Upstream, order_body, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def stock_does_not_answer(hall: Hall) -> AsyncIterator[None]:
    """Commands that need stock stay undecided meanwhile."""
    async with hall.pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE stock_holders IN SHARE MODE")
        yield


async def row(hall: Hall, request_id: str) -> Any:
    return await hall.pool.fetchrow("SELECT * FROM commands WHERE request_id = $1", request_id)


async def test_a_repeat_hears_the_stored_outcome_marked_as_a_duplicate(hall: Hall) -> None:
    body = order_body((SKU, 1))
    first = await hall.answer(correlation_id=await ask(hall, "order.create", body))
    again = await hall.answer(correlation_id=await ask(hall, "order.create", body))
    ours = ("properties", "headers", "event")
    assert {k: v for k, v in again.items() if k not in ours} == {k: v for k, v in first.items() if k not in ours} | {
        "duplicate": True
    }
    assert first["properties"].message_type == again["properties"].message_type == "order.created.v1"
    assert "duplicate" not in first
    assert await hall.pool.fetchval("SELECT count(*) FROM orders WHERE request_id = $1", body["request_id"]) == 1


async def test_a_repeat_by_another_spelling_of_the_same_json_is_a_repeat(hall: Hall) -> None:
    body = order_body((SKU, 1))
    await hall.answer(correlation_id=await ask(hall, "order.create", body))
    shuffled = orjson.dumps(dict(reversed(body.items())), option=orjson.OPT_INDENT_2)
    assert (await hall.answer(correlation_id=await ask(hall, "order.create", shuffled)))["duplicate"] is True


async def test_a_repeat_without_reply_to_is_quiet(hall: Hall) -> None:
    body = order_body((SKU, 1))
    await hall.answer(correlation_id=await ask(hall, "order.create", body))
    heard = len(hall.upstream.events)
    message_id = await hall.upstream.say("order.create", body)
    await hall.handled(message_id)
    await hall.quiet()
    assert len(hall.upstream.events) == heard


async def test_who_repeats_before_the_decision_is_told_too(hall: Hall) -> None:
    body = order_body((SKU, 1))
    async with Upstream.connect(hall.broker) as other:
        async with stock_does_not_answer(hall):
            first = await ask(hall, "order.create", body)
            for n in range(2):
                about = {"reply_to": other.inbox, "correlation_id": f"mine-{n}"}
                await hall.handled(await hall.upstream.say("order.create", body, **about))
            stored = await row(hall, body["request_id"])
            assert stored["outcome_type"] is None
            assert set(stored["reply_tos"]) == {hall.upstream.inbox, other.inbox}
            assert not other.replies
        told = await hall.answer(correlation_id=first)
        await until(lambda: len(other.replies) == 2, "the other to be told")
    assert {told["order_id"]} == {reply["order_id"] for reply in other.replies}
    assert {reply["properties"].correlation_id for reply in other.replies} == {"mine-0", "mine-1"}


async def test_repeats_in_one_batch_make_one_order(hall: Hall) -> None:
    await hall.quiet()
    body = order_body((SKU, 1))
    async with hall.standstill():
        asked = [await ask(hall, "order.create", body) for _ in range(5)]
        await hall.taken("order-creation", 5)
    told = [await hall.answer(correlation_id=one) for one in asked]
    assert len({reply["order_id"] for reply in told}) == 1
    assert await hall.pool.fetchval("SELECT count(*) FROM orders WHERE request_id = $1", body["request_id"]) == 1


@pytest.mark.parametrize("decided", [True, False])
async def test_the_same_key_with_another_payload_is_a_conflict(hall: Hall, decided: bool) -> None:
    body = order_body((SKU, 1))
    other = body | {"remark": "and a card, please"}
    if decided:
        await hall.answer(correlation_id=await ask(hall, "order.create", body))
        refused = await hall.answer(correlation_id=await ask(hall, "order.create", other))
    else:
        async with stock_does_not_answer(hall):
            first = await ask(hall, "order.create", body)
            refused = await hall.answer(correlation_id=await ask(hall, "order.create", other))
        await hall.answer(correlation_id=first, type_="order.created.v1")
    assert (refused["properties"].message_type, refused["code"]) == ("command.rejected.v1", "IDEMPOTENCY_CONFLICT")
    assert (await row(hall, body["request_id"]))["outcome_type"] == "order.created.v1"
    assert await hall.pool.fetchval("SELECT count(*) FROM orders WHERE request_id = $1", body["request_id"]) == 1


async def test_two_users_may_use_the_same_request_id(hall: Hall) -> None:
    request_id = uuid4().hex
    bodies = [order_body((SKU, 1), user_id=user, request_id=request_id) for user in ("u1", "u2")]
    told = [await hall.answer(correlation_id=await ask(hall, "order.create", body)) for body in bodies]
    assert len({event["order_id"] for event in told}) == 2


async def test_every_command_has_one_outcome(hall: Hall) -> None:
    await hall.quiet()

    async def decided() -> bool:
        return not await hall.pool.fetchval("SELECT count(*) FROM commands WHERE outcome_type IS NULL")

    await eventually(decided, "every command to be decided")
    heard: dict[tuple[str, str], set[str]] = {}
    for event in hall.upstream.events:
        if event["event"] in ("order.created", "order.rejected"):
            heard.setdefault((event["user_id"], event["request_id"]), set()).add(event["properties"].message_id)
    assert all(len(ids) == 1 for ids in heard.values())
