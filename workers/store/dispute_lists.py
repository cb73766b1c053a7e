"""Finds disputes, and reads what lists and screens show of them. It locks nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db.pool import Transaction
from db.statements import SQL, columns, rows_by
from workers.domain.pages import PageStart


@dataclass(frozen=True)
class DisputePage:
    """Which disputes a page shows: `size` of those that fit, after `start`; by their date if `by_due`.

    `states` is never empty. Without `order_id` it is about the disputes of all orders.
    """

    states: tuple[str, ...]
    due_before: datetime | None
    start: PageStart
    size: int
    by_due: bool
    order_id: int = 0


async def find(tx: Transaction, numbers: Iterable[str]) -> Mapping[Any, Sequence[Any]]:
    """Number at a provider -> (provider, id) of the disputes with it."""
    return await rows_by(tx, "dispute_no", "dispute_queries.find", numbers)


async def of_states(tx: Transaction, pages: Sequence[DisputePage], *, by_due: bool) -> list[list[int]]:
    """The dispute ids of each page of the disputes of all orders."""
    rows = [
        (state, place, page.due_before, page.start.at, page.start.id, page.size)
        for place, page in enumerate(pages)
        for state in sorted(set(page.states))
    ]
    found: list[list[int]] = [[] for _ in pages]
    for row in await tx.fetch(SQL["dispute_queries.due" if by_due else "dispute_queries.newest"], *columns(rows)):
        found[row["place"]].append(row["id"])
    return [ids[: page.size] for page, ids in zip(pages, found, strict=True)]


async def of_orders(tx: Transaction, pages: Sequence[DisputePage]) -> list[list[int]]:
    """The dispute ids of each page of the disputes of one order."""
    rows = [(page.order_id, ",".join(page.states), page.due_before) for page in pages]
    found: list[list[Any]] = [[] for _ in pages]
    for row in await tx.fetch(SQL["dispute_queries.of_orders"], *columns(rows)):
        found[row["place"] - 1].append(row)
    return [_cut(page, those) for page, those in zip(pages, found, strict=True)]


def _cut(page: DisputePage, rows: Iterable[Any]) -> list[int]:
    """The ids of the page, out of all disputes that fit."""
    start, at = (page.start.at, page.start.id), "due_at" if page.by_due else "occurred_at"
    keys = sorted((row[at], row["id"]) for row in rows if row[at] is not None)
    after = [key for key in keys if (key > start if page.by_due else key < start)]
    return [dispute_id for _, dispute_id in (after if page.by_due else reversed(after))][: page.size]


async def summaries(tx: Transaction, ids: Iterable[int]) -> dict[int, Any]:
    """Dispute id -> what a list shows of it."""
    wanted = sorted(set(ids))
    rows = await tx.fetch(SQL["dispute_queries.summaries"], wanted) if wanted else []
    return {row["dispute_id"]: row for row in rows}


async def evidence(tx: Transaction, ids: Iterable[int]) -> Mapping[int, Sequence[Any]]:
    """Dispute id -> what was submitted against it."""
    return await rows_by(tx, "dispute_id", "dispute_queries.evidence", ids)
