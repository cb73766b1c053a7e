"""Writes the topology as other tools take it: RabbitMQ's definitions, and resources of its topology operator."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from messages.topology import Exchange, Queue, Topology

API_VERSION = "rabbitmq.com/v1beta1"
TYPE = "x-queue-type"
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 ./_-]*[A-Za-z0-9]")
WORDS = frozenset(["true", "false", "yes", "no", "on", "off", "null"])
"""What YAML takes for something else than text."""


def definitions(wanted: Topology, vhost: str) -> dict[str, list[dict[str, Any]]]:
    """Return what `rabbitmqctl import_definitions` and the management interface take. It has no users."""
    lasting = {"vhost": vhost, "durable": True, "auto_delete": False}
    return {
        "vhosts": [{"name": vhost}],
        "exchanges": [
            {"name": one.name, **lasting, "type": one.type, "internal": False, "arguments": dict(one.arguments)}
            for one in wanted.exchanges
        ],
        "queues": [{"name": one.name, **lasting, "arguments": dict(one.arguments)} for one in wanted.queues],
        "bindings": [
            {"source": one.exchange, "vhost": vhost, "destination": one.queue, "destination_type": "queue"}
            | {"routing_key": one.routing_key, "arguments": {}}
            for one in wanted.bindings
        ],
    }


def resources(wanted: Topology, vhost: str, cluster: str) -> list[dict[str, Any]]:
    """Return the resources of the topology operator, for the RabbitmqCluster of this name."""
    common = {"vhost": vhost, "rabbitmqClusterReference": {"name": cluster}}
    made = [_resource("Exchange", one.name, _spec(one) | common) for one in wanted.exchanges]
    made += [_resource("Queue", one.name, _spec(one) | common) for one in wanted.queues]
    for one in wanted.bindings:
        spec = {"source": one.exchange, "destination": one.queue, "destinationType": "queue"}
        unique = hashlib.sha256(f"{one.exchange} {one.routing_key} {one.queue}".encode()).hexdigest()[:8]
        made.append(_resource("Binding", f"{one.queue}.{unique}", spec | {"routingKey": one.routing_key} | common))
    return made


def _spec(one: Exchange | Queue) -> dict[str, Any]:
    kind = one.type if isinstance(one, Exchange) else one.arguments[TYPE]
    spec: dict[str, Any] = {"name": one.name, "type": kind, "durable": True, "autoDelete": False}
    rest = {name: value for name, value in one.arguments.items() if name != TYPE}
    return spec | ({"arguments": rest} if rest else {})


def _resource(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name.replace("_", "-")}, "spec": dict(spec)}


def as_yaml(documents: list[dict[str, Any]]) -> str:
    """Write documents of mappings, texts and numbers as YAML."""
    return "".join("---\n" + "".join(_lines(one, "")) for one in documents)


def _lines(mapping: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, value in mapping.items():
        if isinstance(value, Mapping):
            yield f"{indent}{name}:\n"
            yield from _lines(value, indent + "  ")
        else:
            yield f"{indent}{name}: {_scalar(value)}\n"


def _scalar(value: Any) -> str:
    plain = isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in WORDS
    return str(value) if plain else json.dumps(value)
