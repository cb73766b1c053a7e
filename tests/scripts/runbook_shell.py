"""Runs what runbooks have someone type beside `oms`: at the database, at the broker, and at a worker and a relay.

The worker serves timers, stock and dead letters. The relay's broker is away, so it publishes nothing.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import orjson
import psycopg
import yaml

from scripts.servers.find import Servers
from scripts.servers.ports import free_ports
from scripts.servers.private_rabbitmq import PrivateRabbitmq

ROOT = Path(__file__).parents[2]
STARTED_WITHIN_SECONDS = 60.0
MEASURED_WITHIN_SECONDS = 25.0  # what is measured each ten seconds is there after ten
NOWHERE = "amqp://nobody:none@127.0.0.1:1/"
COMMANDS = {"worker": ["worker", "--queues", "timeouts,stock,dead-letters"], "relay": ["relay"]}
PSQL = re.compile(r"psql \"\$OMS_DATABASE_URL\" -c (['\"])(.+)\1")
CURL = re.compile(r"curl -s localhost:9100(/\w+)(?: \| grep (?:-E )?'(.+)')?")
DOCKER = re.compile(r"docker compose (?:logs --since \S+|ps|up -d) (\w+)(?: \| grep (.+))?")
OF_RELAYS = ("outbox-old", "relays-gone", "broker-away")
NOT_RUN = ("df ", "curl -sv")
"""They look at a machine or a provider that a test does not have."""
WITHOUT_SAMPLES = ("provider_call",)
"""A worker counts these calls from the first one on. No call is made here, so the page's names are looked for alone."""


@dataclass(frozen=True)
class Shell:
    """Where the commands run. `ports` has that of each process."""

    database_url: str
    servers: Servers
    ports: Mapping[str, int]
    seen: dict[str, tuple[bool, str]] = field(default_factory=dict)

    def run(self, line: str, page: str) -> tuple[bool, str]:
        """Return whether a line that is not of `oms` works, and what it prints. `page` is the stem of its page."""
        if line.startswith(NOT_RUN):
            return True, ""
        if line.startswith("rabbitmq"):
            if line not in self.seen:  # each takes half a second of a processor
                self.seen[line] = self._at_the_broker(line.split())
            return self.seen[line]
        if found := PSQL.fullmatch(line):
            return self._at_the_database(found[2])
        if found := CURL.fullmatch(line):
            return self._at_a_process("relay" if page in OF_RELAYS else "worker", found[1], found[2])
        if found := DOCKER.fullmatch(line):
            return _in_compose(found[1], found[2])
        return False, "nobody knows how to run it"

    def _at_the_broker(self, words: list[str]) -> tuple[bool, str]:
        node = self.servers.broker.lifecycle
        if not isinstance(node, PrivateRabbitmq):
            return True, ""
        words[0] = f"/usr/lib/rabbitmq/bin/{words[0]}"
        done = subprocess.run(words, env=node._environment(), check=False, capture_output=True, text=True)
        return done.returncode == 0, done.stdout + done.stderr

    def _at_the_database(self, statement: str) -> tuple[bool, str]:
        try:
            with psycopg.connect(self.database_url, autocommit=True) as connection:
                return True, str(connection.execute(statement).fetchall())  # type: ignore[arg-type, unused-ignore]
        except psycopg.Error as error:
            return False, str(error)

    def _at_a_process(self, process: str, path: str, pattern: str | None) -> tuple[bool, str]:
        if pattern is None:
            return True, self.answer(process, path)[1]
        deadline = time.monotonic() + MEASURED_WITHIN_SECONDS
        while not (found := _matching(pattern, self.answer(process, path)[1])) and time.monotonic() < deadline:
            time.sleep(0.2)
        return bool(found), "\n".join(found)

    def answer(self, process: str, path: str) -> tuple[int, str]:
        """The status and body of an answer, once the process gives one."""
        deadline = time.monotonic() + STARTED_WITHIN_SECONDS
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{self.ports[process]}{path}", timeout=5) as response:
                    return response.status, response.read().decode()
            except HTTPError as error:
                return error.code, error.read().decode()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def wait_until_ready(self, check: str, *, is_: bool) -> None:
        """Wait until a check of the worker's /ready says so."""
        deadline = time.monotonic() + STARTED_WITHIN_SECONDS
        while orjson.loads(self.answer("worker", "/ready")[1]).get(check) is not is_:
            assert time.monotonic() < deadline, f"{check} is not {is_}"
            time.sleep(0.1)


def _matching(pattern: str, metrics: str) -> list[str]:
    if any(name in pattern for name in WITHOUT_SAMPLES):
        metrics = re.sub(r"^# HELP (\w+).*$", r"\1_count", metrics, flags=re.MULTILINE)
    return [line for line in metrics.splitlines() if re.search(pattern, line)]


def _in_compose(service: str, words: str | None) -> tuple[bool, str]:
    """Whether the service exists, and somewhere in our code stands what is searched for in its log."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    sources = (path for folder in ("workers", "outbox") for path in (ROOT / folder).rglob("*.py"))
    written = words is None or any(words.strip("'") in path.read_text(encoding="utf-8") for path in sources)
    return service in services and written, f"{service}: {words}"


@contextmanager
def running(servers: Servers, database_url: str, amqp_url: str, prefix: str) -> Iterator[Shell]:
    """Run the worker and the relay until the block ends. Neither is ready yet when it begins."""
    shell = Shell(database_url, servers, dict(zip(COMMANDS, free_ports(2), strict=True)))
    variables = {"OMS_DATABASE_URL": database_url, "OMS_PREFIX": prefix, "OMS_OPS_HOST": "127.0.0.1"}
    started = []
    try:
        for name, words in COMMANDS.items():
            own = {"OMS_AMQP_URL": amqp_url if name == "worker" else NOWHERE, "OMS_OPS_PORT": str(shell.ports[name])}
            environment = os.environ | variables | own
            command = [sys.executable, "-m", "scripts.cli", *words]
            started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL))
        yield shell
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            process.wait(30)
