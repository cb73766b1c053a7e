"""The catalogue as we know it."""

from collections.abc import Iterable, Sequence

import orjson

from db.pool import Transaction
from db.statements import SQL
from messages.catalogue import SkuUpsert
from workers.domain.pricing import Sku


async def read(tx: Transaction, sku_ids: Iterable[str]) -> dict[str, Sku]:
    """SKU id -> SKU; unknown ones are missing."""
    rows = await tx.fetch(SQL["skus.read"], list(set(sku_ids)))
    return {row["sku_id"]: Sku(*row) for row in rows}


async def lock_revisions(tx: Transaction, sku_ids: Iterable[str]) -> dict[str, int]:
    """SKU id -> the revision we have; unknown ones are missing."""
    rows = await tx.fetch(SQL["skus.lock_revisions"], sorted(set(sku_ids)))
    return {row["sku_id"]: row["revision"] for row in rows}


async def upsert(tx: Transaction, newest: Sequence[SkuUpsert]) -> None:
    """Write each SKU once. One whose newer revision another worker wrote meanwhile is an error: it is tried again."""
    if not newest:
        return
    rows = await tx.fetch(
        SQL["skus.upsert"],
        [s.sku_id for s in newest],
        [s.revision for s in newest],
        [s.spu_id for s in newest],
        [s.name for s in newest],
        [orjson.dumps(s.specs).decode() for s in newest],
        [s.status == "on_sale" for s in newest],
        [s.price for s in newest],
        [s.currency for s in newest],
        [s.product_type for s in newest],
        [s.category_id for s in newest],
        [s.seller_id for s in newest],
        [s.image_url for s in newest],
        [s.unit for s in newest],
        [s.tax_class for s in newest],
        [s.gift_points for s in newest],
        [s.gift_growth for s in newest],
        [s.points_limit for s in newest],
    )
    if len(rows) != len(newest):
        raise ValueError("a newer revision of a SKU was written at the same time")
