"""The start of a relay: it waits for servers that are away or full, and ends with one sentence at a refused login."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable

import pytest
from pydantic import SecretStr
from yarl import URL

from db.errors import LoginRefusedError
from db.pool import Pool
from outbox import start
from outbox.relay import Relay
from outbox.settings import RelaySettings
from scripts.servers.ports import free_ports
from tests.outbox.harness import running, wait_until

Settings = Callable[..., RelaySettings]


@pytest.fixture
async def other_user(pool: Pool) -> AsyncIterator[str]:
    """A database user that may use everything, and may have no connection at all for now."""
    name = f"limited_{secrets.token_hex(4)}"
    await pool.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'SECRET' SUPERUSER CONNECTION LIMIT 0")
    await pool.execute(f"ALTER ROLE {name} NOSUPERUSER")
    await pool.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}")
    yield name
    await pool.execute(f"DROP OWNED BY {name}")
    await pool.execute(f"DROP ROLE {name}")


def as_user(url: str, user: str, password: str = "SECRET") -> SecretStr:
    return SecretStr(str(URL(url).with_user(user).with_password(password)))


def changed(settings: Settings, **changes: SecretStr) -> RelaySettings:
    return settings().model_copy(update=changes)


async def test_a_relay_waits_while_the_database_has_too_many_connections(
    pool: Pool, database_url: str, settings: Settings, other_user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "WAIT_SECONDS", 0.1)
    async with running(changed(settings, database_url=as_user(database_url, other_user))) as relay:
        await asyncio.sleep(0.3)
        assert not relay.checks()["database"]
        await pool.execute(f"ALTER ROLE {other_user} CONNECTION LIMIT 20")

        async def ready() -> bool:
            return relay.checks()["database"]

        await wait_until(ready)


async def test_a_relay_that_is_stopped_while_it_waits_ends(settings: Settings) -> None:
    (port,) = free_ports(1)
    async with running(changed(settings, database_url=SecretStr(f"postgresql://u@127.0.0.1:{port}/db"))):
        await asyncio.sleep(0.1)


async def test_a_relay_ends_when_the_database_refuses_its_login(database_url: str, settings: Settings) -> None:
    relay = Relay(changed(settings, database_url=as_user(database_url, "nobody_of_this_name")))
    with pytest.raises(LoginRefusedError, match="OMS_DATABASE_URL") as caught:
        await asyncio.wait_for(relay.run(asyncio.Event()), 10)
    assert "SECRET" not in str(caught.value)


async def test_a_relay_ends_when_the_broker_refuses_its_login(settings: Settings) -> None:
    sound = settings()
    wrong = as_user(sound.amqp_url.get_secret_value(), URL(sound.amqp_url.get_secret_value()).user or "")
    with pytest.raises(LoginRefusedError, match="OMS_AMQP_URL") as caught:
        await asyncio.wait_for(Relay(changed(settings, amqp_url=wrong)).run(asyncio.Event()), 10)
    assert "SECRET" not in str(caught.value)
