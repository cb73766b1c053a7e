"""Check of the groups of buyers: all orders of a group went on, or none did and all money is back."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.demo.group_orders import FORMED, SIZE

ENDED_BY_GROUP = "group_failed"
GONE = frozenset({"cancelled", "rejected"})


@dataclass(frozen=True)
class GroupComparison:
    """How many groups formed and failed, how many orders they had, and what is not all or none."""

    formed: int = 0
    failed: int = 0
    orders: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """The counts as text."""
        return f"{self.formed:,} formed and {self.failed:,} failed, of {self.orders:,} orders"


def compare_groups(records: Sequence[Mapping[str, Any]], receipts: Path) -> GroupComparison:
    """Judge the groups by the events that the demo received, and by what its buyers paid and got back."""
    kept = Counter[str]()
    with receipts.open(encoding="utf-8", newline="") as lines:
        for _, order_id, _, cents in csv.reader(lines):
            kept[order_id] += int(cents)
    outcomes = [record["outcome"] == FORMED for record in records if record["outcome"] is not None]
    return GroupComparison(
        formed=sum(outcomes),
        failed=len(outcomes) - sum(outcomes),
        orders=sum(len(record["orders"]) for record in records),
        differences=[f"{record['group_id']}: {text}" for record in records for text in differences(record, kept)],
    )


def differences(record: Mapping[str, Any], kept: Mapping[str, int]) -> list[str]:
    """Return what of one group is not all or none, as text. `kept` is order -> the cents that it keeps."""
    if record["outcome"] is None:
        return ["has not ended"]
    orders = {order["order_id"]: order for order in record["orders"]}
    found = [f"has no order {order_id}" for order_id in record["named"] if order_id not in orders]
    found += [f"ended with {record['outcome']} and {record['contrary']}"] if record["contrary"] else []
    if record["outcome"] == FORMED:
        if record["paid"] != SIZE or len(record["named"]) != SIZE:
            found.append(f"formed with {record['paid']} paid of {len(record['named'])} orders, and has {SIZE} seats")
        for order_id in record["named"]:
            found += _formed(orders.get(order_id, {}), order_id)
        outside = [order for order_id, order in orders.items() if order_id not in record["named"]]
    else:
        found += [f"failed, and all {SIZE} of its seats are paid"] if record["paid"] >= SIZE else []
        outside = list(orders.values())
    return found + [text for order in outside for text in _back(order, kept)]


def _formed(order: Mapping[str, Any], order_id: str) -> list[str]:
    """An order of a formed group goes on, unless its buyer or the shop ends it for another reason."""
    if order.get("state") not in GONE:
        return [] if order.get("left") else [f"formed, and its order {order_id} has not left"]
    return ["formed, and cancelled its order " + order_id] if order["reason_code"] == ENDED_BY_GROUP else []


def _back(order: Mapping[str, Any], kept: Mapping[str, int]) -> list[str]:
    """An order that did not go on is over, no warehouse got it, and it keeps nothing."""
    order_id = order["order_id"]
    found = [] if order["state"] in GONE else [f"its order {order_id} is {order['state']}"]
    found += [f"a warehouse got its order {order_id}"] if order["left"] else []
    return found + ([f"its order {order_id} keeps {kept[order_id]} cents"] if kept.get(order_id) else [])
