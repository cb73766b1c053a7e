"""The servers of docker-compose.yml, for the demo: a project of its own, with free ports and fresh passwords."""

import os
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from scripts.servers.broker import BrokerServer
from scripts.servers.lifecycle import Lifecycle, ServersUnavailableError, say, wait_until
from scripts.servers.management import Management
from scripts.servers.ports import free_ports
from scripts.servers.postgres import PostgresServer, answers

_FILE = Path(__file__).parents[2] / "docker-compose.yml"


@dataclass(frozen=True)
class Project:
    """One compose project: its name and the variables of docker-compose.yml."""

    name: str
    variables: dict[str, str]
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def run(self, *arguments: str) -> None:
        """Run compose. Raises ServersUnavailableError with the end of its output."""
        command = [*_program(), "-f", str(_FILE), "-p", self.name, *arguments]
        with self._one_at_a_time:  # two at once would each create the project's network
            done = self._execute(command)
        if done.returncode:
            raise ServersUnavailableError(f"{' '.join(command)} failed:\n{done.stdout[-500:]}{done.stderr[-1500:]}")

    def _execute(self, command: list[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            env=os.environ | self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
            check=False,
        )


class Service(Lifecycle):
    """The lifecycle of one service of the project."""

    def __init__(self, project: Project, name: str, ready: Callable[[], bool]) -> None:
        self._project = project
        self._name = name
        self._ready = ready

    def start(self) -> None:
        """Start the container. The first time, pull its image and create it."""
        started = time.monotonic()
        say(f"docker: starting {self._name} ...")
        self._project.run("up", "-d", "--no-deps", self._name)
        if not wait_until(self._ready, lambda: True, timeout_seconds=120):
            raise ServersUnavailableError(f"the compose service {self._name} was not ready within 120 s")
        say(f"docker: {self._name} ready in {time.monotonic() - started:.1f} s")

    def stop(self) -> None:
        """Stop with SIGTERM, and with SIGKILL after 30 seconds."""
        self._project.run("stop", "-t", "30", self._name)

    def kill(self) -> None:
        """Kill every process in the container with SIGKILL."""
        self._project.run("kill", self._name)


def compose_servers() -> tuple[PostgresServer, BrokerServer, Callable[[bool], None]]:
    """Return both servers, not started yet, and a function that removes them."""
    password = secrets.token_hex(16)
    sql, amqp, http = free_ports(3)
    ports = {"OMS_POSTGRES_PORT": str(sql), "OMS_RABBITMQ_PORT": str(amqp), "OMS_RABBITMQ_HTTP_PORT": str(http)}
    passwords = {"OMS_POSTGRES_PASSWORD": password, "OMS_ADMIN_PASSWORD": password}
    project = Project(f"oms-{secrets.token_hex(4)}", ports | passwords)

    def close(keep: bool) -> None:
        if keep:
            say(f"servers: kept; stop them with: {' '.join(_program())} -f {_FILE} -p {project.name} down -v")
        else:
            project.run("down", "-v", "-t", "5")

    postgres_url = f"postgresql://oms:{password}@127.0.0.1:{sql}/postgres"
    postgres = PostgresServer(postgres_url, Service(project, "postgres", lambda: answers(postgres_url)))
    management_url = f"http://admin:{password}@127.0.0.1:{http}"
    management = Management(management_url)
    rabbitmq = Service(project, "rabbitmq", lambda: management.answers() and management.serves_clients())
    broker = BrokerServer(f"amqp://admin:{password}@127.0.0.1:{amqp}/%2F", rabbitmq, management_url)
    return postgres, broker, close


def _program() -> list[str]:
    """Return the command: `docker compose`, or the older `docker-compose`."""
    result = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if result.returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    raise ServersUnavailableError("Docker answers, but has neither `docker compose` nor `docker-compose`")
