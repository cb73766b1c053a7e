"""The entry of a shop with several cells, as plain data: the exchanges to which others publish and subscribe as ever,
and their bindings to the exchanges of the cells.

    oms.commands ──#──► oms.commands.by-shard ──shard: 17──► oms-a.commands ──► the queues of the cell a
         │                   │             └───cell: b─────► oms-b.commands ──► the queues of the cell b
         │                   └ names neither: oms.commands.unsharded ──► one of the cells, which hands it on
         └─sku.upsert and others that every cell gets─────► oms-a.commands, oms-b.commands

The same holds for oms.queries. The events of every cell come to oms.events. A queue gets a message once, by however
many ways it comes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from messages.cells import CELL_HEADER, EVERY_CELL, SHARD_HEADER
from messages.topology import Exchange, Names
from messages.user_shards import USER_SHARDS

HASH_TYPE = "x-consistent-hash"
"""The exchange type of the plugin rabbitmq_consistent_hash_exchange, which ships with RabbitMQ."""
_HASHED_BY = {"hash-property": "message_id"}


@dataclass(frozen=True)
class ExchangeBinding:
    """Messages of one exchange go on to another."""

    source: str
    destination: str
    routing_key: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CellEntry:
    """What leads into the cells. `stale` are bindings that another division of the shards has left behind."""

    exchanges: tuple[Exchange, ...]
    bindings: tuple[ExchangeBinding, ...]
    stale: tuple[ExchangeBinding, ...]


def entry(shop: str, cells: Mapping[str, frozenset[int]], *, hashing: bool) -> CellEntry:
    """The entry of a shop, whose name is the prefix of its exchanges.

    What names neither its shard nor its cell is spread over all cells if the broker has HASH_TYPE (`hashing`); else the
    first cell takes it.
    """
    first, everyone = next(iter(cells)), {name: Names(f"{shop}-{name}") for name in cells}
    exchanges, bindings = [Exchange(f"{shop}.events")], list[ExchangeBinding]()
    stale = list[ExchangeBinding]()
    for word in ("commands", "queries"):
        outer, by_shard, unsharded, spread = _exchanges(shop, word)
        exchanges += [outer, by_shard, unsharded]
        bindings.append(ExchangeBinding(outer.name, by_shard.name, "#"))
        inner = {name: f"{names.prefix}.{word}" for name, names in everyone.items()}
        bindings += _by_header(by_shard.name, inner, cells)
        stale += _of_others(by_shard.name, inner, cells)
        to_first = ExchangeBinding(unsharded.name, inner[first])
        stale += [ExchangeBinding(unsharded.name, inner[name]) for name in cells if name != first]
        if hashing:
            exchanges.append(spread)
            bindings.append(ExchangeBinding(unsharded.name, spread.name))
            bindings += [ExchangeBinding(spread.name, name, "1") for name in inner.values()]  # all of one weight
            stale.append(to_first)
        else:
            bindings.append(to_first)
    bindings += [
        ExchangeBinding(f"{shop}.commands", names.commands, model.routing_key())
        for names in everyone.values()
        for model in EVERY_CELL
    ]
    bindings += [ExchangeBinding(names.events, f"{shop}.events", "#") for names in everyone.values()]
    return CellEntry(tuple(exchanges), tuple(bindings), tuple(stale))


def _exchanges(shop: str, word: str) -> tuple[Exchange, Exchange, Exchange, Exchange]:
    """The outer exchange, which is that of a shop with one cell, and those behind it."""
    outer, names = f"{shop}.{word}", Names(shop)
    alternate = {"alternate-exchange": names.unrouted} if outer == names.commands else {}
    return (
        Exchange(outer, arguments=alternate),
        Exchange(f"{outer}.by-shard", "headers", {"alternate-exchange": f"{outer}.unsharded"}),
        Exchange(f"{outer}.unsharded", "fanout"),
        Exchange(f"{outer}.spread", HASH_TYPE, _HASHED_BY),
    )


def _by_header(source: str, inner: Mapping[str, str], cells: Mapping[str, frozenset[int]]) -> Iterator[ExchangeBinding]:
    for name, shards in cells.items():
        yield ExchangeBinding(source, inner[name], arguments=_all({CELL_HEADER: name}))
        for shard in sorted(shards):
            yield ExchangeBinding(source, inner[name], arguments=_all({SHARD_HEADER: str(shard)}))


def _of_others(source: str, inner: Mapping[str, str], cells: Mapping[str, frozenset[int]]) -> Iterator[ExchangeBinding]:
    for name, shards in cells.items():
        for shard in sorted(set(range(USER_SHARDS)) - shards):
            yield ExchangeBinding(source, inner[name], arguments=_all({SHARD_HEADER: str(shard)}))


def _all(headers: dict[str, str]) -> dict[str, Any]:
    return {"x-match": "all", **headers}
