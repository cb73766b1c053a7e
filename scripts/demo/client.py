"""The outside world in one process, on four AMQP connections. Knows the wire and nothing else of the order system.

Standard input: one line of JSON (see Orders), then words: `drain` (place no more orders) and `finish` (end).
Standard output: one line of JSON a second with what is known so far; the last one has "finished": true.
"""

import asyncio
import itertools
import json
import sys
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from scripts.demo import buyer, carrier, gateway
from scripts.demo.baskets import Basket, Year
from scripts.demo.buyer import Buyers, Pace
from scripts.demo.carrier import Carrier
from scripts.demo.crowd import Crowd
from scripts.demo.gateway import Gateway
from scripts.demo.outcomes import Outcomes
from scripts.demo.shelves import Shelves
from scripts.demo.vandal import Vandal
from scripts.demo.wire import Link, client_queues

CHUNK_BASKETS = 50
REPORT_SECONDS = 1.0


@dataclass(frozen=True)
class Orders:
    """What to do. `orders` 0 is all there are; `rate` is orders a second, 0 as fast as possible."""

    urls: dict[str, str]
    run: str
    journal: str
    prefix: str = "oms"
    orders: int = 0
    rate: float = 50.0
    open_commands_max: int = 3_000
    window_seconds: float = 15.0
    shipping_fee_cents: int = 499


class World:
    """Everyone outside."""

    def __init__(self, asked: Orders, group: asyncio.TaskGroup, year: Year) -> None:
        self.asked, self.year = asked, year
        self.links = {
            role: Link(asked.urls[role], f"demo-{role}", asked.prefix) for role in ("upstream", "payments", "warehouse")
        }
        self.links["replies"] = Link(asked.urls["upstream"], "demo-replies", asked.prefix)
        self.crowd = Crowd(group)
        self.outcomes = Outcomes()
        self.shelves = Shelves(self.links["upstream"], self.outcomes, year)
        self.buyers = Buyers(self.links["upstream"], self.outcomes, self.shelves, self.crowd, asked.shipping_fee_cents)
        self.gateway = Gateway(self.links["payments"], self.crowd, Path(asked.journal), asked.window_seconds)
        self.carrier = Carrier(self.links["warehouse"], self.crowd)
        self.vandal = Vandal(self.links["upstream"])
        self.draining = asyncio.Event()
        self.placed_all = False
        self.started = time.monotonic()
        self._created: deque[tuple[float, int]] = deque(maxlen=11)
        self._stocked: asyncio.Queue[list[Basket]] = asyncio.Queue(maxsize=8)
        self._listen()

    def _listen(self) -> None:
        queues = client_queues(self.asked.run)
        self.buyers.reply_queue = queues["replies"]
        self.links["upstream"].listen(queues["upstream"], buyer.EVENTS, self.buyers.hear)
        self.links["payments"].listen(queues["payments"], gateway.EVENTS, self.gateway.hear)
        self.links["warehouse"].listen(queues["warehouse"], carrier.EVENTS, self.carrier.hear)
        self.links["replies"].listen(self.buyers.reply_queue, (), self.buyers.hear_reply)

    # ------------------------------------------------------------ traffic

    async def trade(self) -> None:
        """Place orders until there are enough, the year is over, or it is time to drain."""
        pace = Pace(self.asked.rate)
        while (chunk := await self._stocked.get()) and not self.draining.is_set():
            for basket in chunk:
                await self.outcomes.fewer_than(self.asked.open_commands_max)
                await pace.wait()
                if self.draining.is_set():
                    break
                self.crowd.tell(self.buyers.order(basket))
                await self.vandal.watch(self.buyers.ordered)
        self.placed_all = True

    async def stock(self) -> None:
        """Put the products of the next baskets on sale while the last ones are ordered."""
        year = self.year.baskets()
        wanted = itertools.islice(year, self.asked.orders) if self.asked.orders else year
        while (chunk := list(itertools.islice(wanted, CHUNK_BASKETS))) and not self.draining.is_set():
            await self.shelves.stock_up(chunk)
            await self._stocked.put(chunk)
        await self._stocked.put([])

    # ------------------------------------------------------------ reporting

    def idle(self) -> bool:
        """Whether nobody outside waits for anything or has anything left to say."""
        waiting = len(self.outcomes.open) + len(self.buyers.live) + len(self.buyers.repeats_owed) + len(self.crowd)
        owed = len(self.gateway.refunds_open) + len(self.gateway.captures_open)
        return self.placed_all and waiting + owed == 0

    def report(self) -> dict[str, Any]:
        """What is known so far."""
        created = self.outcomes.decided["order.create.v1 -> order.created.v1"]
        self._created.append((time.monotonic(), created))
        return {
            "seconds": time.monotonic() - self.started,
            "phase": self._phase(),
            "idle": self.idle(),
            "ordered": self.buyers.ordered,
            "created": created,
            "created_per_second": self._rate(),
            "commands_sent": sum(self.outcomes.sent.values()),
            "commands_open": len(self.outcomes.open),
            "contradictions": self.outcomes.contradictions[:5],
            "latency": self.outcomes.latency.recent(),
            "live": dict(Counter(order.state for order in self.buyers.live.values())),
            "ended": dict(self.buyers.ended),
            "captured_cents": self.gateway.captured_cents,
            "refunded_cents": self.gateway.refunded_cents,
            "malformed": len(self.vandal.sent),
            "reconnects": sum(link.reconnects for link in self.links.values()),
        }

    def final(self) -> dict[str, Any]:
        """The last report: everything."""
        self.gateway.flush()
        return self.report() | {
            "finished": True,
            "latency_all": self.outcomes.latency.all(),
            "sent": dict(self.outcomes.sent),
            "decided": dict(self.outcomes.decided),
            "refusals": dict(self.outcomes.refusals),
            "buyers": dict(self.buyers.did),
            "gateway": dict(self.gateway.did),
            "carrier": dict(self.carrier.did),
            "vandal": self.vandal.sent,
            "stuck": self.stuck(),
        }

    def stuck(self) -> list[str]:
        """The longest waits, as text."""
        orders = [f"order {key} is {order.state}" for key, order in list(self.buyers.live.items())[:5]]
        repeats = [f"repeat {key} has no reply" for key in list(self.buyers.repeats_owed)[:3]]
        return self.outcomes.oldest() + orders + repeats + self.gateway.stuck() + self.carrier.stuck()

    def _phase(self) -> str:
        if not self.buyers.ordered:
            return "stocking"
        return "draining" if self.placed_all else "ordering"

    def _rate(self) -> float:
        (then, before), (at, count) = self._created[0], self._created[-1]
        return (count - before) / (at - then) if at > then else 0.0


