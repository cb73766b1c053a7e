"""The client process: everything outside of the order system, on four AMQP connections and HTTP to the test gateways.

Standard input is one line of JSON (see ClientJob), then words: `drain` (place no more orders) and `finish` (end).
Standard output is one line of JSON a second with the state so far; the last one has "finished": true.
"""

import asyncio
import json
import sys
from contextlib import suppress

import uvloop

from scripts.demo.baskets import Year
from scripts.demo.browser import Browser
from scripts.demo.client_job import ClientJob
from scripts.demo.outside_systems import OutsideSystems
from scripts.demo.report import Reporter

REPORT_SECONDS = 1.0


async def run(job: ClientJob, words: asyncio.StreamReader) -> None:
    """Run until the word `finish`, or until standard input ends."""
    reporter = None
    year = Year()
    with suppress(_FinishedError):
        try:
            async with Browser(job.gateways, job.carriers_url) as browser, asyncio.TaskGroup() as group:
                systems = OutsideSystems(job, group, year, browser)
                reporter = Reporter(systems)
                for link in systems.links.values():
                    group.create_task(link.run())
                group.create_task(systems.stock())
                group.create_task(systems.trade())
                group.create_task(_speak(systems, reporter))
                group.create_task(_obey(systems, words))
        except* _FinishedError:
            pass
    if reporter is not None:
        print(json.dumps(reporter.final()), flush=True)


class _FinishedError(Exception):
    """Ends the client: the word `finish` came, or standard input ended."""


async def _obey(systems: OutsideSystems, words: asyncio.StreamReader) -> None:
    while line := await words.readline():
        if line.strip() == b"drain":
            systems.draining.set()
        elif line.strip() == b"finish":
            break
    raise _FinishedError


async def _speak(systems: OutsideSystems, reporter: Reporter) -> None:
    while True:
        print(json.dumps(reporter.report() | ({"stuck": reporter.stuck()} if systems.placed_all else {})), flush=True)
        systems.flush()
        await asyncio.sleep(REPORT_SECONDS)


async def main() -> None:
    """Read the job from standard input and run it."""
    words = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
    job = ClientJob(**json.loads(await words.readline()))
    await run(job, words)


if __name__ == "__main__":
    uvloop.run(main())
