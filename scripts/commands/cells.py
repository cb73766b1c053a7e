"""`oms cells` lists the cells of a shop: their shards, whether their databases answer, and what is in them."""

import asyncio
from typing import Any

import asyncpg

from db.statements import SQL
from messages.cells import shown
from scripts.commands import command_app
from scripts.commands.connections import CellSettings, connected, run
from scripts.commands.output import Format, Output, say, write_json, write_table
from scripts.commands.problems import Code, CommandError

app = command_app()
AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


@app.command()
def cells(output: Output = Format.TABLE) -> None:
    """List the cells: their shards, whether their databases answer, and how many orders they have.

    It needs OMS_CELLS and OMS_CELL_DATABASES. Orders of shards that a cell does not own are counted as `misplaced`:
    there are some only while users are moved from one cell to another.

    \b
    Examples:
      oms cells
      oms cells -o json
    """
    settings = CellSettings()
    urls = settings.database_urls

    async def work() -> list[dict[str, Any]]:
        return list(await asyncio.gather(*(_look(name, urls[name], settings.cells[name]) for name in urls)))

    rows = run(work())
    write_json(rows) if output is Format.JSON else write_table(rows)
    if away := [row["cell"] for row in rows if row["database"] != "answers"]:
        raise CommandError(Code.UNREACHABLE, f"no answer from the database of {', '.join(away)}", hint="oms cells")
    if misplaced := [row["cell"] for row in rows if row["misplaced"]]:
        say(f"oms: orders of other cells are in {', '.join(misplaced)}\n  next: oms audit --cells")


async def _look(name: str, url: str, shards: frozenset[int]) -> dict[str, Any]:
    """Return the row of one cell. A database that is away is no reason not to show the others."""
    about = {"cell": name, "shards": shown(shards)}
    try:
        async with connected(url=url) as tx:
            row = await tx.fetchrow(SQL["audit_cells.counts"], sorted(shards))
        assert row is not None, "an aggregate query returns one row"
    except AWAY as error:
        return about | {"database": type(error).__qualname__, "orders": None, "misplaced": None}
    return about | {"database": "answers", **row}
