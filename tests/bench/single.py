"""`python -m tests.bench.single`: every worker and one relay, unchanged, in one process."""

import asyncio
import logging
import os
import signal

import structlog
import uvloop

from db import cipher
from messages.topology import Names
from outbox.relay import Relay
from outbox.settings import RelaySettings
from workers import shop
from workers.app import tune_garbage_collection
from workers.handlers import dead_letters
from workers.routes import ROUTES
from workers.runtime.run import run_routes
from workers.settings import Settings


async def main() -> None:
    """Run until SIGTERM."""
    settings = Settings()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    cipher.configure(settings.encryption_keys.get_secret_value())
    shop.configure(settings.shop)
    dead_letters.configure(settings.trust, Names(settings.prefix))
    relay = Relay(RelaySettings.model_validate({"amqp_url": os.environ["OMS_BENCH_RELAY_URL"]}))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as group:
        group.create_task(run_routes(ROUTES, settings, stop, reachable=ROUTES))
        group.create_task(relay.run(stop))


if __name__ == "__main__":
    tune_garbage_collection()
    uvloop.run(main())
