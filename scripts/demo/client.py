"""The outside world in one process, on four AMQP connections; buyers pay at providers over HTTP.

Knows the wire and nothing else of the order system.

Standard input: one line of JSON (see Orders), then words: `drain` (place no more orders) and `finish` (end).
Standard output: one line of JSON a second with what is known so far; the last one has "finished": true.
"""

import asyncio
import json
import sys
from contextlib import suppress

import uvloop

from scripts.demo.baskets import Year
from scripts.demo.browser import Browser
from scripts.demo.report import Reporter
from scripts.demo.world import Orders, World

REPORT_SECONDS = 1.0


async def run(asked: Orders, words: asyncio.StreamReader) -> None:
    """Live until told to finish, or until standard input ends."""
    reporter = None
    year = Year()
    with suppress(_FinishedError):
        try:
            async with Browser(asked.gateways) as browser, asyncio.TaskGroup() as group:
                world = World(asked, group, year, browser)
                reporter = Reporter(world)
                for link in world.links.values():
                    group.create_task(link.run())
                group.create_task(world.stock())
                group.create_task(world.trade())
                group.create_task(_speak(world, reporter))
                group.create_task(_obey(world, words))
        except* _FinishedError:
            pass
    if reporter is not None:
        print(json.dumps(reporter.final()), flush=True)


class _FinishedError(Exception):
    """The word `finish`, or nobody left to say it."""


async def _obey(world: World, words: asyncio.StreamReader) -> None:
    while line := await words.readline():
        if line.strip() == b"drain":
            world.draining.set()
        elif line.strip() == b"finish":
            break
    raise _FinishedError


async def _speak(world: World, reporter: Reporter) -> None:
    while True:
        print(json.dumps(reporter.report() | ({"stuck": reporter.stuck()} if world.placed_all else {})), flush=True)
        world.flush()
        await asyncio.sleep(REPORT_SECONDS)


async def main() -> None:
    """Read what to do, then do it."""
    words = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
    asked = Orders(**json.loads(await words.readline()))
    await run(asked, words)


if __name__ == "__main__":
    uvloop.run(main())
