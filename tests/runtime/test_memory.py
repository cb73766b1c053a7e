"""The bodies that a worker holds are bounded by bytes, not only by number: large ones arrive more slowly."""

import asyncio
import time
from uuid import uuid4

import pytest

from tests.runtime.builders import DELETE, command, delete
from tests.runtime.harness import WorkerHarness, write_effects
from workers.runtime import collector as collectors
from workers.runtime import pace as paces
from workers.runtime import subscription
from workers.runtime.collector import Collector
from workers.runtime.pace import Pace
from workers.runtime.route import Route

KIB = 1024
RUBBISH = b"{" * 200 * KIB


class Recorded(Pace):
    """Remembers the most bytes that were in flight."""

    peak_bytes = 0

    def add(self, count: int) -> None:
        super().add(count)
        Recorded.peak_bytes = max(Recorded.peak_bytes, self.in_flight_bytes)


async def test_large_bodies_arrive_no_faster_than_they_are_settled(
    harness: WorkerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rubbish that the prefetch of 400 would let in at once: 100 bodies of 200 KiB, here with a limit of 2 MiB."""
    monkeypatch.setattr(paces, "IN_FLIGHT_MAX_BYTES", 2048 * KIB)
    monkeypatch.setattr(collectors, "BATCH_MAX_BYTES", 600 * KIB)
    monkeypatch.setattr(Recorded, "peak_bytes", 0)
    made: list[Recorded] = []
    monkeypatch.setattr(subscription.Link, "__init__", recording(subscription.Link.__init__, made))
    first = await harness.client.publish(DELETE, delete())
    for _ in range(100):
        await harness.client.publish(DELETE, RUBBISH)
    last = await harness.client.publish(DELETE, delete())
    async with harness.running(Route("order-changes", write_effects)):
        assert await harness.wait_for_effects(2) == [first, last]
    assert (
        600 * KIB < Recorded.peak_bytes <= (2048 + 2 * 200) * KIB
    )  # the body that passes the limit is read to its end
    assert [pace.in_flight_bytes for pace in made] == [0]


def recording(init: object, made: list[Recorded]) -> object:
    """Give each Link a pace that remembers."""

    def initialize(link: subscription.Link, *given: object, **named: object) -> None:
        made.append(Recorded())
        init(link, *given, **{**named, "pace": made[-1]})  # type: ignore[operator]

    return initialize


async def test_a_full_memory_lets_frames_pass_in_time_for_the_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "TRICKLE_SECONDS", 0.1)
    pace = Pace()
    pace.add(paces.IN_FLIGHT_MAX_BYTES)
    started = time.monotonic()
    await pace()
    assert 0.05 < time.monotonic() - started < 5
    waiting = asyncio.create_task(pace())
    pace.add(-1)
    await asyncio.wait_for(waiting, 5)
    assert not pace.full


async def test_a_batch_ends_at_its_bytes_but_holds_one_message_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    works = [command(uuid4().hex) for _ in range(5)]
    monkeypatch.setattr(collectors, "BATCH_MAX_BYTES", 2 * works[0].body_bytes)
    collector = Collector(200)
    for work in works:
        collector.put(work)
    assert [len(await collector.take()) for _ in range(3)] == [2, 2, 1]
    monkeypatch.setattr(collectors, "BATCH_MAX_BYTES", 1)
    collector.put(works[0])
    assert len(await collector.take()) == 1


def test_bytes_are_given_back_once_whether_settled_or_dropped() -> None:
    collector, work = Collector(200), command("a")
    for _ in range(2):
        collector.put(work)
    collector.done(work.body_bytes)
    assert collector.pace.in_flight_bytes == work.body_bytes
    collector.drop()
    collector.done(work.body_bytes)
    assert collector.pace.in_flight_bytes == 0
