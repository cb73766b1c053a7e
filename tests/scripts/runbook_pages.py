"""The pages that say what to do about an alert, and the commands that they have someone type."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.scripts.promql import DEPLOY

PAGES = sorted((DEPLOY / "runbooks").glob("*.md"))
FENCED = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAMS = ("oms", "psql", "curl", "docker compose", "rabbitmqctl", "rabbitmq-diagnostics", "df")
TYPED = re.compile(rf"{FENCED.pattern}|`((?:{'|'.join(PROGRAMS)}) [^`]+)`", FENCED.flags)
"""A block of commands, or one command in a sentence."""
OVER = "## When it is over"


def typed(text: str) -> Iterator[str]:
    """Every command, in the order of the page; comments are left out."""
    for block, one in TYPED.findall(text):
        yield from (re.sub(r"\s+# .*", "", line) for line in block.splitlines() if not line.startswith("#"))
        if one:
            yield " ".join(one.split())


def commands(page: Path) -> Iterator[str]:
    """Every command of `oms` that a page has someone type."""
    lines = typed(page.read_text(encoding="utf-8"))
    yield from (line.partition(" | ")[0] for line in lines if line.startswith("oms "))
