"""Reads carts, coupons, points and stock for queries. It locks nothing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from db.pool import Transaction
from db.statements import SQL, columns, rows_by

Rows = Mapping[str, Sequence[Any]]
"""User or SKU -> rows."""


async def carts(tx: Transaction, users: Iterable[str], lines_max: int) -> Rows:
    """User id -> the lines of the user's cart, by SKU, with the catalogue's name and price."""
    return await rows_by(tx, "user_id", "account_queries.carts", users, lines_max)


async def coupons(tx: Transaction, wanted: Sequence[tuple[str, Sequence[str]]], coupons_max: int) -> list[list[Any]]:
    """The coupons of each (user id, states) of `wanted`, those that end first come first."""
    found: list[list[Any]] = [[] for _ in wanted]
    rows = [(user, state, page) for page, (user, states) in enumerate(wanted) for state in sorted(set(states))]
    for row in await tx.fetch(SQL["account_queries.coupons"], *columns(rows), coupons_max) if rows else ():
        found[row["page"]].append(row)
    return [each[:coupons_max] for each in found]


async def points(tx: Transaction, users: Iterable[str]) -> dict[str, Any]:
    """User id -> level, balance, held points and growth."""
    rows = await tx.fetch(SQL["account_queries.points"], sorted(set(users)))
    return {row["user_id"]: row for row in rows}


async def points_entries(tx: Transaction, users: Iterable[str], entries_max: int) -> Rows:
    """User id -> the newest entries of the points ledger, newest first."""
    return await rows_by(tx, "user_id", "account_queries.points_entries", users, entries_max)


async def stock(tx: Transaction, skus: Iterable[str]) -> Rows:
    """SKU -> what each warehouse has of it."""
    return await rows_by(tx, "sku_id", "account_queries.stock", skus)
