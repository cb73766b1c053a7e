"""What expressions of Prometheus name, compared with the metrics and labels that workers and relays register."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client import REGISTRY

import workers.app  # noqa: F401 (it loads every metric)

DEPLOY = Path(__file__).parents[2] / "scripts/deploy"
RULES = DEPLOY / "prometheus/oms-rules.yml"
OF_TARGETS = frozenset({"instance", "job"})
"""Labels that Prometheus itself gives to every series."""
OF_THE_BROKER: Mapping[str, frozenset[str]] = {
    "rabbitmq_disk_space_available_bytes": frozenset(),
    "rabbitmq_detailed_queue_messages": frozenset({"queue", "vhost"}),
    "rabbitmq_detailed_queue_messages_ready": frozenset({"queue", "vhost"}),
}
"""What RabbitMQ's plugin rabbitmq_prometheus measures, with its labels."""
QUOTED = re.compile(r'"[^"]*"')
SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring) *\(([^)]*)\)")
RANGE = re.compile(r"\[[^\]]*\]")
NAME = re.compile(r"(?<![\w$:])[a-zA-Z_:][\w:]*(?! *\()\b")
WORDS = frozenset({"or", "and", "unless", "offset"})
AGGREGATED = re.compile(r"\b(?:sum|max|min|avg|count|group)\b")


def registered() -> dict[str, frozenset[str]]:
    """The labels of each metric of a worker or relay, and of the buckets of histograms."""
    found = dict(OF_THE_BROKER)
    for collector, names in REGISTRY._collector_to_names.items():
        labels = [*(getattr(collector, "_labelnames", None) or getattr(collector, "_labels", None) or ())]
        found |= {name: frozenset(labels) | ({"le"} if name.endswith("_bucket") else set()) for name in names}
    return found


def recorded() -> dict[str, str]:
    """The expression of each recording rule."""
    text = re.sub(r"^ *#.*\n", "", RULES.read_text(encoding="utf-8"), flags=re.MULTILINE)
    rules = text.split("- record: ")[1:]
    return {
        rule.partition("\n")[0]: " ".join(
            rule.partition("expr:")[2].partition("- name:")[0].removeprefix(" >-").split()
        )
        for rule in rules
    }


def metrics(expression: str) -> set[str]:
    """The metrics and recorded rates that an expression names."""
    bare = RANGE.sub("", GROUPING.sub("", re.sub(r"\{[^}]*\}", "", QUOTED.sub("", expression))))
    return set(NAME.findall(bare)) - WORDS


def labels(expression: str) -> set[str]:
    """The labels that the result of an expression has."""
    if AGGREGATED.search(expression):
        return _grouped(expression)
    names = metrics(expression)
    return set().union(OF_TARGETS if names & registered().keys() else (), *(_labels_of(name) for name in names))


def unknown(expression: str) -> Iterator[str]:
    """What an expression names and nothing registers: a metric, a label of a selector, a label of a grouping."""
    names, known = metrics(expression), registered().keys() | recorded().keys()
    yield from names - known
    for name, selector in SELECTOR.findall(expression):
        for label in re.findall(r"([a-z_]+) *(?:=~|!~|!=|=)", QUOTED.sub("", selector)):
            if name in known and label not in _labels_of(name) | OF_TARGETS:
                yield f"{name}{{{label}}}"
    had = set(OF_TARGETS).union(*(_labels_of(name) for name in names & known))
    yield from (f"by ({label})" for label in _grouped(expression) - had)


def _grouped(expression: str) -> set[str]:
    return {label.strip() for group in GROUPING.findall(expression) for label in group.split(",")}


def _labels_of(name: str) -> frozenset[str]:
    expression = recorded().get(name)
    return registered()[name] if expression is None else frozenset(labels(expression) - {"le"})
