"""Encrypts again, with the shop's current key, what its older keys encrypt: a few pages of a table at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from workers.store import (
    attempts,
    catalogue_entries,
    contacts,
    dead_letters,
    free_texts,
    new_orders,
    notifications,
    order_annotations,
    order_drafts,
    orders,
)

OUTBOX_AAD = b"outbox"  # what outbox/insertion.py binds bodies to; a test rotates a row of the outbox
Row = Any


@dataclass(frozen=True)
class Rotated:
    """What became of some rows: encrypted again, or left.

    Of those that are left this process has no key (`missing`), or the key of that id does not open them (`broken`).
    """

    done: int = 0
    missing: int = 0
    broken: int = 0

    @property
    def unreadable(self) -> int:
        """How many rows could not be opened."""
        return self.missing + self.broken

    def __add__(self, other: "Rotated") -> "Rotated":
        return Rotated(self.done + other.done, self.missing + other.missing, self.broken + other.broken)


def _text(row: Row) -> bytes:
    return free_texts.aad_of(row["about"], row["type"], row["field"], row["message_id"], row["sender"])


PLACES: dict[str, Callable[[Row], bytes]] = {
    "user_keys": lambda row: cipher.user_key_aad(row["key_id"]),
    "order_addresses": lambda row: orders.address_aad(row["order_id"]),
    "orders": lambda row: new_orders.remark_aad(row["id"]),
    "payment_attempts": lambda row: attempts.details_aad(row["id"]),
    "free_texts": _text,
    "payment_notifications": lambda _: notifications.AAD,
    "dead_letters": lambda _: dead_letters.AAD,
    "dead_letter_edits": lambda _: dead_letters.AAD,
    "revision_resets": lambda row: catalogue_entries.reset_aad(row["kind"], row["id"]),
    "user_contacts": lambda row: contacts.address_aad(row["user_id"], row["medium"]),
    "order_drafts": lambda row: order_drafts.aad_of(row["id"]),
    "order_notes": lambda row: order_annotations.note_aad(row["order_id"]),
    "outbox": lambda _: OUTBOX_AAD,
    "outbox_held": lambda _: OUTBOX_AAD,
}
"""Table with ciphertexts -> what the ciphertext of a row is bound to."""


async def status(tx: Transaction) -> list[dict[str, Any]]:
    """Return how many ciphertexts of each table each key encrypts: place, key and count. It reads every table."""
    return [dict(row) for row in await tx.fetch(SQL["keys.status"])]


async def pages(tx: Transaction, table: str) -> int:
    """Return how many pages a table has."""
    return int(await tx.fetchval(SQL["keys.pages"], table))


async def rotate(tx: Transaction, table: str, first: int, end: int) -> Rotated:
    """Encrypt again what is in the pages from `first` to before `end`. What is done already is left alone."""
    shop, aad_of = cipher.current(), PLACES[table]
    saved: list[tuple[Any, ...]] = []
    missing = broken = 0
    for row in await tx.fetch(SQL[f"keys.read_{table}"], first, end, shop.current):
        parts = [value for name, value in row.items() if name in ("first", "second")]
        try:
            plain = [shop.decrypt(row["old_key_id"], part, aad_of(row)) for part in parts]
        except cipher.MissingKeyError:
            missing += 1
            continue
        except cipher.CipherError:
            broken += 1
            continue
        sealed = [shop.encrypt(part, aad_of(row)) for part in plain]
        saved.append((row["place"], shop.current, *(ciphertext for _, ciphertext in sealed)))
    if saved:
        await tx.execute(SQL[f"keys.save_{table}"], *columns(saved))
    return Rotated(len(saved), missing, broken)
