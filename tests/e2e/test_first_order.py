"""The first order of the README, in Python and in JavaScript: each program runs as it is printed there. And a first
order in TypeScript, with the client for other teams.
"""

import asyncio
import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.system import RunningSystem

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 60
TYPESCRIPT = ROOT / "messages/clients/typescript"
INSTALL = ["npm", "install", "--silent", "--no-package-lock", "--no-audit", "--no-fund"]
INSTALL_NODE = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "nodejs", "npm"]
ROLES = ("CATALOGUE", "WAREHOUSE", "STOREFRONT", "STOREFRONT_EVENTS", "PAYMENTS")


def program(marker: str) -> str:
    """The code block between two markers of the README."""
    part = (ROOT / "README.md").read_text("utf-8").partition(f"<!-- {marker} -->")[2]
    block = part.partition(f"<!-- /{marker} -->")[0].partition("```")[2]
    return block.partition("\n")[2].rpartition("\n```")[0]


async def printed(system: RunningSystem, command: list[str], folder: Path) -> list[str]:
    """The types of the outcomes that the program prints."""
    urls = {f"OMS_{role}_AMQP_URL": system.broker[role.lower().replace("_", "-")] for role in ROLES}
    environment = os.environ | urls | {"OMS_SHIPPING_FEE_MINOR_UNITS": "{}", "OMS_PREFIX": system.broker.names.prefix}
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
    return [line.split()[0] for line in run.stdout.splitlines() if re.match(r"[\w.]+( {|$)", line)]


def named(code: str, system: RunningSystem) -> str:
    """The program, with the names of this broker where it lends no virtual host of its own."""
    assert '"oms.commands"' in code
    return code.replace('"oms.commands"', f'"{system.broker.names.commands}"')


OUTCOMES = ["sku.changed.v1", "stock.received.v1", "order.created.v1"]


async def test_the_first_order_in_python_is_placed(system: RunningSystem, tmp_path: Path) -> None:
    (tmp_path / "first_order.py").write_text(named(program("python"), system))
    assert await printed(system, [sys.executable, "first_order.py"], tmp_path) == OUTCOMES


@pytest.fixture(scope="module")
def node_modules() -> Path:
    """What package.json of the client names, installed once into the virtual environment. Without Node.js it fails."""
    if shutil.which("npm") is None and shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(INSTALL_NODE, check=False, capture_output=True, timeout=100)
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.fail(f"Node.js is not installed and could not be; type: sudo {' '.join(INSTALL_NODE)}", pytrace=False)
    wanted = (TYPESCRIPT / "package.json").read_text("utf-8")
    folder = Path(sys.prefix) / "oms-node"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other processes of pytest-xdist install it too
        done = folder / "installed.json"
        if not done.exists() or done.read_text("utf-8") != wanted:
            (folder / "package.json").write_text(wanted)
            ran = subprocess.run(INSTALL, cwd=folder, check=False, capture_output=True, text=True, timeout=100)
            if ran.returncode != 0:
                pytest.fail(f"{' '.join(INSTALL)} in {folder}: {ran.stderr[-500:]}", pytrace=False)
            done.write_text(wanted)
    return folder / "node_modules"


async def test_the_first_order_in_javascript_is_placed(
    system: RunningSystem, node_modules: Path, tmp_path: Path
) -> None:
    (tmp_path / "node_modules").symlink_to(node_modules)
    (tmp_path / "first-order.mjs").write_text(named(program("javascript"), system))
    assert await printed(system, ["node", "first-order.mjs"], tmp_path) == OUTCOMES


async def test_the_typescript_client_is_strictly_typed_and_completes_a_first_order(
    system: RunningSystem, node_modules: Path, tmp_path: Path
) -> None:
    (tmp_path / "node_modules").symlink_to(node_modules)
    shutil.copy(Path(__file__).parent / "first_order.ts", tmp_path / "order.ts")
    for file in TYPESCRIPT.iterdir():
        shutil.copy(file, tmp_path)
    compiled = await asyncio.to_thread(
        subprocess.run,
        [node_modules / ".bin/tsc"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert compiled.returncode == 0, compiled.stdout
    lines = await printed(system, ["node", "order.js"], tmp_path)
    refused, end = ["ORDER_PRICE_MISMATCH", "true"], ["order.described.v1", "refused.by.the.broker"]
    assert lines == [*OUTCOMES[:2], *refused, OUTCOMES[2], "paid.2", *end]
