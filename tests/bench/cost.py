"""Measures where the time of an order goes: statements, messages and microseconds per stage, for batches of two sizes.

All queues and a relay run in one process, which `traced` observes. The part of a statement's time that PostgreSQL
itself works comes from pg_stat_statements. All orders take a step before any takes the next one.
"""

import asyncio
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, TypeAlias

import orjson

from scripts.servers.find import Servers
from tests.bench import counting
from tests.bench.life import AFTER_CREATE, CREATE, ROLES, LifeStep, Upstreams, upstreams
from tests.bench.load import Load
from tests.bench.stage import Stage, open_stage

Span: TypeAlias = Mapping[str, Any]
"""What `traced` wrote down of one call."""
WARM_ORDERS = 40  # the first messages wait for subscriptions, and connections load types and prepare statements
PAUSE_SECONDS = 0.03  # so that a batch's acknowledgement and the relay's delete are over before the next begins
SETTLE_SECONDS = 3.0
FRAMING = {"BEGIN": "begin", "COMMIT": "commit", "inbox.claim": "claim"}
"""Statements of the runtime that have a stage of their own."""
TYPES = "types, once for each connection"
APPENDS = ("outbox.append", "outbox.append_about_orders")


@dataclass
class StepCost:
    """What one batch of a step costs: medians for the wait of the upstream, averages for the rest.

    `statements` are those of the worker, but for those by which a new connection learns types. `stages` are
    microseconds, and `times` how often a batch goes through each. `inside` is the part of a statement's
    time that PostgreSQL itself works. `relay_statements` include those that find nothing.
    """

    step: str
    batch: int
    batches: int
    wait_ms: float
    transactions: float
    statements: float
    relay_statements: float
    outbox_rows: float
    broker_messages: float
    stages: dict[str, float] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    inside: dict[str, float] = field(default_factory=dict)
    timeline: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Window:
    step: str
    started: float
    ended: float
    sent: Sequence[float]
    waits: Sequence[float]
    counted: Sequence[counting.Counted]


async def measure(servers: Servers, given: Load, batch: int, batches: int, local_dispatch: str) -> list[StepCost]:
    """Lead `batches` batches through the whole life of their orders. The server must count statements."""
    bodies = iter(given.bodies)
    async with open_stage(servers, given) as stage:
        stage.variables["OMS_LOCAL_DISPATCH"] = local_dispatch
        stage.start("worker", "tests.bench.traced", str(stage.folder / "spans"), str(batch))
        await stage.until_consuming(1)
        async with upstreams(stage, ROLES) as clients:
            for warm in (1, 1, WARM_ORDERS):
                await _live(stage, clients, [next(bodies) for _ in range(warm)], warm)
            await asyncio.sleep(SETTLE_SECONDS)
            windows = await _live(stage, clients, [next(bodies) for _ in range(batch * batches)], batch)
        stage.stop()
        lines = (stage.folder / "spans").read_bytes().splitlines()
        spans = [orjson.loads(line) for line in lines]
        return [_cost(window, spans, batch) for window in windows]


async def _live(stage: Stage, clients: Upstreams, bodies: Sequence[bytes], batch: int) -> list[_Window]:
    """Lead orders through their life, so many side by side. Returns what was measured of each step."""
    orders: list[dict[str, Any]] = []
    windows = []
    for step in (None, *AFTER_CREATE):
        await counting.begin(stage.database_url)
        started, sent, waits = time.perf_counter(), [], []
        for group in _groups(bodies if step is None else orders, batch):
            sent.append(time.perf_counter())
            waits.append(await _step(clients, step, group, orders))
            await asyncio.sleep(PAUSE_SECONDS)
        counted = await counting.counted(stage.database_url)
        windows.append(_Window(step.name if step else CREATE, started, time.perf_counter(), sent, waits, counted))
    return windows


