"""Promotions as the catalogue has them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson

from db.pool import Transaction
from db.statements import SQL
from workers.domain.pricing import Sku
from workers.domain.promotions import Promotion


async def for_skus(tx: Transaction, skus: Iterable[Sku], at: datetime) -> list[Promotion]:
    """Every promotion that is valid at `at` for these SKUs' SPUs or categories, or for everything; no ended ones."""
    given = list(skus)
    spus, categories = {s.spu_id for s in given}, {s.category_id for s in given if s.category_id is not None}
    rows = await tx.fetch(SQL["promotions.for_scopes"], sorted(spus), sorted(categories), at)
    return [_promotion(row) for row in rows]


def _promotion(row: Any) -> Promotion:
    terms = orjson.loads(row["terms"])
    return Promotion(
        promo_id=row["promo_id"],
        revision=row["revision"],
        name=row["name"],
        kind=row["kind"],
        scope=row["scope"],
        scope_id=row["scope_id"],
        currency=row["currency"],
        prices=terms.get("prices", {}),
        member_prices=terms.get("member_prices", {}),
        steps=tuple((step[0], step[1]) for step in terms.get("steps", ())),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        per_user_limit=row["per_user_limit"],
        quantity=row["quantity"],
    )
