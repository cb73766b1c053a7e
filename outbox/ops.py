"""Serves /live, /ready and /metrics of a process on one port."""

import asyncio
import errno
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from operator import itemgetter

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Histogram, generate_latest

from db.errors import OmsError

LOOP_SECONDS = 0.25  # four wakes a second cost nothing that can be measured
LOOP_LAG = Histogram(
    "oms_event_loop_lag_seconds",
    "How late the event loop woke a task, tried four times a second",
    buckets=(0.002, 0.01, 0.05, 0.25, 1),
)
one_a_line = partial(json.dumps, indent=1)
Checks = Callable[[], Mapping[str, bool]]
"""Maps the name of each check to its result. It is called at every request, so it must be quick and never wait."""


class PortTakenError(OmsError):
    """Another process listens on the port already."""


@asynccontextmanager
async def ops_server(port: int, *, live: Checks, ready: Checks, host: str = "0.0.0.0") -> AsyncIterator[None]:  # noqa: S104
    """Serve while the block runs; port 0 serves nothing.

    A failed check of `live` means that the process must be restarted; one of `ready` only that work has to wait.
    Raises PortTakenError, or OSError for an address that this machine does not have.
    """
    if port == 0:
        yield
        return
    app = web.Application()
    app.add_routes(
        [web.get("/live", _answers(live)), web.get("/ready", _answers(ready)), web.get("/metrics", _metrics)]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    watching = asyncio.create_task(_watch_loop(), name="event loop lag")
    try:
        await _listen(runner, host, port)
        yield
    finally:
        watching.cancel()
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortTakenError(f"another process listens on port {port} (OMS_OPS_PORT)") from error


async def _watch_loop() -> None:
    """Measure how late the event loop wakes a task, as it wakes all others."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LOOP_SECONDS
        await asyncio.sleep(LOOP_SECONDS)
        LOOP_LAG.observe(max(0.0, loop.time() - due))


def _answers(checks: Checks) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        found = dict(sorted(checks().items(), key=itemgetter(1)))  # what fails comes first
        return web.json_response(found, status=200 if all(found.values()) else 503, dumps=one_a_line)

    return answer


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
