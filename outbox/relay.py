"""The relay publishes the rows of its share of the outbox's shards."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from db.pool import Pool, open_pool
from db.statements import SQL
from outbox import backlog
from outbox.doorbell import DATABASE_ERRORS, SHARDS_FREE, listen, shards_of
from outbox.lane import Lane
from outbox.leases import Leases
from outbox.publisher import Publisher
from outbox.read_floor import raise_floor
from outbox.refusals import Refusals
from outbox.rendering import Renderer
from outbox.settings import RelaySettings
from outbox.slow_statements import slower_than
from outbox.start import StoppedError, until_stopped
from outbox.subscribers import Subscribers

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.1  # after a connection is lost or blocked, its shards are released within this time
FLOOR_SECONDS = 2.0  # between steps of the floor; so long do dead entries stand above it
RETRY_SECONDS = 0.5
ORPHAN_SECONDS = 60.0  # a hold this long overdue is forgotten, because its message may be gone


class Relay:
    """The relay of one process. `checks` and `live` answer its probes."""

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
        self._hears = False
        self._floor_deleted = -1  # rows that the lanes had deleted at the last step of the floor

    def checks(self) -> dict[str, bool]:
        """The readiness checks: broker, no alarm, database."""
        return {
            "broker": self._publisher.connected,
            "not_blocked": not self._publisher.blocked,
            "database": self._leases is not None and (self._leases.valid or not self._publisher.healthy),
        }

    def live(self) -> dict[str, bool]:
        """The liveness checks. They fail when a task has ended that only a bug can end."""
        return {"publisher": self._publisher.alive, "tasks": not any(_failed(task) for task in self._tasks)}

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop` is set, then wait for messages in flight and release the leases.

        It waits for servers that are away. Raises LoginRefusedError when one refuses our user or password.
        """
        # Each lane needs a connection. The listener, the leases and the counts need one each.
        size = self._settings.relay_lanes + 3
        try:
            pool = await until_stopped(stop, lambda: self._open_pool(size))
        except StoppedError:
            return
        try:
            async with self._publisher:
                await self._work(pool, stop)
        finally:
            pool.terminate()

    async def _open_pool(self, size: int) -> Pool:
        # A delete that a crash of the server undoes costs a repeated message, so no delete waits for an fsync.
        url = self._settings.database_url.get_secret_value()
        url += ("&" if "?" in url else "?") + "synchronous_commit=off"
        watch = slower_than(self._settings.slow_statement_seconds)
        return await open_pool(url, application_name=self._name, min_size=size, max_size=size, watch=watch)

    async def _work(self, pool: Pool, stop: asyncio.Event) -> None:
        settings, leases = self._settings, Leases(pool, lease_seconds=self._settings.lease_seconds)
        renderer = Renderer(settings.names, user=self._publisher.user, delay_plugin=settings.delay == "plugin")
        self._leases, refusals = leases, Refusals()
        self._lanes = [
            Lane(
                number,
                pool=pool,
                leases=leases,
                publisher=self._publisher,
                renderer=renderer,
                refusals=refusals,
                settings=settings,
                hears=lambda: self._hears,
            )
            for number in range(settings.relay_lanes)
        ]
        chores = [
            asyncio.create_task(self._keep_leases(leases)),
            asyncio.create_task(listen(pool, self._on_ring, self._on_hearing)),
            asyncio.create_task(_repeat(lambda: self._count(pool), backlog.MEASURE_SECONDS)),
            asyncio.create_task(_repeat(lambda: self._raise_floor(pool), FLOOR_SECONDS)),
            asyncio.create_task(_repeat(lambda: _forget_holds(pool), ORPHAN_SECONDS)),
            asyncio.create_task(self._subscribers(pool, refusals).run()),
        ]
        try:
            await self._run_lanes(stop, chores)
        finally:
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
            with contextlib.suppress(*DATABASE_ERRORS):
                await leases.release()

    def _subscribers(self, pool: Pool, refusals: Refusals) -> Subscribers:
        return Subscribers(
            pool,
            refusals,
            management_url=self._settings.management_url.get_secret_value(),
            amqp_url=self._settings.amqp_url.get_secret_value(),
            exchange=self._settings.names.events,
        )

    async def _run_lanes(self, stop: asyncio.Event, chores: list[asyncio.Task[None]]) -> None:
        lanes = [asyncio.create_task(_run_lane(lane, stop)) for lane in self._lanes]
        stopping = asyncio.create_task(stop.wait())
        keeper = self._publisher.start()
        self._tasks = [*lanes, *chores]
        try:
            await asyncio.wait([stopping, keeper, *lanes, *chores], return_when=asyncio.FIRST_COMPLETED)
            stop.set()  # a task that ended by itself has failed, so the process ends with its error
            self._wake()
            await asyncio.wait(lanes, timeout=self._settings.shutdown_grace_seconds)
        finally:
            for task in (stopping, *lanes):
                task.cancel()
        for task in (keeper, *lanes, *chores):
            if task.done() and not task.cancelled():
                task.result()

    def _on_ring(self, payload: str) -> None:
        if payload == SHARDS_FREE:
            self._lease_due_at = 0.0
        self._wake(shards_of(payload))

    def _on_hearing(self, hears: bool) -> None:
        self._hears = hears
        if not hears:
            self._wake()  # a lane that sleeps until the next ring polls from now on

    def _wake(self, shards: frozenset[int] | None = None) -> None:
        """Wake the lanes that serve one of these shards, or all. Without a lease on it a row is another relay's."""
        for lane in self._lanes:
            if shards is None or lane.serves(shards):
                lane.wake.set()

    async def _keep_leases(self, leases: Leases) -> None:
        """Renew each third of the lease while the relay can publish. Release the shards as soon as it cannot."""
        loop, released = asyncio.get_running_loop(), True
        while True:
            try:
                if self._publisher.healthy and loop.time() >= self._lease_due_at:
                    self._lease_due_at, released = loop.time() + self._settings.lease_seconds / 3, False
                    if await leases.keep(set().union(*(lane.in_flight for lane in self._lanes))):
                        self._wake()  # to read what has come to new shards, or while the leases were not valid
                    if leases.leaving:
                        self._lease_due_at = 0.0
                elif not self._publisher.healthy and not released:
                    await leases.release()
                    self._lease_due_at, released = 0.0, True
                    log.warning("cannot publish, shards released to other relays", blocked=self._publisher.blocked)
            except DATABASE_ERRORS as error:
                log.warning("cannot renew leases, trying again", error=type(error).__name__)
                self._lease_due_at = 0.0
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)

    async def _count(self, pool: Pool) -> None:
        if await backlog.record(pool):
            for lane in self._lanes:
                lane.holds.note_held()

    async def _raise_floor(self, pool: Pool) -> None:
        """Take a step of the floor, unless no row was deleted since the last one, which found nothing left to do."""
        deleted = sum(lane.deleted for lane in self._lanes)
        if deleted != self._floor_deleted and not await raise_floor(pool):
            self._floor_deleted = deleted


def _failed(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is not None


async def _run_lane(lane: Lane, stop: asyncio.Event) -> None:
    """Run a lane, again after each database outage. The lane keeps its confirmed rows until they are deleted."""
    while not stop.is_set():
        try:
            await lane.run(stop)
        except DATABASE_ERRORS as error:
            log.warning("cannot reach the database of the outbox, trying again", error=type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)


async def _forget_holds(pool: Pool) -> None:
    await pool.execute(SQL["outbox.forget_holds"], ORPHAN_SECONDS)


async def _repeat(do: Callable[[], Awaitable[None]], seconds: float) -> None:
    while True:
        try:
            await do()
        except DATABASE_ERRORS as error:
            log.warning("cannot look at the outbox, trying again", error=type(error).__name__)
        await asyncio.sleep(seconds)
