"""Loads db/sql/*.sql. `SQL["orders.lock"]` is the statement under the header `-- name: orders.lock`.

A file may have one statement for several tables: a name with `{table}` stands for one statement for each line
`-- each: table=... other=...` at the head of the file, in which every `{other}` is replaced.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from db.pool import Transaction

_HEADER = re.compile(r"^-- name: ([a-z_]+\.[a-z_0-9{}]+)$", re.MULTILINE)
_EACH = re.compile(r"^-- each: (.+)$", re.MULTILINE)


def load(folder: Path) -> dict[str, str]:
    """Name -> statement. Raises ValueError if a name is used twice or does not begin with its file's name."""
    statements: dict[str, str] = {}
    for path in sorted(folder.glob("*.sql")):
        head, *parts = _HEADER.split(path.read_text(encoding="utf-8"))
        for name, text in _expanded(head, zip(parts[0::2], parts[1::2], strict=True)):
            if name in statements or not name.startswith(f"{path.stem}."):
                raise ValueError(f"{path.name}: {name} is a duplicate or belongs to another file")
            statements[name] = text.strip().rstrip(";")
    return statements


def _expanded(head: str, named: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield each statement with its name, and one with a place in its name once for each line of the head."""
    each = [dict(word.split("=", 1) for word in line.split()) for line in _EACH.findall(head)]
    for name, text in named:
        for words in each if "{" in name else [{}]:
            filled = [name, text]
            for place, word in words.items():
                filled = [part.replace(f"{{{place}}}", word) for part in filled]
            yield filled[0], filled[1]


SQL = load(Path(__file__).parent / "sql")


def columns(rows: Iterable[Sequence[Any]], width: int = 0) -> list[list[Any]]:
    """The arrays that a statement takes, one per parameter, from tuples in the order of its parameters.

    Without any row there are `width` empty arrays; a caller that gives no width has at least one row.
    """
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


async def rows_by(
    tx: Transaction, key: str, name: str, ids: Iterable[Any], *more: object
) -> Mapping[Any, Sequence[Any]]:
    """Value of the column `key` -> its rows of the statement `name`, in their order.

    The statement takes the ids, each once and sorted, and then `more`. Without any id it does not run.
    """
    wanted, found = sorted(set(ids)), defaultdict[Any, list[Any]](list)
    for row in await tx.fetch(SQL[name], wanted, *more) if wanted else ():
        found[row[key]].append(row)
    return found
