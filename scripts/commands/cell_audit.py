"""The checks of several cells together: each user, number and trade is in one cell, and in the right one."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

from db.pool import Transaction
from db.statements import SQL
from messages.cells import Cell
from messages.user_shards import shard_of_user
from scripts.commands.audit import Finding, check
from scripts.commands.connections import CellSettings, connected

TOGETHER = "cells"
"""In place of the id of an invariant: what holds over all cells."""
FIRST = 5
"""So many ids are shown of a violation."""
ROWS = 5_000
"""So many values are read at once, so that a shop of any size fits into memory."""


@dataclass(frozen=True)
class CellCheck:
    """A sentence that holds over all cells, and the statement with the values that may be in one cell only, sorted."""

    sentence: str
    statement: str


ONCE = (
    CellCheck("no order is in two cells", "audit_cells.orders"),
    CellCheck("no user has orders in two cells", "audit_cells.users"),
    CellCheck("no order number is in two cells", "audit_cells.order_numbers"),
    CellCheck("no payment of a provider is in two cells", "audit_cells.trades"),
    CellCheck("no refund number is in two cells", "audit_cells.refunds"),
)


async def check_all(timeout_seconds: int, *, drained: bool, grace_seconds: float) -> list[Finding]:
    """Check the invariants in the database of each cell, whose findings name it, and then all together."""
    settings = CellSettings()
    async with AsyncExitStack() as stack:
        cells = {
            name: await stack.enter_async_context(connected(url=url, statement_timeout_seconds=timeout_seconds))
            for name, url in settings.database_urls.items()
        }
        alone = {name: await check(tx, drained=drained, grace_seconds=grace_seconds) for name, tx in cells.items()}
        together = await cross_checks(cells, settings.cells)
    return [replace(one, id=f"{name}:{one.id}") for name, found in alone.items() for one in found] + together


async def cross_checks(cells: Mapping[str, Transaction], shards: Mapping[str, frozenset[int]]) -> list[Finding]:
    """Check what no cell can check alone. Each transaction must see one moment of its database.

    The moments of two cells differ, which harms nothing: none of these values ever moves between cells that run.
    """
    placed = [await _misplaced(name, tx, Cell(name, shards)) for name, tx in cells.items()]
    return [_together(placed), *[await _in_one_cell(one, cells) for one in ONCE]]


async def _misplaced(name: str, tx: Transaction, cell: Cell) -> Finding:
    """Find orders whose id or user is of a shard that another cell owns."""
    started, found = time.perf_counter(), list[str]()
    count = 0
    async for row in _rows(tx, "audit_cells.shards_of_users"):
        if not {row["shard"], shard_of_user(row["user_id"])} <= cell.cells[name]:
            count += row["orders"]
            found += row["first"]
    return _finding("orders are in the cell of their user", count, [f"{name}: {key}" for key in found], started)


def _together(found: Sequence[Finding]) -> Finding:
    first = tuple(key for one in found for key in one.first)[:FIRST]
    violations, milliseconds = sum(one.violations for one in found), sum(one.milliseconds for one in found)
    return Finding(TOGETHER, found[0].invariant, violations, first, milliseconds, ours=True)


async def _in_one_cell(check: CellCheck, cells: Mapping[str, Transaction]) -> Finding:
    """Merge the sorted values of all cells, and find those that come from more than one."""
    started, repeated = time.perf_counter(), list[str]()
    count = 0
    async with AsyncExitStack() as stack:
        streams = {name: _rows(tx, check.statement) for name, tx in cells.items()}
        for stream in streams.values():
            stack.push_async_callback(stream.aclose)  # type: ignore[attr-defined]
        heads = {name: await anext(stream, None) for name, stream in streams.items()}
        while waiting := {name: str(row["value"]) for name, row in heads.items() if row is not None}:
            lowest = min(waiting.values())
            holders = [name for name, value in waiting.items() if value == lowest]
            if len(holders) > 1:
                count += 1
                repeated += [f"{lowest} in {' and '.join(holders)}"][: FIRST - len(repeated)]
            for name in holders:
                heads[name] = await anext(streams[name], None)
    return _finding(check.sentence, count, repeated, started)


async def _rows(tx: Transaction, statement: str) -> AsyncIterator[Any]:
    async with tx.transaction(isolation="repeatable_read", readonly=True):
        async for row in tx.cursor(SQL[statement], prefetch=ROWS):
            yield row


def _finding(sentence: str, violations: int, first: Sequence[str], started: float) -> Finding:
    milliseconds = round((time.perf_counter() - started) * 1000)
    return Finding(TOGETHER, sentence, violations, tuple(first[:FIRST]), milliseconds, ours=True)
