"""SKUs, as the catalogue last described them."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import orjson

from db.pool import Transaction
from db.statements import SQL
from messages.catalogue import SkuUpsert
from workers.domain.pricing.quote import Sku
from workers.domain.sourcing import Region, WarehouseLists
from workers.store import catalogue_entries

LISTS = len(Sku._fields)
"""The columns of skus.read_with_lists from here on are lists of warehouses."""


async def read(tx: Transaction, sku_ids: Iterable[str]) -> dict[str, Sku]:
    """SKU id -> SKU. Unknown ids are missing."""
    rows = await tx.fetch(SQL["skus.read"], list(set(sku_ids)))
    return {row["sku_id"]: Sku(*row) for row in rows}


async def read_with_lists(
    tx: Transaction, sku_ids: Iterable[str], regions: Collection[Region]
) -> tuple[dict[str, Sku], WarehouseLists]:
    """SKU id -> SKU, and the lists of warehouses that apply to them in these regions. Unknown ids are missing."""
    countries = sorted({"", *(country for country, _ in regions)})
    provinces = sorted({"", *(province for _, province in regions)})
    rows = await tx.fetch(SQL["skus.read_with_lists"], list(set(sku_ids)), countries, provinces)
    found = {row["sku_id"]: Sku(*row[:LISTS]) for row in rows}
    lists: dict[str, dict[Region, tuple[str, ...]]] = {}
    stored = next(filter(None, (row["lists"] for row in rows)), "[]")  # one row has them
    for sku_id, country, province, names in orjson.loads(stored):
        lists.setdefault(sku_id, {})[country, province] = tuple(names)
    return found, WarehouseLists({one: lists[one] for one in lists.keys() - {""}}, lists.get("", {}))


async def upsert(tx: Transaction, newest: Sequence[SkuUpsert]) -> None:
    """Write each SKU once; see catalogue_entries.write."""
    await catalogue_entries.write(tx, "skus.upsert", [_row(sku) for sku in newest])


def _row(sku: SkuUpsert) -> tuple[Any, ...]:
    return (
        sku.sku_id,
        sku.revision,
        sku.spu_id,
        sku.name,
        orjson.dumps(sku.specs).decode(),
        sku.status == "on_sale",
        sku.price,
        sku.currency,
        sku.product_type,
        sku.category_id,
        sku.seller_id,
        sku.image_url,
        sku.unit,
        sku.tax_class,
        sku.gift_points,
        sku.gift_growth,
        sku.points_limit,
        sku.purchase_price,
    )
