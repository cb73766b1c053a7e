"""A relay behind a broker or a database that falls silent is not ready, and goes on when the network is back."""

from collections.abc import Callable

import pytest
from pydantic import SecretStr

from db import pool as pools
from db.pool import Pool
from outbox import wire
from outbox.settings import RelaySettings
from tests.outbox.harness import announce, event, running, wait_until, wait_until_empty
from tests.tcp_proxy import TcpProxy

Settings = Callable[..., RelaySettings]


@pytest.mark.parametrize("server", ["amqp_url", "database_url"])
async def test_a_relay_behind_a_silent_server_is_not_ready_and_goes_on(
    pool: Pool, settings: Settings, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    monkeypatch.setattr(wire, "HEARTBEAT_SECONDS", 1)
    monkeypatch.setattr(pools, "ANSWER_TIMEOUT_SECONDS", 1.0)
    given = settings(lease_seconds=2.0)
    proxy = TcpProxy(getattr(given, server).get_secret_value())
    async with proxy, running(given.model_copy(update={server: SecretStr(proxy.url)})) as relay:

        async def ready() -> bool:
            return all(relay.checks().values())

        async def unready() -> bool:
            return not await ready()

        await wait_until(ready, within_seconds=20)
        proxy.silence()
        await wait_until(unready, within_seconds=10)
        proxy.speak()
        await announce(pool, [event(1, 1)])
        await wait_until_empty(pool)
        await wait_until(ready, within_seconds=20)
