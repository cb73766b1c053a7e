"""Ends the consumer of a queue that a person has paused, and begins again when it is resumed.

What was delivered is finished first. While `stock` is paused, what others announce to it leaves by the broker and waits
there: local dispatch passes the queue by. The queue's chores go on.
"""

import asyncio
from dataclasses import replace

import structlog

from outbox import paused_queues
from workers.runtime.consumer import Consumer

log = structlog.get_logger(__name__)


async def attend(consumer: Consumer) -> None:
    """Run a consumer until the process stops, but not while its queue is paused."""
    queue, stop = consumer.queue, consumer.stop
    while not stop.is_set():
        halt = asyncio.Event()
        await asyncio.gather(replace(consumer, stop=halt).run(), _wait(queue, stop, halt, paused=True))
        if not stop.is_set():
            log.warning("a person has paused the queue", queue=queue)
            consumer.health.paused_by_hand(queue, True)
            await _wait(queue, stop, asyncio.Event(), paused=False)
            consumer.health.paused_by_hand(queue, False)


async def _wait(queue: str, stop: asyncio.Event, then: asyncio.Event, *, paused: bool) -> None:
    """Wait until the queue is paused, or is so no more, or the process stops; then set `then`."""
    while not stop.is_set() and (queue in paused_queues.current()) is not paused:
        await paused_queues.changed(stop)
    then.set()
