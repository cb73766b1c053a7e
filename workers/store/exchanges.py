"""Exchange orders of after-sale cases. The callers have locked the orders whose goods they replace."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from db import cipher
from db.pool import Transaction
from db.statements import SQL, columns
from messages.envelope import Envelope
from workers.domain.exchanges import ExchangeLine, ExchangeOrder, ExchangeState
from workers.domain.sourcing import Region
from workers.store.orders import address_aad, decrypt_address


@dataclass(frozen=True)
class NewExchange:
    """An exchange order that is placed, its lines, and the message that caused it."""

    order: ExchangeOrder
    lines: tuple[ExchangeLine, ...]
    because: Envelope[Any]


class ExchangeOwner(NamedTuple):
    """The case of an exchange order, and the order whose goods it replaces."""

    case_id: int
    first_order_id: int


async def of_cases(tx: Transaction, case_ids: Iterable[int]) -> dict[int, ExchangeOrder]:
    """Case id -> its newest exchange order, for cases that have one."""
    wanted = sorted(set(case_ids))
    rows = await tx.fetch(SQL["exchanges.of_cases"], wanted) if wanted else []
    words = ({"state": ExchangeState(row["state"]), "lost": tuple(row["lost"])} for row in rows)
    found = (ExchangeOrder(**dict(row) | word) for row, word in zip(rows, words, strict=True))
    return {exchange.case_id: exchange for exchange in found}


async def owners(tx: Transaction, order_ids: Iterable[int]) -> dict[int, ExchangeOwner]:
    """Exchange order id -> its case and the order whose goods it replaces. Unknown ids are missing."""
    wanted = sorted(set(order_ids))
    rows = await tx.fetch(SQL["exchanges.cases"], wanted) if wanted else []
    return {row["order_id"]: ExchangeOwner(row["case_id"], row["first_order_id"]) for row in rows}


async def save(tx: Transaction, changed: Mapping[int, ExchangeState]) -> None:
    """Write the new states of exchange orders, by their ids."""
    if changed:
        await tx.execute(SQL["exchanges.save"], *columns(sorted(changed.items())))


async def place(tx: Transaction, new: Sequence[NewExchange], now: datetime, deadline: datetime) -> None:
    """Insert new exchange orders with lines, address, log and a saga timer due at `deadline`.

    The address is that of the order whose goods come back, encrypted anew because its ciphertext is bound to its order.
    """
    if not new:
        return
    known = {row["order_id"]: row for row in await _addresses(tx, (one.order.first_order_id for one in new))}
    rows = [_row(one, _sealed(one.order, known.get(one.order.first_order_id))) for one in new]
    lines = [_line(one.order.order_id, line) for one in new for line in one.lines]
    await tx.execute(SQL["exchanges.place"], now, deadline, *columns(rows), *columns(lines))


async def regions(tx: Transaction, order_ids: Iterable[int]) -> dict[int, Region]:
    """Order id -> where it went. Orders without an address that can be read are missing."""
    found: dict[int, Region] = {}
    for row in await _addresses(tx, order_ids):
        try:
            province = orjson.loads(decrypt_address(row["order_id"], row)).get("province")
        except cipher.ErasedError:
            continue
        found[row["order_id"]] = row["country"], province or ""
    return found


async def _addresses(tx: Transaction, order_ids: Iterable[int]) -> Sequence[Any]:
    return await tx.fetch(SQL["exchanges.addresses"], sorted(set(order_ids)))


def _sealed(order: ExchangeOrder, row: Any) -> tuple[str | None, str | None, bytes | None]:
    """Encrypt the first order's address for the exchange order: (country, key id, ciphertext)."""
    if row is None:
        return None, None, None
    key = cipher.current().sealer(cipher.Wrapped.of(row))
    plain = decrypt_address(order.first_order_id, row)
    return row["country"], *key.encrypt(plain, address_aad(order.order_id))


def _row(one: NewExchange, address: tuple[str | None, str | None, bytes | None]) -> tuple[Any, ...]:
    order = one.order
    return (
        order.order_id,
        order.first_order_id,
        order.case_id,
        order.price_amount,
        order.value_amount,
        sum(line.origin for line in one.lines),
        sum(line.reduction for line in one.lines),
        sum(line.tax for line in one.lines),
        _rules(one.lines),
        one.because.correlation_id,
        one.because.body.TYPE,
        one.because.id,
        *address,
    )


def _rules(lines: Sequence[ExchangeLine]) -> str:
    """Return what differs from the first order's rules: today's rounding of the tax, and its goods' warehouses."""
    rules: dict[str, Any] = {"tax_rounding": lines[0].rounding}
    if others := {line.sku.sku_id: (line.warehouse, *line.others) for line in lines if line.others}:
        rules["other_warehouses"] = others  # as a sale keeps them
    return orjson.dumps(rules).decode()


def _line(order_id: int, line: ExchangeLine) -> tuple[Any, ...]:
    sku = line.sku
    return (
        order_id,
        line.line_no,
        sku.sku_id,
        line.warehouse,
        sku.spu_id,
        sku.name,
        sku.product_type,
        line.qty,
        sku.price,
        line.reduction,
        line.tax,
        line.basis_points or None,
        sku.specs,
        sku.seller_id,
        sku.category_id,
        sku.image_url,
        sku.unit,
        sku.purchase_price,
    )
