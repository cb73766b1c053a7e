"""Commands write data to stdout and messages to stderr: tables for people, JSON of a stable shape for programs."""

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from textwrap import TextWrapper
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

WIDE_COLUMNS = 400  # the width if stdout is not a terminal: grep and awk get whole lines
FOLDED_COLUMNS = 6  # the narrowest that a column may become beside one from which a person copies
JAVASCRIPT_INTEGER_MAX = 2**53
COPIED = re.compile(r"\d{1,20}|[0-9a-f]{16}|-")
"""What a person copies from a column into the next command: the digits of an id or a number, a group's fingerprint."""


class Format(StrEnum):
    """The formats of --output."""

    TABLE = "table"
    JSON = "json"


Output = Annotated[Format, typer.Option("--output", "-o", envvar="OMS_OUTPUT", help="Write a table or JSON.")]


def say(text: str) -> None:
    """Write a message to the person at the terminal, on stderr.

    A terminal gets the cause broken between words. What is to be typed stays one line, to be copied.
    """
    if sys.stderr.isatty():
        text = readable(text, shutil.get_terminal_size().columns)
    print(text, file=sys.stderr, flush=True)


def readable(text: str, width: int) -> str:
    """Return a message with the lines that begin with `why:` broken between words, under themselves."""
    why = TextWrapper(width, subsequent_indent=" " * 8, break_long_words=False, break_on_hyphens=False)
    return "\n".join(why.fill(line) if line.startswith("  why:") else line for line in text.split("\n"))


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return the number and its noun, in the plural (by default with an s) unless the number is one."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


def write_json(value: Any) -> None:
    """Write one JSON document to stdout. Integers that JavaScript cannot hold are strings, as on the wire."""
    sys.stdout.write(orjson.dumps(plain(value), default=str, option=orjson.OPT_INDENT_2).decode() + "\n")
    sys.stdout.flush()


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: see `write_json`."""
    match value:
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case int() if abs(value) >= JAVASCRIPT_INTEGER_MAX:
            return str(value)
        case bytes():
            return value.decode("utf-8", "backslashreplace")
    return value


def write_table(rows: Sequence[Mapping[str, Any]], *, title: str | None = None) -> None:
    """Write one table to stdout with a column for each key of the first row; write nothing if there are no rows."""
    if rows:
        screen = console()
        screen.print(table_of(rows, screen.width, title=title))


def table_of(rows: Sequence[Mapping[str, Any]], width: int, *, title: str | None = None) -> Table:
    """Return one table of rows, of which there is at least one.

    On a narrow screen all other columns are folded before those from which a person copies.
    """
    columns = {name: [cell(row[name]) for row in rows] for name in rows[0]}
    copied = {name for name, cells in columns.items() if all(map(COPIED.fullmatch, cells))}
    least = sum(max(map(len, (name, *columns[name]))) if name in copied else FOLDED_COLUMNS for name in columns)
    fits = least + 2 * len(columns) <= width
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in columns:
        numbers = all(isinstance(row[name], int | float) for row in rows)
        whole = fits and name in copied
        table.add_column(name, justify="right" if numbers else "left", overflow="fold", no_wrap=whole)
    for row in rows:
        table.add_row(*(cell(value) for value in row.values()))
    return table


def console() -> Console:
    """Return a console for stdout. It neither colours nor folds lines off a terminal, nor colours with NO_COLOR."""
    terminal = sys.stdout.isatty()
    return Console(markup=False, highlight=False, emoji=False, width=None if terminal else WIDE_COLUMNS)


def cell(value: Any) -> str:
    """Write a value for a person. Control characters are escaped: a terminal would obey those of a foreign text."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}Z"
        case list() | tuple():
            return " ".join(cell(item) for item in value)
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(value))
