"""Reads what the screens show of an order, as of one moment: answers to queries, and what only operators see."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from db import cipher
from db.pool import Transaction
from db.statements import SQL
from messages.base import Actor, QueryRejected, Reply
from messages.envelope import Envelope
from messages.explanations import OrderExplain, OrderExplained
from messages.order_history import HistoryStep, OrderHistoryListed
from messages.order_queries import OrderDescribed, OrderGet, OrderHistory, OrderQuery
from outbox.packing import shard_of
from scripts.commands.connections import other_cell_of, person
from scripts.commands.problems import Code, CommandError
from workers.services import archive_answers
from workers.services.order_answers import answer_about_orders
from workers.store import accesses, exports, order_annotations, orders
from workers.views import loading

Record = dict[str, Any]
RECORDS = ("holds", "hand_overs", "hand_over_steps", "waybills", "notifications", "timers", "dead_letters", "commands")
"""The lists of a page besides the answers, each with its statement order_view.<name>, with rows of children, too."""
ANONYMOUS = "oms"


@dataclass(frozen=True)
class OrderPage:
    """One order as `oms order show` shows it. `steps` has those of each order of the family, by order id."""

    now: datetime
    order: OrderDescribed
    explained: OrderExplained
    steps: Mapping[int, Sequence[HistoryStep]]
    parent: Record | None = None
    children: Sequence[Record] = ()
    records: Mapping[str, Sequence[Record]] = field(default_factory=dict)
    outbox: Sequence[Record] = ()
    address: Mapping[str, str] | None = None
    note: str | None = None
    """Address and operators' note in clear, if the person gave a reason to see them."""

    @property
    def names(self) -> dict[int, str]:
        """Order id -> what the page calls it: "parent", "child 1" and so on; nothing for an order without children."""
        children = {child["id"]: f"child {number}" for number, child in enumerate(self.children, start=1)}
        return {self.order.order_id: "parent" if children else "", **children}

    def document(self) -> dict[str, Any]:
        """Return the page as JSON: the fields of order.described, the steps as in order.history, and the lists."""
        shown = self.order.model_dump(mode="json")
        if self.address:
            shown["address"] |= self.address
        if self.note is not None:
            shown["note"] = self.note
        return shown | {
            "awaits": [one.model_dump(mode="json") for one in self.explained.awaits],
            "steps": [step.model_dump(mode="json") for step in self.steps[self.order.order_id]],
            "parent": self.parent,
            "child_orders": [
                child | {"steps": [step.model_dump(mode="json") for step in self.steps[child["id"]]]}
                for child in self.children
            ],
            **self.records,
            "outbox": self.outbox,
        }


async def find(tx: Transaction, order: str) -> int:
    """Return the id of the order with this id, number or UUID. Raises CommandError if there is none."""
    found = await loading.find(tx, order)
    if found is None:
        if cell := other_cell_of(order):
            hint = f"OMS_CELL={cell} OMS_DATABASE_URL=postgresql://... oms order show {shlex.quote(order)}"
            raise CommandError(Code.NOTHING, f"no order {order} in this cell", why=f"the cell {cell} has it", hint=hint)
        if order in await archive_answers.find(tx, [order]):
            hint = f"oms order archived {shlex.quote(order)}"
            why = "it ended long ago and is kept as one document"
            raise CommandError(Code.NOTHING, f"order {order} is archived", why=why, hint=hint)
        why = "an order is named by its id (up to 19 digits), its number (it begins with its day) or its UUID"
        hint = f"oms order find {shlex.quote(order)}, which searches by tracking and trade numbers, too"
        raise CommandError(Code.NOTHING, f"no order {order}", why=why, hint=hint)
    return found


async def read_page(tx: Transaction, order: str, *, reveal: bool = False) -> OrderPage:
    """Read the whole page in the caller's read-only transaction. Raises CommandError if there is no such order."""
    key = await find(tx, order)
    children = await _rows(tx, "children", [key])
    family = [key, *(child["id"] for child in children)]
    described, explained = [*await answers(tx, OrderGet, [key]), *await answers(tx, OrderExplain, [key])]
    histories = await answers(tx, OrderHistory, family)
    assert isinstance(described, OrderDescribed)
    assert isinstance(explained, OrderExplained)
    (head,) = await _rows(tx, "order", [key])
    stream = str(head["root_id"])
    return OrderPage(
        now=await tx.fetchval("SELECT clock_timestamp()"),
        order=described,
        explained=explained,
        steps={
            one: history.steps
            for one, history in zip(family, histories, strict=True)
            if isinstance(history, OrderHistoryListed)
        },
        parent=next(iter(await _rows(tx, "parent", [key])), None),
        children=children,
        records={name: await _records(tx, name, family) for name in RECORDS},
        outbox=[dict(row) for row in await tx.fetch(SQL["order_view.outbox"], stream, shard_of(stream))],
        address=await _address(tx, key) if reveal else None,
        note=(await order_annotations.notes(tx, [key])).get(key) if reveal else None,
    )


async def answers(tx: Transaction, query: type[OrderQuery], ids: Sequence[int]) -> list[Reply]:
    """Ask a query about each order as the person at the terminal, an operator. No order is rejected: all exist."""
    who = Actor(type="operator", id=person()[:64])
    now = await tx.fetchval("SELECT clock_timestamp()")
    bodies = [query(actor=who, order=str(one)) for one in ids]
    items = [Envelope(body, message_id=ANONYMOUS, correlation_id=ANONYMOUS, occurred_at=now) for body in bodies]
    replies = await answer_about_orders(tx, items)
    assert not any(isinstance(reply, QueryRejected) for reply in replies), replies
    return replies


async def record_access(tx: Transaction, order: str, reason: str, note: str) -> None:
    """Record that a person sees the address of an order in clear. Raises CommandError if there is no such order."""
    await accesses.of_order(tx, await find(tx, order), note=note, reason=reason)


async def _records(tx: Transaction, name: str, family: Sequence[int]) -> list[Record]:
    more = [exports.SCOPES["orders"]] if name == "commands" else []
    return await _rows(tx, name, family, *more)


async def _rows(tx: Transaction, name: str, ids: Sequence[int], *more: Any) -> list[Record]:
    return [dict(row) for row in await tx.fetch(SQL[f"order_view.{name}"], ids, *more)]


async def _address(tx: Transaction, order_id: int) -> dict[str, str]:
    """Read the address in clear. Raises CommandError if it was erased; a missing key raises MissingKeyError."""
    row = await tx.fetchrow(SQL["order_view.address"], [order_id])
    if row is None:
        return {}
    try:
        plain = orjson.loads(orders.decrypt_address(order_id, row))
    except cipher.ErasedError:
        hint = f"oms order show {order_id}"
        raise CommandError(Code.NOTHING, "the address was erased with its user", hint=hint) from None
    return {name: str(value) for name, value in plain.items() if value}
