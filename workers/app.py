"""The composition root of a worker process: the only place that knows settings, rules, keys and routes at once."""

import asyncio
import gc
import signal
from collections.abc import Container, Sequence

import structlog
import uvloop

from db import cipher
from db.errors import OmsError
from outbox.logging import configure as configure_logging
from workers import providers, shop
from workers.handlers import dead_letters
from workers.routes import ROUTES
from workers.runtime.route import CallRoute, Route
from workers.runtime.run import run_routes
from workers.settings import Settings

log = structlog.get_logger(__name__)
YOUNG_OBJECTS = 20_000
"""Objects between two collections of the youngest: one or two batches. At Python's 700 a batch is searched dozens of
times while it is alive.
"""


class UnknownQueueError(OmsError, ValueError):
    """A queue that no handler serves."""


def chosen(queues: Sequence[str]) -> tuple[Route, ...]:
    """The routes of these queues, or all of them. Raises UnknownQueueError naming the queues there are."""
    known = {route.queue: route for route in ROUTES}
    unknown = sorted(set(queues) - set(known))
    if unknown:
        raise UnknownQueueError(f"no handler serves {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(known[queue] for queue in dict.fromkeys(queues)) if queues else ROUTES


def spoken(routes: Sequence[Route], configured: Container[str], *, named: bool = False) -> tuple[Route, ...]:
    """Without the calls to providers that this process does not speak with: whoever speaks with them shall have them.

    Raises UnknownQueueError where such a queue was asked for by name.
    """
    silent = [
        route.queue for route in routes if isinstance(route, CallRoute) and provider_of(route.queue) not in configured
    ]
    if silent and named:
        raise UnknownQueueError(f"{silent[0]} needs the provider's settings: set OMS_{provider_of(silent[0]).upper()}")
    return tuple(route for route in routes if route.queue not in silent)


def provider_of(queue: str) -> str:
    """Whose calls wait in it."""
    return queue.rpartition(".")[2]


def main(queues: Sequence[str] = (), settings: Settings | None = None) -> None:
    """Serve the queues (all of them when none is named) until SIGTERM or SIGINT, then finish what was delivered."""
    given = settings or Settings()
    routes = spoken(chosen(queues), given.providers, named=bool(queues))
    cipher.configure(given.encryption_keys.get_secret_value())
    configure_logging(given.log_level.upper())
    shop.configure(given.shop)
    providers.configure(given.providers, given.payment_timeout_seconds)
    dead_letters.configure(given.trust.own)
    warn_of_lonely_trust(given)
    tune_garbage_collection()
    uvloop.run(_serve(routes, given))


def tune_garbage_collection() -> None:
    """Exempt everything that exists now from garbage collection: call it once, after all imports."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 20)


def warn_of_lonely_trust(settings: Settings) -> None:
    """Say what will be refused where nobody is named to be believed: nothing else would tell before it happens."""
    if not settings.trusted_users:
        log.warning("OMS_TRUSTED_USERS names nobody: every capture, refund result and stock correction is refused")
    if not settings.own_users - {settings.own_user}:
        log.warning("OMS_OWN_USERS names nobody else: what relays with a user of their own send us is not believed")


async def _serve(routes: Sequence[Route], settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await run_routes(routes, settings, stop)
    finally:
        await providers.close()
