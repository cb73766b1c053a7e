"""Servers in containers, for tests. We choose the host ports, so that they stay the same after a kill."""

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from docker.errors import DockerException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from scripts.servers.broker import BrokerServer
from scripts.servers.lifecycle import Lifecycle, ServersUnavailableError, say, wait_until
from scripts.servers.management import Management
from scripts.servers.ports import free_ports
from scripts.servers.postgres import PostgresServer, answers

POSTGRES_IMAGE = "postgres:17"
RABBITMQ_IMAGE = "rabbitmq:4-management"
_MAKING = threading.Lock()  # two at once would each start the container that removes ours if we are killed


class Container(Lifecycle):
    """The lifecycle of one container. `remove` deletes it; `stop` does not, so its data outlive a kill."""

    def __init__(self, container: DockerContainer, ready: Callable[[], bool]) -> None:
        self._container = container
        self._ready = ready
        self._made = False

    def start(self) -> None:
        """Start the container. The first time, pull its image and create it."""
        started = time.monotonic()
        say(f"docker: starting {self._container.image} ...")
        try:
            if self._made:
                self._docker.start()
            else:
                with _MAKING:
                    self._container.start()
                self._made = True
        except (DockerException, OSError, RuntimeError) as error:  # refused by the engine, cut off, or ended at once
            raise ServersUnavailableError(_refusal(self._container.image, error)) from error
        if not wait_until(self._ready, self._runs, timeout_seconds=120):
            log = self._docker.logs(tail=15).decode(errors="replace")
            raise ServersUnavailableError(f"the container of {self._container.image} was not ready in time:\n{log}")
        say(f"docker: {self._container.image} ready in {time.monotonic() - started:.1f} s")

    def stop(self) -> None:
        """Stop with SIGTERM, and with SIGKILL after 30 seconds."""
        if self._made:
            self._docker.stop(timeout=30)

    def kill(self) -> None:
        """Kill every process in the container with SIGKILL."""
        if self._runs():
            self._docker.kill()
            self._docker.wait()

    def remove(self) -> None:
        """Remove the container and its data."""
        if self._made:
            self._container.stop()

    def _runs(self) -> bool:
        if not self._made:
            return False
        self._docker.reload()
        return bool(self._docker.status == "running")

    @property
    def _docker(self) -> Any:
        return self._container.get_wrapped_container()


def container_servers() -> tuple[PostgresServer, BrokerServer, Callable[[bool], None]]:
    """Return both servers, not started yet, and a function that removes them.

    Raises ServersUnavailableError if testcontainers does not reach the engine.
    """
    password = secrets.token_hex(16)
    try:
        postgres, database = _postgres(password)
        broker, queues = _rabbitmq(password)
    except (DockerException, OSError) as error:
        raise ServersUnavailableError(f"testcontainers does not reach the Docker engine: {error}") from error

    def close(keep: bool) -> None:
        if not keep:
            database.remove()
            queues.remove()

    return postgres, broker, close


def _refusal(image: str, error: Exception) -> str:
    needed = [image] if testcontainers_config.ryuk_disabled else [image, testcontainers_config.ryuk_image]
    pull = " && ".join(f"docker pull {name}" for name in needed)
    return f"Docker did not start a container of {image}: {error}\n  next: {pull}"


def _postgres(password: str) -> tuple[PostgresServer, Container]:
    port = free_ports(1)[0]
    url = f"postgresql://oms:{password}@127.0.0.1:{port}/postgres"
    container = _on_loopback(DockerContainer(POSTGRES_IMAGE), {5432: port})
    container.with_envs(POSTGRES_USER="oms", POSTGRES_PASSWORD=password)
    container.with_command("postgres -c fsync=off -c full_page_writes=off -c max_connections=300")
    lifecycle = Container(container, lambda: answers(url))
    return PostgresServer(url, lifecycle), lifecycle


def _rabbitmq(password: str) -> tuple[BrokerServer, Container]:
    amqp, http = free_ports(2)
    management_url = f"http://admin:{password}@127.0.0.1:{http}"
    container = _on_loopback(DockerContainer(RABBITMQ_IMAGE), {5672: amqp, 15672: http})
    container.with_envs(RABBITMQ_DEFAULT_USER="admin", RABBITMQ_DEFAULT_PASS=password)
    container.with_kwargs(hostname="rabbitmq")  # the node names its data after the host
    management = Management(management_url)
    lifecycle = Container(container, lambda: management.answers() and management.serves_clients())
    return BrokerServer(f"amqp://admin:{password}@127.0.0.1:{amqp}/%2F", lifecycle, management_url), lifecycle


def _on_loopback(container: DockerContainer, ports: dict[int, int]) -> DockerContainer:
    """Publish the ports on 127.0.0.1 only; `with_bind_ports` has no way to do so."""
    for inside, outside in ports.items():
        container.ports[f"{inside}/tcp"] = ("127.0.0.1", outside)  # type: ignore[assignment]  # docker-py accepts a tuple
    return container
