"""The collector makes natural batches: what waits is taken together, and nothing waits for more."""

import asyncio

import pytest

from tests.runtime.builders import command, timers
from workers.runtime.collector import Collector
from workers.runtime.decode import Work


async def test_a_message_that_is_alone_is_a_batch_at_once() -> None:
    collector = Collector(200)
    taking = asyncio.create_task(collector.take())
    await asyncio.sleep(0)
    work = command("a")
    collector.put(work)
    assert await taking == [work]


async def test_messages_that_arrived_meanwhile_are_one_batch_in_order_of_arrival() -> None:
    collector = Collector(200)
    works = [command(str(number)) for number in range(5)]
    for work in works:
        collector.put(work)
    assert await collector.take() == works


@pytest.mark.parametrize(("sizes", "expected"), [([2, 2, 2], [2, 1]), ([9, 1], [1, 1]), ([1, 9], [1, 1]), ([4], [1])])
async def test_a_batch_is_limited_by_items_and_never_empty(sizes: list[int], expected: list[int]) -> None:
    collector = Collector(4)
    for number, size in enumerate(sizes):
        collector.put(timers(str(number), *range(1, size + 1)))
    assert [len(await collector.take()) for _ in expected] == expected


async def test_after_the_end_the_rest_is_handed_out_and_then_nothing() -> None:
    collector, work = Collector(200), command("a")
    collector.put(work)
    collector.end()
    assert [await collector.take(), await collector.take()] == [[work], []]


async def test_a_lost_channels_messages_are_forgotten_and_later_ones_refused() -> None:
    collector = Collector(200)
    collector.put(command("a"))
    collector.drop()
    collector.put(command("b"))
    nothing: list[Work] = []
    assert await collector.take() == nothing
