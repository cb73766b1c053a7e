"""Relay processes that are killed or frozen lose no message, and first copies stay in order."""

import asyncio
import signal
import subprocess
from collections.abc import Callable

import pytest
from aiormq.abc import DeliveredMessage

from db.pool import Pool
from outbox.settings import RelaySettings
from tests.broker import Broker
from tests.outbox.harness import (
    announce,
    consume,
    event,
    opened,
    pending,
    running,
    sequences_by_stream,
    start_process,
    subscribe,
    wait_until,
    wait_until_empty,
)

pytestmark = pytest.mark.chaos
Settings = Callable[..., RelaySettings]


async def all_of(declared: Broker) -> list[DeliveredMessage]:
    """All messages that the subscriber's queue has received."""
    async with opened(declared["admin"]) as channel:
        queue = await channel.queue_declare("listener", passive=True)
    return await consume(declared["admin"], "listener", queue.message_count)


async def ended(process: "subprocess.Popen[bytes]") -> int:
    async with asyncio.timeout(20):
        return await asyncio.to_thread(process.wait)


async def test_a_relay_killed_between_confirm_and_delete_repeats_and_loses_nothing(
    pool: Pool, declared: Broker, settings: Settings
) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener")
    await announce(pool, [event(order, seq) for seq in range(1, 6) for order in range(1, 101)])
    process = start_process(settings(lease_seconds=1.5), OMS_CRASHPOINT="relay.after_confirm")
    assert await ended(process) == 137
    assert await pending(pool) == 500
    async with running(settings(lease_seconds=3)):
        await wait_until_empty(pool)
    arrived = await all_of(declared)
    assert len(arrived) > 500
    assert sequences_by_stream(arrived) == {str(order): [1, 2, 3, 4, 5] for order in range(1, 101)}


async def test_a_relay_killed_before_publishing_has_sent_nothing_and_the_next_one_sends_all(
    pool: Pool, declared: Broker, settings: Settings
) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener")
    await announce(pool, [event(order, 1) for order in range(1, 101)])
    assert await ended(start_process(settings(lease_seconds=1.5), OMS_CRASHPOINT="relay.before_publish")) == 137
    assert await all_of(declared) == []
    async with running(settings(lease_seconds=3)):
        await wait_until_empty(pool)
    assert len(sequences_by_stream(await all_of(declared))) == 100


async def test_a_relay_frozen_beyond_its_lease_deletes_nothing_it_no_longer_owns(
    pool: Pool, declared: Broker, settings: Settings
) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener")
    frozen = start_process(settings(lease_seconds=1.5))
    try:

        async def owned() -> bool:
            return bool(await pool.fetchval("SELECT count(*) FROM outbox_shards WHERE owner IS NOT NULL"))

        await wait_until(owned)
        for seq in range(1, 11):
            await announce(pool, [event(order, seq) for order in range(1, 201)])

        async def started() -> bool:
            return await pending(pool) < 1900

        await wait_until(started)
        frozen.send_signal(signal.SIGSTOP)
        async with running(settings(lease_seconds=3)):
            await wait_until_empty(pool)
            await announce(pool, [event(order, 11) for order in range(1, 201)])
            frozen.send_signal(signal.SIGCONT)
            await announce(pool, [event(order, 12) for order in range(1, 201)])
            await wait_until_empty(pool)
    finally:
        frozen.send_signal(signal.SIGCONT)
        frozen.terminate()
        assert await ended(frozen) == 0
    assert sequences_by_stream(await all_of(declared)) == {str(order): list(range(1, 13)) for order in range(1, 201)}


async def test_a_terminated_relay_finishes_and_gives_up_its_leases_and_its_log_says_so(
    pool: Pool, declared: Broker, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    await subscribe(declared["admin"], declared.names.events, "listener")
    process = start_process(settings())
    await announce(pool, [event(order, 1) for order in range(1, 51)])
    await wait_until_empty(pool)
    process.terminate()
    assert await ended(process) == 0
    assert await pool.fetchval("SELECT count(*) FROM outbox_shards WHERE owner IS NOT NULL") == 0
    assert len(await all_of(declared)) == 50
    written = capfd.readouterr().err
    assert 0 <= written.find('"event": "relay started"') < written.find('"event": "relay stopped')
