"""The formats of lists: a table for people; json, ndjson and csv for programs; ids for the next command."""

import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import orjson
import typer

from scripts.commands.output import cell, write_json, write_table
from scripts.commands.output import plain as plain_value
from scripts.screens.layout import Column, write_rows


class ListFormat(StrEnum):
    """The formats of --output of a list."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    IDS = "ids"


ListOutput = Annotated[
    ListFormat,
    typer.Option("--output", "-o", envvar="OMS_OUTPUT", help="Write a table, json, ndjson, csv, or ids alone."),
]


def write_list(
    rows: Sequence[Mapping[str, Any]],
    output: ListFormat,
    shown: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda row: row,
    *,
    key: str = "id",
    columns: Sequence[Column] = (),
) -> None:
    """Write rows to stdout. `shown` makes the columns of a table of a row, and `key` is what ids writes.

    With `columns`, a table leaves others out where the terminal is too narrow.
    """
    match output:
        case ListFormat.TABLE:
            lines = [shown(row) for row in rows]
            write_rows(lines, columns) if columns else write_table(lines)
        case ListFormat.JSON:
            write_json(rows)
        case ListFormat.NDJSON:
            for row in rows:
                sys.stdout.write(orjson.dumps(plain_value(row), default=str).decode() + "\n")
        case ListFormat.CSV if rows:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(rows[0])
            writer.writerows([None if value is None else cell(value) for value in row.values()] for row in rows)
        case ListFormat.IDS:
            for one in dict.fromkeys(str(row[key]) for row in rows):
                sys.stdout.write(one + "\n")
    sys.stdout.flush()
