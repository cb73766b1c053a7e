"""What we keep of a message that could not be handled, and the message that a replay publishes."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from pamqp.commands import Basic
from prometheus_client import REGISTRY

from db import cipher
from db.pool import Pool, Transaction
from messages.roles import Role
from messages.topology import QUEUES, Names
from messages.user_roles import Trust
from outbox import tracebacks, wire
from workers.handlers import dead_letters as handler
from workers.runtime.batch import Batch
from workers.runtime.delivery import Delivery, RawDelivery
from workers.runtime.route import RawRoute
from workers.services import dead_letters as dead_letter_decisions
from workers.store import dead_letters

OURS = "oms-worker"
TRUST = Trust(frozenset({OURS}), {"checkout": frozenset({Role.STOREFRONT})})
NOW = datetime(2026, 11, 22, tzinfo=UTC)
ADDRESS = b'{"phone": "13800001234", "receiver": "Zhang San"}'


@pytest.fixture(autouse=True)
def configured() -> Iterator[None]:
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    handler.configure(TRUST, Names())
    yield
    handler.configure(Trust(frozenset()), Names())


@pytest.fixture
async def tx(pool: Pool) -> AsyncIterator[Transaction]:
    async with pool.acquire() as connection:
        yield connection


def delivery(
    queue: str = "stock.dlq",
    body: bytes = b"{}",
    headers: dict[str, Any] | None = None,
    tag: int = 1,
    **changes: Any,
) -> RawDelivery:
    """A message in a dead letter queue, as the runtime hands it over."""
    given = {"message_id": "m-1", "message_type": "stock.receive.v1", "user_id": OURS} | changes
    properties = Basic.Properties(headers=headers or {}, **given)
    return RawDelivery.taken(queue, Delivery(tag, "oms.dlx", "oms.stock", body, properties, headers or {}))


async def keep(tx: Transaction, *deliveries: RawDelivery) -> None:
    await handler.keep(tx, Batch(deliveries, NOW))  # type: ignore[arg-type]


async def the_letter(tx: Transaction) -> dict[str, Any]:
    rows = await tx.fetch("SELECT * FROM dead_letters")
    assert len(rows) == 1
    return dict(rows[0])


async def test_our_own_words_about_a_failure_are_kept(tx: Transaction) -> None:
    headers = {
        "reason": "invalid",
        "error-path": "$.qty",
        "error-type": "int_type",
        "error-message": "not a number",
        "fingerprint": "abc",
        "attempt": "3",
        "original-exchange": "oms.commands",
        "worker-version": "1.2",
        "original-routing-key": "stock.receive",
        "origin-user": "warehouse",
        "first-failed-at": "2026-11-21T00:00:00+00:00",
    }
    await keep(tx, delivery(headers=headers))
    row = await the_letter(tx)
    expected = {
        "queue": "stock",
        "message_id": "m-1",
        "type": "stock.receive.v1",
        "reason": "invalid",
        "error_path": "$.qty",
        "error_type": "int_type",
        "error_message": "not a number",
        "fingerprint": "abc",
        "attempts": 3,
        "exchange": "oms.commands",
        "routing_key": "stock.receive",
        "origin_user": "warehouse",
        "worker_version": "1.2",
        "first_failed_at": datetime(2026, 11, 21, tzinfo=UTC),
        "state": "open",
        "repeats": 0,
    }
    assert {name: row[name] for name in expected} == expected


async def test_what_an_untrusted_sender_claims_about_itself_is_ignored(tx: Transaction) -> None:
    forged = {"reason": "harmless", "origin-user": "payments", "original-exchange": "oms.internal", "attempt": "9"}
    death = {"x-death": [{"reason": "delivery_limit", "exchange": "oms.commands", "routing-keys": ["stock.receive"]}]}
    await keep(tx, delivery(headers=forged | death, user_id="upstream"))
    row = await the_letter(tx)
    assert (row["reason"], row["origin_user"], row["attempts"]) == ("delivery_limit", "upstream", 0)
    assert (row["exchange"], row["routing_key"]) == ("oms.commands", "stock.receive")


async def test_a_message_without_user_has_no_origin(tx: Transaction) -> None:
    await keep(tx, delivery(headers={"origin-user": "payments"}, user_id=None))
    assert (await the_letter(tx))["origin_user"] is None


async def test_no_sender_is_trusted_before_our_own_users_are_configured(tx: Transaction) -> None:
    handler.configure(Trust(frozenset()), Names())
    await keep(tx, delivery(headers={"origin-user": "payments"}))
    assert (await the_letter(tx))["origin_user"] is None


async def test_a_message_to_an_unbound_key_is_unroutable(tx: Transaction) -> None:
    await keep(tx, delivery(queue="unrouted", user_id="upstream"))
    row = await the_letter(tx)
    assert (row["queue"], row["reason"]) == ("unrouted", "unroutable")


async def test_body_and_headers_are_stored_as_ciphertext_only(tx: Transaction) -> None:
    await keep(tx, delivery(body=ADDRESS, headers={"note": "13900005678"}))
    row = await the_letter(tx)
    plain = " ".join(str(value) for name, value in row.items() if name not in ("body", "headers"))
    for secret in ("13800001234", "Zhang", "13900005678"):
        assert secret not in plain
        assert secret.encode() not in row["body"] + row["headers"]
    body, headers = dead_letters.opened(row)
    assert body == ADDRESS
    assert orjson.loads(headers)["headers"]["note"] == "13900005678"


async def test_the_same_message_again_is_counted_and_open_again(tx: Transaction) -> None:
    await keep(tx, delivery(tag=1), delivery(tag=2))
    row = await the_letter(tx)
    await dead_letter_decisions.discard(tx, [row], note="ana", reason="a test")
    await keep(tx, delivery())
    row = await the_letter(tx)
    assert (row["repeats"], row["state"]) == (2, "open")


async def test_another_body_or_queue_is_another_letter(tx: Transaction) -> None:
    await keep(tx, delivery(tag=1), delivery(tag=2, body=b"[]"), delivery(tag=3, queue="refunds.dlq"))
    assert await tx.fetchval("SELECT count(*) FROM dead_letters") == 3


async def test_messages_without_an_id_are_distinguished_by_their_bodies(tx: Transaction) -> None:
    await keep(
        tx, delivery(message_id=None), delivery(message_id=None, tag=2), delivery(message_id=None, body=b"x", tag=3)
    )
    rows = await tx.fetch("SELECT message_id, repeats FROM dead_letters ORDER BY repeats")
    assert [tuple(row) for row in rows] == [(None, 0), (None, 1)]


@pytest.mark.parametrize(
    ("body", "headers", "properties"),
    [
        (b"\x00\xff not text", {}, {}),
        (b"", {"reason": "nul \x00 and \udcff", "error-message": "x" * 70_000}, {}),
        (b"{}", {"nested": {"a": [b"\xff", None, 1.5, {"b": "\ud800"}]}, "\udcffkey": "v"}, {}),
        (b"{}", {"attempt": "9" * 40, "first-failed-at": "0001-01-01T00:00:00+23:59", "last-failed-at": "soon"}, {}),
        (b"{}", {"occurred-at": "9999-12-31T23:59:59-23:59"}, {"timestamp": wire.TIME_OUT_OF_RANGE}),
        (b"{}", {"x-death": "no list"}, {"message_id": "id \x00 \udcff" + "y" * 300, "message_type": "t\x00"}),
        (b"{}", {"x-death": [{"routing-keys": [], "reason": 5}]}, {"correlation_id": "\udc80", "user_id": None}),
    ],
)
async def test_every_dead_letter_can_be_kept_however_malformed(
    tx: Transaction, body: bytes, headers: dict[str, Any], properties: dict[str, Any]
) -> None:
    await keep(tx, delivery(body=body, headers=headers, **properties))
    assert dead_letters.opened(await the_letter(tx))[0] == body


async def test_many_letters_take_one_statement(tx: Transaction) -> None:
    await keep(tx, delivery())  # the driver asks for types once per connection
    statements = []
    tx.add_query_logger(lambda record: statements.append(record.query))
    await keep(tx, *(delivery(tag=n, message_id=f"m-{n}") for n in range(50)))
    await asyncio.sleep(0.01)  # the driver logs a query afterwards
    assert len(statements) == 1, statements


async def test_a_replay_goes_to_its_queue_alone_with_its_id_and_its_origin(tx: Transaction) -> None:
    sent = {"origin-user": "warehouse", "causation-id": "c-1", "attempt": "7", "x-death": [], "CC": "other"}
    await keep(tx, delivery(body=ADDRESS, headers=sent, reply_to="client.1", correlation_id="k-1"))
    await dead_letter_decisions.replay(tx, [await the_letter(tx)], to="stock", note="ana", reason="fixed")
    row = await tx.fetchrow("SELECT * FROM outbox")
    assert row is not None
    assert (row["destination"], row["routing_key"], row["message_id"]) == ("queue", "stock", "m-1")
    assert (row["type"], row["correlation_id"], row["must_route"]) == ("stock.receive.v1", "k-1", True)
    headers = orjson.loads(row["headers"])
    del headers["occurred-at"]
    letter_id = str((await the_letter(tx))["id"])
    assert headers == {
        "origin-user": "warehouse",
        "causation-id": "c-1",
        "reply-to": "client.1",
        "replay-of": letter_id,
    }
    assert row["key_id"] is not None
    assert b"13800001234" not in row["body"]
    assert cipher.current().decrypt(row["key_id"], row["body"], b"outbox") == ADDRESS


async def test_a_replay_is_recorded_with_who_and_why(tx: Transaction) -> None:
    await keep(tx, delivery())
    row = await the_letter(tx)
    await dead_letter_decisions.replay(tx, [row], to="stock", note="ana", reason="fixed")
    assert (await the_letter(tx))["state"] == "replayed"
    (action,) = await dead_letters.actions(tx, row["id"])
    user = await tx.fetchval("SELECT session_user")
    assert list(action.values())[:4] == ["replay", user, "ana", "fixed"]


async def test_a_letter_without_an_id_gets_one_that_stays_the_same(tx: Transaction) -> None:
    await keep(tx, delivery(message_id=None))
    for _ in range(2):
        await dead_letter_decisions.replay(tx, [await the_letter(tx)], to="stock", note="ana", reason="")
    assert await tx.fetchval("SELECT count(DISTINCT message_id) FROM outbox WHERE destination = 'queue'") == 1


async def test_a_replay_that_dies_opens_its_own_letter_again_with_its_traceback(tx: Transaction) -> None:
    await keep(tx, delivery(message_id=None))
    first = await the_letter(tx)
    await dead_letter_decisions.replay(tx, [first], to="stock", note="ana", reason="")
    sealed = tracebacks.seal(("workers/handlers/stock.py:7 in take", "KeyError"))
    about = {"replay-of": str(first["id"]), "reason": "failed", "attempt": "7", "traceback": sealed}
    await keep(tx, delivery(message_id=f"dead-letter/{first['id']}", headers=about))
    row = await the_letter(tx)
    assert (row["id"], row["state"], row["repeats"], row["reason"], row["attempts"]) == (
        first["id"],
        "open",
        1,
        "failed",
        7,
    )
    body, headers = dead_letters.opened(row)
    assert (body, orjson.loads(headers)["traceback"][-1]) == (b"{}", "KeyError")
    await keep(
        tx, delivery(message_id="m-9", user_id="checkout", headers=about)
    )  # a stranger's word counts for nothing
    await keep(tx, delivery(message_id="m-8", headers=about | {"replay-of": "999999"}))  # that letter is gone
    rows = await tx.fetch("SELECT repeats, message_id FROM dead_letters ORDER BY id")
    assert [tuple(row) for row in rows] == [(1, None), (0, "m-9"), (0, "m-8")]


async def test_a_packed_message_stays_one_pack(tx: Transaction) -> None:
    pack = b'{"items":[{"correlation_id":"a","causation_id":null,"occurred_at":"2026-11-22T00:00:00Z","body":{}}]}'
    await keep(tx, delivery(body=pack, message_type="stock.release.v1"))
    await dead_letter_decisions.replay(tx, [await the_letter(tx)], to="stock", note="ana", reason="")
    row = await tx.fetchrow("SELECT key_id, body FROM outbox")
    assert row is not None
    assert cipher.current().decrypt(row["key_id"], row["body"], b"outbox") == pack


def shown(name: str) -> float:
    """The value that /metrics shows for the queue `stock`."""
    value = REGISTRY.get_sample_value(name, {"queue": "stock"})
    assert value is not None
    return value


async def test_prometheus_sees_how_many_wait_and_since_when(tx: Transaction) -> None:
    await keep(tx, delivery(tag=1), delivery(tag=2, message_id="m-2"))
    await tx.execute("UPDATE dead_letters SET died_at = died_at - interval '1 hour'")
    await handler.measure(tx)
    assert shown("oms_dead_letters_open") == 2
    assert 3600 <= shown("oms_dead_letters_oldest_age_seconds") < 3700
    await tx.execute("UPDATE dead_letters SET state = 'discarded'")
    await handler.measure(tx)
    assert shown("oms_dead_letters_open") == shown("oms_dead_letters_oldest_age_seconds") == 0


def test_every_dead_letter_queue_and_the_unrouted_one_are_collected() -> None:
    collected = {route.queue for route in handler.ROUTES}
    assert collected == {f"{queue}.dlq" for queue in QUEUES} | {"unrouted"}
    assert all(isinstance(route, RawRoute) for route in handler.ROUTES)
