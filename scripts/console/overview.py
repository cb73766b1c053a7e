"""The first page: queues, outbox, dead letters, timers, what is stuck and replays, as they stand now."""

from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from db.statements import SQL
from scripts.commands.connections import connected
from scripts.commands.problems import CommandError
from scripts.commands.replays import line_of
from scripts.console.rendering import page
from scripts.console.replay_senders import problem_of
from scripts.console.state import STATE, ConsoleState
from workers.store import replay_runs

REPLAYS_SHOWN = 3


async def show(request: web.Request) -> web.Response:
    """Show how everything stands. A broker that does not answer leaves the rest of the page as it is."""
    console = request.app[STATE]
    depths, problem = await _depths(console)
    stuck = await console.stuck.counts()
    return page(
        request,
        "overview.html",
        now=datetime.now(UTC),
        depths=depths,
        broker_problem=problem,
        stuck=stuck,
        **await _database(),
    )


async def _depths(console: ConsoleState) -> tuple[Any, CommandError | None]:
    try:
        return await console.depths.read(), None
    except Exception as error:
        return (), problem_of(error)


async def _database() -> dict[str, Any]:
    async with connected() as tx, tx.transaction(readonly=True):
        letters = sorted(await tx.fetch(SQL["dead_letters.open_counts"]), key=lambda row: -int(row["open"]))
        return {
            "letters": letters,
            "open_letters": sum(row["open"] for row in letters),
            "oldest_letter_seconds": max((row["oldest_age_seconds"] for row in letters), default=0.0),
            "outbox": await tx.fetchrow(SQL["outbox.backlog"]),
            "timers": await tx.fetchrow(SQL["timers.backlog"]),
            "replays": [await line_of(tx, one) for one in await replay_runs.newest(tx, REPLAYS_SHOWN)],
        }


ROUTES = (web.get("/", show),)
