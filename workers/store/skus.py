"""SKUs, as the catalogue last described them."""

from collections.abc import Iterable, Sequence

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
    await catalogue_entries.write(
        tx,
        "skus.upsert",
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
