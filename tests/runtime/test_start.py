"""The start of a worker: a refused login ends it with one sentence; one that runs already pauses and says so."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence

import pytest
from pydantic import SecretStr
from yarl import URL

from db.errors import LoginRefusedError, UnavailableError
from db.pool import Pool, open_pool
from scripts.cli import main
from tests.broker import Broker
from tests.runtime.harness import WorkerHarness, write_effects
from workers.runtime.route import Route
from workers.runtime.run import run_routes
from workers.runtime.transactions import transaction

ROUTES = [Route("order-changes", write_effects)]


def as_user(url: str, user: str | None) -> SecretStr:
    return SecretStr(str(URL(url).with_user(user).with_password("SECRET")))


@pytest.fixture
async def closable(pool: Pool) -> AsyncIterator[str]:
    """A database user that may log in, until a test forbids it."""
    name = f"closable_{secrets.token_hex(4)}"
    await pool.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'SECRET'")
    yield name
    await pool.execute(f"DROP ROLE {name}")


async def test_a_worker_ends_when_the_broker_refuses_its_login(harness: WorkerHarness) -> None:
    url = harness.broker["worker"]
    settings = harness.settings().model_copy(update={"amqp_url": as_user(url, URL(url).user)})
    with pytest.raises(LoginRefusedError, match="OMS_AMQP_URL") as caught:
        await asyncio.wait_for(run_routes(ROUTES, settings, asyncio.Event()), 10)
    assert "SECRET" not in str(caught.value)


async def test_a_worker_ends_when_the_database_refuses_its_login(harness: WorkerHarness) -> None:
    settings = harness.settings().model_copy(update={"database_url": as_user(harness.database_url, "no_such_user")})
    with pytest.raises(LoginRefusedError, match="OMS_DATABASE_URL") as caught:
        await asyncio.wait_for(run_routes(ROUTES, settings, asyncio.Event()), 10)
    assert "SECRET" not in str(caught.value)


async def test_a_worker_whose_login_is_refused_later_pauses_and_says_so(
    pool: Pool, database_url: str, closable: str
) -> None:
    opened = await open_pool(as_user(database_url, closable).get_secret_value(), application_name="test")
    async with transaction(opened):
        pass
    await pool.execute(f"ALTER ROLE {closable} NOLOGIN")
    await opened.expire_connections()
    with pytest.raises(UnavailableError, match="correct the user and password in OMS_DATABASE_URL"):
        async with transaction(opened):
            pass
    opened.terminate()


@pytest.mark.usefixtures("logging_as_before")
@pytest.mark.parametrize("command", [["worker"], ["relay"]])
def test_a_process_whose_login_is_refused_ends_with_one_sentence(
    command: Sequence[str],
    database_url: str,
    declared: Broker,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = declared["worker"]
    monkeypatch.setenv("OMS_AMQP_URL", as_user(url, URL(url).user).get_secret_value())
    monkeypatch.setenv("OMS_DATABASE_URL", database_url)
    monkeypatch.setenv("OMS_PREFIX", declared.names.prefix)
    monkeypatch.setenv("OMS_OPS_PORT", "0")
    assert main(command) == 1
    shown = capsys.readouterr().err
    assert shown.splitlines()[-3] == "oms: a server refuses the login"  # a traceback would come after it
    assert "OMS_AMQP_URL" in shown
    assert "SECRET" not in shown
