"""The rules of business types, as far as they differ from the shop's own (S1-50)."""

from collections.abc import Sequence
from typing import Any

import orjson

from db.pool import Transaction
from db.statements import SQL
from messages.catalogue import SettingsSet
from workers.store import revisions


async def read(tx: Transaction) -> dict[str, dict[str, Any]]:
    """Business type -> the policy fields that were set for it; types that nobody set are missing."""
    rows = await tx.fetch(SQL["policies.read"])
    return {row["business_type"]: orjson.loads(row["policy"]) for row in rows}


async def upsert(tx: Transaction, newest: Sequence[SettingsSet]) -> None:
    """Write each policy once; see revisions.write."""
    await revisions.write(
        tx,
        "policies.upsert",
        [s.business_type for s in newest],
        [s.revision for s in newest],
        [orjson.dumps(s.policy()).decode() for s in newest],
    )
