"""The programs that are compared. Each gets the same load, with its own servers, database and virtual host."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from tests.bench.stage import Stage


@dataclass(frozen=True)
class Contender:
    """`start` starts its processes; `processes` of them take orders. `share` is the part of the load that it gets."""

    about: str
    start: Callable[[Stage], None]
    share: float = 1.0
    processes: int = 1


def _deployed(workers: int, relays: int) -> Callable[[Stage], None]:
    def start(stage: Stage) -> None:
        for _ in range(workers):
            stage.start("worker", "scripts.cli", "worker")
        for _ in range(relays):
            stage.start("relay", "outbox")

    return start


def _module(name: str, *arguments: str) -> Callable[[Stage], None]:
    return lambda stage: stage.start("worker", f"tests.bench.{name}", *arguments)


def contenders(workers: int, relays: int) -> Mapping[str, Contender]:
    """All contenders by name. FastStream takes part only where it is installed: the project does not depend on it."""
    foreign = {"faststream": Contender("FastStream, one by one, one process", _module("one_by_one"), 0.1)}
    return {
        "deployed": Contender(
            f"ours: {workers} worker and {relays} relay processes", _deployed(workers, relays), processes=workers
        ),
        "single": Contender("ours: all workers and a relay in one process", _module("single")),
        "bare-packed": Contender("bare loop, packed, one process", _module("bare", "--packed")),
        "bare-unpacked": Contender("bare loop, a message per order, one process", _module("bare"), 0.5),
    } | (foreign if find_spec("faststream") else {})
