"""Drafts of orders. Their addresses and remarks are encrypted with the keys of their users."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from messages.order_drafts import DraftLine
from messages.orders import Address
from workers.domain.order_drafts import DraftState


@dataclass(frozen=True)
class Draft:
    """A draft, its address and remark in clear. `order_id` is the order that is being placed from it."""

    id: int
    user_id: str
    revision: int
    channel: str
    currency: str
    lines: tuple[DraftLine, ...]
    address: Address | None = field(repr=False)
    remark: str | None = field(repr=False)
    saved_at: datetime
    order_id: int | None = None

    @property
    def state(self) -> DraftState:
        """What decides about it."""
        return DraftState(self.id, self.revision, self.order_id)


Drafts = dict[str, dict[int, Draft]]
"""User id -> draft id -> draft, those saved last first."""


def aad_of(draft_id: int) -> bytes:
    """The place that the ciphertext of a draft is bound to."""
    return b"order_draft:%d" % draft_id


async def of_users(tx: Transaction, user_ids: Iterable[str], *, even_sealed: bool = False) -> Drafts:
    """Return the drafts of each of these users.

    Raises CipherError if one cannot be decrypted, unless it is to come `even_sealed`, without address and remark.
    """
    wanted = sorted(set(user_ids))
    found: Drafts = {user_id: {} for user_id in wanted}
    for row in await tx.fetch(SQL["order_drafts.of_users"], wanted) if wanted else ():
        try:
            private = _opened(row)
        except cipher.CipherError:
            if not even_sealed:
                raise
            private = {}
        found[row["user_id"]][row["id"]] = _draft(row, private)
    return found


def _opened(row: Any) -> dict[str, Any]:
    sealed = cipher.current().decrypt(row["key_id"], row["ciphertext"], aad_of(row["id"]), cipher.Wrapped.of(row))
    private: dict[str, Any] = orjson.loads(sealed)
    return private


def _draft(row: Any, private: Mapping[str, Any]) -> Draft:
    content, address = orjson.loads(row["content"]), private.get("address")
    return Draft(
        row["id"],
        row["user_id"],
        row["revision"],
        content["channel"],
        content["currency"],
        tuple(DraftLine.model_validate(line) for line in content["lines"]),
        None if address is None else Address.model_validate(address),
        private.get("remark"),
        row["saved_at"],
        row["order_id"],
    )


async def save(tx: Transaction, drafts: Sequence[Draft], keys: Mapping[str, cipher.Sealer]) -> None:
    """Write these drafts of users, who are locked, each encrypted with the key of its user."""
    if drafts:
        await tx.execute(SQL["order_drafts.save"], *columns(_row(draft, keys[draft.user_id]) for draft in drafts))


def _row(draft: Draft, key: cipher.Sealer) -> tuple[Any, ...]:
    lines = [line.model_dump(exclude_none=True) for line in draft.lines]
    content = {"channel": draft.channel, "currency": draft.currency, "lines": lines}
    private = {"address": draft.address and draft.address.model_dump(exclude_none=True), "remark": draft.remark}
    sealed = key.encrypt(orjson.dumps(private), aad_of(draft.id))
    return draft.id, draft.user_id, draft.revision, orjson.dumps(content).decode(), *sealed, draft.saved_at


async def delete(tx: Transaction, draft_ids: Iterable[int]) -> None:
    """Delete these drafts of users, who are locked."""
    wanted = sorted(set(draft_ids))
    if wanted:
        await tx.execute(SQL["order_drafts.delete"], wanted)


async def hold(tx: Transaction, placed: Sequence[tuple[int, int]]) -> None:
    """Note which orders are placed from drafts: (draft id, order id). The users are locked."""
    if placed:
        await tx.execute(SQL["order_drafts.hold"], *columns(placed))


async def remove_ordered(tx: Transaction, order_ids: Iterable[int]) -> None:
    """Delete the drafts from which these orders, which are created now, were placed."""
    wanted = sorted(set(order_ids))
    if wanted:
        await tx.execute(SQL["order_drafts.remove_ordered"], wanted)
