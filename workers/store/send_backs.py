"""Goods of after-sale cases that warehouses send back to the buyer. The callers have locked the cases' orders."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Transaction
from db.statements import SQL, columns
from messages.fulfilments import SendBackLine


@dataclass(frozen=True)
class SendBackUnits:
    """Units of one line of a case that a warehouse is to send back, and the message that caused it."""

    case_id: int
    line_no: int
    warehouse: str
    qty: int
    cause_type: str
    cause_id: str


@dataclass(frozen=True)
class SentParcel:
    """The parcel that takes the goods of a case from a warehouse to the buyer, and who handed it over."""

    case_id: int
    warehouse: str
    parcel_id: int
    actor_type: str
    actor_id: str
    cause_type: str
    cause_id: str


@dataclass(frozen=True)
class UnsentGoods:
    """Goods of one case that one warehouse has to send back to the buyer."""

    order_id: int
    warehouse: str
    case_id: int
    case_no: str
    version: int
    lines: tuple[SendBackLine, ...]


async def request(tx: Transaction, wanted: Sequence[SendBackUnits], at: datetime) -> None:
    """Insert what warehouses are to send back."""
    if wanted:
        rows = [(one.case_id, one.line_no, one.warehouse, one.qty, one.cause_type, one.cause_id) for one in wanted]
        await tx.execute(SQL["send_backs.request"], *columns(rows), at)


async def hand_over(tx: Transaction, sent: Sequence[SentParcel], at: datetime) -> None:
    """Write that parcels took the goods."""
    if sent:
        await tx.execute(SQL["send_backs.hand_over"], *columns(tuple(vars(one).values()) for one in sent), at)


async def unsent(tx: Transaction, order_ids: Iterable[int]) -> list[UnsentGoods]:
    """Return the goods of these orders that wait to be sent back, by case and warehouse."""
    wanted = sorted(set(order_ids))
    lines: dict[tuple[int, str, int, str, int], list[SendBackLine]] = {}
    for row in await tx.fetch(SQL["send_backs.unsent"], wanted) if wanted else []:
        *about, line_no, sku_id, qty = tuple(row)
        order_id, warehouse, case_id, case_no, version = about
        line = SendBackLine(line_no=line_no, sku_id=sku_id, qty=qty)
        lines.setdefault((order_id, warehouse, case_id, case_no, version), []).append(line)
    return [UnsentGoods(*about, tuple(of_case)) for about, of_case in lines.items()]
