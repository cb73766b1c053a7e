"""A small run of the whole demo on given servers, from the first process to the verdict."""

import json
import os
import subprocess
import sys

import pytest

from scripts.demo.notified_buyers import MAIL_KINDS
from scripts.servers.find import Servers


@pytest.mark.timeout(240)
def test_the_demo_passes_on_given_servers(servers: Servers) -> None:
    """It places some thirty real orders, most of them paid at gateways that misbehave.

    Exit 0 means that all checks held.
    """
    environment = os.environ | {
        "OMS_DATABASE_URL": servers.postgres.admin_url,
        "OMS_AMQP_URL": servers.broker.admin_url,
        "OMS_MANAGEMENT_URL": servers.broker.management_url or "",
    }
    command = [
        sys.executable,
        "-m",
        "scripts.demo",
        "--orders",
        "32",
        "--exit",
        "--rate",
        "0",
        "--workers",
        "1",
        "--relays",
        "1",
        "--window",
        "8",
        "--json",
    ]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=230)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout)
    assert summary["ok"] is True
    assert sum(summary["orders"].values()) >= 25
    assert set(summary["orders"]) <= {"completed", "cancelled", "rejected", "split"}
    assert "invalid" in summary["dead_letters"]
    assert summary["client"]["agreed"] >= 25
    assert summary["client"]["refusals"]["order.create.v1: RISK_RATE_LIMITED"] >= 1
    assert summary["client"]["benefits"]["promotions_cents"] > 0
    assert summary["client"]["labels"]["equal"] >= 10
    assert all(summary["client"]["mails"][kind] for kind in MAIL_KINDS)
    assert summary["client"]["reads"]["order.get"] >= 10
    assert set(summary["gateways"]) == {"alipay", "wechat", "unionpay", "paypal", "stripe"}
    assert sum(did["captures"] for did in summary["gateways"].values()) >= 10
    assert set(summary["kept_cents"]) == {"CNY", "USD"}


def test_exit_requires_a_number_of_orders() -> None:
    done = subprocess.run([sys.executable, "-m", "scripts.demo", "--exit"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--orders N" in done.stderr
