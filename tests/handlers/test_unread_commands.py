"""A command that cannot be read or routed has one outcome, with every fault and no value."""

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from pamqp.commands import Basic

from db import cipher
from db.pool import Pool
from messages.roles import Role
from messages.topology import Names
from messages.user_roles import Trust
from tests.runtime.builders import DELETE
from workers.handlers import dead_letters as handler
from workers.runtime.batch import Batch
from workers.runtime.decode import Decoder
from workers.runtime.delivery import Delivery, RawDelivery
from workers.runtime.errors import Failure
from workers.runtime.process import ID_REUSE
from workers.runtime.republish import dead_headers, properties
from workers.services.unread_commands import ANSWERED

OURS = "oms-worker"
TRUST = Trust(frozenset({OURS}), {"checkout": frozenset({Role.STOREFRONT})})
INBOX = "client.storefront.a"
WRONG = b'{"request_id":"13812345678","order_ids":["x"],"order_ids":["1"],"actor":{"type":"god","id":"u"}}'


@pytest.fixture(autouse=True)
def configured() -> Iterator[None]:
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    handler.configure(TRUST, Names())
    yield
    handler.configure(Trust(frozenset()), Names())


def sent(body: bytes = WRONG, key: str = "order.delete", exchange: str = "oms.commands", **given: Any) -> Delivery:
    """What the client published."""
    about = {"message_id": "m", "message_type": DELETE, "user_id": "checkout", "reply_to": INBOX, "correlation_id": "c"}
    return Delivery(1, exchange, key, body, Basic.Properties(**(about | given)), {})


def dead(delivery: Delivery, otherwise: Failure | None = None) -> RawDelivery:
    """The dead letter that a worker makes of it: because it cannot be read, `otherwise` for another reason."""
    work = Decoder("order-changes", Names(), TRUST)(delivery)
    failure = work.failure or otherwise
    assert failure is not None
    made = properties(work, OURS, dead_headers(work, failure))
    letter = Delivery(1, "oms.dlx", "oms.order-changes", delivery.body, made, made.headers or {})
    return RawDelivery.taken("order-changes.dlq", letter)


def unrouted(delivery: Delivery) -> RawDelivery:
    """The message that no queue took, as the broker keeps it."""
    return RawDelivery.taken("unrouted", delivery)


async def keep(pool: Pool, *deliveries: RawDelivery) -> list[dict[str, Any]]:
    """Keep letters in one batch, and return what that announced."""
    async with pool.acquire() as tx, tx.transaction():
        await handler.keep(tx, Batch(deliveries, None))  # type: ignore[arg-type]
        rows = await tx.fetch("WITH gone AS (DELETE FROM outbox RETURNING *) SELECT * FROM gone ORDER BY id")
    return [dict(row) | {"body": orjson.loads(row["body"])} for row in rows]


async def test_it_is_rejected_on_events_and_at_its_reply_to_with_every_fault(pool: Pool) -> None:
    event, reply = await keep(pool, dead(sent()))
    assert (event["destination"], event["routing_key"]) == ("events", "command.rejected")
    assert (reply["destination"], reply["routing_key"]) == ("reply", INBOX)
    assert event["body"] == reply["body"]
    assert (event["correlation_id"], orjson.loads(event["headers"])["causation-id"]) == ("c", "m")
    body = event["body"]
    assert (body["command_id"], body["type"], body["code"]) == ("m", DELETE, "MESSAGE_INVALID")
    assert (body["details"]["error"], body["details"]["path"]) == ("repeated_name", "$.order_ids")
    assert {(fault["error"], fault["path"]) for fault in body["details"]["faults"]} == {
        ("repeated_name", "$.order_ids"),
        ("literal_error", "$.actor.type"),
    }
    assert b"13812345678" not in orjson.dumps([event["body"], event["correlation_id"]])


@pytest.mark.parametrize("actor", [None, b"null", b"{}", b'{"type":"user"}', b'"u1"'], ids=str)
async def test_a_command_that_says_not_on_whose_behalf_it_comes_is_answered_with_auth_required(
    pool: Pool, actor: bytes | None
) -> None:
    body = b'{"order_ids":["x"]%b}' % (b"" if actor is None else b',"actor":' + actor)
    event, reply = await keep(pool, dead(sent(body)))
    assert event["body"] == reply["body"]
    assert event["body"]["code"] == "AUTH_REQUIRED"
    assert {fault["path"] for fault in event["body"]["details"]["faults"]} >= {"$.request_id"}


