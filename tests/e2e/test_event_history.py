"""A consumer that comes later gets every event from the stream that keeps them, in order and as often as it likes."""

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from messages.event_history import EventHistory
from outbox import declare, wire
from scripts.commands.event_reading import KeptEvent, Start
from scripts.commands.events import EventFilter, Reading, chosen, described, forward
from scripts.commands.problems import CommandError
from tests.broker import TIERS_SECONDS
from tests.e2e.system import SKU, RunningSystem

ROOT = Path(__file__).parents[2]
HISTORY = EventHistory(max_age_seconds=3600, max_bytes=10**8, segment_bytes=10**6)
EVERYTHING = EventFilter()
STORY = ["order.created.v1", "order.paid.v1", "order.shipped.v1", "order.delivered.v1"]


@pytest.fixture(scope="module")
async def order_id(system: RunningSystem) -> str:
    """A delivered order, which began after the history was switched on; another one is only placed."""
    await declare.declare(system.broker["topology"], system.broker.names, TIERS_SECONDS, history=HISTORY)
    created = await system.upstream.place_order((SKU, 2))
    await system.upstream.place_order((SKU, 1))
    await system.payments.pay(created)
    await system.upstream.wait_for_events("order.paid")
    await system.upstream.ship(created["order_id"], "T-history", "outbound", "delivered")
    await system.upstream.wait_for_events("order.delivered")
    return str(created["order_id"])


@pytest.fixture(autouse=True)
def _as_worker(system: RunningSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of a command that runs in this process."""
    monkeypatch.setenv("OMS_AMQP_URL", system.broker["worker"])
    monkeypatch.setenv("OMS_PREFIX", system.broker.names.prefix)


async def oms(system: RunningSystem, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `oms events` as a process, as the on-call user of the broker."""
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "scripts.cli", "events", *arguments],
        cwd=ROOT,
        env=os.environ | {"OMS_AMQP_URL": system.broker["oncall"], "OMS_DATABASE_URL": system.database_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def read(place: Start, wanted: EventFilter = EVERYTHING) -> tuple[list[KeptEvent], Reading]:
    reading = Reading()
    return [event async for event in chosen(place, wanted, reading)], reading


async def test_a_process_prints_every_event_of_an_order_in_order_and_another_reading_finds_the_same(
    system: RunningSystem, order_id: str
) -> None:
    ran = await oms(system, "replay", "--from", "first", "--order", order_id)
    assert ran.returncode == 0, ran.stderr
    printed = [orjson.loads(line) for line in ran.stdout.splitlines()]
    story = [(one["type"], one["body"]["version"] - 1) for one in printed if one["type"].startswith("order.")]
    assert story == list(zip(STORY, (1, 2, 3, 4), strict=True))
    assert [one["seq"] for one in printed if one["stream"] == order_id] == [*range(1, len(printed) + 1)]
    assert f"of which {len(printed)} printed" in ran.stderr
    events, _ = await read("first", EventFilter(order=order_id))
    assert [described(event) for event in events] == printed


async def test_a_new_consumer_gets_the_events_under_their_ids_and_nobody_else_does(
    system: RunningSystem, order_id: str
) -> None:
    queue, known = "client.storefront.ledger", len(system.upstream.events)
    wanted = EventFilter(order=order_id, type="order.*", until=datetime.now(UTC))
    place = datetime.now(UTC) - timedelta(hours=1)
    events, _ = await read(place, wanted)
    with pytest.raises(CommandError, match=f"{queue} does not take events") as refused:
        await forward(place, wanted, queue, Reading())
    assert refused.value.lines[-1].endswith(f"the same command with --from {events[0].offset}")

    connection = await wire.connect(system.broker["storefront-events"], name="test")
    channel = await connection.channel()
    consumer = await channel.declare_queue(queue, durable=True)
    await forward(place, wanted, queue, Reading())
    got = [await consumer.get(no_ack=True) for _ in STORY]
    assert await consumer.get(fail=False) is None
    assert [one.type for one in got] == STORY
    assert [(one.message_id, orjson.loads(one.body)) for one in got] == [(e.message_id, e.body) for e in events]
    assert [(one.headers["seq"], one.headers["conversation-id"]) for one in got] == [
        (event.seq, event.body["conversation_id"]) for event in events
    ]
    assert "x-stream-offset" not in got[0].headers
    await consumer.delete(if_unused=False, if_empty=False)
    await wire.close(connection)
    assert len(system.upstream.events) == known


@pytest.mark.usefixtures("order_id")
async def test_a_later_reading_goes_on_where_one_ended() -> None:
    events, reading = await read("first")
    offsets = [event.offset for event in events]
    assert offsets == list(range(offsets[0], offsets[-1] + 1))
    assert (reading.read, reading.offset, reading.end) == (len(events), offsets[-1], offsets[-1])
    rest, _ = await read(offsets[2])
    assert [event.offset for event in rest] == offsets[2:]
    assert (await read(offsets[-1] + 1))[0] == []


async def test_the_kept_events_agree_with_the_database_until_a_row_is_changed(
    system: RunningSystem, order_id: str
) -> None:
    arguments = ("verify", "--grace-seconds", "0", "-o", "json")
    agreeing = await oms(system, *arguments)
    assert (agreeing.returncode, orjson.loads(agreeing.stdout)) == (0, []), agreeing.stderr
    assert "the events of 2 orders agree" in agreeing.stderr
    hide = "UPDATE orders SET deleted = $2 WHERE id = $1"
    await system.pool.execute(hide, int(order_id), True)
    different = await oms(system, *arguments, "--order", order_id)
    await system.pool.execute(hide, int(order_id), False)
    assert different.returncode == 3
    assert orjson.loads(different.stdout) == [{"order": order_id, "difference": "deleted is True, by the events False"}]
