"""A broker or a database that falls silent, as behind a network that drops packets: nobody closes anything.

Each connection is given up after its own short time, readiness says so, and work goes on once the network is back.
"""

import gc
import socket
import time

import aiohttp
import pytest

from outbox import wire
from scripts.servers.ports import free_ports
from tests.runtime.builders import DELETE, delete
from tests.runtime.harness import WorkerHarness, wait_until, write_effects
from tests.tcp_proxy import TcpProxy
from workers.runtime import inbox, run
from workers.runtime.route import Route

ROUTE = Route("order-changes", write_effects)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the times that are whole seconds in a real process."""
    monkeypatch.setattr(wire, "HEARTBEAT_SECONDS", 1)
    monkeypatch.setattr(inbox, "PROBE_SECONDS", 0.3)
    monkeypatch.setattr(run, "WATCH_SECONDS", 0.1)


async def ready(port: int) -> bool:
    try:
        async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}/ready") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


def test_a_silent_server_is_given_up_within_ten_seconds() -> None:
    """The readiness of a worker and of a relay follows within this time."""
    assert (wire.HEARTBEAT_SECONDS + 1) * wire.SILENT_INTERVALS_MAX + wire.HEARTBEAT_SECONDS // 2 <= 10
    assert run.WATCH_SECONDS + inbox.PROBE_SECONDS <= 10


async def test_a_worker_behind_a_silent_broker_is_not_ready_and_goes_on_with_a_new_connection(
    harness: WorkerHarness, quick: None
) -> None:
    (port,) = free_ports(1)
    proxy = TcpProxy(harness.broker["worker"])
    async with proxy, harness.running(ROUTE, amqp_url=proxy.url, ops_port=port, ops_host="127.0.0.1"):
        await wait_until(lambda: ready(port))
        proxy.silence()
        started = time.monotonic()
        await wait_until(lambda: unready(port))
        assert time.monotonic() - started < 10
        proxy.speak()
        await harness.client.publish(DELETE, delete())
        await harness.wait_for_effects(1)
        await wait_until(lambda: ready(port))


async def test_a_worker_behind_a_silent_database_is_not_ready_even_when_idle_and_goes_on(
    harness: WorkerHarness, quick: None
) -> None:
    (port,) = free_ports(1)
    proxy = TcpProxy(harness.database_url)
    async with proxy, harness.running(ROUTE, database_url=proxy.url, ops_port=port, ops_host="127.0.0.1"):
        await wait_until(lambda: ready(port))
        proxy.silence()
        await wait_until(lambda: unready(port))
        proxy.speak()
        await harness.client.publish(DELETE, delete())
        await harness.wait_for_effects(1)
        await wait_until(lambda: ready(port))


async def unready(port: int) -> bool:
    return not await ready(port)


async def test_the_kernel_ends_connections_to_a_peer_that_is_gone(harness: WorkerHarness) -> None:
    connection = await wire.connect(harness.broker["worker"], name="test")
    assert connection.transport is not None
    watched = [used for used in socket_objects() if used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)]
    assert len(watched) >= 2  # that of this connection and that of the database
    assert {used.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) for used in watched} == {10_000}
    assert await harness.pool.fetchval("SHOW tcp_user_timeout") == "10000"
    await wire.close(connection)


def socket_objects() -> list[socket.socket]:
    """The TCP connections of this process."""
    found = (one for one in gc.get_objects() if type(one) is socket.socket and one.fileno() >= 0)
    return [one for one in found if one.family == socket.AF_INET and one.type == socket.SOCK_STREAM]
