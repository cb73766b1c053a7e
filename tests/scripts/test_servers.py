"""The servers of the tests and the demo are found or started, and private ones end with their owner."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import aio_pika
import pika
import pika.exceptions
import psycopg
import pytest

from scripts.servers import folder, ports
from scripts.servers.find import Servers, Use, find_servers
from scripts.servers.lifecycle import Given, NotSupportedError, ServersUnavailableError, wait_until
from scripts.servers.ports import free_ports, listening
from scripts.servers.private_postgres import private_postgres
from scripts.servers.private_rabbitmq import PrivateRabbitmq
from tests.broker import Broker

ROOT = Path(__file__).parents[2]


def test_a_database_made_from_the_template_has_the_schema_and_no_orders(servers: Servers, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM orders").fetchone()
    assert row == (0,)
    assert servers.postgres.admin_url != database_url


def test_a_database_is_dropped_even_if_a_client_is_connected(servers: Servers) -> None:
    url = servers.postgres.new_database("to_be_dropped")
    with psycopg.connect(url):
        servers.postgres.drop_database("to_be_dropped")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


def test_a_server_given_by_url_is_neither_stopped_nor_killed(servers: Servers) -> None:
    given = find_servers(
        Use.TESTS,
        {
            "OMS_TEST_DATABASE_URL": servers.postgres.admin_url,
            "OMS_TEST_AMQP_URL": servers.broker.admin_url,
            "OMS_TEST_MANAGEMENT_URL": servers.broker.management_url or "",
        },
    )
    assert given.origin == "environment"
    for operation in (given.postgres.stop, given.broker.kill, given.broker.restart):
        with pytest.raises(NotSupportedError, match="not ours"):
            operation()
    given.close()
    assert isinstance(given.postgres.lifecycle, Given)
    psycopg.connect(servers.postgres.admin_url).close()


def test_without_a_management_url_all_roles_share_one_url(servers: Servers) -> None:
    given = find_servers(
        Use.TESTS,
        {"OMS_TEST_DATABASE_URL": servers.postgres.admin_url, "OMS_TEST_AMQP_URL": servers.broker.admin_url},
    )
    assert set(given.broker.new_vhost("any").values()) == {servers.broker.admin_url}


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"OMS_TEST_AMQP_URL": "amqp://localhost"}, "must be set together"),
        ({"OMS_SERVERS": "podman"}, "OMS_SERVERS=podman"),
        (
            {"OMS_TEST_AMQP_URL": "amqp://x", "OMS_TEST_DATABASE_URL": "postgresql://127.0.0.1:1/x"},
            "PostgreSQL at OMS_TEST_DATABASE_URL does not answer",
        ),
    ],
)
def test_the_error_explains_the_three_ways_to_get_servers_and_what_went_wrong(
    environment: dict[str, str], reason: str
) -> None:
    with pytest.raises(ServersUnavailableError, match="There are three ways") as raised:
        find_servers(Use.TESTS, environment)
    assert reason in str(raised.value)


def test_the_broker_rejects_a_body_above_the_size_limit(servers: Servers, broker: Broker) -> None:
    if not isinstance(servers.broker.lifecycle, PrivateRabbitmq):
        pytest.skip("the broker was not configured by this project")
    connection = pika.BlockingConnection(pika.URLParameters(broker["admin"]))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish("amq.topic", "unbound.key", b"x" * 2_097_152)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="max size"):
        channel.basic_publish("amq.topic", "unbound.key", b"x" * 2_097_153)
    connection.close()


OWNER = """
import sys
from scripts.servers.folder import RunFolder
from scripts.servers.private_postgres import private_postgres
folder = RunFolder()
server = private_postgres(folder, durable=False)
server.start()
print(server.admin_url, folder.stop_script, flush=True)
if sys.stdin.readline() == "keep\\n":
    folder.close(keep=True)
"""


def owner_of_private_postgres() -> tuple["subprocess.Popen[str]", str, str]:
    """A process that started a server, the server's URL, and the script that stops the server."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    url, stop_script = owner.stdout.readline().split()
    psycopg.connect(url).close()
    return owner, url, stop_script


def test_a_private_server_ends_with_the_process_that_started_it_even_if_that_is_killed() -> None:
    owner, url, stop_script = owner_of_private_postgres()
    with owner:
        os.kill(owner.pid, signal.SIGKILL)
    assert is_stopped(url)
    assert wait_until(lambda: not Path(stop_script).parent.exists(), lambda: True, timeout_seconds=20)


