"""Entries of the catalogue, each with an id and a revision that only grows; policies are such entries.

A policy holds the rules of one business type where they differ from the shop's own (S1-50).
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from messages.catalogue import RevisionReset, SettingsSet, WarehousesSet
from messages.warehouse_hours import WarehouseHoursSet


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


async def read_rules(tx: Transaction, warehouses: Iterable[str]) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return what read_policies does, and warehouse -> its hours, for those of these that have some."""
    found: dict[str, dict[str, Any]] = {"policy": {}, "hours": {}}
    for row in await tx.fetch(SQL["policies.read_with_hours"], sorted(set(warehouses))):
        found[row["kind"]][row["name"]] = orjson.loads(row["value"])
    return found["policy"], found["hours"]


async def upsert_warehouse_hours(tx: Transaction, newest: Sequence[WarehouseHoursSet]) -> None:
    """Write the hours of each warehouse once; see `write` for its error."""
    rows = [(each.warehouse, each.revision, orjson.dumps(each.hours()).decode()) for each in newest]
    await write(tx, "warehouse_hours.upsert", rows)


async def upsert_policies(tx: Transaction, newest: Sequence[SettingsSet]) -> None:
    """Write each policy once; see `write` for its error."""
    rows = [(each.business_type, each.revision, orjson.dumps(each.policy()).decode()) for each in newest]
    await write(tx, "policies.upsert", rows)


async def upsert_warehouse_lists(tx: Transaction, newest: Sequence[WarehousesSet]) -> None:
    """Write each list of warehouses once; see `write` for its error."""
    rows = [
        (one.entry_id, one.revision, one.sku_id, one.country, one.province, orjson.dumps(one.warehouses).decode())
        for one in newest
    ]
    await write(tx, "warehouse_lists.upsert", rows)


class Reset(NamedTuple):
    """A revision.reset of an entry that exists: the revision before it, and the broker user who sent it."""

    body: RevisionReset
    previous: int
    user: str


RESETS = {
    "sku": "skus.reset_revisions",
    "promotion": "promotions.reset_revisions",
    "coupon_template": "coupons.reset_revisions",
    "member": "members.reset_revisions",
    "settings": "policies.reset_revisions",
    "warehouses": "warehouse_lists.reset_revisions",
    "warehouse_hours": "warehouse_hours.reset_revisions",
}
"""The kinds of entries -> the statement that sets their revisions."""


async def reset_revisions(tx: Transaction, kind: str, scope: str, resets: Sequence[Reset]) -> None:
    """Set the revisions of entries of one kind, which are locked; keep who did it and why, the reason encrypted.

    `scope` begins that of the commands that set such an entry: what they decided for higher revisions is forgotten.
    """
    if not resets:
        return
    last, least = dict[str, int](), dict[str, int]()
    for each in resets:
        last[each.body.id] = each.body.revision
        least[each.body.id] = min(least.get(each.body.id, each.body.revision), each.body.revision)
    await tx.execute(SQL[RESETS[kind]], *columns(last.items()))
    forgotten = [(f"{scope}:{entry}", revision) for entry, revision in least.items()]
    await tx.execute(SQL["commands.forget_revisions"], *columns(forgotten))
    await tx.execute(SQL["revisions.log"], *columns(_logged(each) for each in resets))


def _logged(each: Reset) -> tuple[Any, ...]:
    body = each.body
    sealed = cipher.current().encrypt(body.reason.encode(), reset_aad(body.kind, body.id))
    return body.kind, body.id, each.previous, body.revision, each.user, *sealed


def reset_aad(kind: str, entry: str) -> bytes:
    """The place that the reason of a reset is bound to."""
    return f"revision_reset:{kind}:{entry}".encode()
