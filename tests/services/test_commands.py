"""Every command ends in exactly one outcome; a repeat gets it again."""

from db import cipher
from messages.orders import OrderCreate
from tests.handlers.harness import OPERATOR, Floor, cancel, create, sku, user
from workers.services import commands


async def test_a_repeat_gets_the_stored_outcome_at_its_own_reply_to(floor: Floor) -> None:
    await floor.open_shop()
    body = create(("s1", 1))
    await floor.say(body, reply_to="client.a")
    await floor.say(body, reply_to="client.b")
    first, again = floor.replies
    assert (first["to"], first["type"], "duplicate" in first) == ("client.a", "order.created.v1", False)
    assert (again["to"], again["duplicate"], again["order_id"]) == ("client.b", True, first["order_id"])
    assert len(await floor.states()) == 1
    assert len(floor.heard("order.created")) == 1


async def test_repeats_while_undecided_are_each_answered_under_their_own_correlation_id(floor: Floor) -> None:
    await floor.open_shop()
    body = create(("s1", 1))
    asked = [floor.wrap(body, reply_to=f"client.{n}") for n in range(3)]
    await floor.handle(asked[:2])
    await floor.handle(asked[2:])
    await floor.pump()
    assert [(r["to"], r["correlation_id"]) for r in floor.replies] == [(a.reply_to, a.correlation_id) for a in asked]
    assert len(await floor.states()) == 1


async def test_the_same_request_id_with_another_payload_is_a_conflict(floor: Floor) -> None:
    await floor.open_shop()
    await floor.say(create(("s1", 1)))
    await floor.say(create(("s1", 2)), reply_to="client.a")
    assert [e["code"] for e in floor.heard("command.rejected")] == ["IDEMPOTENCY_CONFLICT"]
    assert [r["code"] for r in floor.replies] == ["IDEMPOTENCY_CONFLICT"]
    assert len(await floor.states()) == 1


async def test_two_users_may_use_the_same_request_id(floor: Floor) -> None:
    await floor.open_shop()
    await floor.say(create(("s1", 1), user_id="u1"), create(("s1", 1), user_id="u2"))
    assert await floor.states() == ["awaiting_payment"] * 2


async def test_a_refusal_is_an_outcome_too_and_is_repeated(floor: Floor) -> None:
    await floor.open_shop()
    body = create(("nothing", 1))
    await floor.say(body)
    await floor.say(sku("nothing"))
    await floor.say(body, reply_to="client.a")
    assert [(r["code"], r["duplicate"]) for r in floor.replies] == [("PRODUCT_NOT_FOUND", True)]
    assert await floor.states() == []


async def test_no_command_is_left_without_an_outcome(floor: Floor) -> None:
    await floor.open_shop()
    order_id = await floor.placed(("s1", 1))
    await floor.say(cancel(order_id, "x1"), cancel(order_id, "x2"))
    rows = await floor.pool.fetch(
        "SELECT outcome_type FROM commands WHERE type = 'order.cancel.v1' ORDER BY request_id"
    )
    assert [row["outcome_type"] for row in rows] == ["order.cancelled.v1", "command.rejected.v1"]
    assert await floor.pool.fetchval("SELECT count(*) FROM commands WHERE outcome_type IS NULL") == 0


async def test_what_a_sender_may_not_say_uses_up_nobodys_request_id(floor: Floor) -> None:
    await floor.open_shop()
    body = create(("s1", 1))
    await floor.say(body.model_copy(update={"actor": user("mallory")}), reply_to="client.m")
    assert [r["code"] for r in floor.replies] == ["AUTH_FORBIDDEN"]
    await floor.say(body)
    order_id = int(floor.heard("order.created")[0]["order_id"])
    await floor.say(cancel(order_id, "k1", user("mallory")))
    await floor.say(cancel(order_id, "k1", OPERATOR), trusted=False)
    await floor.say(cancel(order_id, "k1", OPERATOR), trusted=True)
    assert [e["code"] for e in floor.heard("command.rejected")[1:]] == ["ORDER_NOT_FOUND", "AUTH_FORBIDDEN"]
    assert await floor.states() == ["cancelled"]


async def test_a_field_that_a_later_version_adds_changes_no_old_payloads_identity(floor: Floor) -> None:
    body = create(("s1", 1))
    explicit = OrderCreate.model_validate_json(body.model_dump_json())
    assert commands._hash(explicit) == commands._hash(body)
    assert b"remark" not in body.model_dump_json(exclude_defaults=True).encode()


async def test_a_remark_is_kept_encrypted(floor: Floor) -> None:
    await floor.open_shop()
    await floor.say(create(("s1", 1), remark="call 13812345678"))
    row = await floor.pool.fetchrow("SELECT id, remark_key_id, user_remark FROM orders")
    assert row is not None
    assert b"13812345678" not in row["user_remark"]
    plain = cipher.current().decrypt(row["remark_key_id"], row["user_remark"], b"order_remark:%d" % row["id"])
    assert plain == b"call 13812345678"
