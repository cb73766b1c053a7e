"""The first order of the README, in Python and in JavaScript: each program runs as it is printed there."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.system import RunningSystem

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 60
INSTALL = ["npm", "install", "--silent", "--no-save", "--no-audit", "--no-fund", "amqplib"]


def program(marker: str) -> str:
    """The code block between two markers of the README."""
    part = (ROOT / "README.md").read_text("utf-8").partition(f"<!-- {marker} -->")[2]
    block = part.partition(f"<!-- /{marker} -->")[0].partition("```")[2]
    return block.partition("\n")[2].rpartition("\n```")[0]


async def printed(system: RunningSystem, command: list[str], folder: Path) -> list[str]:
    """The types of the outcomes that the program prints."""
    urls = {f"OMS_{role}_AMQP_URL": system.broker[role.lower()] for role in ("CATALOGUE", "WAREHOUSE", "STOREFRONT")}
    environment = os.environ | urls | {"OMS_SHIPPING_FEE_MINOR_UNITS": "{}"}
    run = await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    assert run.returncode == 0, run.stderr
    return [line.split()[0] for line in run.stdout.splitlines() if ".v1 {" in line]


def named(code: str, system: RunningSystem) -> str:
    """The program, with the names of this broker where it lends no virtual host of its own."""
    assert '"oms.commands"' in code
    return code.replace('"oms.commands"', f'"{system.broker.names.commands}"')


OUTCOMES = ["sku.changed.v1", "stock.received.v1", "order.created.v1"]


async def test_the_first_order_in_python_is_placed(system: RunningSystem, tmp_path: Path) -> None:
    (tmp_path / "first_order.py").write_text(named(program("python"), system))
    assert await printed(system, [sys.executable, "first_order.py"], tmp_path) == OUTCOMES


@pytest.fixture(scope="module")
def amqplib(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package amqplib, installed where Node and a registry are."""
    folder = tmp_path_factory.mktemp("node")
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    installed = subprocess.run(INSTALL, cwd=folder, check=False, capture_output=True, timeout=TIMEOUT_SECONDS)
    if installed.returncode != 0:
        pytest.skip(f"could not be installed: {' '.join(INSTALL)}")
    return folder


async def test_the_first_order_in_javascript_is_placed(system: RunningSystem, amqplib: Path) -> None:
    (amqplib / "first-order.mjs").write_text(named(program("javascript"), system))
    assert await printed(system, ["node", "first-order.mjs"], amqplib) == OUTCOMES
