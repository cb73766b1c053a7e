"""The composition root of a worker process. Only this module knows settings, rules, keys and routes together."""

import asyncio
import ctypes
import gc
import signal
from collections.abc import Container, Sequence
from contextlib import suppress

import structlog
import uvloop

from db import cipher
from db.errors import ConfigurationError
from messages.media import Medium
from messages.registry import FROM_OUTSIDE, MODELS
from messages.roles import Role, may_send
from messages.topology import (
    PROVIDERS,
    carrier_calls_queue,
    notification_calls_queue,
    provider_calls_queue,
)
from outbox import tracing
from outbox.logging import configure as configure_logging
from workers import carriers, notifiers, providers, shop
from workers.handlers import dead_letters, reconciliations
from workers.routes import ROUTES, STOCK_DATABASE, signing, with_carriers, with_media, with_stock_apart
from workers.runtime.route import Route
from workers.runtime.run import run_routes
from workers.services import answer_cache
from workers.settings import Settings

log = structlog.get_logger(__name__)
M_MMAP_THRESHOLD = -3  # the number of this parameter in malloc.h
LARGE_BLOCK_BYTES = 128 * 1024  # glibc's value at the start
YOUNG_OBJECTS = 20_000
"""New objects between two garbage collections of the youngest generation, about one or two batches. With Python's
default of 700 the collector would search the objects of a live batch dozens of times.
"""


PROVIDER_CALLS = frozenset(map(provider_calls_queue, PROVIDERS))


URL_OF = {Medium.EMAIL: "OMS_SMTP_URL", Medium.SMS: "OMS_SMS_URL", Medium.PUSH: "OMS_PUSH_URL"}
"""The setting without which a worker does not send by a medium."""


class UnknownQueueError(ConfigurationError):
    """A queue that this process cannot serve."""


def select_routes(queues: Sequence[str], routes: Sequence[Route] = ROUTES) -> tuple[Route, ...]:
    """Return the routes of these queues, or all routes. Raises UnknownQueueError, which lists the queues that exist."""
    known = {route.queue: route for route in routes}
    unknown = sorted(set(queues) - set(known))
    if unknown:
        raise UnknownQueueError(f"no handler serves {', '.join(unknown)}; the queues are {', '.join(known)}")
    return tuple(known[queue] for queue in dict.fromkeys(queues)) if queues else tuple(routes)


def without_unconfigured_providers(
    routes: Sequence[Route], configured: Container[str], *, named: bool = False
) -> tuple[Route, ...]:
    """Drop the provider-calls queues of providers without settings here. Workers with those settings serve them.

    Raises UnknownQueueError if the command line names such a queue (`named`).
    """
    unconfigured = [
        route.queue for route in routes if route.queue in PROVIDER_CALLS and provider_of(route.queue) not in configured
    ]
    if unconfigured and named:
        variable = f"OMS_{provider_of(unconfigured[0]).upper()}"
        raise UnknownQueueError(f"{unconfigured[0]} needs the provider's settings: set {variable}")
    return tuple(route for route in routes if route.queue not in unconfigured)


def all_routes(queues: Sequence[str], settings: Settings) -> tuple[Route, ...]:
    """Return every route of this shop. Workers without the URL of a service leave the calls to it to others.

    Raises UnknownQueueError if the command line names such a queue without that URL.
    """
    calling = bool(settings.fulfilment_service_url)
    called = [queue for queue in map(carrier_calls_queue, settings.carriers) if queue in queues]
    if called and not calling:
        raise UnknownQueueError(f"{called[0]} needs the URL of the carriers' service: set FULFILLMENT_SERVICE_URL")
    senders = settings.senders
    unable = [medium for medium in settings.notifications if medium not in senders]
    called = [queue for queue in map(notification_calls_queue, unable) if queue in queues]
    if called:
        raise UnknownQueueError(
            f"{called[0]} needs the server of its medium: set {URL_OF[Medium(provider_of(called[0]))]}, and leave the "
            "medium out of OMS_NOTIFICATIONS_PAUSED"
        )
    return with_media(with_carriers(ROUTES, settings.carriers, calling=calling), settings.notifications, senders)


