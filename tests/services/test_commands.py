"""Every command has exactly one outcome, and a repeated command gets it again."""

import os
from hashlib import blake2b

from db import cipher
from messages.orders import OrderCreate
from tests.handlers.builders import OPERATOR, cancel, create, sku, user
from tests.handlers.harness import HandlerHarness
from workers.store.commands import payload_hash


async def test_a_repeat_gets_the_stored_outcome_at_its_own_reply_to(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    body = create(("s1", 1))
    await harness.handle(body, reply_to="client.a")
    await harness.handle(body, reply_to="client.b")
    first, again = harness.replies
    assert (first["to"], first["type"], "duplicate" in first) == ("client.a", "order.created.v1", False)
    assert again == first | {"to": "client.b", "duplicate": True, "correlation_id": again["correlation_id"]}
    assert len(await harness.states()) == 1
    assert len(harness.events_of("order.created")) == 1


async def test_repeats_while_undecided_are_each_answered_under_their_own_correlation_id(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    body = create(("s1", 1))
    envelopes = [harness.envelope(body, reply_to=f"client.{n}") for n in range(3)]
    await harness.handle_batch(envelopes[:2])
    await harness.handle_batch(envelopes[2:])
    await harness.relay()
    assert [(r["to"], r["correlation_id"]) for r in harness.replies] == [
        (a.reply_to, a.correlation_id) for a in envelopes
    ]
    assert len(await harness.states()) == 1


async def test_the_same_request_id_with_another_payload_is_a_conflict(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await harness.handle(create(("s1", 1)))
    await harness.handle(create(("s1", 2)), reply_to="client.a")
    assert [e["code"] for e in harness.events_of("command.rejected")] == ["IDEMPOTENCY_CONFLICT"]
    assert [r["code"] for r in harness.replies] == ["IDEMPOTENCY_CONFLICT"]
    assert len(await harness.states()) == 1


async def test_two_users_may_use_the_same_request_id(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await harness.handle(create(("s1", 1), user_id="u1"), create(("s1", 1), user_id="u2"))
    assert await harness.states() == ["awaiting_payment"] * 2


async def test_a_refusal_is_an_outcome_too_and_is_repeated(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    body = create(("nothing", 1))
    await harness.handle(body)
    await harness.handle(sku("nothing"))
    await harness.handle(body, reply_to="client.a")
    assert [(r["code"], r["duplicate"]) for r in harness.replies] == [("PRODUCT_NOT_FOUND", True)]
    assert await harness.states() == []


async def test_no_command_is_left_without_an_outcome(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    await harness.handle(cancel(order_id, "x1"), cancel(order_id, "x2"))
    rows = await harness.pool.fetch(
        "SELECT outcome_type FROM commands WHERE type = 'order.cancel.v1' ORDER BY request_id"
    )
    assert [row["outcome_type"] for row in rows] == ["order.cancelled.v1", "command.rejected.v1"]
    assert await harness.pool.fetchval("SELECT count(*) FROM commands WHERE outcome_type IS NULL") == 0


async def test_a_forbidden_command_uses_up_no_request_id(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    body = create(("s1", 1))
    await harness.handle(body.model_copy(update={"actor": user("mallory")}), reply_to="client.m")
    assert [r["code"] for r in harness.replies] == ["AUTH_FORBIDDEN"]
    await harness.handle(body)
    order_id = int(harness.events_of("order.created")[0]["order_id"])
    await harness.handle(cancel(order_id, "k1", user("mallory")))
    await harness.handle(cancel(order_id, "k1", OPERATOR), trusted=False)
    await harness.handle(cancel(order_id, "k1", OPERATOR), trusted=True)
    assert [e["code"] for e in harness.events_of("command.rejected")[1:]] == ["ORDER_NOT_FOUND", "AUTH_FORBIDDEN"]
    assert await harness.states() == ["cancelled"]


async def test_a_field_that_a_later_version_adds_changes_no_old_payloads_identity(harness: HandlerHarness) -> None:
    body = create(("s1", 1))
    explicit = OrderCreate.model_validate_json(body.model_dump_json())
    assert payload_hash(explicit) == payload_hash(body)
    assert b"remark" not in body.model_dump_json(exclude_defaults=True).encode()


async def test_a_repeat_after_a_new_key_gets_the_stored_outcome_and_another_payload_a_conflict(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    body = create(("s1", 1))
    await harness.handle(body)
    cipher.configure(f"{cipher.new_key('new')},{os.environ['OMS_ENCRYPTION_KEYS']}")
    await harness.handle(body, reply_to="client.storefront.a")
    await harness.handle(body.model_copy(update={"channel": "app"}), reply_to="client.storefront.a")
    assert [reply.get("code") or reply["duplicate"] for reply in harness.replies] == [True, "IDEMPOTENCY_CONFLICT"]


async def test_a_text_cannot_be_found_by_hashing_every_number(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order()
    body = cancel(order_id, "x1").model_copy(update={"reason": "call 13812345678"})
    await harness.handle(body)
    plain = blake2b(body.model_dump_json(exclude_defaults=True).encode(), digest_size=16).digest()
    stored = [row["payload_hash"] for row in await harness.pool.fetch("SELECT payload_hash FROM commands")]
    assert len(stored) > 1
    assert plain not in stored


async def test_a_remark_is_kept_encrypted(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await harness.handle(create(("s1", 1), remark="call 13812345678"))
    row = await harness.pool.fetchrow(
        "SELECT id, user_remark, k.* FROM orders JOIN user_keys k ON key_id = remark_key_id"
    )
    assert row is not None
    assert b"13812345678" not in row["user_remark"]
    aad, wrapped = b"order_remark:%d" % row["id"], cipher.Wrapped.of(row)
    plain = cipher.current().decrypt(row["key_id"], row["user_remark"], aad, wrapped)
    assert plain == b"call 13812345678"
