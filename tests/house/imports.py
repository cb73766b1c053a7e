"""What the files of the tree import, and which distributions bring it."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions

from tests.house.sources import PRODUCT, ROOT, nodes

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
OURS = (*PRODUCT, "scripts", "tests")
CLIENT = "oms_client"  # in messages/clients, for other teams
OPTIONAL = {"celery", "dramatiq", "faststream", "kombu", "matplotlib"}
"""tests.bench compares with frameworks and draws plots where these are installed."""
DISTRIBUTIONS = packages_distributions()


def normal(requirement: str) -> str:
    """The normalised name of a requirement's distribution."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;]", requirement)[0]).lower()


RUNTIME = {normal(requirement) for requirement in PROJECT["project"]["dependencies"]}
EXTRAS = {normal(one) for extra in PROJECT["project"]["optional-dependencies"].values() for one in extra}


def group(name: str) -> set[str]:
    """The distributions of a dependency group and of the groups that it includes."""
    found: set[str] = set()
    for entry in PROJECT["dependency-groups"][name]:
        found |= {normal(entry)} if isinstance(entry, str) else group(entry["include-group"])
    return found


def imported_modules(node: ast.AST) -> list[str]:
    """The modules that a statement imports by their full name."""
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom(module=str(module), level=0):
            return [module]
    return []


@cache
def third_party(file: str) -> frozenset[str]:
    """The top-level packages a file imports that are neither ours nor Python's."""
    packages = frozenset(name.partition(".")[0] for node in nodes(file) for name in imported_modules(node))
    return packages - {*OURS, CLIENT, *sys.stdlib_module_names, *OPTIONAL}


def distributions(package: str) -> set[str]:
    """The distributions that bring a package; the package's own name where it is not installed."""
    return {normal(name) for name in DISTRIBUTIONS.get(package, [package])}
