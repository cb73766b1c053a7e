"""What a relay process shows: health, metrics, its settings."""

import subprocess
import sys

import aiohttp
import pytest

from outbox.ops import ops_server
from outbox.settings import RelaySettings
from scripts.servers.ports import free_ports


@pytest.mark.parametrize(("well", "status"), [(True, 200), (False, 503)])
async def test_health_names_what_is_wrong(well: bool, status: int) -> None:
    (port,) = free_ports(1)
    checks = {"broker": well, "database": True}
    async with (
        ops_server(port, live=lambda: {"loop": True}, ready=lambda: checks, host="127.0.0.1"),
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
    ):
        async with client.get("/ready") as answer:
            assert (answer.status, await answer.json()) == (status, checks)
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
        "oms_outbox_pending",
        "oms_outbox_oldest_age_seconds",
        "oms_outbox_publish_total",
        "oms_outbox_shards",
    ):
        assert f"\n{name}" in text


def relay(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "outbox", *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_help_names_every_setting() -> None:
    shown = relay("--help")
    assert shown.returncode == 0
    for name in RelaySettings.model_fields:
        assert f"OMS_{name.upper()}" in shown.stdout


def test_a_relay_without_a_database_says_so_and_ends() -> None:
    (port,) = free_ports(1)
    shown = relay(OMS_AMQP_URL="amqp://h/", OMS_DATABASE_URL=f"postgresql://u:SECRET@127.0.0.1:{port}/db")
    assert shown.returncode == 1
    assert "OMS_DATABASE_URL" in shown.stderr
    assert "SECRET" not in shown.stderr


def test_wrong_settings_are_named_without_showing_any_value() -> None:
    shown = relay(OMS_AMQP_URL="amqp://a:SECRET@h/", OMS_LEASE_SECONDS="soon")
    assert shown.returncode == 2
    assert "OMS_DATABASE_URL: Field required" in shown.stderr
    assert "lease_seconds" in shown.stderr
    assert "SECRET" not in shown.stderr
