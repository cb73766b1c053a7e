"""Writes one page of a list, and how to get the next."""

from messages.base import Reply
from scripts.commands.output import Format, counted, say, write_json
from scripts.screens import layout


def write_page(found: Reply, lines: layout.Lines, output: Format, *, noun: str, count: int, cursor: str | None) -> None:
    """Write the answer as JSON, or these lines; and to stderr how many things they show, and the cursor of the rest."""
    if output is Format.JSON:
        write_json(found.model_dump(mode="json"))
    else:
        layout.write(lines)
    say((counted(count, noun) if count else f"no {noun}s") + rest(cursor))


def rest(cursor: str | None) -> str:
    """Say how to get what comes after a page; nothing if that is all."""
    return f"; more: add --cursor {cursor}" if cursor else ""
