"""`oms doctor` finds each fault of a deployment, and none in one that is well."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pika
import psycopg
import pytest

from db.migrate import LOCK_SLOTS_MIN, SchemaStatus
from messages.topology import QUEUES, Names, topology
from messages.topology import tiers_seconds as tiers
from outbox import declare
from scripts.commands.broker_health import BROKER_CHECKS
from scripts.commands.broker_readings import BrokerReadings, QueueCount
from scripts.commands.database_health import DATABASE_CHECKS, DatabaseReadings, LetterAges, skew_seconds
from scripts.commands.health_checks import Diagnosis
from scripts.servers.find import Servers
from scripts.servers.roles import permissions
from tests.broker import Broker
from tests.scripts.oms_command import Oms

WINDOW_SECONDS = 1800  # the default of OMS_PAYMENT_WINDOW_SECONDS, so that the settings need not name it
NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def shop(broker: Broker, database_url: str, servers: Servers) -> dict[str, str]:
    """The variables of a shop that is set up: a topology, a database, a relay."""
    asyncio.run(declare.declare(broker["topology"], broker.names, tiers(WINDOW_SECONDS)))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO outbox_relays (owner, live_until) VALUES ('relay', now() + interval '1 h')")
    return {
        "database_url": database_url,
        "amqp_url": broker["worker"],
        "prefix": broker.names.prefix,
        "management_url": servers.broker.management_url or "",
    }


@contextmanager
def consuming(broker: Broker) -> Iterator[None]:
    """Consume every queue that a worker serves without payment providers, as far as it exists."""
    wanted = [broker.names.unrouted, *(broker.names.dlq(name) for name in QUEUES)]
    wanted += [broker.names.queue(name) for name in QUEUES if not name.startswith("provider-calls.")]
    wanted += [one.name for one in topology(broker.names, ()).queues if "x-message-ttl" in one.arguments]
    with pika.BlockingConnection(pika.URLParameters(broker["worker"])) as connection:
        channel = connection.channel()
        for name in dict.fromkeys(wanted):
            channel.basic_consume(name, lambda *_: None)
        yield


def by_check(rows: list[dict[str, str]], diagnosis: str) -> dict[str, str]:
    return {row["check"]: row["found"] for row in rows if row["diagnosis"] == diagnosis}


DAMAGE = """
DELETE FROM outbox_relays;
INSERT INTO outbox
    (shard, stream, message_id, type, destination, routing_key, correlation_id, headers, body, must_route, created_at)
    VALUES (1, 's', 'm', 't', 'events', 'k', 'c', '', '', false, now() - interval '2 h');
INSERT INTO outbox_holds (stream, shard, until, attempts, reason, destination, routing_key)
    VALUES ('h', 2, now(), 1, 'unroutable: x', 'events', 'k');
INSERT INTO timers (kind, key, due_at, wake_at) VALUES ('payment', 1, now(), now() - interval '5 min');
INSERT INTO dead_letters (queue, body_hash, reason, key_id, body, headers, died_at)
    VALUES ('stock', '', 'x', 'k', '', '', now() - interval '3 d');
INSERT INTO consumer_pauses (queue, actor, reason, since) VALUES ('carts', 'ana', 'OPS-7', now() - interval '3 h'),
    ('order-numbers', 'ana', 'OPS-8', now() - interval '2 h');
