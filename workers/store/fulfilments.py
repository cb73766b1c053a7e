"""Hand-overs of orders to warehouses, their history, and what goes with the goods."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from messages.fulfilments import FulfilmentLine
from messages.orders import Address
from workers.domain.hand_overs import HandOver, HandOverState, WarehouseShare
from workers.store.ids import FAMILY_SPREAD, bounds
from workers.store.new_orders import remark_aad
from workers.store.orders import decrypt_address

HandOverKey = tuple[int, str]
"""(order id, warehouse)"""
STEP_COLUMNS = 9


class HandOverStep(NamedTuple):
    """One step of a hand-over, as its history has it."""

    order_id: int
    warehouse: str
    previous: str
    state: str
    number: int
    cause_type: str
    cause_id: str
    reason_code: str | None
    happened_at: datetime


@dataclass(frozen=True)
class Papers:
    """What goes with the goods of an order. Address and remark stay encrypted until `address` or `remark` is called."""

    order_id: int
    order_no: str | None
    root_id: int
    address_changes: int
    sealed_address: Mapping[str, Any] | None
    sealed_remark: Mapping[str, Any] | None

    def address(self) -> Address | None:
        """Return the delivery address in clear, or None if the order has none. Raises CipherError."""
        if self.sealed_address is None:
            return None
        return Address.model_validate_json(decrypt_address(self.order_id, self.sealed_address))

    def address_left(self) -> Address | None:
        """Return the delivery address in clear, or None if the order has none any more: also if its user was erased."""
        try:
            return self.address()
        except cipher.ErasedError:
            return None

    def remark(self) -> str | None:
        """Return the buyer's remark in clear, or None. Raises CipherError."""
        if self.sealed_remark is None:
            return None
        row = self.sealed_remark
        wrapped = cipher.Wrapped.of(row)
        return cipher.current().decrypt(row["key_id"], row["ciphertext"], remark_aad(self.root_id), wrapped).decode()


async def of_orders(tx: Transaction, order_ids: Iterable[int]) -> dict[HandOverKey, HandOver]:
    """(order id, warehouse) -> hand-over. The caller has locked the orders."""
    wanted = sorted(set(order_ids))
    rows = await tx.fetch(SQL["fulfilments.of_orders"], wanted, *bounds(wanted)) if wanted else []
    found = [HandOver(**{**dict(row), "state": HandOverState(row["state"])}) for row in rows]
    return {(one.order_id, one.warehouse): one for one in found}


async def papers(tx: Transaction, order_ids: Iterable[int]) -> dict[int, Papers]:
    """Order id -> what goes with its goods. The caller has locked the orders."""
    wanted = sorted(set(order_ids))
    rows = await tx.fetch(SQL["fulfilments.papers"], wanted, *bounds(wanted, FAMILY_SPREAD)) if wanted else []
    return {
        row["order_id"]: Papers(
            row["order_id"],
            row["order_no"],
            row["root_id"],
            row["address_changes"],
            dict(row) if row["ciphertext"] is not None else None,
            {
                "key_id": row["remark_key_id"],
                "ciphertext": row["user_remark"],
                "shop_key_id": row["remark_shop_key_id"],
                "wrapped": row["remark_wrapped"],
            }
            if row["user_remark"] is not None
            else None,
        )
        for row in rows
    }


async def shares(
    tx: Transaction, known: dict[int, Papers]
) -> tuple[dict[HandOverKey, WarehouseShare], dict[HandOverKey, list[FulfilmentLine]]]:
    """What these orders have at each warehouse, and the lines of it that have not left."""
    found: dict[HandOverKey, WarehouseShare] = {}
    lines: dict[HandOverKey, list[FulfilmentLine]] = {}
    for row in await tx.fetch(SQL["fulfilments.shares"], sorted(known), *bounds(known)) if known else []:
        key = row["order_id"], row["warehouse"]
        before = found.get(key, WarehouseShare(0, 0, known[row["order_id"]].address_changes))
        found[key] = WarehouseShare(
            before.units + row["units"], before.left + row["units_left"], before.address_changes
        )
        line = FulfilmentLine(line_no=row["line_no"], sku_id=row["sku_id"], name=row["name"], qty=row["units_left"])
        lines.setdefault(key, []).extend([line] if line.qty > 0 else [])
    return found, lines


async def save(tx: Transaction, changed: Sequence[HandOver], steps: Sequence[HandOverStep], at: datetime) -> None:
    """Write hand-overs, and the steps that they took. The caller has locked their orders."""
    if changed:
        rows = [
            (h.order_id, h.warehouse, h.state, h.number, h.units, h.address_changes, h.cancel_no, h.ref, h.reason_code)
            for h in changed
        ]
        await tx.execute(SQL["fulfilments.save"], *columns(rows), at, *columns(steps, STEP_COLUMNS))
