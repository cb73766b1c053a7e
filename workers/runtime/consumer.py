"""The consumer of one queue: it subscribes, takes batches, pauses while the database is away, resumes after a loss."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import uniform

import structlog
from aio_pika.exceptions import AMQPError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_delay, wait_exponential

from db.errors import UnavailableError
from workers.runtime import inbox
from workers.runtime.collector import Collector
from workers.runtime.decode import Work
from workers.runtime.delivery import Delivery
from workers.runtime.health import Health
from workers.runtime.policy import Outcome
from workers.runtime.process import QueueContext, process
from workers.runtime.settle import Settler
from workers.runtime.subscription import Link, Subscription
from workers.telemetry import lines, metrics

log = structlog.get_logger(__name__)

LOST = (AMQPError, OSError, TimeoutError, RuntimeError, asyncio.CancelledError)
RESUBSCRIBE_WAIT_MIN_SECONDS = 0.1
RESUBSCRIBE_WAIT_MAX_SECONDS = 5.0
SUPERVISE_SECONDS = 30.0
PROBE_WAIT_MAX_SECONDS = 5.0
PAUSE_MAX_SECONDS = 20 * 60.0  # below 30 minutes, when the broker closes a channel that acknowledges nothing


@dataclass(frozen=True)
class Consumer:
    """Runs until `stop` is set, then finishes the delivered messages. Each process has one per route."""

    context: QueueContext
    link: Link
    decode: Callable[[Delivery], Work]
    settler: Settler
    health: Health
    stop: asyncio.Event

    @property
    def queue(self) -> str:
        """The queue's name without the prefix."""
        return self.context.route.queue

    async def run(self) -> None:
        """Consume until `stop` is set. Errors of the broker and the database never end it."""
        wait_seconds = RESUBSCRIBE_WAIT_MIN_SECONDS
        while not self.stop.is_set():
            started = time.monotonic()
            try:
                await self._session()
            except UnavailableError:
                await self._wait_for_database()
            except LOST as error:
                # aio-pika raises CancelledError also when a channel closes
                if isinstance(error, asyncio.CancelledError) and _cancelled():
                    raise
                self._log(log.warning, "consumer restarts", error)
            lasted = time.monotonic() - started > 2 * RESUBSCRIBE_WAIT_MAX_SECONDS
            wait_seconds = RESUBSCRIBE_WAIT_MIN_SECONDS if lasted else wait_seconds
            await self._wait(wait_seconds * uniform(0.5, 1.0))  # noqa: S311 (workers lose a broker at the same moment)
            wait_seconds = min(2 * wait_seconds, RESUBSCRIBE_WAIT_MAX_SECONDS)

    async def _session(self) -> None:
        """Consume over one channel until it ends. Raises what ended it, unless `stop` did."""
        collector = Collector(self.context.route.batch_max_items, self.link.pace)
        subscription = Subscription(
            await self.link.channel(self.stop),
            self.settler.names.queue(self.queue),
            self.context.route.prefetch,
            lambda delivery: self._arrived(collector, delivery),
            collector.drop,
        )
        watching = asyncio.create_task(self._watch(subscription, collector))
        try:
            if self.stop.is_set():  # while it waited for the broker: a paused queue would give a message all the same
                return
            await subscription.start()
            self.health.consuming(self.queue, True)
            log.info("consuming", queue=self.queue)
            await self._work(subscription, collector)
            if not self.stop.is_set():
                raise ConnectionError("the broker ended the channel or its consumer")
        finally:
            watching.cancel()
            self.health.consuming(self.queue, False)
            collector.drop()
            metrics.lost(self.queue)
            with suppress(*LOST):
                await subscription.channel.close()

    def _arrived(self, collector: Collector, delivery: Delivery) -> None:
        work = self.decode(delivery)
        metrics.received(self.queue, work)
        collector.put(work)

    async def _work(self, subscription: Subscription, collector: Collector) -> None:
        while works := await collector.take():
            fresh = not all(work.delivery.delivered_before for work in works)
            if subscription.careful and fresh and not self.link.pace.full:  # else its answer would wait for memory
                await subscription.widen()
            outcomes = await self._outcomes(works, collector)
            await self.settler.settle(self.queue, subscription, outcomes)
            collector.done(sum(work.body_bytes for work in works))
            del works, outcomes  # their bodies, while this waits for the next message

    async def _outcomes(self, works: Sequence[Work], collector: Collector) -> list[Outcome]:
        """Return an outcome for each message, tried again while the database is away.

        Raises UnavailableError after PAUSE_MAX_SECONDS, when the channel is lost, when the process stops, and when the
        messages take too much memory to be kept during an outage.
        """
        too_long = stop_after_delay(PAUSE_MAX_SECONDS)
        probing = AsyncRetrying(
            retry=retry_if_exception_type(UnavailableError),
            wait=wait_exponential(0.2, PROBE_WAIT_MAX_SECONDS),
            stop=lambda state: too_long(state) or collector.dropped or self.stop.is_set() or self.link.pace.full,
            sleep=self._wait,
            before_sleep=self._pause,
            reraise=True,
        )
        try:
            return await probing(process, self.context, works)
        finally:
            self.health.paused(self.queue, False)

    def _pause(self, state: RetryCallState) -> None:
        """Note the pause. The batch itself is the probe: it is tried again as a whole, and no attempt is counted."""
        self.health.paused(self.queue, True)
        error = state.outcome.exception() if state.outcome else None
        lines.paused(self.queue, state.args[1], error)

    async def _wait_for_database(self) -> None:
        """Wait without holding messages, because another worker may reach the database."""
        self.health.paused(self.queue, True)
        while not (self.stop.is_set() or await inbox.accepts_writes(self.context.pool)):
            await self._wait(PROBE_WAIT_MAX_SECONDS)
        self.health.paused(self.queue, False)

    async def _watch(self, subscription: Subscription, collector: Collector) -> None:
        """End the subscription when `stop` is set. Drop it when the broker no longer knows its consumer."""
        try:
            while not self.stop.is_set():
                await self._wait(SUPERVISE_SECONDS)
                if not (self.stop.is_set() or await subscription.alive()):
                    raise ConnectionError("the broker has no consumer on the queue any more")
            await subscription.end()
            collector.end()
        except LOST as error:
            self._log(log.info, "subscription ended", error)
            collector.drop()

    def _log(self, write: Callable[..., object], event: str, error: BaseException) -> None:
        """Write a line about this queue alone. If the connection of all is lost, the link has written one already."""
        if self.link.up:
            write(event, queue=self.queue, error=type(error).__qualname__, why=str(error)[:200])

    async def _wait(self, seconds: float) -> None:
        """Sleep, but end the sleep when the process stops."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), seconds)


def _cancelled() -> bool:
    """True when this task is being cancelled, as against a CancelledError of the client library."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