def test_a_private_server_that_is_kept_outlives_its_owner_and_is_stopped_by_its_script() -> None:
    owner, url, stop_script = owner_of_private_postgres()
    with owner:
        owner.communicate("keep\n", timeout=30)
    psycopg.connect(url).close()
    subprocess.run([stop_script], check=True, timeout=30)
    assert is_stopped(url)
    assert not Path(stop_script).parent.exists()


def test_a_folder_keeps_the_data_of_private_postgres_for_the_next_run() -> None:
    with TemporaryDirectory(dir="/tmp") as kept:  # root's servers run as a user that may not enter a private one
        Path(kept).chmod(0o711)
        for sql in ("CREATE TABLE kept AS SELECT 1 AS value", "DELETE FROM kept WHERE value = 1 RETURNING value"):
            run = folder.RunFolder()
            server = private_postgres(run, durable=False, data=Path(kept))
            server.start()
            with psycopg.connect(server.admin_url) as connection:
                assert connection.execute(sql).rowcount == 1
            server.stop()
            run.close()


def is_stopped(url: str) -> bool:
    """Wait up to 20 s until the server refuses connections."""
    port = urlsplit(url).port
    assert port is not None
    return wait_until(lambda: not listening(port), lambda: True, timeout_seconds=20)


def test_committed_rows_survive_the_kill_of_private_postgres(servers: Servers, empty_database_url: str) -> None:
    if servers.origin == "environment":
        pytest.skip("the server is not ours, so the test must not kill it")
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS value")
    servers.postgres.kill()
    servers.postgres.start()
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (1,)


SLOW_OWNER = """
import sys
from scripts.servers.folder import RunFolder
from scripts.servers.process import ServerProcess
folder = RunFolder()
late = sys.argv[1]
script = "trap 'exit 0' TERM; (trap '' TERM; touch $0.ready; sleep 3; touch $0) & wait"
ServerProcess("slow", folder, ["/bin/sh", "-c", script, late], {"PATH": "/usr/bin:/bin"}).start()
print(folder.path, flush=True)
sys.stdin.read()
"""


def test_a_folder_is_removed_only_when_every_process_of_its_servers_has_ended(tmp_path: Path) -> None:
    """A start script may end at once on SIGTERM while the server that it started still writes."""
    late = tmp_path / "late"
    command = [sys.executable, "-c", SLOW_OWNER, str(late)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        assert wait_until(late.with_suffix(".ready").exists, lambda: True, timeout_seconds=10)
        os.kill(owner.pid, signal.SIGKILL)
    assert wait_until(lambda: not folder.exists(), lambda: True, timeout_seconds=20)
    assert late.exists()


@pytest.mark.parametrize(("durable", "room_bytes"), [(True, 0), (False, 1 << 62)])
def test_files_are_on_disk_if_they_must_be_durable_or_memory_is_short(
    monkeypatch: pytest.MonkeyPatch, durable: bool, room_bytes: int
) -> None:
    monkeypatch.setattr(folder, "_ROOM_BYTES", room_bytes)
    made = folder.RunFolder(durable=durable)
    made.close()
    assert not made.path.is_relative_to("/dev/shm")
    assert not made.path.exists()


def test_a_broker_that_does_not_answer_is_named_without_its_password(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    [port] = free_ports(1)
    given = {
        "OMS_TEST_DATABASE_URL": servers.postgres.admin_url,
        "OMS_TEST_AMQP_URL": f"amqp://guest:secret@127.0.0.1:{port}/",
    }
    with pytest.raises(ServersUnavailableError) as error:
        find_servers(Use.TESTS, given)
    assert "RabbitMQ at OMS_TEST_AMQP_URL does not answer" in str(error.value)
    assert "secret" not in str(error.value)

    async def ended(*_: object, **__: object) -> None:
        raise StopAsyncIteration

    monkeypatch.setattr(aio_pika, "connect", ended)  # as tests/outbox/test_amqp.py shows of a proxy that accepts for it
    with pytest.raises(ServersUnavailableError, match="RabbitMQ at OMS_TEST_AMQP_URL does not answer"):
        find_servers(Use.TESTS, given)


TAKES_A_PORT = "from scripts.servers import ports; print(ports.free_ports(1)[0], flush=True); input()"


def test_a_port_that_another_process_was_given_is_given_to_nobody_else() -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", TAKES_A_PORT], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    taken = int(other.stdout.readline())
    assert not ports._reserve(taken)
    other.communicate("\n")
    assert ports._reserve(taken)
