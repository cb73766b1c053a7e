"""The relay: publishes what transactions announced, from as many shards as are its share."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from db.pool import Pool, open_pool
from db.statements import SQL
from messages.topology import Names
from outbox import metrics
from outbox.doorbell import DATABASE_ERRORS, SHARDS_FREE, listen
from outbox.lane import Lane
from outbox.leases import Leases
from outbox.publisher import Publisher
from outbox.rendering import Renderer
from outbox.settings import RelaySettings

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.1  # how soon a lost or blocked connection gives its shards to a relay that can publish
BACKLOG_SECONDS = 5.0  # between counts of what waits; three of them in a usual scrape interval
RETRY_SECONDS = 0.5
ORPHAN_SECONDS = 60.0  # a hold that nobody tried again for so long after its time may belong to no message any more


class Relay:
    """One process's relay. `run` until `stop` is set; `ready` tells whether it can publish."""

    def __init__(self, settings: RelaySettings, *, name: str = "oms-relay") -> None:
        self._settings = settings
        self._name = name
        self._publisher = Publisher(
            settings.amqp_url.get_secret_value(),
            name=name,
            role="relay",
            timeout_seconds=settings.publish_timeout_seconds,
        )
        self._leases: Leases | None = None
        self._lanes: list[Lane] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._lease_due_at = 0.0

    def checks(self) -> dict[str, bool]:
        """What readiness depends on."""
        return {
            "broker": self._publisher.connected,
            "not_blocked": not self._publisher.blocked,
            "database": self._leases is not None and (self._leases.valid or not self._publisher.healthy),
        }

    def live(self) -> dict[str, bool]:
        """Whether everything still runs that only ends by itself when we made a mistake."""
        return {"publisher": self._publisher.alive, "tasks": not any(_failed(task) for task in self._tasks)}

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop`; then finish what is in flight and release the leases."""
        # A connection per lane, one that listens, one for leases and one for counting.
        pool = await self._open_pool(size=self._settings.relay_lanes + 3)
        try:
            async with self._publisher:
                await self._work(pool, stop)
        finally:
            pool.terminate()

    async def _open_pool(self, size: int) -> Pool:
        # A delete that a crash of the server undoes costs a repeated message, so nobody waits for its fsync.
        url = self._settings.database_url.get_secret_value()
        url += ("&" if "?" in url else "?") + "synchronous_commit=off"
        return await open_pool(url, application_name=self._name, min_size=size, max_size=size)

    async def _work(self, pool: Pool, stop: asyncio.Event) -> None:
        settings, leases = self._settings, Leases(pool, lease_seconds=self._settings.lease_seconds)
        renderer = Renderer(Names(settings.prefix), user=self._publisher.user, delay_plugin=settings.delay == "plugin")
        self._leases = leases
        self._lanes = [
            Lane(number, pool=pool, leases=leases, publisher=self._publisher, renderer=renderer, settings=settings)
            for number in range(settings.relay_lanes)
        ]
        chores = [
            asyncio.create_task(self._keep_leases(leases)),
            asyncio.create_task(listen(pool, self._heard)),
            asyncio.create_task(_forever(lambda: _count(pool), BACKLOG_SECONDS)),
        ]
        try:
            await self._run_lanes(stop, chores)
        finally:
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
            with contextlib.suppress(*DATABASE_ERRORS):
                await leases.release()

    async def _run_lanes(self, stop: asyncio.Event, chores: list[asyncio.Task[None]]) -> None:
        lanes = [asyncio.create_task(_survive(lane, stop)) for lane in self._lanes]
        stopping = asyncio.create_task(stop.wait())
        keeper = self._publisher.start()
        self._tasks = [*lanes, *chores]
        try:
            await asyncio.wait([stopping, keeper, *lanes, *chores], return_when=asyncio.FIRST_COMPLETED)
            stop.set()  # a task that ended by itself has failed: the process ends and says so
            self._wake()
            await asyncio.wait(lanes, timeout=self._settings.shutdown_grace_seconds)
        finally:
            for task in (stopping, *lanes):
                task.cancel()
        for task in (keeper, *lanes, *chores):
            if task.done() and not task.cancelled():
                task.result()

    def _heard(self, payload: str) -> None:
        if payload == SHARDS_FREE:
            self._lease_due_at = 0.0
        self._wake()

    def _wake(self) -> None:
        for lane in self._lanes:
            lane.wake.set()

    async def _keep_leases(self, leases: Leases) -> None:
        """Renew at a third of the lease while we can publish; release as soon as we cannot."""
        loop, released = asyncio.get_running_loop(), True
        while True:
            try:
                if self._publisher.healthy and loop.time() >= self._lease_due_at:
                    self._lease_due_at, released = loop.time() + self._settings.lease_seconds / 3, False
                    await leases.keep()
                    self._wake()
                elif not self._publisher.healthy and not released:
                    await leases.release()
                    self._lease_due_at, released = 0.0, True
                    log.warning("cannot publish, shards released", blocked=self._publisher.blocked)
            except DATABASE_ERRORS as error:
                log.warning("leases not kept", error=type(error).__name__)
                self._lease_due_at = 0.0
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)


def _failed(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is not None


async def _survive(lane: Lane, stop: asyncio.Event) -> None:
    """Run a lane through database outages: what is confirmed but not deleted yet stays with the lane."""
    while not stop.is_set():
        try:
            await lane.run(stop)
        except DATABASE_ERRORS as error:
            log.warning("outbox not reached", error=type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)


async def _count(pool: Pool) -> None:
    await pool.execute(SQL["outbox.forget_holds"], ORPHAN_SECONDS)
    row = await pool.fetchrow(SQL["outbox.backlog"])
    assert row is not None
    metrics.PENDING.set(row["pending"])
    metrics.OLDEST_AGE.set(row["oldest_age_seconds"])
    metrics.HELD_STREAMS.set(row["held"])


async def _forever(do: Callable[[], Awaitable[None]], seconds: float) -> None:
    while True:
        try:
            await do()
        except DATABASE_ERRORS as error:
            log.warning("outbox not counted", error=type(error).__name__)
        await asyncio.sleep(seconds)
