"""The files of this project, as their tests read them."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("messages", "db", "outbox", "workers")
MIGRATIONS = "db/migrations/"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tracked() -> tuple[str, ...]:
    """Every file under version control; where there is no git, every file of the source folders."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = [name for name in listed.stdout.split("\0") if name] if listed.returncode == 0 else _walked()
    return tuple(name for name in names if (ROOT / name).is_file())


def _walked() -> list[str]:
    folders = (*PRODUCT, "scripts", "tests")
    found = [path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    return [str(path) for path in found if "__pycache__" not in path.parts]


@cache
def text(name: str) -> str:
    """Its content; bytes that are no text do not matter here."""
    return (ROOT / name).read_text("utf-8", errors="replace")


CLIENTS = "messages/clients/"
"""Programs for other teams: they import nothing of ours, and stay outside of the image."""


def python(*folders: str) -> tuple[str, ...]:
    """The Python files of these top-level folders, but for the clients."""
    ours = (name for name in tracked() if name.endswith(".py") and not name.startswith(CLIENTS))
    found = tuple(name for name in ours if name.split("/")[0] in folders)
    assert found, f"no Python files in {folders}"
    return found


@cache
def tree(name: str) -> ast.Module:
    """Its syntax."""
    return ast.parse(text(name), name)


@cache
def nodes(name: str) -> tuple[ast.AST, ...]:
    """Every node of its syntax. To walk a tree takes far longer than to look through its nodes, which many tests do."""
    return tuple(ast.walk(tree(name)))


def functions(name: str) -> Iterator[Function]:
    """Every function and method of a file, also inner ones."""
    return (node for node in nodes(name) if isinstance(node, Function))