def _groups(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    known = list(items)  # creation adds to the orders
    return (known[start : start + size] for start in range(0, len(known), size))


async def _step(clients: Upstreams, step: LifeStep | None, group: Sequence[Any], orders: list[Any]) -> float:
    """Take one step with a group. Returns the seconds until the last of them was answered."""
    if step is not None:
        return max(await asyncio.gather(*(clients.take(step, order) for order in group)))
    answers = await asyncio.gather(*(clients.create(body) for body in group))
    orders += [order for _, order in answers]
    return max(seconds for seconds, _ in answers)


def _cost(window: _Window, spans: Sequence[Span], batch: int) -> StepCost:
    inside = [span for span in spans if window.started <= span["at"] < window.ended]
    count = len(window.waits)
    queries = [span for span in inside if span["name"] == "statement" and span["queue"]]
    relayed = [span for span in inside if span["name"] == "statement" and span["side"] == "relay"]
    published = [span for span in inside if span["name"] == "relay publish"]
    sent_on = sum(span["name"] == "worker publish" for span in inside)
    stages = _stages(inside, queries, relayed)
    return StepCost(
        step=window.step,
        batch=batch,
        batches=count,
        wait_ms=1000 * statistics.median(window.waits),
        transactions=sum(span["statement"] == "COMMIT" for span in queries) / count,
        statements=sum(span["statement"] != TYPES for span in queries) / count,
        relay_statements=len(relayed) / count,
        outbox_rows=len(published) / count,
        broker_messages=batch + (len(published) + sent_on) / count,
        stages={name: 1e6 * sum(values) / count for name, values in stages.items()},
        times={name: len(values) / count for name, values in stages.items()},
        inside=_inside(window, count),
        timeline=_timeline(window, inside),
    )


def _stages(spans: Sequence[Span], queries: Sequence[Span], relayed: Sequence[Span]) -> dict[str, list[float]]:
    """The seconds of each stage, one value for each time that it was gone through.

    Rows that the relay publishes side by side count once: as the time while at least one is under way.
    """
    seconds: dict[str, list[float]] = {"decode": _seconds(spans, "decode")}
    for span in queries:
        seconds.setdefault(_stage_of(span["statement"]), []).append(span["seconds"])
    batches, appends = _seconds(spans, "batch"), _seconds(spans, "append")
    rendered = max(0.0, sum(appends) - sum(sum(seconds.get(name, [])) for name in APPENDS))
    seconds["python: rows of the outbox"] = [rendered]
    seconds["python: all else in the batch"] = [sum(batches) - sum(s["seconds"] for s in queries) - rendered]
    seconds["acknowledge"] = _seconds(spans, "acknowledge")
    for span in relayed:
        seconds.setdefault(f"relay: {span['statement']}", []).append(span["seconds"])
    seconds["relay: publish and confirm"] = _merged([span for span in spans if span["name"] == "relay publish"])
    return {name: values for name, values in seconds.items() if values}


def _stage_of(statement: str) -> str:
    return FRAMING.get(statement, statement)


def _seconds(spans: Sequence[Span], name: str) -> list[float]:
    return [span["seconds"] for span in spans if span["name"] == name]


def _merged(spans: Sequence[Span]) -> list[float]:
    """The lengths of the times while at least one of these spans lasted."""
    found: list[list[float]] = []
    for span in sorted(spans, key=itemgetter("at")):
        ends = span["at"] + span["seconds"]
        if found and span["at"] <= found[-1][1]:
            found[-1][1] = max(found[-1][1], ends)
        else:
            found.append([span["at"], ends])
    return [ended - began for began, ended in found]


def _inside(window: _Window, count: int) -> dict[str, float]:
    """Microseconds that PostgreSQL works on each statement of one batch, where pg_stat_statements counts."""
    return {_stage_of(one.name): 1000 * one.milliseconds / count for one in window.counted}


def _timeline(window: _Window, spans: Sequence[Span]) -> dict[str, float]:
    """Medians, over the batches, of the milliseconds from the first publish until each stage was reached."""
    reached: dict[str, list[float]] = {}
    for sent, wait in zip(window.sent, window.waits, strict=True):
        mine = [span for span in spans if sent <= span["at"] < sent + wait]
        marks = {
            "the first message is decoded": [s["at"] for s in mine if s["name"] == "decode"][:1],
            "its batch begins": [s["at"] for s in mine if s["name"] == "batch"][:1],
            "its batch is committed": [s["at"] + s["seconds"] for s in mine if s["name"] == "batch"][:1],
            "the relay publishes": [s["at"] for s in mine if s["name"] == "relay publish"][:1],
            "the broker has confirmed the last": [s["at"] + s["seconds"] for s in mine if s["name"] == "relay publish"][
                -1:
            ],
            "the last event is received": [sent + wait],
        }
        for name, times in marks.items():
            reached.setdefault(name, []).extend(1000 * (at - sent) for at in times)
    return {name: statistics.median(values) for name, values in reached.items() if values}
