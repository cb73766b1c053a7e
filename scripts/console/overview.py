"""The first page: queues, outbox, dead letters, timers, what is stuck and replays, as they stand now."""

from datetime import UTC, datetime

from aiohttp import web

from scripts.console.overview_tables import COUNTED_MAX
from scripts.console.overview_watch import STUCK
from scripts.console.rendering import page
from scripts.console.state import STATE


async def show(request: web.Request) -> web.Response:
    """Show how everything stands. A part that cannot be read leaves the rest of the page as it is."""
    found = await request.app[STATE].overview.read()
    return page(
        request,
        "overview.html",
        now=datetime.now(UTC),
        parts=found.parts,
        problems=found.problems,
        old=found.old,
        stuck=found.parts.get(STUCK),
        counted_max=COUNTED_MAX,
    )


ROUTES = (web.get("/", show),)
