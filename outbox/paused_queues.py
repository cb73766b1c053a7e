"""The queues that a person has paused, as this process read them last from its databases.

A pause is a row of the queue's database (`oms consumers pause`). Every worker reads the rows every few seconds, and
before it consumes anything. So all workers obey, and a new process does, too.
"""

import asyncio
from collections.abc import Collection

import structlog

from db.pool import Pool
from db.statements import SQL
from outbox.shared_gauge import SharedGauge

log = structlog.get_logger(__name__)
READ_SECONDS = 4.0  # the probe of readiness waits behind it
BY_HAND = SharedGauge("oms_consumer_paused_by_hand", "1 while a person has paused the queue", "queue")


class _Process:
    """Holds what this process knows: the pauses of each database, all of them, and the event of their next change."""

    read: dict[str, frozenset[str]] = {}
    all: frozenset[str] = frozenset()
    changed = asyncio.Event()


def current() -> Collection[str]:
    """Return the paused queues, without the prefix."""
    return _Process.all


async def changed(stop: asyncio.Event) -> None:
    """Wait until other queues are paused, or until the process stops. Nothing is done meanwhile."""
    waiting = [asyncio.create_task(event.wait()) for event in (_Process.changed, stop)]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()


async def read(name: str, pool: Pool) -> None:
    """Read the pauses of a database. If it does not answer soon, those that were read last go on."""
    try:
        async with asyncio.timeout(READ_SECONDS):
            rows = await pool.fetch(SQL["consumer_pauses.queues"])
    except Exception as error:  # also a right that is missing: then nothing else would say why no pause is obeyed
        log.warning("cannot read which queues are paused", database=name, error=type(error).__qualname__)
        return
    _Process.read[name] = frozenset(row["queue"] for row in rows)
    known, _Process.all = _Process.all, frozenset().union(*_Process.read.values())
    BY_HAND.set_each(dict.fromkeys(_Process.all, 1))
    if known != _Process.all:
        _Process.changed.set()
        _Process.changed = asyncio.Event()
