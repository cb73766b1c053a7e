"""Runs routes until `stop` is set: opens pools and connections, and runs a consumer per queue, chores and probes."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from random import uniform

import structlog

import outbox
from db import version
from db.pool import Pool, open_pool
from db.watching import StatementWatch
from outbox import declare, paused_queues
from outbox.doorbell import Doorbell
from outbox.ops import ops_server
from outbox.publisher import Publisher
from outbox.slow_statements import slower_than
from outbox.start import StoppedError, until_stopped
from workers.runtime import inbox
from workers.runtime.attendance import attend
from workers.runtime.consumer import Consumer
from workers.runtime.decode import Decoder, Work
from workers.runtime.delivery import Delivery
from workers.runtime.health import Health
from workers.runtime.local_dispatch import LocalRoutes, local_routes, sends_on
from workers.runtime.locks import BATCH_LOCK_TIMEOUT_MS
from workers.runtime.process import QueueContext
from workers.runtime.route import Every, RawRoute, Route
from workers.runtime.settings import RuntimeSettings
from workers.runtime.settle import Settler
from workers.runtime.subscription import Link
from workers.runtime.transactions import transaction
from workers.telemetry import metrics

log = structlog.get_logger(__name__)

CLOSE_SECONDS = 5.0
SHARED_CONNECTIONS = 4  # for dead letters, chores, probes and the doorbell, which take turns; each other queue adds one
WATCH_SECONDS = 2.0  # with inbox.PROBE_SECONDS, readiness follows a silent database within 6 seconds
PURGE_SECONDS = 60.0
PURGE_BREATH_SECONDS = 0.2  # a pause between two small deletes keeps their load low


async def run_routes(
    routes: Sequence[Route],
    settings: RuntimeSettings,
    stop: asyncio.Event,
    databases: Mapping[str, str] | None = None,
    *,
    reachable: Sequence[Route] = (),
) -> None:
    """Work until `stop` is set, then finish the delivered messages within `shutdown_grace_seconds`.

    `databases` names the URLs of databases other than the default one. `reachable` are the routes that local dispatch
    may use, also those whose queues another process consumes. It waits for servers that are away.
    Raises TopologyError when the broker lacks an exchange or queue of these routes, and LoginRefusedError when a server
    refuses our user or password.
    """
    url = settings.amqp_url.get_secret_value()
    urls = {"default": settings.database_url.get_secret_value(), **(databases or {})}
    health = Health(route.queue for route in routes)
    timeout_seconds, link = settings.publish_timeout_seconds, Link(url, "oms worker", health.broker)
    publisher = Publisher(url, name="oms worker publisher", role="worker", timeout_seconds=timeout_seconds)
    ready = lambda: {**health.ready(), "publisher": publisher.healthy}  # noqa: E731
    with suppress(StoppedError):
        async with AsyncExitStack() as stack:
            ops = ops_server(settings.ops_port, host=settings.ops_host, live=health.live, ready=ready)
            await stack.enter_async_context(ops)
            await until_stopped(stop, partial(_verify, url, settings, routes))
            contexts: list[QueueContext] = []
            watch = slower_than(settings.slow_statement_seconds)
            for name in sorted({route.database for route in routes}):
                served = [route for route in routes if route.database == name]
                pool = await until_stopped(stop, partial(_open_database, urls[name], served, watch))
                stack.push_async_callback(_close_pool, pool)
                await paused_queues.read(name, pool)
                bell = await stack.enter_async_context(Doorbell(pool, quiet_seconds=settings.doorbell_quiet_seconds))
                local = local_routes(reachable, name) if settings.local_dispatch else {}
                contexts += [_context(route, pool, settings, bell, local) for route in served]
            metrics.pools({context.pool for context in contexts})
            await stack.enter_async_context(publisher)
            settler = Settler(settings.names, publisher, delay_plugin=settings.delay == "plugin")
            stack.push_async_callback(link.close)
            consumers = [Consumer(one, link, _decoder(one.route, settings), settler, health, stop) for one in contexts]
            await _work(consumers, stop, settings.shutdown_grace_seconds, health)


def _context(route: Route, pool: Pool, settings: RuntimeSettings, bell: Doorbell, local: LocalRoutes) -> QueueContext:
    local = local if sends_on(route) else {}
    return QueueContext(route, pool, settings.attempts_max, bell.ring, local=local, cell=settings.own_cell)


def _decoder(route: Route, settings: RuntimeSettings) -> Callable[[Delivery], Work]:
    """The decoder of a route. A raw route takes its messages undecoded."""
    names, trust, limit = settings.names, settings.trust, settings.body_max_bytes
    return Work if isinstance(route, RawRoute) else Decoder(route.queue, names, trust, limit, settings.own_cell)


async def _work(consumers: Sequence[Consumer], stop: asyncio.Event, grace_seconds: float, health: Health) -> None:
    """Run consumers and chores.

    A consumer that raises has a bug: its error ends the process, and a new one takes over.
    """
    contexts = [consumer.context for consumer in consumers]
    chores = [_repeat(context, every) for context in contexts for every in context.route.every]
    chores += [
        _watch_database(*one, health) for one in {(context.route.database, context.pool) for context in contexts}
    ]
    chores += [_purge_inbox(pool) for pool in {context.pool for context in contexts}]
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(attend(consumer), name=consumer.queue) for consumer in consumers]
        beside = [group.create_task(chore) for chore in chores]
        await stop.wait()
        log.info("stopping", grace_seconds=grace_seconds)
        _, late = await asyncio.wait(running, timeout=grace_seconds)
        for task in late:
            log.warning("not finished in time, messages return to the broker", queue=task.get_name())
        for task in (*late, *beside):
            task.cancel()


async def _repeat(context: QueueContext, every: Every) -> None:
    """Repeat a chore at slightly uneven intervals. Its errors never end it."""
    while True:
        await asyncio.sleep(every.seconds * uniform(0.9, 1.1))  # noqa: S311
        try:
            with outbox.noting_shards() as shards:
                async with transaction(context.pool) as tx:
                    await every.chore(tx)
            context.committed(shards)
        except Exception as error:
            log.warning("chore failed, will run again", chore=every.chore.__qualname__, error=type(error).__qualname__)


async def _watch_database(name: str, pool: Pool, health: Health) -> None:
    """Probe a database every few seconds, so that /ready shows a silent one, also while the worker is idle; and read
    which of its queues are paused.
    """
    while True:
        answers = await inbox.answers(pool)
        health.database(name, answers=answers)
        # without an answer, the next batch opens a new connection instead of waiting for a silent one
        await (paused_queues.read(name, pool) if answers else pool.expire_connections())
        await asyncio.sleep(WATCH_SECONDS)


async def _purge_inbox(pool: Pool) -> None:
    """Delete claims beyond the retention, in small batches."""
    while True:
        more = False
        try:
            more = await inbox.purge(pool)
        except Exception as error:
            log.warning("cannot purge the inbox, trying again", error=type(error).__qualname__)
        await asyncio.sleep(PURGE_BREATH_SECONDS if more else PURGE_SECONDS)


async def _verify(url: str, settings: RuntimeSettings, routes: Sequence[Route]) -> None:
    names = settings.names
    delay = names.delay_plugin if settings.delay == "plugin" else names.delay
    await declare.verify(url, exchanges=[delay, names.dlx], queues=[names.queue(route.queue) for route in routes])


async def _open_database(url: str, routes: Sequence[Route], watch: StatementWatch) -> Pool:
    size = sum(not isinstance(route, RawRoute) for route in routes) + SHARED_CONNECTIONS
    patience_ms = BATCH_LOCK_TIMEOUT_MS
    pool = await open_pool(url, application_name="oms worker", max_size=size, lock_timeout_ms=patience_ms, watch=watch)
    try:
        await version.check(pool)
    except BaseException:
        pool.terminate()
        raise
    return pool


async def _close_pool(pool: Pool) -> None:
    with suppress(Exception):  # on a timeout the pool cuts its connections
        await asyncio.wait_for(pool.close(), CLOSE_SECONDS)
