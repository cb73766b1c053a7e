"""The image carries what runs a shop: no demo, no test gateways, no tests, and only packages of the runtime's lock."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.imports import EXTRAS, OURS, RUNTIME, distributions, imported_modules, third_party
from tests.house.sources import CLIENTS, ROOT, nodes, text, tracked

TAKEN = [line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")]
CARRIED = [
    file
    for file in tracked()
    if any(file == taken or file.startswith(f"{taken}/") for taken in TAKEN) and not file.startswith(CLIENTS)
]
MODULES = [file for file in CARRIED if file.endswith(".py")]
FOLDERS = {str(parent) for file in CARRIED for parent in Path(file).parents}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the image."""
    folder = tmp_path_factory.mktemp("image")
    for file in CARRIED:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    return folder


def run(image: Path, *arguments: str) -> str:
    """What Python prints there; fails the test with its errors if it ends otherwise than with 0."""
    environment = {"PYTHONPATH": str(image), "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(
        [sys.executable, *arguments], cwd=image, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def own_modules(file: str) -> set[str]:
    """The modules of ours that a file imports, by path and without their suffix; names of functions among them."""
    found = set()
    for node in nodes(file):
        for module in imported_modules(node):
            names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
            found |= {module.replace(".", "/"), *(f"{module.replace('.', '/')}/{name}" for name in names)}
    return {path for path in found if path.partition("/")[0] in OURS}


def test_neither_the_demo_nor_the_test_gateways_nor_tests_are_carried() -> None:
    absent = ("scripts/demo", "scripts/gateways", "tests")
    assert [file for file in CARRIED if file.startswith(absent)] == []


def test_the_clients_of_other_teams_stay_outside() -> None:
    lines = text(".dockerignore").splitlines()
    assert lines.index(CLIENTS.rstrip("/")) > lines.index("!messages"), "a later line counts"


def test_everything_that_is_named_exists() -> None:
    assert [name for name in TAKEN if not (ROOT / name).exists()] == []


def test_all_that_the_dockerfile_copies_is_let_through() -> None:
    copied = [name for line in re.findall(r"^COPY (.*)$", text("Dockerfile"), re.M) for name in line.split()[:-1]]
    assert [name for name in copied if name not in {*CARRIED, *FOLDERS}] == []
    assert {file.partition("/")[0] for file in CARRIED} == set(copied)


def test_what_is_carried_imports_nothing_that_is_not() -> None:
    there = {file.removesuffix(".py") for file in tracked()} | {str(Path(file).parent) for file in tracked()}
    carried = {file.removesuffix(".py") for file in MODULES} | FOLDERS
    absent = there - carried
    assert {file: absent & own_modules(file) for file in MODULES if absent & own_modules(file)} == {}
    installed = RUNTIME | EXTRAS
    brought = {file: {one for one in third_party(file) if not distributions(one) & installed} for file in MODULES}
    assert {file: packages for file, packages in brought.items() if packages} == {}


def test_every_command_loads_from_what_is_carried(image: Path) -> None:
    every = "from scripts.cli import COMMANDS, load, main; print(*(load(name).name for name in COMMANDS)); "
    shown = run(image, "-c", every + "main(['--version']); main(['topology', 'show'])")
    assert "\noms " in shown
    assert "oms.commands" in shown
