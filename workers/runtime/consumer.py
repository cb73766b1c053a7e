"""One queue's worker: subscribes, takes batches, waits while the database is away, and begins again after any loss."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import chain, repeat
from random import uniform

import structlog
from aiormq.exceptions import AMQPError

from workers.runtime import inbox, metrics
from workers.runtime.collector import Collector
from workers.runtime.decode import Work
from workers.runtime.delivery import Delivery
from workers.runtime.errors import UnavailableError
from workers.runtime.health import Health
from workers.runtime.link import Link
from workers.runtime.outcome import Outcome
from workers.runtime.policy import PAUSE_BACKOFF_SECONDS
from workers.runtime.process import Desk, process
from workers.runtime.settle import Line, Settler
from workers.runtime.subscription import Subscription

log = structlog.get_logger(__name__)

LOST = (AMQPError, OSError, TimeoutError, RuntimeError, asyncio.CancelledError)
RESUBSCRIBE_WAIT_MAX_SECONDS = 5.0
SUPERVISE_SECONDS = 30.0
PAUSE_MAX_SECONDS = 20 * 60.0  # the broker closes a channel that acknowledges nothing for 30 minutes


class GivenUpError(Exception):
    """The session ends: the pause was too long, the channel is gone, or the process stops."""


@dataclass(frozen=True)
class Consumer:
    """Runs until `stop` is set, then finishes what was delivered. One per route and process; more processes share."""

    desk: Desk
    link: Link
    decode: Callable[[Delivery], Work]
    settler: Settler
    health: Health
    stop: asyncio.Event

    @property
    def queue(self) -> str:
        """Without the prefix."""
        return self.desk.route.queue

    async def run(self) -> None:
        """Never raises for the broker or the database."""
        waits = _backoff()
        while not self.stop.is_set():
            started = time.monotonic()
            try:
                await self._session()
            except GivenUpError:
                await self._until_database_is_back()
            except LOST as error:
                if isinstance(error, asyncio.CancelledError) and _cancelled():
                    raise
                log.warning("consumer lost", queue=self.queue, error=type(error).__qualname__, why=str(error)[:200])
            if time.monotonic() - started > 2 * RESUBSCRIBE_WAIT_MAX_SECONDS:
                waits = _backoff()
            await self._sleep(next(waits))

    async def _session(self) -> None:
        """One channel's life."""
        line = Line(await self.link.channel())
        collector = Collector(self.desk.route.batch_max_items)
        subscription = Subscription(
            line.channel,
            self.settler.names.queue(self.queue),
            self.desk.route.prefetch,
            lambda delivery: self._arrived(collector, delivery),
            collector.drop,
        )
        try:
            await subscription.start()
            self.health.consuming(self.queue, True)
            log.info("consuming", queue=self.queue)
            ending, supervising = self._ending(subscription, collector), self._supervise(subscription, collector)
            async with _beside(ending), _beside(supervising):
                await self._work(line, collector, subscription)
            if not self.stop.is_set():
                raise ConnectionError("the broker ended the channel or its consumer")
        finally:
            self.health.consuming(self.queue, False)
            collector.drop()
            metrics.IN_FLIGHT.labels(self.queue).set(0)
            with suppress(*LOST):
                await line.channel.close()

    def _arrived(self, collector: Collector, delivery: Delivery) -> None:
        work = self.decode(delivery)
        metrics.received(self.queue, work)
        collector.put(work)

    async def _work(self, line: Line, collector: Collector, subscription: Subscription) -> None:
        while works := await collector.take():
            if subscription.careful and not all(work.delivery.delivered_before for work in works):
                await subscription.widen()
            outcomes = await self._outcomes(works, collector)
            await self.settler.settle(line, outcomes)

    async def _outcomes(self, works: Sequence[Work], collector: Collector) -> list[Outcome]:
        """The outcome of each, however long the database is away."""
        give_up_at = time.monotonic() + PAUSE_MAX_SECONDS
        waits = _pauses()
        try:
            while True:
                try:
                    return await process(self.desk, works)
                except UnavailableError as error:
                    self._pause(error)
                while not await self._probed(next(waits)):
                    if time.monotonic() > give_up_at or collector.dropped or self.stop.is_set():
                        raise GivenUpError
        finally:
            self.health.paused(self.queue, False)

    def _pause(self, error: UnavailableError) -> None:
        self.health.paused(self.queue, True)
        log.warning("paused: the database is away", queue=self.queue, error=str(error))

    async def _until_database_is_back(self) -> None:
        self.health.paused(self.queue, True)
        for wait in _pauses():
            if self.stop.is_set() or await self._probed(wait):
                break
        self.health.paused(self.queue, False)

    async def _probed(self, wait_seconds: float) -> bool:
        """Whether the database takes writes again, asked after a while."""
        await self._sleep(wait_seconds)
        try:
            async with asyncio.timeout(10):
                return await inbox.takes_writes(self.desk.pool)
        except Exception as error:  # whatever it says, it did not say yes
            log.debug("database still away", queue=self.queue, error=type(error).__qualname__)
            return False

    async def _ending(self, subscription: Subscription, collector: Collector) -> None:
        await self.stop.wait()
        with suppress(*LOST):
            await subscription.end()
        collector.end()

    async def _supervise(self, subscription: Subscription, collector: Collector) -> None:
        while True:
            await asyncio.sleep(SUPERVISE_SECONDS)
            try:
                if await subscription.alive():
                    continue
            except LOST as error:
                if isinstance(error, asyncio.CancelledError) and _cancelled():
                    raise
            log.warning("the broker knows no consumer of the queue", queue=self.queue)
            collector.drop()

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), seconds)


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run something while the block runs."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _cancelled() -> bool:
    """Whether someone cancels this task; the client library raises CancelledError also when a channel closes."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _pauses() -> Iterator[float]:
    return chain(PAUSE_BACKOFF_SECONDS, repeat(PAUSE_BACKOFF_SECONDS[-1]))


def _backoff() -> Iterator[float]:
    """Waits between sessions, spread so that workers do not all come back at the same moment."""
    steps = chain((0.1, 0.3, 1.0, 2.0), repeat(RESUBSCRIBE_WAIT_MAX_SECONDS))
    return (
        step * uniform(0.5, 1.0)  # noqa: S311
        for step in steps
    )