async def run(asked: Orders, words: asyncio.StreamReader) -> None:
    """Live until told to finish, or until standard input ends."""
    world = None
    year = Year()
    with suppress(_FinishedError):
        try:
            async with asyncio.TaskGroup() as group:
                world = World(asked, group, year)
                for link in world.links.values():
                    group.create_task(link.run())
                group.create_task(world.stock())
                group.create_task(world.trade())
                group.create_task(_speak(world))
                group.create_task(_obey(world, words))
        except* _FinishedError:
            pass
    if world is not None:
        print(json.dumps(world.final()), flush=True)


class _FinishedError(Exception):
    """The word `finish`, or nobody left to say it."""


async def _obey(world: World, words: asyncio.StreamReader) -> None:
    while line := await words.readline():
        if line.strip() == b"drain":
            world.draining.set()
        elif line.strip() == b"finish":
            break
    raise _FinishedError


async def _speak(world: World) -> None:
    while True:
        print(json.dumps(world.report() | ({"stuck": world.stuck()} if world.placed_all else {})), flush=True)
        world.gateway.flush()
        await asyncio.sleep(REPORT_SECONDS)


async def main() -> None:
    """Read what to do, then do it."""
    words = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
    asked = Orders(**json.loads(await words.readline()))
    await run(asked, words)


if __name__ == "__main__":
    uvloop.run(main())
