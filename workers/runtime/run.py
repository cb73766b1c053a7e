"""Runs routes until told to stop: pools, connections, a consumer per queue, chores, health."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
import structlog
from aiormq.exceptions import AMQPError

from db.pool import Pool, open_pool
from messages.topology import Names
from outbox.doorbell import Doorbell
from outbox.ops import ops_server
from outbox.publisher import Publisher
from workers.runtime import declare, metrics
from workers.runtime.chores import purge_inbox, repeat
from workers.runtime.consumer import Consumer
from workers.runtime.decode import Decoder, Work
from workers.runtime.health import Health
from workers.runtime.link import Link
from workers.runtime.process import Desk
from workers.runtime.route import Route
from workers.runtime.settings import RuntimeSettings
from workers.runtime.settle import Settler

log = structlog.get_logger(__name__)

T = TypeVar("T")
AWAY = (OSError, TimeoutError, AMQPError, asyncpg.PostgresError)
START_WAIT_SECONDS = 2.0
CLOSE_SECONDS = 5.0
SPARE_CONNECTIONS = 2  # beside one per route: chores and the doorbell take turns


async def run_routes(
    routes: Sequence[Route],
    settings: RuntimeSettings,
    stop: asyncio.Event,
    databases: Mapping[str, str] | None = None,
) -> None:
    """Work until `stop` is set, then finish what was delivered, within `shutdown_grace_seconds`.

    `databases` names the URLs of databases other than the default one. Servers that are away are waited for.
    Raises TopologyError when the broker has not what the routes need.
    """
    url = settings.amqp_url.get_secret_value()
    urls = {"default": settings.database_url.get_secret_value(), **(databases or {})}
    health = Health(route.queue for route in routes)
    if not await _unless_stopped(stop, lambda: _verified(url, settings, routes)):
        return
    async with AsyncExitStack() as stack:
        publisher = Publisher(url, name="oms worker publisher", role="worker")
        await stack.enter_async_context(
            ops_server(
                settings.ops_port,
                host=settings.ops_host,
                live=health.live,
                ready=lambda: {**health.ready(), "publisher": publisher.healthy},
            )
        )
        pools = await _unless_stopped(stop, lambda: _opened(routes, urls))
        if pools is None:
            return
        stack.push_async_callback(_closed, list(pools.values()))
        await stack.enter_async_context(publisher)
        link = Link(url, name="oms worker")
        stack.push_async_callback(link.close)
        bells = {name: await stack.enter_async_context(Doorbell(pool)) for name, pool in pools.items()}
        workplace = _Workplace(settings, pools, bells, publisher, link, health, stop)
        await _work(workplace, routes)


@dataclass(frozen=True)
class _Workplace:
    """What all consumers of the process share."""

    settings: RuntimeSettings
    pools: Mapping[str, Pool]
    bells: Mapping[str, Doorbell]
    publisher: Publisher
    link: Link
    health: Health
    stop: asyncio.Event

    def consumer(self, route: Route) -> Consumer:
        """The worker of one queue."""
        settings, plugin = self.settings, self.settings.delay == "plugin"
        names = Names(settings.prefix)
        # a raw route takes its messages unread
        decode = Work if route.raw else Decoder(route.queue, names, settings.trust, settings.body_max_bytes)
        desk = Desk(route, self.pools[route.database], settings.policy, self.bells[route.database].ring)
        settler = Settler(route.queue, names, self.publisher, settings.policy, delay_plugin=plugin)
        return Consumer(desk, self.link, decode, settler, self.health, self.stop)

    def chores(self, routes: Sequence[Route]) -> list[Coroutine[Any, Any, None]]:
        """Everything that repeats."""
        purging = [purge_inbox(pool) for pool in self.pools.values()]
        return purging + [
            repeat(self.pools[route.database], every, self.bells[route.database].ring)
            for route in routes
            for every in route.every
        ]


async def _work(workplace: _Workplace, routes: Sequence[Route]) -> None:
    """A consumer that raises is a mistake of ours: it ends the process, and a new one takes over."""
    grace_seconds = workplace.settings.shutdown_grace_seconds
    async with asyncio.TaskGroup() as group:
        consumers = [group.create_task(workplace.consumer(route).run(), name=route.queue) for route in routes]
        chores = [group.create_task(chore) for chore in workplace.chores(routes)]
        await workplace.stop.wait()
        log.info("stopping", grace_seconds=grace_seconds)
        _, late = await asyncio.wait(consumers, timeout=grace_seconds)
        for task in late:
            log.warning("not finished in time, given back to the broker", queue=task.get_name())
        for task in (*late, *chores):
            task.cancel()


async def _verified(url: str, settings: RuntimeSettings, routes: Sequence[Route]) -> bool:
    names = Names(settings.prefix)
    delay = names.delay_plugin if settings.delay == "plugin" else names.delay
    queues = [names.queue(route.queue) for route in routes]
    await declare.verify(url, exchanges=[delay, names.dlx], queues=queues)
    return True


async def _opened(routes: Sequence[Route], urls: Mapping[str, str]) -> dict[str, Pool]:
    pools: dict[str, Pool] = {}
    for name in {"default", *(route.database for route in routes)}:
        size = sum(route.database == name for route in routes) + SPARE_CONNECTIONS
        pools[name] = await open_pool(urls[name], application_name="oms worker", max_size=size)
    metrics.pools(pools.values())
    return pools


async def _closed(pools: Sequence[Pool]) -> None:
    for pool in pools:
        try:
            await asyncio.wait_for(pool.close(), CLOSE_SECONDS)
        except Exception as error:
            log.info("database connections cut", error=type(error).__qualname__)
            pool.terminate()


async def _unless_stopped(stop: asyncio.Event, make: Callable[[], Awaitable[T]]) -> T | None:
    """Try until it works; None when told to stop before that."""
    while not stop.is_set():
        try:
            return await make()
        except AWAY as error:
            log.warning("a server is away, waiting for it", error=type(error).__qualname__, why=str(error)[:200])
        try:
            await asyncio.wait_for(stop.wait(), START_WAIT_SECONDS)
        except TimeoutError:
            continue
    return None
