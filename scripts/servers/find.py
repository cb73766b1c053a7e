"""Finds servers: URLs in the environment first, then Docker, then private servers."""

import enum
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scripts.servers.broker import BrokerServer, broker_refusal
from scripts.servers.docker import docker_answers
from scripts.servers.lifecycle import Given, ServersUnavailableError, say
from scripts.servers.postgres import PostgresServer, answers

ADVICE = """\
There are no servers to run against. There are three ways; choose one:
  1. give URLs:      export {database}=postgresql://user:password@host/db {amqp}=amqp://user:password@host/
  2. start Docker:   `docker info` must answer for this user
  3. private ones:   install RabbitMQ (sudo apt-get install --no-install-recommends rabbitmq-server); PostgreSQL comes
                     with the Python environment
The last way failed: {reason}"""


class Use(enum.Enum):
    """What the servers are for. The demo needs durable ones; tests trade that for speed."""

    UP = ("OMS_DATABASE_URL", "OMS_AMQP_URL", "OMS_MANAGEMENT_URL")
    TESTS = ("OMS_TEST_DATABASE_URL", "OMS_TEST_AMQP_URL", "OMS_TEST_MANAGEMENT_URL")


@dataclass
class Servers:
    """A running PostgreSQL and RabbitMQ. `origin` is "environment", "docker" or "private"."""

    postgres: PostgresServer
    broker: BrokerServer
    origin: str
    _close: Callable[[bool], None] = lambda keep: None

    def close(self, keep: bool = False) -> None:
        """Stop what was started for us, unless `keep`."""
        self.postgres.disconnect()
        self._close(keep)

    def __enter__(self) -> "Servers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def find_servers(use: Use, environment: Mapping[str, str] = os.environ) -> Servers:
    """Return running servers. OMS_SERVERS=docker or private skips the other ways. Raises ServersUnavailableError."""
    try:
        return _find(use, environment)
    except ServersUnavailableError as error:
        database, amqp, _ = use.value
        raise ServersUnavailableError(ADVICE.format(database=database, amqp=amqp, reason=error)) from error


def _find(use: Use, environment: Mapping[str, str]) -> Servers:
    way = environment.get("OMS_SERVERS", "")
    if way not in ("", "docker", "private"):
        raise ServersUnavailableError(f"OMS_SERVERS={way} is not known; it may be docker or private")
    if not way and any(environment.get(name) for name in use.value[:2]):
        return _given(use, environment)
    if way == "docker":
        return _docker(use)
    refusal = None
    if not way and docker_answers():
        try:
            return _docker(use)
        except ServersUnavailableError as error:
            refusal = error
            say(
                f"docker: {error}\nservers: Docker gave none, so private ones are started; OMS_SERVERS=private skips it"
            )
    try:
        return private_servers(durable=use is Use.UP)
    except ServersUnavailableError as error:
        if refusal is None:
            raise
        raise ServersUnavailableError(f"{error}\nDocker answers, but: {refusal}") from error


def _given(use: Use, environment: Mapping[str, str]) -> Servers:
    database, amqp, management = (environment.get(name) or None for name in use.value)
    if database is None or amqp is None:
        raise ServersUnavailableError(f"{use.value[0]} and {use.value[1]} must be set together; only one is set")
    if not answers(database):
        raise ServersUnavailableError(f"PostgreSQL at {use.value[0]} does not answer")
    if (refusal := broker_refusal(amqp)) is not None:
        raise ServersUnavailableError(f"RabbitMQ at {use.value[1]} does not answer: {refusal}")
    say(f"servers: using {use.value[0]} and {use.value[1]}")
    broker = BrokerServer(amqp, Given(), management, own=False)
    return Servers(PostgresServer(database, Given()), broker, "environment")


def _docker(use: Use) -> Servers:
    if use is Use.TESTS:
        from scripts.servers.containers import container_servers  # noqa: PLC0415 (testcontainers is for tests only)

        return _started("docker", *container_servers())
    from scripts.servers.compose import compose_servers  # noqa: PLC0415

    return _started("docker", *compose_servers())


def private_servers(*, durable: bool, data: Path | None = None) -> Servers:
    """Start servers of our own on free loopback ports, in a temporary folder. Without `durable` that is in memory.

    `data` names a folder that keeps the data of PostgreSQL for the next run.
    """
    from scripts.servers.folder import RunFolder  # noqa: PLC0415 (only private servers need psutil and the wheel)
    from scripts.servers.private_postgres import private_postgres  # noqa: PLC0415
    from scripts.servers.private_rabbitmq import private_rabbitmq  # noqa: PLC0415

    folder = RunFolder(durable=durable)
    broker = private_rabbitmq(folder)
    postgres = private_postgres(folder, durable=durable, data=data)

    def close(keep: bool) -> None:
        if keep:
            say(f"servers: kept; stop them with {folder.stop_script}")
        else:
            broker.kill()  # its data go with the folder, and an orderly stop takes six seconds
            postgres.stop()
        folder.close(keep)

    return _started("private", postgres, broker, close)


def _started(origin: str, postgres: PostgresServer, broker: BrokerServer, close: Callable[[bool], None]) -> Servers:
    try:
        with ThreadPoolExecutor(2) as side_by_side:
            for starting in [side_by_side.submit(broker.start), side_by_side.submit(postgres.start)]:
                starting.result()
    except BaseException:
        try:
            close(False)
        except Exception as error:  # why nothing started matters more
            say(f"servers: what had started was not removed: {error}")
        raise
    return Servers(postgres, broker, origin, close)
