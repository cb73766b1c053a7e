"""Every package that is imported is declared in pyproject.toml, and every declared package of the runtime is used."""

import ast
import re
from typing import Any

import pytest

from tests.house.imports import (
    EXTRAS,
    OURS,
    RUNTIME,
    distributions,
    group,
    imported_modules,
    normal,
    third_party,
)
from tests.house.sources import PRODUCT, ROOT, python, tracked

EXTRA_GROUPS = {
    "scripts/servers/": "servers",
    "scripts/demo/": "demo",
    "scripts/gateways/": "demo",
    "scripts/stub/pytest_plugin.py": "dev",
    "tests/": "dev",
}
"""Folder -> the dependency group that its files may use beside the runtime's packages."""
USED_WITHOUT_IMPORT = {
    "psycopg",  # SQLAlchemy's driver for migrations
    "tzdata",  # read by zoneinfo
}


def declared_for(file: str) -> set[str]:
    """What a file may import."""
    return (RUNTIME | EXTRAS).union(*(group(name) for folder, name in EXTRA_GROUPS.items() if file.startswith(folder)))


@pytest.mark.parametrize("folder", OURS)
def test_every_imported_package_is_declared(folder: str) -> None:
    undeclared = {
        f"{file}: {package}"
        for file in python(folder)
        for package in third_party(file)
        if not distributions(package) & declared_for(file)
    }
    assert undeclared == set()


def test_every_declared_package_of_the_runtime_is_imported() -> None:
    files = python(*PRODUCT, "scripts")
    used = {name for file in files for package in third_party(file) for name in distributions(package)}
    assert RUNTIME - used - USED_WITHOUT_IMPORT == set()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-runtime.lock"])
def test_every_declared_package_is_locked(lock: str) -> None:
    locked = {normal(line) for line in (ROOT / lock).read_text("utf-8").splitlines() if re.match(r"[\w.-]+==", line)}
    assert (RUNTIME | EXTRAS | (group("dev") if lock == "requirements.lock" else set())) - locked == set()


@pytest.mark.parametrize("folder", [*PRODUCT, "scripts"])
def test_every_package_tells_type_checkers_that_it_is_typed(folder: str) -> None:
    assert f"{folder}/py.typed" in tracked()


@pytest.mark.parametrize(
    ("statement", "modules"),
    [("import a.b, c", ["a.b", "c"]), ("from d.e import f", ["d.e"]), ("from . import g", []), ("h = 1", [])],
)
def test_an_import_is_recognised(statement: str, modules: Any) -> None:
    assert imported_modules(ast.parse(statement).body[0]) == modules
