"""Split orders: the amounts of the parts must add up to those of the whole, term by term."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

TERMS = ("origin", "promotion", "coupon", "points", "shipping", "tax", "adjustment", "payable")


@dataclass
class SplitOrder:
    """The amounts and children of a split order, and the amounts of the parts whose events have arrived."""

    whole: dict[str, int] | None = None
    children: frozenset[str] = frozenset()
    parts: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """True once the events of the whole and of every part have arrived."""
        return self.whole is not None and self.children <= self.parts.keys()

    def differences(self) -> list[str]:
        """Return the terms that do not add up, as text."""
        assert self.whole is not None
        sums = {term: sum(part[term] for part in self.parts.values()) for term in TERMS}
        found = [f"{term} {self.whole[term]}, parts {sums[term]}" for term in TERMS if self.whole[term] != sums[term]]
        return found if self.children == self.parts.keys() else [*found, "other children"]


class SplitOrders:
    """Collects the order.created of whole orders and parts, in any order."""

    def __init__(self) -> None:
        self.did: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.waiting: dict[str, SplitOrder] = {}

    def receive(self, body: dict[str, Any]) -> None:
        """Handle one order.created."""
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
        """Return split orders of which a part is missing, as text."""
        return [f"a part of order {root} is not announced" for root in list(self.waiting)[:3]]
