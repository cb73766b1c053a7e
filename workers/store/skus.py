"""SKUs, as the catalogue last described them."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from db.pool import Transaction
from db.statements import SQL
from messages.catalogue import SkuUpsert
from workers.domain.pricing.quote import Sku
from workers.store import catalogue_entries


async def read(tx: Transaction, sku_ids: Iterable[str]) -> dict[str, Sku]:
    """SKU id -> SKU. Unknown ids are missing."""
    rows = await tx.fetch(SQL["skus.read"], list(set(sku_ids)))
    return {row["sku_id"]: Sku(*row) for row in rows}


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
    )
