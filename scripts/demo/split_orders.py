"""ClientJob that were split: the parts must add up to the whole, in every term."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

TERMS = ("origin", "promotion", "coupon", "points", "shipping", "tax", "payable")


@dataclass
class SplitOrder:
    """What is known of one split order: the whole's amounts and its children, and the amounts of those received of."""

    whole: dict[str, int] | None = None
    children: frozenset[str] = frozenset()
    parts: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether everybody was received of."""
        return self.whole is not None and self.children <= self.parts.keys()

    def differences(self) -> list[str]:
        """The terms that do not add up."""
        assert self.whole is not None
        sums = {term: sum(part[term] for part in self.parts.values()) for term in TERMS}
        told = [f"{term} {self.whole[term]}, parts {sums[term]}" for term in TERMS if self.whole[term] != sums[term]]
        return told if self.children == self.parts.keys() else [*told, "other children"]


class SplitOrders:
    """Hears order.created of whole orders and parts, in any order."""

    def __init__(self) -> None:
        self.did: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.waiting: dict[str, SplitOrder] = {}

    def receive(self, body: dict[str, Any]) -> None:
        """One order.created."""
        root = body["parent_id"] or (body["order_id"] if body["children"] else None)
        if root is None:
            return
        split_order = self.waiting.setdefault(root, SplitOrder())
        if body["parent_id"]:
            split_order.parts[body["order_id"]] = body["amounts"]
        else:
            split_order.whole, split_order.children = body["amounts"], frozenset(body["children"])
        if split_order.complete:
            del self.waiting[root]
            self.did["split orders"] += 1
            self.did["parts of split orders"] += len(split_order.parts)
            self.wrong += [f"order {root}: {what}" for what in split_order.differences()]

    def stuck(self) -> list[str]:
        """Split orders of which a part was never received of."""
        return [f"a part of order {root} unheard" for root in list(self.waiting)[:3]]
