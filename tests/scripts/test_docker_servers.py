"""A Docker engine that answers and cannot pull an image is named, and private servers stand in for its own."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.exceptions import ContainerStartException

from scripts.servers import compose, find
from scripts.servers.find import Servers, Use, find_servers
from scripts.servers.lifecycle import ServersUnavailableError

REASON = "lookup registry-1.docker.io: no such host"
PROGRAM = f"""#!/bin/sh
case "$*" in info | "compose version") exit 0 ;; esac
echo '{REASON}' >&2
exit 1
"""


class RefusingEngine(BaseHTTPRequestHandler):
    """Has no image, and says why it cannot pull one. `pulls` and `together` are how many go on, and went on at once."""

    pulls = 0
    together = 0

    def do_GET(self) -> None:
        if self.path == "/version":
            self._answer(200, '{"ApiVersion": "1.41"}')
        else:
            self._answer(404, '{"message": "No such image"}')

    def do_POST(self) -> None:
        RefusingEngine.pulls += 1
        RefusingEngine.together = max(RefusingEngine.together, RefusingEngine.pulls)
        time.sleep(0.1)
        RefusingEngine.pulls -= 1
        self._answer(500, f'{{"message": "{REASON}"}}')

    def log_message(self, format: str, *args: object) -> None:
        """Write no line for each request."""

    def _answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


@pytest.fixture
def refusing_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The engine that testcontainers reaches, and the program `docker` that compose is."""
    program = tmp_path / "docker"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    with ThreadingHTTPServer(("127.0.0.1", 0), RefusingEngine) as engine:
        threading.Thread(target=engine.serve_forever, args=[0.05], daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{engine.server_port}")
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        yield
        engine.shutdown()


@pytest.mark.processes
@pytest.mark.parametrize("use", Use)
def test_a_docker_engine_that_cannot_pull_is_named_and_private_servers_stand_in(
    use: Use, refusing_engine: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    private = cast(Servers, object())
    monkeypatch.setattr(find, "private_servers", lambda **_: private)
    with pytest.raises(ServersUnavailableError, match=REASON):
        find_servers(use, {"OMS_SERVERS": "docker"})
    assert RefusingEngine.together <= 1, "testcontainers starts a container that cleans up, with the first of ours"
    capsys.readouterr()
    assert find_servers(use, {}) is private
    errors = capsys.readouterr().err
    assert REASON in errors
    assert "private ones are started" in errors

    def missing(**_: object) -> Servers:
        raise ServersUnavailableError("RabbitMQ is not installed")

    monkeypatch.setattr(find, "private_servers", missing)
    with pytest.raises(ServersUnavailableError, match=f"(?s)RabbitMQ is not installed.*{REASON}"):
        find_servers(use, {})


def test_a_container_that_ends_as_it_starts_is_named_and_private_servers_stand_in(
    refusing_engine: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So ends the container that cleans up, where it may not use the engine's socket."""

    def ended(_: DockerContainer) -> DockerContainer:
        raise ContainerStartException("Container is not started")

    private = cast(Servers, object())
    monkeypatch.setattr(DockerContainer, "start", ended)
    monkeypatch.setattr(find, "private_servers", lambda **_: private)
    assert find_servers(Use.TESTS, {}) is private
    assert "Container is not started" in capsys.readouterr().err


def test_an_engine_that_also_refuses_to_clean_up_does_not_hide_why_it_started_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(reason: str) -> Callable[..., None]:
        def called(*_: object) -> None:
            raise ServersUnavailableError(reason)

        return called

    server = SimpleNamespace(start=refuse(REASON))
    monkeypatch.setattr(compose, "compose_servers", lambda: (server, server, refuse("compose down failed")))
    with pytest.raises(ServersUnavailableError, match=REASON):
        find_servers(Use.UP, {"OMS_SERVERS": "docker"})
    assert "was not removed: compose down failed" in capsys.readouterr().err
