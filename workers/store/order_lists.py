"""Finds the orders of a page, and reads what lists and tracking show of orders. It locks nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from db.pool import Transaction
from db.statements import SQL, columns, rows_by
from workers.domain.pages import PageStart
from workers.store.ids import FAMILY_SPREAD, bounds


@dataclass(frozen=True)
class Page:
    """Which orders a page shows: `size` of those that fit, after `start`, from new to old.

    `names` are (kind, name) that other systems have for the order; each must lead to it. No order that was created
    before `before` has `before_id` or a higher id, so that newer ones need not be read.
    """

    user_id: str | None
    with_deleted: bool
    states: tuple[str, ...]
    since: datetime
    before: datetime
    before_id: int
    sku_id: str | None
    names: tuple[tuple[str, str], ...]
    start: PageStart
    size: int

    @property
    def first_before(self) -> tuple[datetime, int]:
        """All orders of the page were created before this time, or at it and have a lower id."""
        return min((self.start.at, self.start.id), (self.before, 0))

    @property
    def below(self) -> int:
        """All ids of the page are less than this."""
        return min(self.start.id, self.before_id)


async def of_users(tx: Transaction, pages: Sequence[Page]) -> list[list[int]]:
    """The order ids of each page of one user's orders."""
    rows = [(page.user_id, page.with_deleted, page.since, page.before, page.below, page.size) for page in pages]
    return _by_place(len(pages), await tx.fetch(SQL["order_queries.of_users"], *columns(rows)) if rows else [])


async def of_user_states(tx: Transaction, pages: Sequence[Page]) -> list[list[int]]:
    """The order ids of each page of one user's orders in the page's states, which it must name."""
    rows = [
        (state, place, page.user_id, page.with_deleted, page.since, page.before, page.below, page.size)
        for place, page in enumerate(pages, start=1)
        for state in sorted(set(page.states))
    ]
    found = _by_place(len(pages), await tx.fetch(SQL["order_queries.of_user_states"], *columns(rows)) if rows else [])
    return [ids[: page.size] for page, ids in zip(pages, found, strict=True)]


async def of_all(tx: Transaction, pages: Sequence[Page]) -> list[list[int]]:
    """The order ids of each page of all users' orders in any state."""
    rows = [(page.since, page.before, page.below, page.size) for page in pages]
    return _by_place(len(pages), await tx.fetch(SQL["order_queries.of_all"], *columns(rows)) if rows else [])


async def of_states(tx: Transaction, pages: Sequence[Page]) -> list[list[int]]:
    """The order ids of each page of all users' orders in the page's states, which it must name."""
    rows = [
        (state, place, page.since, *page.first_before, page.size)
        for place, page in enumerate(pages, start=1)
        for state in sorted(set(page.states))
    ]
    found = _by_place(len(pages), await tx.fetch(SQL["order_queries.of_states"], *columns(rows)) if rows else [])
    return [ids[: page.size] for page, ids in zip(pages, found, strict=True)]


async def of_user_skus(tx: Transaction, pages: Sequence[Page]) -> list[list[int]]:
    """The order ids of each page of one user's orders with a line of the page's SKU."""
    rows = [
        (
            *(page.sku_id, page.user_id, page.with_deleted, page.since, page.before, page.below),
            *(page.size, ",".join(page.states)),
        )
        for page in pages
    ]
    return _by_place(len(pages), await tx.fetch(SQL["order_queries.of_user_skus"], *columns(rows)) if rows else [])


async def of_skus(tx: Transaction, pages: Sequence[Page]) -> list[list[int]]:
    """The order ids of each page of orders with a line of the page's SKU."""
    rows = [(page.sku_id, *_filters(page), page.size) for page in pages]
    return _by_place(len(pages), await tx.fetch(SQL["order_queries.of_skus"], *columns(rows)) if rows else [])


async def named(tx: Transaction, pages: Sequence[Page]) -> list[list[int]]:
    """The ids of the orders to which all names of each page lead, and which fit its filters."""
    names = [(page, kind, name) for page in pages for kind, name in page.names]
    rows = columns((kind, name, *_filters(page)) for page, kind, name in names)
    skus = [page.sku_id or "" for page, *_ in names]
    found = iter(_by_place(len(names), await tx.fetch(SQL["order_queries.named"], *rows, skus)))
    each = [set.intersection(*(set(next(found)) for _ in page.names)) for page in pages]
    return [sorted(ids, reverse=True)[: page.size] for page, ids in zip(pages, each, strict=True)]


async def summaries(tx: Transaction, ids: Iterable[int]) -> dict[int, Any]:
    """Order id -> what a list shows of it."""
    wanted = sorted(set(ids))
    rows = await tx.fetch(SQL["order_queries.summaries"], wanted, *bounds(wanted)) if wanted else []
    return {row["order_id"]: row for row in rows}


class Stamp(NamedTuple):
    """The version and the user of an order, and a mark that changes with every row that answers show of the order."""

    version: int
    user_id: str
    mark: str


async def stamps(tx: Transaction, ids: Iterable[int]) -> dict[int, Stamp]:
    """Order id -> its stamp as of this transaction."""
    wanted = sorted(set(ids))
    rows = await tx.fetch(SQL["order_queries.stamps"], wanted, *bounds(wanted, FAMILY_SPREAD)) if wanted else []
    return {row["id"]: Stamp(row["version"], row["user_id"], row["stamp"]) for row in rows}


async def attempts(tx: Transaction, ids: Iterable[int]) -> Mapping[int, Sequence[Any]]:
    """Order id -> its attempts to pay."""
    return await rows_by(tx, "order_id", "order_queries.attempts", ids)


async def carrier_facts(tx: Transaction, shipment_ids: Iterable[int]) -> Mapping[int, Sequence[Any]]:
    """Shipment id -> what its carrier reported, in the order of its happening."""
    return await rows_by(tx, "shipment_id", "order_queries.facts", shipment_ids)


def _filters(page: Page) -> tuple[Any, ...]:
    states = ",".join(page.states)
    return page.user_id or "", page.with_deleted, states, page.since, page.before, page.below


def _by_place(count: int, rows: Iterable[Any]) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(count)]
    for row in rows:
        found[row["place"] - 1].append(row["id"])
    return found
