"""Servers, databases and brokers for the tests: real ones, found as scripts/servers/find.py says.

Each test has a database that looks new and its own virtual host, so tests never see each other's rows or messages.
All asynchronous tests of a process run on one event loop, because the sessions with the shared database belong to it.
Every process of pytest-xdist starts a pair of servers of its own, so a test that kills one disturbs only itself.

`--quick` leaves out the tests that use the fixture `servers`, and skips a test that is about to start a process.

Python's garbage collector rests while tests are collected and never looks again at what there is by then: it would
pass over the 12,000 tests and their modules once for every few of them, which takes a third of the processor's time.
"""

import gc
import logging
import os
import secrets
import sys
from collections.abc import AsyncIterator, Generator, Iterator

import pytest
import structlog

from db import migrate
from db.pool import Pool, open_pool
from outbox import declare
from scripts.servers.find import Servers, Use, find_servers
from scripts.servers.lifecycle import ServersUnavailableError
from tests.broker import TIERS_SECONDS, Broker, new_broker
from tests.shared_database import SharedDatabase

os.environ.setdefault("OMS_ENCRYPTION_KEYS", "test:" + "A" * 43 + "=")

GARBAGE_THRESHOLDS = 20_000, 20, 20  # new objects, then younger generations' collections; Python's are 700, 10, 10


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option --quick."""
    parser.addoption("--quick", action="store_true", help="only tests that need no server and start no process")


def pytest_configure(config: pytest.Config) -> None:
    """With --quick, skip a test when it is about to start a process: so no list of such tests is needed."""
    if config.getoption("--quick"):
        sys.addaudithook(_skip_at_new_process)


def _skip_at_new_process(event: str, arguments: object) -> None:
    if event == "subprocess.Popen" and "PYTEST_CURRENT_TEST" in os.environ:
        pytest.skip("starts a process")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without garbage collection, and keep all that was collected out of each later one."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        gc.set_threshold(*GARBAGE_THRESHOLDS)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that need servers, and run the longest first: the last ones then end together on all cores."""
    for item in items:
        if "servers" in getattr(item, "fixturenames", ()):
            item.add_marker("servers")
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)  # only long tests have their own timeout
    if config.getoption("--quick"):
        slow = {item for item in items if any(item.iter_markers("servers")) or any(item.iter_markers("processes"))}
        config.hook.pytest_deselected(items=[item for item in items if item in slow])
        items[:] = [item for item in items if item not in slow]


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Iterator[Servers]:
    """The pair all tests share. A test that kills or stops one of them starts it again."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():  # shows the output of a start or an installation
            found = find_servers(Use.TESTS)
    except ServersUnavailableError as error:
        if "PYTEST_XDIST_WORKER" not in os.environ:
            pytest.exit(str(error), returncode=3)
        request.session.shouldfail = "there are no servers"  # ends the other processes too
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    with found:
        yield found


@pytest.fixture(scope="session")
def database_template(servers: Servers) -> Iterator[str]:
    """The name of a database with the newest schema, copied for each test: migrating takes far longer."""
    name = f"template_{secrets.token_hex(4)}"
    migrate.upgrade(servers.postgres.new_database(name))
    yield name
    servers.postgres.drop_database(name)


@pytest.fixture
def database_url(servers: Servers, database_template: str) -> Iterator[str]:
    """URL of a fresh database with the newest schema."""
    name = f"test_{secrets.token_hex(6)}"
    yield servers.postgres.new_database(name, template=database_template)
    servers.postgres.drop_database(name)


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Undo what `oms worker` and `oms relay` set up: their handler writes to a stream that ends with the test."""
    root, config = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)


@pytest.fixture
def empty_database_url(servers: Servers) -> Iterator[str]:
    """URL of a fresh database without any table."""
    name = f"empty_{secrets.token_hex(6)}"
    yield servers.postgres.new_database(name)
    servers.postgres.drop_database(name)


@pytest.fixture
async def own_pool(database_url: str) -> AsyncIterator[Pool]:
    """A pool on the test's own database."""
    opened = await open_pool(database_url, application_name="tests", max_size=8)
    yield opened
    opened.terminate()


@pytest.fixture(scope="session")
async def shared_database(servers: Servers, database_template: str) -> AsyncIterator[SharedDatabase]:
    """A database that tests use one after the other."""
    shared = SharedDatabase(servers.postgres, database_template)
    yield shared
    shared.close()


@pytest.fixture
async def shared_pool(shared_database: SharedDatabase) -> Pool:
    """A pool on the shared database, which looks new."""
    return await shared_database.pool()


@pytest.fixture
def pool(servers: Servers, request: pytest.FixtureRequest) -> Pool:
    """A pool on a database that looks new: the test's own if it needs its URL, else the shared one.

    It names `servers`, although the other fixtures do too, because `--quick` sees those that are named.
    """
    own = "database_url" in request.fixturenames
    found: Pool = request.getfixturevalue("own_pool" if own else "shared_pool")
    return found


@pytest.fixture
def broker(servers: Servers) -> Iterator[Broker]:
    """A fresh virtual host with nothing declared; a prefix of its own where the broker lends us no virtual host."""
    vhost = f"test-{secrets.token_hex(6)}"
    prefix = "oms" if servers.broker.management_url else f"oms{secrets.token_hex(4)}"
    yield new_broker(servers, vhost, prefix)
    servers.broker.drop_vhost(vhost)


@pytest.fixture
async def declared_broker(broker: Broker) -> Broker:
    """A fresh virtual host with the whole topology: the retry ladder and a payment window of two seconds."""
    await declare.declare(broker["topology"], broker.names, TIERS_SECONDS)
    return broker
