"""Compares the topology of this version with what the broker has."""

from collections.abc import Iterator

from scripts.commands.broker_health import differing
from scripts.commands.broker_readings import BrokerReadings

MISSING, UNKNOWN = "missing", "not of this version"
Row = dict[str, str]


def differences(read: BrokerReadings) -> list[Row]:
    """Return what is missing, what is another one, and what is ours and unknown to this version."""
    found = [*_missing(read)]
    if "exchanges" in read.answers:
        types = {row["name"]: {"type": row["type"], **row["arguments"]} for row in read.answers["exchanges"]}
        wanted = {one.name: {"type": one.type, **one.arguments} for one in read.wanted.exchanges}
        found += _others("exchange", wanted, types, read)
    if "queues" in read.answers:
        kinds = {row["name"]: {"x-queue-type": row["type"], **row["arguments"]} for row in read.answers["queues"]}
        found += _others("queue", {one.name: dict(one.arguments) for one in read.wanted.queues}, kinds, read)
    if "bindings" in read.answers:
        found += _bindings(read)
    return found


def _missing(read: BrokerReadings) -> Iterator[Row]:
    for one in read.wanted.exchanges:
        if one.name not in read.exchanges:
            yield {"kind": "exchange", "name": one.name, "difference": MISSING}
    for queue in read.wanted.queues:
        if queue.name not in read.queues:
            yield {"kind": "queue", "name": queue.name, "difference": MISSING}


def _others(
    kind: str, wanted: dict[str, dict[str, object]], given: dict[str, dict[str, object]], read: BrokerReadings
) -> Iterator[Row]:
    for name, arguments in given.items():
        if name not in wanted and _ours(name, read):
            yield {"kind": kind, "name": name, "difference": UNKNOWN}
        elif name in wanted and (changed := differing(wanted[name], arguments)):
            yield {"kind": kind, "name": name, "difference": "; ".join(changed)}


def _bindings(read: BrokerReadings) -> Iterator[Row]:
    given = {(row["source"], row["destination"], row["routing_key"]) for row in read.answers["bindings"]}
    wanted = {(one.exchange, one.queue, one.routing_key) for one in read.wanted.bindings}
    for source, target, key in sorted(wanted - given):
        yield {"kind": "binding", "name": f"{source} to {target} by {key or 'any key'}", "difference": MISSING}
    for source, target, key in sorted(given - wanted):
        if source and _ours(source, read) and _ours(target, read):
            yield {"kind": "binding", "name": f"{source} to {target} by {key or 'any key'}", "difference": UNKNOWN}


def _ours(name: str, read: BrokerReadings) -> bool:
    """Whether the name is of our prefix. Queues of clients (`client.ledger`) belong to others."""
    return name.startswith(f"{read.names.prefix}.")
