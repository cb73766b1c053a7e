"""Builds order.created: when the order is created, and anew for a repeat of its order.create.

All that the event says are columns that never change, so it is not stored a second time.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from db.pool import Transaction
from messages.base import Actor
from messages.envelope import Envelope
from messages.orders import Amounts, Cause, OrderCreated
from workers.domain.book import Step
from workers.services import order_events
from workers.store import orders

SoldLines: TypeAlias = Mapping[int, Any]
"""Order id -> its lines, as a tuple of the fields of EventLine: plain, so that the event reads all of them at once.

A parent has the lines of its children.
"""


async def read_lines(tx: Transaction, families: Iterable[Sequence[int]]) -> SoldLines:
    """Read the lines of whole families: the id of an order, then those of its children."""
    wanted = list(families)
    found = await orders.sold_lines(tx, [key for family in wanted for key in family])
    sold = {key: tuple(lines) for key, lines in found.items()}
    for root, *children in wanted:
        if children:
            lines = [line for child in children for line in found[child]]
            sold[root] = tuple(sorted(lines, key=lambda line: line["line_no"]))
    return sold


def created(step: Step[Envelope[Any]], lines: SoldLines, children: tuple[int, ...]) -> OrderCreated:
    """Build the order.created that announces the step."""
    order = step.order
    assert order.intent_id is not None
    return OrderCreated(
        **order_events.common(step),
        request_id=order.request_id,
        intent_id=order.intent_id,
        pay_before=order.expire_at,
        lines=lines[order.id],
        children=children,
    )


async def render(tx: Transaction, ids: Iterable[int]) -> dict[int, OrderCreated]:
    """Order id -> the order.created that announced it, whatever has happened to the order since."""
    wanted = set(ids)
    if not wanted:
        return {}
    rows = await orders.as_created(tx, wanted)
    assert len(rows) == len(wanted), "an order that a command refers to is gone, or was not created"
    lines = await read_lines(tx, [(row["order_id"], *row["children"]) for row in rows])
    return {row["order_id"]: _rendered(row, lines) for row in rows}


def _rendered(row: dict[str, Any], lines: SoldLines) -> OrderCreated:
    actor = Actor(type=row.pop("actor_type"), id=row.pop("actor_id"))
    cause = Cause(type=row.pop("cause_type"), id=row.pop("cause_id"), actor=actor)
    amounts = Amounts(**{name: row.pop(name) for name in Amounts.model_fields})
    children = tuple(row.pop("children"))
    return OrderCreated(**row, amounts=amounts, cause=cause, lines=lines[row["order_id"]], children=children)
