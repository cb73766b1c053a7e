"""Folds the events of orders into what they say of each order (S1-06, INV-10)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

AMOUNTS = {
    "origin": "origin_amount",
    "promotion": "promotion_amount",
    "coupon": "coupon_amount",
    "points": "points_amount",
    "shipping": "shipping_fee",
    "tax": "tax_amount",
    "adjustment": "adjustment_amount",
    "payable": "payable_amount",
}
"""Term of an event's amounts -> column of the order."""
REFUNDED, RETURNED, DELETED = "refund.succeeded.v1", "refund.returned.v1", "order.deleted.v1"


@dataclass(frozen=True)
class AnnouncedFact:
    """One event of an order: its message id, type and body, and the `seq` that only events of its state have."""

    message_id: str
    type: str
    seq: int | None
    body: Mapping[str, Any]


@dataclass(frozen=True)
class FoldedOrder:
    """What the events say of an order. It is `whole` if its first event is among them.

    `faults` say where the events contradict each other: a gap, a jump of the state, two events of one number.
    """

    order_id: int
    seq: int = 0
    whole: bool = False
    columns: Mapping[str, Any] = field(default_factory=dict)
    refunded: int = 0
    faults: tuple[str, ...] = ()


def step_number(type_: str, body: Mapping[str, Any]) -> int | None:
    """The number of an order's step that an event announces: 1, 2, 3 ...; None for one that announces no step.

    Version 1 is the step into placing, which is not announced.
    """
    is_step = type_.startswith("order.") and {"previous", "version", "cause"} <= body.keys()
    return int(body["version"]) - 1 if is_step else None


class OrderFolding:
    """Takes events one by one, in the order of the stream. An event that comes again changes nothing."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._orders: dict[int, FoldedOrder] = {}

    @property
    def orders(self) -> Mapping[int, FoldedOrder]:
        """Order id -> what the events so far say of it. Orders of which only refunds were seen are left out."""
        return {key: order for key, order in self._orders.items() if order.columns}

    def take(self, fact: AnnouncedFact) -> None:
        """Take one event. Those that concern no order's state or refunds change nothing."""
        about_state = fact.seq is not None and "state" in fact.body and "version" in fact.body
        about_money = fact.type in (REFUNDED, RETURNED)
        if fact.message_id in self._known or not (about_state or about_money):
            return
        self._known.add(fact.message_id)
        order = self._orders.get(key := int(fact.body["order_id"])) or FoldedOrder(key)
        self._orders[key] = _moved(order, fact) if about_state else _refunded(order, fact)


def _moved(order: FoldedOrder, fact: AnnouncedFact) -> FoldedOrder:
    seq, body = fact.seq or 0, fact.body
    faults = _faults(order, seq, body)
    if order.columns and seq <= order.seq:
        return replace(order, faults=(*order.faults, *faults))
    columns = {
        "state": body["state"],
        "version": body["version"],
        "order_no": body["order_no"],
        "user_id": body["user_id"],
        "currency": body["amounts"]["currency"],
        "deleted": bool(order.columns.get("deleted")) or fact.type == DELETED,
        **{column: int(body["amounts"][term]) for term, column in AMOUNTS.items()},
    }
    whole = order.whole or seq == 1
    return replace(order, seq=seq, whole=whole, columns=columns, faults=(*order.faults, *faults))


def _faults(order: FoldedOrder, seq: int, body: Mapping[str, Any]) -> list[str]:
    faults = []
    if body["version"] != seq + 1:
        faults.append(f"event {seq} has version {body['version']}, not {seq + 1}")
    if not order.columns:
        return faults
    if seq <= order.seq:
        faults.append(f"event {seq} comes after event {order.seq}, under another message id")
    elif seq > order.seq + 1:
        faults.append(f"events {order.seq + 1} to {seq - 1} are missing")
    elif body["previous"] != order.columns["state"]:
        faults.append(f"event {seq} leaves {body['previous']}, and event {order.seq} led to {order.columns['state']}")
    return faults


def _refunded(order: FoldedOrder, fact: AnnouncedFact) -> FoldedOrder:
    amount = int(fact.body["amount"]) - int(fact.body.get("excess_amount", 0))
    return replace(order, refunded=order.refunded + (amount if fact.type == REFUNDED else -amount))


def differences(order: FoldedOrder, row: Mapping[str, Any] | None) -> Sequence[str]:
    """Return what the events say otherwise than the row of the order, and where they contradict each other.

    Refunds are compared only if all events of the order are there. Whether it was deleted is known only then, too.
    """
    if row is None:
        return (*order.faults, "the order is not in the database")
    folded = dict(order.columns)
    if order.whole:
        folded["refunded_amount"] = order.refunded
    elif not folded["deleted"]:
        del folded["deleted"]
    unlike = [f"{name} is {row[name]}, by the events {value}" for name, value in folded.items() if row[name] != value]
    return (*order.faults, *unlike)
