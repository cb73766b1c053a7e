"""Orders that were split: the parts must add up to the whole, in every term."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

TERMS = ("origin", "promotion", "coupon", "points", "shipping", "tax", "payable")


@dataclass
class Family:
    """What is known of one split order: the whole's amounts and its children, and the amounts of those heard of."""

    whole: dict[str, int] | None = None
    children: frozenset[str] = frozenset()
    parts: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether everybody was heard of."""
        return self.whole is not None and self.children <= self.parts.keys()

    def differences(self) -> list[str]:
        """The terms that do not add up."""
        assert self.whole is not None
        sums = {term: sum(part[term] for part in self.parts.values()) for term in TERMS}
        told = [f"{term} {self.whole[term]}, parts {sums[term]}" for term in TERMS if self.whole[term] != sums[term]]
        return told if self.children == self.parts.keys() else [*told, "other children"]


class Families:
    """Hears order.created of whole orders and parts, in any order."""

    def __init__(self) -> None:
        self.did: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.waiting: dict[str, Family] = {}

    def hear(self, body: dict[str, Any]) -> None:
        """One order.created."""
        root = body["parent_id"] or (body["order_id"] if body["children"] else None)
        if root is None:
            return
        family = self.waiting.setdefault(root, Family())
        if body["parent_id"]:
            family.parts[body["order_id"]] = body["amounts"]
        else:
            family.whole, family.children = body["amounts"], frozenset(body["children"])
        if family.complete:
            del self.waiting[root]
            self.did["split orders"] += 1
            self.did["parts of split orders"] += len(family.parts)
            self.wrong += [f"order {root}: {what}" for what in family.differences()]

    def stuck(self) -> list[str]:
        """Split orders of which a part was never heard of."""
        return [f"a part of order {root} unheard" for root in list(self.waiting)[:3]]
