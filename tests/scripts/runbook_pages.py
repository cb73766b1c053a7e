"""The pages that say what to do about an alert, and the commands that they have someone type."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.scripts.promql import DEPLOY

PAGES = sorted((DEPLOY / "runbooks").glob("*.md"))
FENCED = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(oms [^`]+)`")
PSQL = re.compile(r"^psql \"\$OMS_DATABASE_URL\" -c (['\"])(.+)\1\s*(?:#.*)?$", re.MULTILINE)


def commands(page: Path) -> Iterator[str]:
    """Every command of `oms` that a page has someone type, in its blocks and in its sentences."""
    text = page.read_text(encoding="utf-8")
    for block in FENCED.findall(text):
        yield from (line.partition(" | ")[0] for line in block.splitlines() if line.startswith("oms "))
    yield from (" ".join(one.split()) for one in INLINE.findall(FENCED.sub("", text)))


def statements(page: Path) -> list[str]:
    """Every statement that a page has psql run."""
    return [statement for _, statement in PSQL.findall(page.read_text(encoding="utf-8"))]
