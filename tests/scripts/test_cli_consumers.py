"""`oms consumers` pauses and resumes queues, and says who did it and why."""

import asyncio

from outbox import declare
from scripts.commands.consumers import urgent_first
from scripts.servers.find import Servers
from tests.broker import Broker
from tests.handlers.harness import HandlerHarness
from tests.scripts.oms_command import Oms
from tests.scripts.placed import with_handlers

WHY = ("--reason", "OPS-7", "--yes")


def test_a_pause_is_recorded_and_shown_until_it_is_resumed(oms: Oms, database_url: str) -> None:
    planned = oms("consumers", "pause", "stock", "--dry-run", "-o", "json", database_url=database_url)
    assert planned.json[0]["plan"].startswith("new orders stay placing")
    assert oms("consumers", "list", "--paused", "-o", "json").json == []
    assert oms("consumers", "pause", "stock", "--yes").code == 1  # without a reason
    unknown = oms("consumers", "pause", "stok", *WHY)
    assert (unknown.code, "near it are stock" in unknown.err, "refunds.dlq" in unknown.err) == (1, True, False)
    assert oms("consumers", "pause", "stock", "refunds.dlq", *WHY, actor="Ana").code == 0
    again = oms("consumers", "pause", "stock", *WHY)
    assert (again.code, "nothing to pause" in again.err) == (0, True)
    shown = oms("consumers", "list", "--paused", "-o", "json").json
    assert [(row["queue"], row["state"], row["reason"]) for row in shown] == [
        ("stock", "paused", "OPS-7"),
        ("refunds.dlq", "paused", "OPS-7"),
    ]
    assert shown[0]["by"].endswith(" (Ana)")
    unpaid = str(with_handlers(database_url, HandlerHarness.place_order))
    for looked in (oms("stuck"), oms("order", "show", unpaid), oms("order", "explain", unpaid)):
        assert "a person has paused the queue stock" in looked.err
        assert "next: oms consumers resume stock" in looked.err
    assert oms("consumers", "resume", "stock", "refunds.dlq", *WHY).code == 0
    assert "paused" not in oms("order", "explain", unpaid).err
    actions = [row["action"] for row in oms("interventions", "-o", "json").json]
    assert actions == ["consumer.resume", "consumer.resume", "consumer.pause", "consumer.pause"]


def test_the_list_shows_what_the_broker_says_of_each_queue(
    oms: Oms, database_url: str, broker: Broker, servers: Servers
) -> None:
    asyncio.run(declare.declare(broker["topology"], broker.names, (1,)))
    for about in ({"amqp_url": broker["worker"]}, {"management_url": servers.broker.management_url or ""}):
        rows = oms("consumers", "list", "-o", "json", database_url=database_url, prefix=broker.names.prefix, **about)
        by_queue = {row["queue"]: row for row in rows.json}
        assert by_queue["stock"]["state"] == "no consumer"
        assert by_queue["stock"]["messages"] == 0
    away = oms("consumers", "list", "--paused", management_url="http://127.0.0.1:1")
    assert (away.code, "does not answer" in away.err) == (0, True)


def test_the_list_begins_with_what_nobody_consumes() -> None:
    rows = [
        {"queue": name, "state": state, "messages": waiting}
        for name, state, waiting in (
            ("stock", "consumed", 0),
            ("refunds", "consumed", 9),
            ("carts", "no consumer", 0),
            ("queries", "paused", 3),
            ("disputes", "-", None),
        )
    ]
    assert [row["queue"] for row in urgent_first(rows)] == ["queries", "carts", "disputes", "refunds", "stock"]
