"""Measures how many orders per second go through their whole life: create, pay, book, ship, deliver, complete.

All orders take a step before any takes the next one, many side by side. The rate of the whole life is that of the sum
of the steps' times. The clients are one process on the same machine.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scripts.servers.find import Servers
from tests.bench.contenders import Contender
from tests.bench.life import AFTER_CREATE, CREATE, ROLES, LifeStep, Upstreams, upstreams
from tests.bench.load import Load
from tests.bench.stage import open_stage
from tests.bench.usage import used

WARM_ORDERS = 100
IN_FLIGHT_ORDERS = 1000
WHOLE = "whole life"


@dataclass(frozen=True)
class LifeRates:
    """`rates` are orders per second of each step and of the whole life, `cpu_ms` the CPU of a whole life by part."""

    contender: str
    orders: int
    rates: dict[str, float]
    cpu_ms: dict[str, float]


async def run(servers: Servers, name: str, contender: Contender, given: Load) -> LifeRates:
    """Lead all orders but the first `WARM_ORDERS` through their life. The contender must be the product."""
    async with open_stage(servers, given) as stage:
        contender.start(stage)
        await stage.until_consuming(contender.consumers)
        async with upstreams(stage, ROLES) as clients:
            await _live(clients, given.bodies[:WARM_ORDERS])
            await asyncio.sleep(contender.settle_seconds)
            before = used(stage)
            seconds = await _live(clients, given.bodies[WARM_ORDERS:])
            orders = len(given.bodies) - WARM_ORDERS
            cpu_ms, _ = used(stage).since(before, orders)
    rates = {step: orders / took for step, took in seconds.items()}
    return LifeRates(name, orders, rates | {WHOLE: orders / sum(seconds.values())}, cpu_ms)


async def _live(clients: Upstreams, bodies: Sequence[bytes]) -> dict[str, float]:
    """The seconds that each step takes."""
    limit = asyncio.Semaphore(IN_FLIGHT_ORDERS)

    async def create(body: bytes) -> dict[str, Any]:
        async with limit:
            return (await clients.create(body))[1]

    async def take(step: LifeStep, order: dict[str, Any]) -> None:
        async with limit:
            await clients.take(step, order)

    started = time.perf_counter()
    orders = await asyncio.gather(*(create(body) for body in bodies))
    seconds = {CREATE: time.perf_counter() - started}
    for step in AFTER_CREATE:
        started = time.perf_counter()
        await asyncio.gather(*(take(step, order) for order in orders))
        seconds[step.name] = time.perf_counter() - started
    return seconds


def median(runs: Sequence[LifeRates]) -> LifeRates:
    """The medians of several runs of one contender."""
    first, middle = runs[0], statistics.median
    return LifeRates(
        first.contender,
        first.orders,
        {step: middle(run.rates[step] for run in runs) for step in first.rates},
        {part: middle(run.cpu_ms[part] for run in runs) for part in first.cpu_ms},
    )
