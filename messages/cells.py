"""Cells: whole copies of the system, each with its own database and queues, that share the 64 user shards of a shop.

A user's orders, cart, coupons and points are in the cell that owns the shard (S3-32). `Cell.of` says to which cell a
message belongs; `cell_topology.py` has the exchanges that bring it there.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from messages.base import Message
from messages.benefits import CouponTemplateUpsert
from messages.catalogue import RevisionReset, SettingsSet, SkuUpsert, WarehousesSet
from messages.payments import PaymentCallback, PaymentReconcile
from messages.promotions import PromotionUpsert
from messages.user_shards import USER_SHARDS, shard_of_id, shard_of_number, shard_of_user
from messages.warehouse_hours import WarehouseHoursSet

EVERY_CELL: tuple[type[Message], ...] = (
    SkuUpsert,
    PromotionUpsert,
    CouponTemplateUpsert,
    SettingsSet,
    WarehousesSet,
    WarehouseHoursSet,
    RevisionReset,
    PaymentReconcile,
)
"""What each cell gets: the catalogue, and statements, of which a cell compares only what is its own."""
FOUND_LATER: tuple[type[Message], ...] = (PaymentCallback,)
"""What shows only after its handler has read it to which cell it belongs."""
SHARD_HEADER, CELL_HEADER = "shard", "cell"
"""The headers by which a publisher names the shard of a user, or a cell, as texts."""
_RANGE = re.compile(r"\s*([a-z][a-z0-9]{0,15})\s*:\s*([0-9]{1,2})(?:\s*-\s*([0-9]{1,2}))?\s*")
_EXAMPLE = "a:0-31,b:32-63"
_NUMBERS = ("order", "case", "order_no", "refund_no")
_LEADING = ("user_id", "order_id", "order_ids", *_NUMBERS, "actor")
"""The fields that lead to a shard, the strongest first."""


def parse_cells(value: Any) -> Any:
    """Read OMS_CELLS, `cell:shards,cell:shards`: cell -> shards. A cell may be named more than once.

    Raises ValueError, which names the entry, or the shards that two cells or none have. Another kind of value is
    returned as it is.
    """
    if not isinstance(value, str):
        return value
    found: dict[str, set[int]] = {}
    for entry in filter(str.strip, value.split(",")):
        match = _RANGE.fullmatch(entry)
        if match is None:
            raise ValueError(f"{entry.strip()!r} is no cell (letters and digits) with its shards; write {_EXAMPLE!r}")
        first, last = int(match[2]), int(match[3] or match[2])
        if not first <= last < USER_SHARDS:
            raise ValueError(f"{entry.strip()!r} is no range of shards, which are 0 to {USER_SHARDS - 1}")
        for name, shards in found.items():
            if twice := shards.intersection(range(first, last + 1)):
                raise ValueError(f"the cells {name} and {match[1]} both own {_listed(twice)}")
        found.setdefault(match[1], set()).update(range(first, last + 1))
    if found and (left := set(range(USER_SHARDS)).difference(*found.values())):
        raise ValueError(f"no cell owns {_listed(left)}")
    return {name: frozenset(shards) for name, shards in found.items()}


def _listed(shards: Iterable[int]) -> str:
    numbers = sorted(shards)
    return f"shard {', '.join(map(str, numbers[:8]))}{' ...' if len(numbers) > 8 else ''}"


def shown(shards: Iterable[int]) -> str:
    """Write shards as ranges: `0-15,48-63`."""
    ranges: list[list[int]] = []
    for shard in sorted(shards):
        if ranges and ranges[-1][1] == shard - 1:
            ranges[-1][1] = shard
        else:
            ranges.append([shard, shard])
    return ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in ranges)


@dataclass(frozen=True)
class Cell:
    """The cell of this process, and which shards each cell of the shop owns."""

    name: str
    cells: Mapping[str, frozenset[int]]

    @cached_property
    def owners(self) -> tuple[str, ...]:
        """The cell that owns each shard, by shard."""
        by_shard = {shard: name for name, shards in self.cells.items() for shard in shards}
        return tuple(by_shard[shard] for shard in range(USER_SHARDS))

    def of(self, message: Message, named: str | None = None) -> frozenset[str]:
        """The cells to which a message belongs: several if its orders are in several.

        What names no user and no order belongs to this cell if the sender has `named` it, or if our own processes sent
        it to its queue (an empty text); else to none. A message that every cell gets belongs to this one.
        """
        if isinstance(message, (*EVERY_CELL, *FOUND_LATER)):
            return frozenset({self.name})
        found = frozenset(self.owners[shard] for shard in shards_of(message))
        return frozenset({self.name}) if not found and named in ("", self.name) else found

    def why_not(self, cells: Iterable[str]) -> str:
        """Say why a message that belongs to these cells is not handled here."""
        match sorted(cells):
            case []:
                return f"it names no user and no order: name its cell in the header {CELL_HEADER}, {self._any}"
            case [name]:
                return f"it belongs to the cell {name}, and this is {self.name}; both have to have the same OMS_CELLS"
            case several:
                return f"what it names is in the cells {' and '.join(several)}: send a message to each"

    @property
    def _any(self) -> str:
        return " or ".join(self.cells)

    def other_of(self, number: str | None) -> str | None:
        """The other cell to which a number at a provider leads; None if it leads to this cell or nowhere."""
        shard = _shard_of_ours(number or "")
        owner = None if shard is None else self.owners[shard]
        return None if owner == self.name else owner


def shards_of(message: Message) -> frozenset[int]:
    """The shards of the users that a message is about: by its user, else its orders, else the buyer who sends it."""
    given = {name: value for name in _leading(type(message)) if (value := getattr(message, name)) is not None}
    if user_id := given.get("user_id"):
        return frozenset({shard_of_user(user_id)})
    keys = [*([given["order_id"]] if "order_id" in given else ()), *given.get("order_ids", ())]
    if keys:
        return frozenset(map(shard_of_id, keys))
    for name in _NUMBERS:
        if name in given:
            shard = (_shard_of_ours if name == "refund_no" else shard_of_number)(given[name])
            if shard is not None:
                return frozenset({shard})
    actor = given.get("actor")
    return frozenset({shard_of_user(actor.id)}) if actor is not None and actor.type == "user" else frozenset()


def _shard_of_ours(number: str) -> int | None:
    """The shard of a number at a provider. Ours begin with a letter; one of digits alone is the provider's own."""
    return shard_of_number(number) if number[:1].isalpha() else None


@cache
def _leading(model: type[Message]) -> tuple[str, ...]:
    return tuple(name for name in _LEADING if name in model.model_fields)
