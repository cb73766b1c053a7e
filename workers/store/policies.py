"""The rules of business types, as far as they differ from the shop's own (S1-50)."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from db.pool import Transaction
from db.statements import SQL
from messages.catalogue import SettingsSet


async def read(tx: Transaction) -> dict[str, dict[str, Any]]:
    """Business type -> the policy fields that were set for it; types that nobody set are missing."""
    rows = await tx.fetch(SQL["policies.read"])
    return {row["business_type"]: orjson.loads(row["policy"]) for row in rows}


async def lock_revisions(tx: Transaction, business_types: Iterable[str]) -> dict[str, int]:
    """Business type -> the revision we have; unknown ones are missing."""
    rows = await tx.fetch(SQL["policies.lock_revisions"], sorted(set(business_types)))
    return {row["id"]: row["revision"] for row in rows}


async def upsert(tx: Transaction, newest: Sequence[SettingsSet]) -> None:
    """Write each policy once. One whose newer revision was written meanwhile is an error: it is tried again."""
    rows = await tx.fetch(
        SQL["policies.upsert"],
        [s.business_type for s in newest],
        [s.revision for s in newest],
        [orjson.dumps(s.policy()).decode() for s in newest],
    )
    if len(rows) != len(newest):
        raise ValueError("a newer revision of a policy was written at the same time")