UPDATE alembic_version SET version_num = '0070';
"""
FOUND = {
    "migrations": "0071",
    "relays": "no relay is alive",
    "outbox": "1 message waiting, the oldest for 2 h",
    "holds": "1 stream held",
    "timers": "late by 5 min",
    "pauses": "carts for 3 h by ana: OPS-7",
    "dead letters": "1 open, the oldest for 3 d",
    "exchanges": "missing: oms.dlx",
    "dead-letter exchange": "oms.dlx is missing",
    "exchange types": "oms.events: type is fanout in place of topic",
    "queues": "missing: oms.carts",
    "queue types": "oms.refunds: dead-letter-exchange is not set in place of oms.dlx",
    "bindings": "oms.dlx to oms.order-creation.dlq by oms.order-creation",
    "consumers": "oms.order-creation (0 waiting)",
    "permissions": "it may not read oms.carts",
}
"""Check -> a part of what it finds in the damaged shop."""


def damage(broker: Broker, database_url: str, servers: Servers) -> None:
    names = broker.names
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(DAMAGE)  # type: ignore[arg-type, unused-ignore]
    with pika.BlockingConnection(pika.URLParameters(broker["admin"])) as connection:
        channel = connection.channel()
        for exchange in (names.dlx, names.events):
            channel.exchange_delete(exchange)
        channel.exchange_declare(names.events, "fanout", durable=True)
        for queue in ("carts", "refunds"):
            channel.queue_delete(names.queue(queue))
        channel.queue_declare(names.queue("refunds"), durable=True, arguments={"x-queue-type": "quorum"})
    write = permissions(names.prefix)["worker"].write
    servers.broker.management.grant(broker.vhost, "oms-worker", configure="^$", write=write, read="stock")


def test_a_deployment_that_is_well_has_no_finding_and_each_fault_that_comes_is_found(
    oms: Oms, shop: dict[str, str], broker: Broker, servers: Servers
) -> None:
    if not broker.has_roles:
        pytest.skip("one URL serves every role")
    with consuming(broker):
        done = oms("doctor", "-o", "json", **shop)
        assert (by_check(done.json, "wrong"), by_check(done.json, "not looked at")) == ({}, {})
        assert (done.code, done.err) == (0, "no finding, 0 not looked at\n")
        away = oms("doctor", "--section", "broker", management_url="http://oms-oncall:s3cr3t@127.0.0.1:1")
        blind = oms("doctor", "--section", "broker", management_url="")
    assert blind.code == 0, blind.err
    assert "not looked at: management, version, feature flags" in blind.err
    assert "next: export OMS_MANAGEMENT_URL=" in blind.err
    assert (away.code, "oms: broker, management: the management interface does not answer" in away.err) == (1, True)
    assert "s3cr3t" not in away.out + away.err
    damage(broker, shop["database_url"], servers)
    done = oms("doctor", "-o", "json", **shop)
    found = by_check(done.json, "wrong")
    assert {check: found.get(check) for check, part in FOUND.items() if part not in found.get(check, "")} == {}
    assert (set(found), done.code) == (set(FOUND), 1)
    assert "oms.order-numbers (" not in found["consumers"], "a paused queue is one finding"
    assert (
        "oms.order-numbers (" in by_check(oms("doctor", "--section", "broker", "-o", "json").json, "wrong")["consumers"]
    )
    shown = oms("doctor", "--section", "database").err
    assert "oms: database, relays: no relay is alive\n  why:  without one no event" in shown
    assert "\n  next: oms relay\n" in shown
    assert "\n  next: oms consumers resume carts --reason" in shown


def test_a_server_that_does_not_answer_is_a_finding_and_the_other_is_looked_at(
    oms: Oms, database_url: str, empty_database_url: str
) -> None:
    away = "amqp://nobody:s3cr3t@127.0.0.1:1/"
    done = oms("doctor", "-o", "json", database_url=database_url, amqp_url=away)
    assert done.code == 2
    assert by_check(done.json, "wrong").keys() == {"reading", "relays"}
    assert "s3cr3t" not in done.out + done.err
    bare = oms("doctor", "--section", "database", "-o", "json", database_url=empty_database_url)
    assert (bare.code, set(by_check(bare.json, "wrong"))) == (1, {"migrations"})
    assert "relays" in by_check(bare.json, "not looked at")
    assert oms("doctor", "--section", "cache", database_url=database_url).code == 1


def test_a_missing_setting_is_named_in_its_section(oms: Oms) -> None:
    done = oms("doctor", "-o", "json")
    assert done.code == 2
    assert [row["next"] for row in done.json] == ["export OMS_DATABASE_URL=...", "export OMS_AMQP_URL=..."]


WELL_DATABASE = DatabaseReadings(
    schema=SchemaStatus(revision="0002", newest="0002", pending=[], partitions=[]),
    lock_slots_min=LOCK_SLOTS_MIN,
    lock_slots=LOCK_SLOTS_MIN,
    standby=False,
    skew_seconds=0.0,
    now=NOW,
    partitions_until=NOW + timedelta(days=90),
    outbox={"relays": 1, "pending": 5, "oldest_age_seconds": 3.0, "held_streams": 0},
    timers={"running": 7, "lag_seconds": 0.0},
    letters=LetterAges(open=1, oldest_age_seconds=60.0, old_seconds=86_400),
)
DATABASE_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("database", {"standby": True}),
    ("migrations", {"schema": SchemaStatus("0003", "0002", [], [])}),
    ("migrations", {"schema": SchemaStatus(None, "0002", [("0001", "a"), ("0002", "b")], [])}),
    ("locks", {"lock_slots": LOCK_SLOTS_MIN - 1}),
    ("clock", {"skew_seconds": 2.5}),
    ("clock", {"skew_seconds": -2.5}),
    ("partitions", {"partitions_until": NOW + timedelta(days=13)}),
    ("partitions", {"partitions_until": None}),
]
NAMES = Names()
WANTED = topology(NAMES, (), warehouses=["east"])
WORKER = permissions()["worker"]
WELL_BROKER = BrokerReadings(
    names=NAMES,
    shop_prefix="oms",
    cells=(),
    user="oms-worker",
    wanted=WANTED,
    blocked=False,
    exchanges=frozenset(one.name for one in WANTED.exchanges),
    queues={one.name: QueueCount(0, 1) for one in WANTED.queues}
    | {"oms.warehouse.east": QueueCount(0, 0), "oms.provider-calls.stripe": QueueCount(0, 0)},
    answers={
        "overview": {"rabbitmq_version": "3.10.8"},
        "flags": [{"name": "quorum_queue", "state": "enabled"}, {"name": "khepri_db", "state": "disabled"}],
        "nodes": [{"name": "rabbit@a", "running": True, "mem_alarm": False, "disk_free_alarm": False}],
        "connections": [{"name": "c", "user": "oms-relay", "state": "running"}],
        "exchanges": [{"name": one.name, "type": one.type, "arguments": one.arguments} for one in WANTED.exchanges],
        "queues": [{"name": one.name, "type": "quorum", "arguments": one.arguments} for one in WANTED.queues],
        "bindings": [
            {"source": one.exchange, "destination": one.queue, "routing_key": one.routing_key}
            for one in WANTED.bindings
        ],
        "permissions": {"configure": WORKER.configure, "write": WORKER.write, "read": WORKER.read},
    },
)
BROKER_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("version", {"overview": {"rabbitmq_version": "3.9.29"}}),
    ("feature flags", {"flags": [{"name": "stream_queue", "state": "disabled"}]}),
    ("alarms", {"nodes": [{"name": "rabbit@a", "running": True, "disk_free_alarm": True}]}),
    ("alarms", {"nodes": [{"name": "rabbit@a", "running": False}]}),
    ("blocked connections", {"connections": [{"name": "c", "user": "oms-relay", "state": "blocked"}]}),
    ("permissions", {"permissions": {"configure": ".*", "write": WORKER.write, "read": WORKER.read}}),
]


def wrong_checks(checks: Any, readings: Any) -> list[str]:
    return [one.name for one in checks if one.result("s", readings).diagnosis is Diagnosis.WRONG]


def test_each_fault_that_no_test_can_cause_on_a_server_is_found() -> None:
    assert wrong_checks(DATABASE_CHECKS, WELL_DATABASE) == []
    for check, fault in DATABASE_FAULTS:
        assert wrong_checks(DATABASE_CHECKS, replace(WELL_DATABASE, **fault)) == [check], fault
    assert wrong_checks(BROKER_CHECKS, WELL_BROKER) == []
    for check, fault in BROKER_FAULTS:
        answers = {**WELL_BROKER.answers, **fault}
        assert wrong_checks(BROKER_CHECKS, replace(WELL_BROKER, answers=answers)) == [check], fault
    assert wrong_checks(BROKER_CHECKS, replace(WELL_BROKER, blocked=True)) == ["blocked connections"]


@pytest.mark.parametrize(
    ("queue", "messages", "missed"),
    [
        ("stock", 0, True),
        ("provider-calls.stripe", 0, False),
        ("provider-calls.stripe", 1, True),
        ("provider-calls.stripe.dlq", 0, True),
        ("warehouse.east", 0, False),
        ("warehouse.east", 1, True),
    ],
)
def test_a_queue_that_a_shop_need_not_serve_wants_a_consumer_once_something_waits(
    queue: str, messages: int, missed: bool
) -> None:
    queues = {**WELL_BROKER.queues, NAMES.queue(queue): QueueCount(messages, 0)}
    found = wrong_checks(BROKER_CHECKS, replace(WELL_BROKER, queues=queues))
    assert found == (["consumers"] if missed else [])


def test_a_clock_is_off_only_by_what_the_round_trip_does_not_explain() -> None:
    second = timedelta(seconds=1)
    for theirs, skew in ((NOW + second / 2, 0.0), (NOW + 3 * second, 2.0), (NOW - second, -1.0)):
        assert skew_seconds(NOW, theirs, NOW + second) == skew
