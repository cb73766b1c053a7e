"""Fits tables and fields to the width of a terminal: a narrow one leaves less important columns out.

No line is wider than the screen. Widths count cells: a Chinese character takes two. Everything is pure but `write`.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from scripts.commands.output import WIDE_COLUMNS, cell, console

NARROWEST_COLUMNS = 40
CRAMPED_COLUMNS = 6
NUMBER_COLUMNS = 20  # the digits of an order's number, which a person copies; its id has two less
GAP = 2
NOTHING = "-"
MARKS = "_-.:/"
"""After one of them a long word is broken rather than anywhere else."""
Lines: TypeAlias = list[Text]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    `least` is the narrowest that it may become: its content is folded then, or with `cut` ends in an ellipsis. Without
    it, the column is as wide as its content. An `extra` column is left out where it does not fit.
    """

    title: str
    right: bool = False
    least: int = 0
    cut: bool = False
    extra: bool = False


@dataclass(frozen=True)
class TitledTable:
    """A table before it is fitted to a width, under its title."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]

    def lines(self, width: int) -> Lines:
        """Return it for a screen: see `section`."""
        return section(self.title, self.columns, self.rows, width)


@dataclass(frozen=True)
class Grid:
    """A table that was fitted to a width. Each row is one line, or several if something had to be folded."""

    header: Text
    rows: tuple[tuple[Text, ...], ...]

    @property
    def lines(self) -> Lines:
        """The header and all rows."""
        return [self.header, *(line for row in self.rows for line in row)]


def screen_columns() -> int:
    """Return the width to use: that of COLUMNS or of the terminal. Off a terminal, lines are not folded."""
    return max(NARROWEST_COLUMNS, shutil.get_terminal_size((WIDE_COLUMNS, 0)).columns)


def write(lines: Iterable[Text]) -> None:
    """Write lines to stdout as they are."""
    screen = console()
    for line in lines:
        screen.print(line, no_wrap=True, overflow="ignore", crop=False)


def write_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    """Write rows to stdout with the columns that have their keys as titles; nothing if there are no rows.

    Keys without a column follow as extra ones.
    """
    if not rows:
        return
    named = {column.title for column in columns}
    every = [*columns, *(Column(name, extra=True) for name in rows[0] if name not in named)]
    aligned = [replace(one, right=all(isinstance(row[one.title], int | float) for row in rows)) for one in every]
    write(grid(aligned, [[row[one.title] for one in every] for row in rows], screen_columns()).lines)


def heading(text: str) -> Text:
    """Return the line above a part of a screen."""
    return Text(text, style="bold")


def title(text: str, width: int) -> Lines:
    """Return the first lines of a screen."""
    return [heading(part) for part in folded(text, width)]


def section(name: str, columns: Sequence[Column], rows: Sequence[Sequence[Any]], width: int) -> Lines:
    """Return an empty line, the name and the table; nothing if there are no rows."""
    return [Text(), heading(name), *grid(columns, rows, width).lines] if rows else []


def fields(pairs: Sequence[tuple[str, Any]], width: int) -> Lines:
    """Return a line for each name and value, folded under itself. Those without a value are left out."""
    given = [(name, text) for name, value in pairs if value is not None and (text := cell(value))]
    indent = max((cell_len(name) for name, _ in given), default=0) + GAP
    return [
        Text(set_cell_size(name if first else "", indent) + part)
        for name, text in given
        for first, part in _marked(folded(text, max(1, width - indent)))
    ]


def _marked(parts: Iterable[str]) -> Iterator[tuple[bool, str]]:
    return ((number == 0, part) for number, part in enumerate(parts))


def grid(columns: Sequence[Column], rows: Sequence[Sequence[Any]], width: int) -> Grid:
    """Fit a table to a width. Columns without any content are left out, then extra ones, the last first."""
    cells = [[cell(value) or NOTHING for value in row] for row in rows]
    shown = [place for place in range(len(columns)) if any(row[place] != NOTHING for row in cells)] or [0]
    natural = [max(cell_len(text) for text in (one.title, *col)) for one, col in _columns(columns, cells)]
    while _narrowest(columns, natural, shown) > width and len(shown) > 1:
        extra = [place for place in shown if columns[place].extra]
        if not extra:
            break
        shown.remove(extra[-1])
    widths = _fitted(columns, natural, shown, width)
    titles = [_cut(columns[place].title, size) for place, size in zip(shown, widths, strict=True)]
    header = _line(titles, columns, shown, widths)
    header.stylize("underline")
    return Grid(
        header,
        tuple(tuple(_row([row[place] for place in shown], columns, shown, widths)) for row in cells),
    )


def _columns(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> Iterator[tuple[Column, list[str]]]:
    return ((column, [row[place] for row in cells]) for place, column in enumerate(columns))


def _narrowest(columns: Sequence[Column], natural: Sequence[int], shown: Sequence[int]) -> int:
    return sum(_least(columns[place], natural[place]) for place in shown) + GAP * (len(shown) - 1)


def _least(column: Column, natural: int) -> int:
    return min(natural, max(column.least, cell_len(column.title))) if column.least else natural


def _fitted(columns: Sequence[Column], natural: Sequence[int], shown: Sequence[int], width: int) -> list[int]:
    """The widths of the columns that are shown: the widest that may gives up a cell until the table fits.

    At first that are those with a `least`, down to it; if this does not do, down to a few cells; at last all columns.
    """
    widths = [natural[place] for place in shown]
    floors = [_least(columns[place], natural[place]) for place in shown]
    cramped = [
        min(floor, CRAMPED_COLUMNS) if columns[place].least else floor
        for place, floor in zip(shown, floors, strict=True)
    ]
    for least in (floors, cramped, [1] * len(shown)):
        while sum(widths) + GAP * (len(widths) - 1) > width and (
            free := [n for n, size in enumerate(widths) if size > least[n]]
        ):
            widths[max(free, key=lambda number: widths[number])] -= 1
    return widths


def _row(texts: Sequence[str], columns: Sequence[Column], shown: Sequence[int], widths: Sequence[int]) -> Lines:
    parts = [
        [_cut(text, size)] if columns[place].cut else folded(text, size)
        for text, place, size in zip(texts, shown, widths, strict=True)
    ]
    height = max(len(part) for part in parts)
    return [
        _line([part[number] if number < len(part) else "" for part in parts], columns, shown, widths)
        for number in range(height)
    ]


def _line(texts: Sequence[str], columns: Sequence[Column], shown: Sequence[int], widths: Sequence[int]) -> Text:
    padded = [
        " " * (size - cell_len(text)) + text if columns[place].right else set_cell_size(text, size)
        for text, place, size in zip(texts, shown, widths, strict=True)
    ]
    return Text((" " * GAP).join(padded).rstrip())


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def folded(text: str, width: int) -> list[str]:
    """Break a text into lines of at most `width` cells: between words, and within a word that is wider than a line,
    there after a mark such as "_" if it has one.
    """
    lines, line = list[str](), ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *full, line = _pieces(word, width)
        lines += full
    return [*lines, line]


def _pieces(word: str, width: int) -> list[str]:
    """Break a word into pieces of at most `width` cells. A character that is wider than that stands alone."""
    pieces = [""]
    for char in word:
        if pieces[-1] and cell_len(pieces[-1] + char) > width:
            marked = max(map(pieces[-1].rfind, MARKS)) + 1 or len(pieces[-1])
            pieces[-1:] = [pieces[-1][:marked], pieces[-1][marked:]]
        pieces[-1] += char
    return pieces
