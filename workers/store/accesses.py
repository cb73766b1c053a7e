"""Records who sees personal data in clear, when and why. A record is committed before anything is shown."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any, Literal

from db.pool import Transaction
from db.statements import SQL, columns

Seen = Literal["address", "case"]


@dataclass(frozen=True)
class AddressLook:
    """A message asks for the address of an order, or for the texts of its cases, as `what` says.

    `actor` is the sender whom the broker has verified, `note` the one whom the message names.
    """

    order_id: int
    actor: str
    note: str
    reason: str
    what: Seen = "address"


async def of_orders(tx: Transaction, looks: Sequence[AddressLook]) -> set[int]:
    """Record looks on the wire. Returns the orders that exist; the others have no record."""
    if not looks:
        return set()
    return {row["order_id"] for row in await tx.fetch(SQL["accesses.of_orders"], *columns(map(astuple, looks)))}


async def of_order(tx: Transaction, order_id: int, *, note: str, reason: str, what: Seen = "address") -> None:
    """Record that the user of the session sees the address of an order, or the texts of its cases."""
    await tx.execute(SQL["accesses.of_order"], order_id, note, reason, what)


async def of_letter(tx: Transaction, letter_id: int, *, note: str, reason: str) -> None:
    """Record that the user of the session sees a dead letter in clear."""
    await tx.execute(SQL["accesses.of_letter"], letter_id, note, reason)


async def of_user(tx: Transaction, user_id: str, *, note: str, reason: str) -> None:
    """Record that the user of the session sees everything about a user, and each order whose address that shows."""
    await tx.execute(SQL["accesses.of_user"], user_id, note, reason)


async def of_export(tx: Transaction, user_id: str, *, note: str, reason: str, actor: str, is_first: bool) -> None:
    """Record that a part of everything about a user leaves on the wire; with the first part also each order."""
    await tx.execute(SQL["accesses.of_export"], user_id, note, reason, actor, is_first)


async def of_dead_letters(tx: Transaction, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return who saw these letters in clear, the first look first."""
    return [dict(row) for row in await tx.fetch(SQL["accesses.of_dead_letters"], list(ids))]
