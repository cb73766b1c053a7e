"""The tests mirror the tree that they test, and what test modules share is in support modules."""

import ast
import re
from pathlib import PurePath

from tests.house.imports import imported_modules
from tests.house.sources import nodes, python, text, tracked

OWN_FOLDERS = {
    "tests": "fixtures of all tests",
    "tests/bench": "benchmarks, run by hand",
    "tests/chaos": "whole processes, while servers are killed",
    "tests/e2e": "the whole system, over the wire",
    "tests/golden": "samples of the wire, written and read by machines",
    "tests/house": "rules of the tree itself",
}
"""Folders that mirror none, with their reason. tests/X mirrors X, workers/X or a folder below."""


def mirrored(folder: str, sources: set[str]) -> bool:
    """Whether a folder of tests has a folder of code with its path, at the top or under workers/."""
    path = folder.removeprefix("tests/")
    return path in sources or f"workers/{path}" in sources


def test_every_folder_of_tests_mirrors_a_folder_of_code() -> None:
    sources = {str(PurePath(file).parent) for file in python("messages", "db", "outbox", "workers", "scripts")}
    folders = {str(PurePath(file).parent) for file in python("tests")}
    assert {folder for folder in folders - OWN_FOLDERS.keys() if not mirrored(folder, sources)} == set()
    assert OWN_FOLDERS.keys() - folders == set()


def shared_with_tests(file: str) -> set[str]:
    """The modules that a file imports, and the names it imports from them, that are test modules or a conftest."""
    found = set()
    for node in nodes(file):
        names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
        for module in imported_modules(node):
            found |= {module, *(f"{module}.{name}" for name in names)}
    return {name for name in found if name.startswith("tests.") and re.search(r"\.(test_|conftest\b)", name)}


def test_no_test_module_and_no_conftest_is_imported() -> None:
    assert {file: names for file in python("tests") if (names := shared_with_tests(file))} == {}


def test_migrations_are_numbered_without_a_gap_and_each_names_the_one_before() -> None:
    folder = "db/migrations/versions/"
    names = sorted(name for name in tracked() if name.startswith(folder) and name.endswith(".py"))
    numbers = [name.removeprefix(folder)[:4] for name in names]
    assert numbers == [f"{number:04}" for number in range(1, len(names) + 1)]
    for number, name in zip(numbers, names, strict=True):
        before = None if number == "0001" else f"{int(number) - 1:04}"
        lines = text(name).splitlines()
        assert f'revision = "{number}"' in lines
        assert any(line in (f'down_revision = "{before}"', f"down_revision = {before}") for line in lines), name
        assert f"{name[:-3]}.sql" in tracked(), f"{name} runs the SQL file of the same name"