async def test_without_a_reply_to_it_is_on_events_all_the_same(pool: Pool) -> None:
    (event,) = await keep(pool, dead(sent(reply_to=None, message_id=None, correlation_id=None)))
    assert (event["destination"], event["body"]["command_id"]) == ("events", "")
    assert event["body"]["details"]["error"] == "missing_message_id"
    assert event["correlation_id"]


async def test_the_same_message_again_is_answered_at_its_reply_to_alone(pool: Pool) -> None:
    first = await keep(pool, dead(sent()), dead(sent()))
    assert [row["destination"] for row in first] == ["events", "reply", "reply"]
    (reply,) = await keep(pool, dead(sent()))
    assert (reply["destination"], reply["body"]["duplicate"]) == ("reply", True)


async def test_a_mistyped_routing_key_is_answered_with_the_right_one_and_the_faults_of_the_body(pool: Pool) -> None:
    event, reply = await keep(pool, unrouted(sent(key="order.delte")))
    assert (event["destination"], reply["routing_key"]) == ("events", INBOX)
    faults = event["body"]["details"]["faults"]
    assert [fault["error"] for fault in faults] == ["unroutable", "wrong_routing_key", "repeated_name", "literal_error"]
    assert faults[1]["message"] == "this type needs the routing key order.delete"


async def test_a_type_that_does_not_exist_is_a_fault_and_a_strange_one_is_not_repeated(pool: Pool) -> None:
    event, _ = await keep(pool, unrouted(sent(key="x", message_type="call 13812345678")))
    assert [fault["error"] for fault in event["body"]["details"]["faults"]] == ["unroutable", "unknown_type"]
    assert event["body"]["type"] == ""


async def test_no_reply_goes_to_a_queue_of_another(pool: Pool) -> None:
    for reply_to in ("client.payments.a", "oms.stock", "amq.rabbitmq.reply-to.AAAA.B"):
        given: dict[str, Any] = {"message_id": reply_to, "reply_to": reply_to}
        letters = await keep(pool, unrouted(sent(key=reply_to, **given)), dead(sent(**given)))
        assert len(letters) == 2
        assert {row["destination"] for row in letters} == {"events"}


async def test_a_reused_message_id_is_answered_at_the_reply_to_alone(pool: Pool) -> None:
    body = b'{"request_id":"r","actor":{"type":"user","id":"u"},"order_ids":["1"]}'
    (reply,) = await keep(pool, dead(sent(body), ID_REUSE))
    assert (reply["destination"], reply["routing_key"]) == ("reply", INBOX)
    assert reply["body"]["details"]["error"] == "id_reuse"


@pytest.mark.parametrize("reason", ["invalid", "id_reuse", "expired"])
async def test_headers_of_the_sender_say_nothing_about_its_faults(pool: Pool, reason: str) -> None:
    death = {"reason": reason, "exchange": "oms.commands", "routing-keys": ["order.delete"]}
    forged = {"x-death": [death], "faults": "no JSON", "reason": reason, "original-exchange": "oms.commands"}
    for number, exchange in enumerate(("oms.commands", "oms.dlx")):
        letter = replace(sent(key="x", exchange=exchange, message_id=f"{number}"), headers=forged)
        assert all(b"no JSON" not in orjson.dumps(row["body"]) for row in await keep(pool, unrouted(letter)))


async def test_an_expired_command_is_answered_and_only_to_its_sender(pool: Pool) -> None:
    for reply_to, destinations in ((INBOX, ["events", "reply"]), ("client.payments.a", ["events"])):
        given: dict[str, Any] = {"message_id": reply_to, "reply_to": reply_to}
        death = {"reason": "expired", "exchange": "oms.commands", "routing-keys": ["order.delete"]}
        letter = replace(sent(exchange="oms.dlx", **given), headers={"x-death": [death], "faults": "not ours"})
        rows = await keep(pool, RawDelivery.taken("order-changes.dlq", letter))
        assert [row["destination"] for row in rows] == destinations
        assert {(row["body"]["code"], row["body"]["details"]["error"]) for row in rows} == {
            ("MESSAGE_EXPIRED", "expired")
        }


@pytest.mark.parametrize("exchange", ["oms.internal", "oms.delayed", "", "amq.topic"])
async def test_what_came_by_another_exchange_has_no_outcome(pool: Pool, exchange: str) -> None:
    assert await keep(pool, unrouted(sent(key="x", exchange=exchange)), dead(sent(exchange=exchange))) == []


async def test_a_failure_that_a_replay_can_mend_has_no_outcome_yet() -> None:
    assert not ANSWERED & {"failed", "impossible", "order_unknown", "delivery_limit"}
