"""A worker process that tests kill: `python -m tests.runtime.crashing_worker`, with settings from the environment."""

import asyncio
import os
import signal
import sys
from typing import Any

from db import cipher
from db.pool import Transaction
from tests.runtime.harness import write_effects
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.runtime.run import run_routes
from workers.runtime.settings import RuntimeSettings


async def handle(tx: Transaction, batch: Batch[Any]) -> None:
    """Raise at the first attempt of a message that requests it, else write its effect."""
    if any(item.body.request_id == "fail" and item.attempt == 0 for item in batch):
        raise ValueError
    await write_effects(tx, batch)
    if any(item.body.request_id == "slow" for item in batch):
        await tx.execute("SELECT pg_sleep(0.5)")


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    await run_routes([Route("order-changes", handle)], RuntimeSettings(), stop)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
