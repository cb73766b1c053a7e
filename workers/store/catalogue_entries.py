"""Entries of the catalogue, each with an id and a revision that only grows; policies are such entries.

A policy holds the rules of one business type where they differ from the shop's own (S1-50).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from db.pool import Transaction
from db.statements import SQL, columns
from messages.catalogue import SettingsSet


async def lock_revisions(tx: Transaction, statement: str, ids: Iterable[str]) -> dict[str, int]:
    """Id -> the revision that is stored, locked until commit. Unknown ids are missing."""
    rows = await tx.fetch(SQL[statement], sorted(set(ids)))
    return {row["id"]: row["revision"] for row in rows}


async def write(tx: Transaction, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write each entry once. Raises ValueError if a newer revision was written meanwhile: the batch runs again."""
    written = await tx.fetch(SQL[statement], *columns(rows)) if rows else []
    if len(written) != len(rows):
        raise ValueError(f"{statement}: a newer revision was written at the same time")


async def read_policies(tx: Transaction) -> dict[str, dict[str, Any]]:
    """Business type -> the policy fields that settings.set gave it. Types without any are missing."""
    rows = await tx.fetch(SQL["policies.read"])
    return {row["business_type"]: orjson.loads(row["policy"]) for row in rows}


async def upsert_policies(tx: Transaction, newest: Sequence[SettingsSet]) -> None:
    """Write each policy once; see `write` for its error."""
    rows = [(each.business_type, each.revision, orjson.dumps(each.policy()).decode()) for each in newest]
    await write(tx, "policies.upsert", rows)