def provider_of(queue: str) -> str:
    """The payment provider that a provider-calls queue belongs to."""
    return queue.rpartition(".")[2]


def served_routes(queues: Sequence[str], settings: Settings) -> tuple[Route, ...]:
    """Return the routes that a process with these settings serves: of these queues, or all that it can.

    Raises UnknownQueueError.
    """
    settings.require_cell()
    routes = select_routes(queues, all_routes(queues, settings))
    return without_unconfigured_providers(routes, settings.providers, named=bool(queues))


def main(queues: Sequence[str] = (), settings: Settings | None = None) -> None:
    """Serve the queues (all if none is named) until SIGTERM or SIGINT, then finish the delivered messages."""
    given = settings or Settings()
    routes = served_routes(queues, given)
    cipher.configure(given.encryption_keys.get_secret_value())
    configure_logging(given.log_level.upper())
    tracing.configure(given.tracing, "oms-worker")
    shop.configure(given.shop)
    answer_cache.configure(given.query_cache_answers_max)
    configure_calls(given)
    dead_letters.configure(given.trust, given.names)
    warn_of_missing_roles(given)
    give_memory_back()
    tune_garbage_collection()
    uvloop.run(_serve(routes, given))


def configure_calls(given: Settings) -> None:
    """Set whom this process calls outside, and how long a call may take."""
    providers.configure(given.providers, given.payment_timeout_seconds)
    reconciliations.prepare_counts(given.providers)
    carriers.configure(given.carrier_adapters, given.fulfilment_timeout_seconds)
    notifiers.configure(given.notifying)


def give_memory_back() -> None:
    """Let the C library return the memory of large messages to the system as soon as they are done.

    By itself glibc raises the size from which a block is returned to the largest one that was freed, 32 MiB at most.
    """
    with suppress(OSError, AttributeError):  # another C library has no such rule
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)


def tune_garbage_collection() -> None:
    """Exempt all objects that exist now from garbage collection. Call it once, after all imports."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 20)


def warn_of_missing_roles(settings: Settings) -> None:
    """Warn at start about messages that no broker user may send, and about users who are bound but have no role."""
    trust = settings.trust
    given = {role for roles in trust.roles.values() for role in roles}
    missing = sorted(
        model.routing_key()
        for model in MODELS.values()
        if model.KIND in FROM_OUTSIDE and not may_send(model.SENDERS, frozenset(given))
    )
    if missing:
        log.warning(
            f"OMS_ROLES gives no user a role that may send {', '.join(missing)}: all of these will be rejected. "
            f"Add the users that send them, with their roles ({', '.join(sorted(set(Role) - given))} are not given)"
        )
    unknown = sorted((trust.warehouses.keys() | trust.carriers.keys()) - trust.roles.keys())
    if unknown and trust.tokens is None:
        log.warning(
            f"OMS_WAREHOUSE_USERS or OMS_CARRIER_USERS binds {', '.join(unknown)}, without a role: a name that is "
            "written wrong leaves its user free to send for all. Correct it"
        )
    if not trust.own - {settings.own_user}:
        log.warning(
            "OMS_OWN_USERS names no other user: messages from relays with another broker user will be rejected. "
            "Set it to the users of all workers and relays"
        )


async def run_all(routes: Sequence[Route], settings: Settings, stop: asyncio.Event) -> None:
    """Run routes on the databases that the settings name."""
    if settings.stock_database_url is None:
        await run_routes(signing(routes), settings, stop, reachable=signing(ROUTES))
        return
    urls = {STOCK_DATABASE: settings.stock_database_url.get_secret_value()}
    apart, reachable = signing(with_stock_apart(routes)), signing(with_stock_apart(ROUTES))
    await run_routes(apart, settings, stop, urls, reachable=reachable)


async def _serve(routes: Sequence[Route], settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await run_all(routes, settings, stop)
    finally:
        await providers.close()
        await carriers.close()
        await notifiers.close()
        await asyncio.to_thread(tracing.close)
