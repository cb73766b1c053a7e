"""One queue's worker: subscribes, takes batches, waits while the database is away, and begins again after any loss."""

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
from workers.runtime import inbox, metrics
from workers.runtime.collector import Collector
from workers.runtime.decode import Work
from workers.runtime.delivery import Delivery
from workers.runtime.health import Health
from workers.runtime.policy import Outcome
from workers.runtime.process import QueueContext, process
from workers.runtime.settle import Settler
from workers.runtime.subscription import Link, Subscription

log = structlog.get_logger(__name__)

LOST = (AMQPError, OSError, TimeoutError, RuntimeError, asyncio.CancelledError)
RESUBSCRIBE_WAIT_MIN_SECONDS = 0.1
RESUBSCRIBE_WAIT_MAX_SECONDS = 5.0
SUPERVISE_SECONDS = 30.0
PROBE_WAIT_MAX_SECONDS = 5.0
PAUSE_MAX_SECONDS = 20 * 60.0  # the broker closes a channel that acknowledges nothing for 30 minutes


@dataclass(frozen=True)
class Consumer:
    """Runs until `stop` is set, then finishes what was delivered. One per route and process; more processes share."""

    context: QueueContext
    link: Link
    decode: Callable[[Delivery], Work]
    settler: Settler
    health: Health
    stop: asyncio.Event

    @property
    def queue(self) -> str:
        """Without the prefix."""
        return self.context.route.queue

    async def run(self) -> None:
        """Never raises for the broker or the database."""
        wait_seconds = RESUBSCRIBE_WAIT_MIN_SECONDS
        while not self.stop.is_set():
            started = time.monotonic()
            try:
                await self._session()
            except UnavailableError:
                await self._until_database_is_back()
            except LOST as error:
                # the client library raises CancelledError also when a channel closes
                if isinstance(error, asyncio.CancelledError) and _cancelled():
                    raise
                log.warning("consumer lost", queue=self.queue, error=type(error).__qualname__, why=str(error)[:200])
            lasted = time.monotonic() - started > 2 * RESUBSCRIBE_WAIT_MAX_SECONDS
            wait_seconds = RESUBSCRIBE_WAIT_MIN_SECONDS if lasted else wait_seconds
            await self._wait(wait_seconds * uniform(0.5, 1.0))  # noqa: S311 (all workers lose a broker at once)
            wait_seconds = min(2 * wait_seconds, RESUBSCRIBE_WAIT_MAX_SECONDS)

    async def _session(self) -> None:
        """One channel's life."""
        collector = Collector(self.context.route.batch_max_items)
        subscription = Subscription(
            await self.link.channel(),
            self.settler.names.queue(self.queue),
            self.context.route.prefetch,
            lambda delivery: self._arrived(collector, delivery),
            collector.drop,
        )
        watching = asyncio.create_task(self._watch(subscription, collector))
        try:
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
            metrics.IN_FLIGHT.labels(self.queue).set(0)
            with suppress(*LOST):
                await subscription.channel.close()

    def _arrived(self, collector: Collector, delivery: Delivery) -> None:
        work = self.decode(delivery)
        metrics.received(self.queue, work)
        collector.put(work)

    async def _work(self, subscription: Subscription, collector: Collector) -> None:
        while works := await collector.take():
            if subscription.careful and not all(work.delivery.delivered_before for work in works):
                await subscription.widen()
            outcomes = await self._outcomes(works, collector)
            await self.settler.settle(self.queue, subscription, outcomes)

    async def _outcomes(self, works: Sequence[Work], collector: Collector) -> list[Outcome]:
        """The outcome of each, however long the database is away. Raises UnavailableError when there is no point."""
        too_long = stop_after_delay(PAUSE_MAX_SECONDS)
        probing = AsyncRetrying(
            retry=retry_if_exception_type(UnavailableError),
            wait=wait_exponential(0.2, PROBE_WAIT_MAX_SECONDS),
            stop=lambda state: too_long(state) or collector.dropped or self.stop.is_set(),
            sleep=self._wait,
            before_sleep=self._pause,
            reraise=True,
        )
        try:
            return await probing(process, self.context, works)
        finally:
            self.health.paused(self.queue, False)

    def _pause(self, state: RetryCallState) -> None:
        """The batch itself is the probe: it is tried as a whole, and nothing counts as an attempt."""
        self.health.paused(self.queue, True)
        error = state.outcome.exception() if state.outcome else None
        log.warning("paused: a server is away", queue=self.queue, error=str(error))

    async def _until_database_is_back(self) -> None:
        """Meanwhile nothing is held: other workers may reach what we cannot."""
        self.health.paused(self.queue, True)
        while not (self.stop.is_set() or await inbox.takes_writes(self.context.pool)):
            await self._wait(PROBE_WAIT_MAX_SECONDS)
        self.health.paused(self.queue, False)

    async def _watch(self, subscription: Subscription, collector: Collector) -> None:
        """End the subscription when told to stop; begin another when the broker no longer knows it."""
        try:
            while not self.stop.is_set():
                await self._wait(SUPERVISE_SECONDS)
                if not (self.stop.is_set() or await subscription.alive()):
                    raise ConnectionError("the broker knows no consumer of the queue")
            await subscription.end()
            collector.end()
        except LOST as error:
            log.info("subscription ended", queue=self.queue, error=type(error).__qualname__, why=str(error)[:200])
            collector.drop()

    async def _wait(self, seconds: float) -> None:
        """Not longer than until the process stops."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), seconds)


def _cancelled() -> bool:
    """Whether someone cancels this task."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
