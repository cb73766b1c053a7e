"""Reads the lists of warehouses, for people. Creation reads them with the SKUs (skus.read_with_lists)."""

from collections.abc import Iterable
from typing import Any

from db.pool import Transaction
from db.statements import SQL
from workers.domain.sourcing import ANYWHERE, ListsByRegion, Region, WarehouseLists


async def page(tx: Transaction, after: str, limit: int) -> list[dict[str, Any]]:
    """Return the lists after the one with this id, by id, at most `limit`."""
    return [dict(row) for row in await tx.fetch(SQL["warehouse_lists.list"], after, limit)]


async def covering(tx: Transaction, sku_id: str, region: Region) -> list[dict[str, Any]]:
    """Return the lists that lines of the SKU may come by that go to the region, the one that counts first.

    Lists that end an earlier one, which are empty, come last.
    """
    rows = [dict(row) for row in await tx.fetch(SQL["warehouse_lists.covering"], sku_id, *region)]
    ranks = [(one, of) for one in (sku_id, "") for of in (region, (region[0], ""), ANYWHERE)]

    def rank(row: dict[str, Any]) -> tuple[bool, int]:
        return not row["warehouses"], ranks.index((row["sku_id"], (row["country"], row["province"])))

    return sorted(rows, key=rank)


def lists_of(rows: Iterable[dict[str, Any]]) -> WarehouseLists:
    """Return the lists of these rows as creation has them."""
    of_skus: dict[str, ListsByRegion] = {}
    for row in rows:
        region = row["country"], row["province"]
        of_skus[row["sku_id"]] = {**of_skus.get(row["sku_id"], {}), region: tuple(row["warehouses"])}
    return WarehouseLists(of_skus, of_skus.pop("", {}))
