"""Finds after-sale cases, and reads what lists show of them. It locks nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from db.pool import Transaction
from db.statements import SQL, columns
from workers.domain.pages import PageStart


class CaseKey(NamedTuple):
    """A case and its order."""

    case_id: int
    order_id: int


@dataclass(frozen=True)
class CasePage:
    """Which cases a page shows: `size` of those that fit, after `start`; from old to new if they are `waiting`.

    `states` is never empty. Without `user_id` and `order_id` it is about the cases of all orders.
    """

    states: tuple[str, ...]
    type: str
    since: datetime
    before: datetime
    start: PageStart
    size: int
    waiting: bool
    user_id: str = ""
    order_id: int = 0


async def find(tx: Transaction, names: Iterable[tuple[str, int | None]]) -> dict[str, CaseKey]:
    """Name -> the case with this number, or with the id that the name may be. Unknown names are missing."""
    wanted = sorted(set(names))
    rows = await tx.fetch(SQL["after_sale_queries.find"], *columns(wanted, 2)) if wanted else []
    return {row["name"]: CaseKey(row["id"], row["order_id"]) for row in rows}


async def of_states(tx: Transaction, pages: Sequence[CasePage], *, waiting: bool) -> list[list[int]]:
    """The case ids of each page of the cases of all orders: from old to new if they are `waiting`."""
    rows = [
        (state, place, page.type, page.since, page.before, page.start.at, page.start.id, page.size)
        for place, page in enumerate(pages)
        for state in sorted(set(page.states))
    ]
    statement = SQL["after_sale_queries.waiting" if waiting else "after_sale_queries.newest"]
    found: list[list[int]] = [[] for _ in pages]
    for row in await tx.fetch(statement, *columns(rows)) if rows else []:
        found[row["place"]].append(row["id"])
    return [ids[: page.size] for page, ids in zip(pages, found, strict=True)]


async def of_orders(tx: Transaction, pages: Sequence[CasePage]) -> list[list[int]]:
    """The case ids of each page of the cases of one user or of one order."""
    rows = [(page.user_id, page.order_id, ",".join(page.states), page.type, page.since, page.before) for page in pages]
    found: list[list[PageStart]] = [[] for _ in pages]
    for row in await tx.fetch(SQL["after_sale_queries.of_orders"], *columns(rows)) if rows else []:
        found[row["place"] - 1].append(PageStart(row["requested_at"], row["id"]))
    return [_cut(page, cases) for page, cases in zip(pages, found, strict=True)]


def _cut(page: CasePage, cases: Iterable[PageStart]) -> list[int]:
    """The ids of the page, out of all cases that fit."""
    start, keys = (page.start.at, page.start.id), sorted((one.at, one.id) for one in cases)
    after = [key for key in keys if (key > start if page.waiting else key < start)]
    return [case_id for _, case_id in (after if page.waiting else reversed(after))][: page.size]


async def summaries(tx: Transaction, ids: Iterable[int]) -> dict[int, Any]:
    """Case id -> what a list shows of it."""
    wanted = sorted(set(ids))
    rows = await tx.fetch(SQL["after_sale_queries.summaries"], wanted) if wanted else []
    return {row["case_id"]: row for row in rows}
