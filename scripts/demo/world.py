"""Everyone outside, wired together: who hears what, and who buys when."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.demo import carrier, following, paying
from scripts.demo.baskets import Basket, Year
from scripts.demo.browser import Browser
from scripts.demo.buyer import Buyers, Pace
from scripts.demo.carrier import Carrier
from scripts.demo.checkout import Rules
from scripts.demo.crowd import Crowd
from scripts.demo.following import Following
from scripts.demo.outcomes import Outcomes
from scripts.demo.passbook import Passbook
from scripts.demo.paying import Paying
from scripts.demo.purses import Purses
from scripts.demo.questions import Questions
from scripts.demo.shelves import Shelves
from scripts.demo.till import Till
from scripts.demo.together import Together, in_pairs
from scripts.demo.vandal import Vandal
from scripts.demo.wire import Heard, Link, client_queues

CHUNK_BASKETS = 50
AHEAD_CHUNKS = 6


@dataclass(frozen=True)
class Orders:
    """What to do. `orders` 0 is all there are; `rate` is orders a second, 0 as fast as possible.

    `rules` are the shop's (see Rules); `hasty_orders` is how many somebody places at once, more than are allowed.
    `gateways` is provider -> where its buyer's side is.
    """

    urls: dict[str, str]
    run: str
    gateways: dict[str, str]
    receipts: str
    passbook: str
    rules: dict[str, int]
    prefix: str = "oms"
    orders: int = 0
    rate: float = 50.0
    open_commands_max: int = 3_000
    window_seconds: float = 15.0
    hasty_orders: int = 0


class World:
    """Everyone outside."""

    def __init__(self, asked: Orders, group: asyncio.TaskGroup, year: Year, browser: Browser) -> None:
        self.asked, self.year = asked, year
        self.links = {
            role: Link(asked.urls[role], f"demo-{role}", asked.prefix) for role in ("upstream", "payments", "warehouse")
        }
        self.links["replies"] = Link(asked.urls["upstream"], "demo-replies", asked.prefix, exchange="queries")
        self.queues = client_queues(asked.run)
        self.crowd = Crowd(group)
        self.outcomes = Outcomes()
        self.carrier = Carrier(self.links["warehouse"], self.crowd)
        self._enter_buyers(self.links["upstream"], browser)
        self.draining = asyncio.Event()
        self.placed_all = False
        self.started = time.monotonic()
        self._group = group
        self._stocked: asyncio.Queue[tuple[list[Basket], asyncio.Task[None]] | None] = asyncio.Queue(AHEAD_CHUNKS)
        self._listen()

    def _enter_buyers(self, link: Link, browser: Browser) -> None:
        replies = self.queues["replies"]
        self.shelves = Shelves(link, self.outcomes, self.year)
        self.purses = Purses(link, self.outcomes)
        self.questions = Questions(self.links["replies"], replies)
        self.till = Till(link, self.outcomes, self.crowd, replies)
        rules = Rules(**self.asked.rules)
        self.buyers = Buyers(self.till, self.shelves, self.purses, self.questions, rules=rules)
        file, window_seconds = Path(self.asked.receipts), self.asked.window_seconds
        self.paying = Paying(self.links["payments"], self.till, browser, file, window_seconds)
        self.together = Together(link, self.outcomes, self.buyers, self.paying.bills)
        self.following = Following(link, self.outcomes, self.crowd)
        self.passbook = Passbook(Path(self.asked.passbook))
        self.vandal = Vandal(link)

    def _listen(self) -> None:
        self.links["upstream"].listen(self.queues["upstream"], following.EVENTS, self.hear)
        self.links["payments"].listen(self.queues["payments"], paying.EVENTS, self.paying.hear)
        self.links["warehouse"].listen(self.queues["warehouse"], carrier.EVENTS, self.carrier.hear)
        self.links["replies"].listen(self.queues["replies"], (), self.hear_reply)

    def hear(self, heard: Heard) -> None:
        """What upstream hears."""
        self.outcomes.hear(heard)
        self.passbook.hear(heard)
        if heard.type.startswith("order."):
            self.following.hear(heard)

    def hear_reply(self, heard: Heard) -> None:
        """The answer to a question, or the stored outcome of a repeated request."""
        if not self.questions.hear(heard):
            self.till.hear_reply(heard)

    # ------------------------------------------------------------ traffic

    async def trade(self) -> None:
        """Place orders until there are enough, the year is over, or it is time to drain."""
        pace = Pace(self.asked.rate)
        while (next_ones := await self._stocked.get()) and not self.draining.is_set():
            chunk, stocked = next_ones
            await stocked
            if self.asked.hasty_orders and not self.buyers.ordered:
                self.crowd.tell(self.buyers.hurry(chunk[0], self.asked.hasty_orders))
            for baskets in in_pairs(chunk):
                await self.outcomes.fewer_than(self.asked.open_commands_max)
                for _ in baskets:
                    await pace.wait()
                if self.draining.is_set():
                    break
                self.crowd.tell(self._buy(baskets))
                await self.vandal.watch(self.buyers.ordered)
        self.placed_all = True

    async def _buy(self, baskets: Sequence[Basket]) -> None:
        if len(baskets) == 1:
            await self.buyers.order(baskets[0])
        else:
            await self.together.order(baskets)

    async def stock(self) -> None:
        """Put the products of the next baskets on sale while the last ones are ordered."""
        year = self.year.baskets()
        wanted = itertools.islice(year, self.asked.orders) if self.asked.orders else year
        while (chunk := list(itertools.islice(wanted, CHUNK_BASKETS))) and not self.draining.is_set():
            await self._stocked.put((chunk, self._group.create_task(self.shelves.stock_up(chunk))))
        await self._stocked.put(None)

    def idle(self) -> bool:
        """Whether nobody outside waits for anything or has anything left to say."""
        waiting = len(self.outcomes.open) + len(self.following.live) + len(self.till.repeats_owed) + len(self.crowd)
        owed = len(self.paying.receipts.open) + len(self.paying.receipts.refunds_open)
        return self.placed_all and waiting + owed == 0

    def flush(self) -> None:
        """Write down what the verdict reads."""
        self.paying.receipts.flush()
        self.passbook.flush()
