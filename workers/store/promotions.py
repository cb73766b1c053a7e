"""Promotions as the catalogue has them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson

from db.pool import Transaction
from db.statements import SQL, columns
from messages.promotions import LadderStep, PromotionUpsert, ReductionStep
from workers.domain.pricing.promotions import Promotion, PromotionKind, PromotionScope
from workers.domain.pricing.quote import Sku
from workers.store import catalogue_entries


async def for_skus(tx: Transaction, skus: Iterable[Sku], at: datetime) -> list[Promotion]:
    """Return every promotion that is valid at `at` for these SKUs' SPUs or categories, or for everything."""
    given = list(skus)
    spus, categories = {s.spu_id for s in given}, {s.category_id for s in given if s.category_id is not None}
    rows = await tx.fetch(SQL["promotions.for_scopes"], sorted(spus), sorted(categories), at)
    return [_promotion(row) for row in rows]


async def lock(tx: Transaction) -> None:
    """Keep other transactions from changing promotions until commit."""
    await tx.execute(SQL["promotions.lock"])


def of(body: PromotionUpsert) -> Promotion | None:
    """Return the promotion that a message describes, or None if its steps belong to another kind of promotion."""
    wanted = ReductionStep if body.kind == "full_reduction" else LadderStep
    if not all(isinstance(step, wanted) for step in body.steps):
        return None
    return Promotion(
        promo_id=body.promo_id,
        revision=body.revision,
        name=body.name,
        kind=PromotionKind(body.kind),
        scope=PromotionScope(body.scope),
        scope_id=body.scope_id,
        currency=body.currency,
        prices=body.prices,
        member_prices=body.member_prices,
        steps=tuple(_pair(step) for step in body.steps),
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        per_user_limit=body.per_user_limit,
        quantity=body.quantity,
    )


def _pair(step: LadderStep | ReductionStep) -> tuple[int, int]:
    return (step.count, step.pay_basis_points) if isinstance(step, LadderStep) else (step.full, step.reduce)


async def beside(tx: Transaction, new: Sequence[PromotionUpsert]) -> dict[str, Promotion]:
    """Id -> stored promotion that has the same scope as one of these and overlaps it in time."""
    scopes = [(each.scope, each.scope_id, each.starts_at, each.ends_at) for each in new]
    rows = await tx.fetch(SQL["promotions.beside"], *columns(scopes)) if scopes else []
    return {row["promo_id"]: _promotion(row) for row in rows}


async def upsert(tx: Transaction, newest: Sequence[PromotionUpsert]) -> None:
    """Write each promotion once (see catalogue_entries.write), and its number of units, never fewer than are sold."""
    await catalogue_entries.write(tx, "promotions.upsert", [_row(body) for body in newest])
    if newest:
        quotas = [(body.promo_id, body.quantity, body.kind == "flash") for body in newest]
        await tx.execute(SQL["promotions.set_quotas"], *columns(quotas))


def _row(body: PromotionUpsert) -> tuple[Any, ...]:
    return (
        body.promo_id,
        body.revision,
        body.name,
        body.kind,
        body.scope,
        body.scope_id,
        body.currency,
        _terms(body),
        body.starts_at,
        body.ends_at,
        body.per_user_limit,
    )


def _terms(body: PromotionUpsert) -> str:
    steps = [_pair(step) for step in body.steps]
    terms = {"prices": body.prices, "member_prices": body.member_prices, "steps": steps}
    return orjson.dumps({name: value for name, value in terms.items() if value}).decode()


def _promotion(row: Any) -> Promotion:
    terms = orjson.loads(row["terms"])
    return Promotion(
        promo_id=row["promo_id"],
        revision=row["revision"],
        name=row["name"],
        kind=PromotionKind(row["kind"]),
        scope=PromotionScope(row["scope"]),
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
