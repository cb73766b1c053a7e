"""What is noted with orders: the encrypted remark of the buyer, and whether the buyer has commented."""

from collections.abc import Iterable, Mapping, Sequence

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from workers.store import buyers
from workers.store.new_orders import remark_aad


async def commented(tx: Transaction, order_ids: Iterable[int]) -> set[int]:
    """Return those of these orders that have a comment. The caller has locked the orders."""
    wanted = sorted(set(order_ids))
    rows = await tx.fetch(SQL["order_annotations.commented"], wanted) if wanted else []
    return {row["id"] for row in rows}


async def mark_commented(tx: Transaction, order_ids: Sequence[int]) -> None:
    """Note that these orders have a comment."""
    if order_ids:
        await tx.execute(SQL["order_annotations.mark_commented"], sorted(order_ids))


async def change_remarks(tx: Transaction, remarks: Mapping[int, str | None], users: Mapping[int, str]) -> None:
    """Replace the remarks of these orders, each encrypted with the key of its user; None removes one."""
    if not remarks:
        return
    keys = await buyers.keys(tx, users.values())
    rows = []
    for order_id, remark in sorted(remarks.items()):
        sealer = keys.get(users[order_id], cipher.current())
        sealed = (None, None) if remark is None else sealer.encrypt(remark.encode(), remark_aad(order_id))
        rows.append((order_id, *sealed))
    await tx.execute(SQL["order_annotations.change_remarks"], *columns(rows))
