"""What is noted with orders: the encrypted remark of the buyer, its comment, and the encrypted note of operators."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns, rows_by
from workers.store.new_orders import remark_aad

Keys = Mapping[str, cipher.Sealer]
"""User id -> the user's data key; the shop's key stands in for a user without one."""


@dataclass(frozen=True)
class Note:
    """What operators noted with an order, and who of them did last."""

    text: str
    actor_id: str


async def commented(tx: Transaction, order_ids: Iterable[int]) -> set[int]:
    """Return those of these orders that have a comment. The caller has locked the orders."""
    wanted = sorted(set(order_ids))
    rows = await tx.fetch(SQL["order_annotations.commented"], wanted) if wanted else []
    return {row["id"] for row in rows}


async def mark_commented(tx: Transaction, order_ids: Sequence[int]) -> None:
    """Note that these orders have a comment."""
    if order_ids:
        await tx.execute(SQL["order_annotations.mark_commented"], sorted(order_ids))


async def change_remarks(
    tx: Transaction, remarks: Mapping[int, str | None], users: Mapping[int, str], keys: Keys
) -> None:
    """Replace the remarks of these orders, each encrypted with the key of its user; None removes one."""
    if not remarks:
        return
    rows = []
    for order_id, remark in sorted(remarks.items()):
        sealer = keys.get(users[order_id], cipher.current())
        sealed = (None, None) if remark is None else sealer.encrypt(remark.encode(), remark_aad(order_id))
        rows.append((order_id, *sealed))
    await tx.execute(SQL["order_annotations.change_remarks"], *columns(rows))


async def change_notes(
    tx: Transaction, notes: Mapping[int, Note | None], users: Mapping[int, str], keys: Keys, now: datetime
) -> None:
    """Replace the notes of these orders, each encrypted with the key of the order's user; None removes one."""
    written = [(order_id, note) for order_id, note in sorted(notes.items()) if note is not None]
    gone = sorted(order_id for order_id, note in notes.items() if note is None)
    if written:
        rows = [
            (key, *keys.get(users[key], cipher.current()).encrypt(note.text.encode(), note_aad(key)), note.actor_id)
            for key, note in written
        ]
        await tx.execute(SQL["order_annotations.save_notes"], *columns(rows), now)
    if gone:
        await tx.execute(SQL["order_annotations.remove_notes"], gone)


def note_aad(order_id: int) -> bytes:
    """The place that the ciphertext of a note is bound to."""
    return b"operators_note:%d" % order_id


async def notes(tx: Transaction, order_ids: Iterable[int]) -> dict[int, str]:
    """Order id -> its note in clear. Of an erased user, or without its key, the word for that stands in its place."""
    found = await rows_by(tx, "order_id", "order_annotations.notes", order_ids)
    return {key: _opened(row) for key, (row,) in found.items()}


def _opened(row: Any) -> str:
    try:
        key = cipher.Wrapped.of(row)
        return cipher.current().decrypt(row["key_id"], row["ciphertext"], note_aad(row["order_id"]), key).decode()
    except cipher.ErasedError:
        return cipher.ERASED
    except cipher.CipherError as error:
        return f"unreadable: {error}"
