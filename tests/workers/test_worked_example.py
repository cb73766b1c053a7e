"""The test follows the worked example of workers/README.md in a copy of the checkout: the page must be complete."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.servers.find import Servers
from tests.house.sources import ROOT, text, tracked

BLOCK = re.compile(
    r"(?:`(?P<json>tests/golden/wire/[\w.]+\.json)`[^\n]*\n\n)?^```(?P<lang>py|sql|json)\n(?P<body>.*?)^```$",
    re.M | re.S,
)
HEAD = re.compile(r"(?:#|--) (?P<path>[\w/]+\.\w+)(?:, (?P<where>at the end|before|after)(?:: (?P<line>.+))?)?")
CHECKS = ("tests/golden", "tests/house/test_routes.py", "tests/house/test_codes.py")


def blocks() -> list[tuple[str, str, str, str]]:
    """(path, where, line, text) of each block of the example, with the numbers that its migration gets."""
    page = text("workers/README.md").partition("### Worked example")[2].partition("\n## ")[0]
    last = max(int(name.split("/")[-1][:4]) for name in tracked() if name.startswith("db/migrations/versions/"))
    page = page.replace("NNNN", f"{last + 1:04}").replace("PPPP", f"{last:04}")
    found = []
    for block in BLOCK.finditer(page):
        if block["json"]:
            found.append((block["json"], "", "", block["body"]))
            continue
        head, _, body = block["body"].partition("\n")
        place = HEAD.fullmatch(head)
        assert place, head
        found.append((place["path"], place["where"] or "", place["line"] or "", body))
    return found


def apply(folder: Path, path: str, where: str, line: str, body: str) -> None:
    """Write a new file, or put the text where the block says."""
    file = folder / path
    if not where:
        assert not file.exists(), f"{path} is not new"
        file.write_text(body.lstrip("\n"))
        return
    lines = file.read_text("utf-8").splitlines(keepends=True)
    at = len(lines)
    if line:
        at = [one.strip() for one in lines].index(line) + (where == "after")
    gap = "\n\n" if where == "at the end" else ""
    file.write_text("".join([*lines[:at], gap, body.lstrip("\n") if gap else body, *lines[at:]]), "utf-8")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout in which the example was followed."""
    folder = tmp_path_factory.mktemp("example") / "oms"
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for block in blocks():
        apply(folder, *block)
    return folder


def run(folder: Path, *command: str, **variables: str) -> None:
    """Run Python in the copy."""
    environment = {**os.environ, "PYTHONPATH": str(folder), **variables}
    line = [sys.executable, *command]
    ran = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=100)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_example_has_a_block_for_each_of_the_ten_places() -> None:
    paths = {path for path, *_ in blocks()}
    for place in ("messages/orders.py", "messages/topology.py", "db/schema.sql", "workers/routes.py"):
        assert place in paths
    for folder in (
        "db/migrations/",
        "db/sql/",
        "workers/store/",
        "workers/handlers/",
        "tests/handlers/",
        "tests/golden/",
    ):
        assert any(path.startswith(folder) for path in paths)
    assert "tests/e2e/scenarios.py" in paths


@pytest.mark.timeout(180)
def test_the_example_passes_the_checks_that_a_new_message_type_meets(checkout: Path) -> None:
    touched = {path for path, *_ in blocks() if path.endswith(".py")}
    run(checkout, "-m", "ruff", "format", "--quiet", *touched)
    run(checkout, "-m", "ruff", "check", "--quiet", *touched)
    run(checkout, "-m", "scripts.map", "--write")
    run(checkout, "-m", "pytest", "-p", "no:cacheprovider", *CHECKS, OMS_UPDATE_GOLDEN="1")
    assert "order_remark.added.v1" in (checkout / "messages/README.md").read_text("utf-8")


@pytest.mark.timeout(180)
def test_the_example_works_on_a_database(checkout: Path, servers: Servers) -> None:
    urls = {
        "OMS_TEST_DATABASE_URL": servers.postgres.admin_url,
        "OMS_TEST_AMQP_URL": servers.broker.admin_url,
        "OMS_TEST_MANAGEMENT_URL": servers.broker.management_url or "",
    }
    tests = (
        "tests/handlers/test_order_remarks.py",
        "tests/db/test_schema.py",
        "tests/db/test_statements.py",
        "tests/e2e/test_statement_counts.py",
    )
    wanted = "test_order_remarks or test_schema or test_statements or remark"
    run(checkout, "-m", "pytest", "-p", "no:cacheprovider", *tests, "-k", wanted, **urls)
