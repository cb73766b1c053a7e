"""Loads db/sql/*.sql. `SQL["orders.lock"]` is the statement under the header `-- name: orders.lock`."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

_HEADER = re.compile(r"^-- name: ([a-z_]+\.[a-z_0-9]+)$", re.MULTILINE)


def load(folder: Path) -> dict[str, str]:
    """Name -> statement. Raises ValueError if a name is used twice or does not begin with its file's name."""
    statements: dict[str, str] = {}
    for path in sorted(folder.glob("*.sql")):
        parts = _HEADER.split(path.read_text(encoding="utf-8"))
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            if name in statements or not name.startswith(f"{path.stem}."):
                raise ValueError(f"{path.name}: {name} is a duplicate or belongs to another file")
            statements[name] = text.strip().rstrip(";")
    return statements


SQL = load(Path(__file__).parent / "sql")


def columns(rows: Iterable[Sequence[Any]], width: int = 0) -> list[list[Any]]:
    """The arrays that a statement takes, one per parameter, from tuples in the order of its parameters.

    Without any row there are `width` empty arrays; a caller that gives no width has at least one row.
    """
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
