"""The pages that say what to do about an alert, and the commands that they have someone type."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.scripts.promql import DEPLOY

PAGES = sorted((DEPLOY / "runbooks").glob("*.md"))
FENCED = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAMS = ("oms", "psql", "curl", "docker compose", "rabbitmqctl", "rabbitmq-diagnostics", "df")
INLINE = re.compile(rf"`((?:{'|'.join(PROGRAMS)}) [^`]+)`")
OVER = "## When it is over"


def typed(text: str) -> Iterator[str]:
    """Every line of the blocks, but comments, then every command in the sentences; a comment behind one is left out."""
    for block in FENCED.findall(text):
        yield from (re.sub(r"\s+# .*", "", line) for line in block.splitlines() if not line.startswith("#"))
    yield from (" ".join(one.split()) for one in INLINE.findall(FENCED.sub("", text)))


def commands(page: Path) -> Iterator[str]:
    """Every command of `oms` that a page has someone type."""
    lines = typed(page.read_text(encoding="utf-8"))
    yield from (line.partition(" | ")[0] for line in lines if line.startswith("oms "))
