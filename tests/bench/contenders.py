"""The programs that are compared. Each gets the same load, with its own servers, database and virtual host."""

import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.bench import peers
from tests.bench.load import Encode, plain
from tests.bench.stage import Stage

PEERS_VARIABLE = "OMS_BENCH_PEERS"
"""Names the Python of an environment in which the other frameworks are installed. Without it they are looked for here.

They may need other versions of libraries than the product does.
"""


async def _nothing(_: Stage) -> None:
    pass


@dataclass(frozen=True)
class Contender:
    """`start` starts its processes, after which its queue has so many `consumers`.

    `share` is the part of the load that it gets, `encode` makes its message of an order.create, and `prepare` its
    queues, before the load comes. `settle_seconds` pass after its start before its latency is measured.
    """

    about: str
    start: Callable[[Stage], None]
    share: float = 1.0
    consumers: int = 1
    encode: Encode = plain
    prepare: Callable[[Stage], Awaitable[None]] = _nothing
    queue: str = ""
    settle_seconds: float = 3.0


DIVIDING_SECONDS = 12.0
"""Just after their start, relays divide the outbox among them, and shards that change hands wait."""


def _deployed(workers: int, relays: int) -> Callable[[Stage], None]:
    def start(stage: Stage) -> None:
        for _ in range(workers):
            stage.start("worker", "scripts.cli", "worker")
        for _ in range(relays):
            stage.start("relay", "outbox")

    return start


def _ours(workers: int, relays: int) -> Contender:
    about = f"ours: {workers} worker and {relays} relay processes"
    return Contender(about, _deployed(workers, relays), consumers=workers, settle_seconds=DIVIDING_SECONDS)


def _module(name: str, *arguments: str) -> Callable[[Stage], None]:
    return lambda stage: stage.start("worker", f"tests.bench.{name}", *arguments)


def peers_python() -> str:
    """The Python that runs the other frameworks."""
    return os.environ.get(PEERS_VARIABLE) or sys.executable


@cache
def is_installed(module: str) -> bool:
    """Whether the peers' Python can import a module."""
    python = peers_python()
    if not Path(python).exists():
        return False
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


def _faststream(prefetch: int, processes: int) -> Contender:
    def start(stage: Stage) -> None:
        stage.variables["OMS_BENCH_PREFETCH"] = str(prefetch)
        for _ in range(processes):
            stage.start("worker", "tests.bench.one_by_one", python=peers_python())

    about = f"FastStream + asyncpg, one by one, {processes} process(es), prefetch {prefetch}"
    return Contender(about, start, 0.1, processes)


def _celery(concurrency: int, prefetch: int) -> Contender:
    def start(stage: Stage) -> None:
        stage.variables["OMS_BENCH_PREFETCH"] = str(prefetch)
        command = ["celery", "-A", "tests.bench.with_celery", "worker", "--concurrency", str(concurrency)]
        quiet = ["--without-mingle", "--without-gossip", "--without-heartbeat", "-l", "warning"]
        stage.start("worker", *command, *quiet, python=peers_python())

    about = f"Celery + psycopg, {concurrency} processes, prefetch multiplier {prefetch}"
    return Contender(about, start, 0.06, 1, peers.celery_message)


def _dramatiq(processes: int, threads: int) -> Contender:
    def start(stage: Stage) -> None:
        count = ["--processes", str(processes), "--threads", str(threads)]
        stage.start("worker", "dramatiq", "tests.bench.with_dramatiq", *count, python=peers_python())

    about = f"Dramatiq + psycopg, {processes} process(es) of {threads} threads"
    queue = peers.DRAMATIQ_QUEUE
    return Contender(about, start, 0.06, processes, peers.dramatiq_message, peers.declare_for_dramatiq, queue)


PEERS: Mapping[str, Mapping[str, Contender]] = {
    "faststream": {
        "prefetch 10": _faststream(10, 1),
        "prefetch 100": _faststream(100, 1),
        "2 processes": _faststream(20, 2),
    },
    "celery": {"2 processes": _celery(2, 4), "4 processes": _celery(4, 4), "prefetch 32": _celery(2, 32)},
    "dramatiq": {"1 x 8 threads": _dramatiq(1, 8), "2 x 4 threads": _dramatiq(2, 4), "4 x 2 threads": _dramatiq(4, 2)},
}
"""Other frameworks: name -> setting -> contender."""
CHOSEN = {"faststream": "prefetch 10", "celery": "prefetch 32", "dramatiq": "1 x 8 threads"}
"""The setting with the highest median of two alternating rounds, on a shared machine of two cores.

Orders per second of the settings, in the order above: FastStream 123, 113, 85; Celery 52, 76, 101; Dramatiq 144, 115,
89. The two runs of one setting differed by up to a factor of 2.2, so the order of FastStream's first two is open.
"""


def missing() -> list[str]:
    """The other frameworks that are not installed."""
    return [name for name in PEERS if not is_installed(name)]


def contenders(workers: int, relays: int, *, peers_too: bool = True) -> Mapping[str, Contender]:
    """All contenders by name. Other frameworks take part only where they are installed."""
    known = {
        "deployed": _ours(workers, relays),
        "one-worker": _ours(1, relays),
        "single": Contender(
            "ours: all workers and a relay in one process", _module("single"), settle_seconds=DIVIDING_SECONDS
        ),
        "bare-packed": Contender("bare loop, packed, one process", _module("bare", "--packed")),
        "bare-unpacked": Contender("bare loop, a message per order, one process", _module("bare"), 0.5),
    }
    if peers_too:
        known |= {name: settings[CHOSEN[name]] for name, settings in PEERS.items() if is_installed(name)}
    return known
