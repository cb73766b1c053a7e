"""A command is decided once, and a repeat gets the same outcome."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import orjson
import pytest

from tests.e2e.system import SKU, RunningSystem, order_create, publish_command, wait_until
from tests.e2e.upstream import Upstream, order_body, wait_for


@asynccontextmanager
async def stock_does_not_answer(system: RunningSystem) -> AsyncIterator[None]:
    """Commands that need stock stay undecided meanwhile."""
    async with system.pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE stock_holders IN SHARE MODE")
        yield


async def row(system: RunningSystem, request_id: str) -> Any:
    return await system.pool.fetchrow("SELECT * FROM commands WHERE request_id = $1", request_id)


async def test_a_repeat_gets_the_stored_outcome_marked_as_a_duplicate(system: RunningSystem) -> None:
    body = order_body((SKU, 1))
    first = await system.reply(correlation_id=await publish_command(system, "order.create", body))
    again = await system.reply(correlation_id=await publish_command(system, "order.create", body))
    ours = ("properties", "headers", "event")
    assert {k: v for k, v in again.items() if k not in ours} == {k: v for k, v in first.items() if k not in ours} | {
        "duplicate": True
    }
    assert first["properties"].message_type == again["properties"].message_type == "order.created.v1"
    assert "duplicate" not in first
    assert await system.pool.fetchval("SELECT count(*) FROM orders WHERE request_id = $1", body["request_id"]) == 1


async def test_a_repeat_by_another_spelling_of_the_same_json_is_a_repeat(system: RunningSystem) -> None:
    body = order_body((SKU, 1))
    await system.reply(correlation_id=await publish_command(system, "order.create", body))
    shuffled = orjson.dumps(dict(reversed(body.items())), option=orjson.OPT_INDENT_2)
    assert (await system.reply(correlation_id=await publish_command(system, "order.create", shuffled)))[
        "duplicate"
    ] is True


async def test_the_same_message_again_is_answered_again(system: RunningSystem) -> None:
    body, about = order_body((SKU, 1)), {"message_id": uuid4().hex, "reply_to": system.upstream.inbox}
    shuffled = orjson.dumps(dict(reversed(body.items())), option=orjson.OPT_INDENT_2)
    replies = []
    for number, content in enumerate((body, body, shuffled)):
        await system.upstream.publish("order.create", content, correlation_id=f"{body['request_id']}-{number}", **about)
        replies.append(await system.reply(correlation_id=f"{body['request_id']}-{number}"))
    assert [reply.get("duplicate") for reply in replies] == [None, True, True]
    assert len({reply["order_id"] for reply in replies}) == 1
    await system.upstream.publish("order.create", order_body((SKU, 2)), correlation_id="other", **about)
    other = await system.reply(correlation_id="other")
    assert (other["code"], other["details"]["error"]) == ("MESSAGE_INVALID", "id_reuse")


async def test_the_message_id_of_a_stranger_takes_nothing_from_another_sender(system: RunningSystem) -> None:
    message_id = uuid4().hex
    await system.publish(order_create(), message_id=message_id, user_id=None)
    body = order_body((SKU, 1))
    await system.upstream.publish("order.create", body, message_id=message_id)
    await system.upstream.wait_for_events("order.created", request_id=body["request_id"])


async def test_a_repeat_without_reply_to_publishes_nothing(system: RunningSystem) -> None:
    body = order_body((SKU, 1))
    await system.reply(correlation_id=await publish_command(system, "order.create", body))
    await system.wait_until_idle()  # the event may leave after the reply
    count_before = len(system.upstream.events)
    message_id = await system.upstream.publish("order.create", body)
    await system.wait_until_handled(message_id)
    await system.wait_until_idle()
    assert len(system.upstream.events) == count_before


async def test_a_repeat_before_the_decision_gets_the_outcome_too(system: RunningSystem) -> None:
    body = order_body((SKU, 1))
    async with Upstream.connect(system.broker) as other:
        async with stock_does_not_answer(system):
            first = await publish_command(system, "order.create", body)
            for n in range(2):
                about = {"reply_to": other.inbox, "correlation_id": f"mine-{n}"}
                await system.wait_until_handled(await system.upstream.publish("order.create", body, **about))
            stored = await row(system, body["request_id"])
            assert stored["outcome_type"] is None
            assert set(stored["reply_tos"]) == {system.upstream.inbox, other.inbox}
            assert not other.replies
        reply = await system.reply(correlation_id=first)
        await wait_for(lambda: len(other.replies) == 2, "the replies to the other client")
    assert {reply["order_id"]} == {reply["order_id"] for reply in other.replies}
    assert {reply["properties"].correlation_id for reply in other.replies} == {"mine-0", "mine-1"}


async def test_repeats_in_one_batch_make_one_order(system: RunningSystem) -> None:
    await system.wait_until_idle()
    body = order_body((SKU, 1))
    async with system.inbox_locked():
        correlation_ids = [await publish_command(system, "order.create", body) for _ in range(5)]
        await system.wait_until_in_flight("order-creation", 5)
    replies = [await system.reply(correlation_id=one) for one in correlation_ids]
    assert len({reply["order_id"] for reply in replies}) == 1
    assert await system.pool.fetchval("SELECT count(*) FROM orders WHERE request_id = $1", body["request_id"]) == 1


@pytest.mark.parametrize("decided", [True, False])
async def test_the_same_key_with_another_payload_is_a_conflict(system: RunningSystem, decided: bool) -> None:
    body = order_body((SKU, 1))
    other = body | {"remark": "and a card, please"}
    if decided:
        await system.reply(correlation_id=await publish_command(system, "order.create", body))
        refused = await system.reply(correlation_id=await publish_command(system, "order.create", other))
    else:
        async with stock_does_not_answer(system):
            first = await publish_command(system, "order.create", body)
            refused = await system.reply(correlation_id=await publish_command(system, "order.create", other))
        await system.reply(correlation_id=first, type_="order.created.v1")
    assert (refused["properties"].message_type, refused["code"]) == ("command.rejected.v1", "IDEMPOTENCY_CONFLICT")
    assert (await row(system, body["request_id"]))["outcome_type"] == "order.created.v1"
    assert await system.pool.fetchval("SELECT count(*) FROM orders WHERE request_id = $1", body["request_id"]) == 1


async def test_two_users_may_use_the_same_request_id(system: RunningSystem) -> None:
    request_id = uuid4().hex
    bodies = [order_body((SKU, 1), user_id=user, request_id=request_id) for user in ("u1", "u2")]
    replies = [
        await system.reply(correlation_id=await publish_command(system, "order.create", body)) for body in bodies
    ]
    assert len({event["order_id"] for event in replies}) == 2


async def test_every_command_has_one_outcome(system: RunningSystem) -> None:
    await system.wait_until_idle()

    async def decided() -> bool:
        return not await system.pool.fetchval("SELECT count(*) FROM commands WHERE outcome_type IS NULL")

    await wait_until(decided, "every command to be decided")
    ids_by_request: dict[tuple[str, str], set[str]] = {}
    for event in system.upstream.events:
        if event["event"] in ("order.created", "order.rejected"):
            ids_by_request.setdefault((event["user_id"], event["request_id"]), set()).add(
                event["properties"].message_id
            )
    assert all(len(ids) == 1 for ids in ids_by_request.values())
