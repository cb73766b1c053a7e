"""Sourcing: the warehouse that each SKU of an order comes from, if its buyer names none (S3-44).

    the list of warehouses for a SKU         then, with the counters locked, each SKU comes from
    ---------------------------------------  --------------------------------------------------------------------
    of the SKU: province, country, anywhere  the warehouse that has all of them; of several such warehouses the one
    of all SKUs: the same                    that the buyer named for other lines, then the best of the lists
    none: the shop's default warehouse       if there is none: each from the best of its list that has enough of it

An order is divided between warehouses by whole SKUs only. S3-44 asks for one place, else a split by warehouse; nothing
asks to divide the units of one SKU. So a line has one warehouse from its reservation to its parcel: the order stays one
order, and the hand-over, the parcels and what goes back go by that warehouse. If no warehouse has enough of a SKU, the
order is refused, though several may have enough together: the shortage names the one that has most, and says what the
others have.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

Region: TypeAlias = tuple[str, str]
"""(country, province), each of which may be empty: any."""
ListsByRegion: TypeAlias = Mapping[Region, tuple[str, ...]]
"""Region -> warehouses, the best first. An empty list counts for nothing."""
ANYWHERE: Region = ("", "")


@dataclass(frozen=True)
class WarehouseLists:
    """The lists of warehouses that warehouses.set gave: those of single SKUs, and those of all SKUs."""

    of_skus: Mapping[str, ListsByRegion] = field(default_factory=dict)
    of_all: ListsByRegion = field(default_factory=dict)

    def __bool__(self) -> bool:
        """True if there is any list."""
        return bool(self.of_skus or self.of_all)

    @property
    def warehouses(self) -> set[str]:
        """All warehouses that any list names."""
        lists = (self.of_all, *self.of_skus.values())
        return {name for regions in lists for names in regions.values() for name in names}

    def of(self, sku_id: str, country: str, province: str) -> tuple[str, ...]:
        """Return the warehouses for a SKU that goes to a region, the best first; none if no list covers it."""
        regions = ((country, province), (country, ""), ANYWHERE)
        found = (lists.get(region, ()) for lists in (self.of_skus.get(sku_id, {}), self.of_all) for region in regions)
        return next(filter(None, found), ())


def replacing(listed: Sequence[str], before: Sequence[str], default: str) -> tuple[str, ...]:
    """Return the warehouses for a SKU that replaces goods of the warehouses `before`, the best first (S1-22).

    Its list decides from which it may come; of these, those of the goods that come back are the best. Without a list it
    comes from there, or else from the default warehouse.
    """
    if not listed:
        return tuple(dict.fromkeys((*before, default)))
    return tuple(dict.fromkeys((*(name for name in before if name in listed), *listed)))


class Demand(NamedTuple):
    """The units of one SKU that an order wants, and the warehouses that they may come from, the best first."""

    sku_id: str
    qty: int
    warehouses: tuple[str, ...]


def choose(demands: Sequence[Demand], named: Collection[str], free: Callable[[str, str], int]) -> dict[str, str]:
    """Return SKU -> warehouse for one order. No I/O.

    `named` are the warehouses that the buyer named for other SKUs of the order, `free` returns the units of a SKU that
    a warehouse can sell.
    """
    fitting = {d.sku_id: [w for w in d.warehouses if free(d.sku_id, w) >= d.qty] for d in demands}
    whole = set.intersection(*(set(places) for places in fitting.values())) if fitting else set()
    if whole:
        ranks = {w: (w not in named, sum(d.warehouses.index(w) for d in demands), w) for w in whole}
        best = min(whole, key=ranks.__getitem__)
        return {d.sku_id: best for d in demands}
    return {d.sku_id: next(iter(fitting[d.sku_id]), None) or _fullest(d, free) for d in demands}


def _fullest(demand: Demand, free: Callable[[str, str], int]) -> str:
    return max(demand.warehouses, key=lambda warehouse: free(demand.sku_id, warehouse))
