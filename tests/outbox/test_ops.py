"""The probes, metrics, logs and help text of a relay process."""

import json
import socket
import subprocess
import sys

import aiohttp
import pytest

from outbox.ops import ops_server
from outbox.settings import RelaySettings
from scripts.servers.ports import free_ports


@pytest.mark.parametrize(("well", "status"), [(True, 200), (False, 503)])
async def test_a_probe_names_its_failed_checks(well: bool, status: int) -> None:
    (port,) = free_ports(1)
    checks = {"database": True, "broker": well}
    async with (
        ops_server(port, live=lambda: {"loop": True}, ready=lambda: checks, host="127.0.0.1"),
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
    ):
        async with client.get("/ready") as answer:
            assert (answer.status, await answer.json()) == (status, checks)
            first, *_ = (await answer.text()).splitlines()[1:]
            assert well or first == ' "broker": false,', "what fails comes first, each check on a line"
        async with client.get("/live") as answer:
            assert answer.status == 200


async def test_the_metrics_of_publishing_are_served() -> None:
    (port,) = free_ports(1)
    async with (
        ops_server(port, live=dict, ready=dict, host="127.0.0.1"),
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
        client.get("/metrics") as answer,
    ):
        text = await answer.text()
    for name in (
        "oms_outbox_publish_total",
        "oms_outbox_shards",
    ):
        assert f"\n{name}" in text


KEYS = {"OMS_ENCRYPTION_KEYS": "test:" + "A" * 43 + "="}


def relay(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "outbox", *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_help_names_every_setting() -> None:
    shown = relay("--help")
    assert shown.returncode == 0
    for name in RelaySettings.model_fields:
        assert f"OMS_{name.upper()}" in shown.stdout


def test_wrong_settings_are_named_without_showing_any_value() -> None:
    shown = relay(OMS_AMQP_URL="amqp://a:SECRET@h/", OMS_LEASE_SECONDS="soon")
    assert shown.returncode == 2
    assert "OMS_DATABASE_URL: Field required" in shown.stderr
    assert "lease_seconds" in shown.stderr
    assert "SECRET" not in shown.stderr


def test_a_relay_without_keys_refuses_to_start_and_says_what_to_type() -> None:
    shown = relay(OMS_AMQP_URL="amqp://h/", OMS_DATABASE_URL="postgresql://127.0.0.1:1/db")
    assert shown.returncode == 2
    assert "oms keys new" in shown.stderr


def test_a_port_that_is_taken_is_named_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        shown = relay(
            OMS_AMQP_URL="amqp://h/",
            OMS_DATABASE_URL="postgresql://h/db",
            OMS_OPS_HOST="127.0.0.1",
            OMS_OPS_PORT=port,
            **KEYS,
        )
    assert shown.returncode == 2
    assert f"another process listens on port {port} (OMS_OPS_PORT)" in shown.stderr


LOGGING_PROGRAM = """
import structlog
from outbox.__main__ import prepare
from outbox.settings import RelaySettings

prepare(RelaySettings())
structlog.get_logger("x").info("started")
structlog.get_logger("x").error("called 13812345678")
"""


@pytest.mark.parametrize(("level", "events"), [("info", ["started", "called ***"]), ("error", ["called ***"])])
def test_a_relay_logs_json_without_personal_data_from_the_level_that_is_set(level: str, events: list[str]) -> None:
    environment = {"OMS_AMQP_URL": "amqp://h/", "OMS_DATABASE_URL": "postgresql://h/db", "OMS_LOG_LEVEL": level, **KEYS}
    ran = subprocess.run(
        [sys.executable, "-c", LOGGING_PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    assert [json.loads(line)["event"] for line in ran.stderr.splitlines()] == events
