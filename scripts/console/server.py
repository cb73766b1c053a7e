"""Serves the console on this machine's loopback, until it is interrupted."""

import asyncio
import errno
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from scripts.commands.output import say
from scripts.commands.problems import Code, CommandError
from scripts.console import (
    case_pages,
    decision_pages,
    edit_pages,
    letter_pages,
    order_pages,
    overview,
    replay_pages,
    trial_pages,
)
from scripts.console.guard import HEADERS, Guard, check_host
from scripts.console.overview_watch import OverviewWatch
from scripts.console.problem_pages import Handler, explained
from scripts.console.rendering import FOLDER, environment, page
from scripts.console.replay_senders import ReplaySenders
from scripts.console.state import STATE, ConsoleState

HOST = "127.0.0.1"
FORM_MAX_BYTES = 4 * 1024 * 1024  # the body of a letter may be a megabyte, and grows when a form sends it
SHUTDOWN_SECONDS = 1.0
PAGES = (overview, decision_pages, edit_pages, letter_pages, order_pages, case_pages, replay_pages, trial_pages)


@dataclass(frozen=True)
class RunningConsole:
    """A console that is served: its address, and what its handlers share."""

    port: int
    state: ConsoleState

    @property
    def url(self) -> str:
        """The address that opens it, with the token."""
        return f"http://{HOST}:{self.port}/?token={self.state.guard.token}"

    @property
    def first_url(self) -> str:
        """The address that opens it once."""
        return f"http://{HOST}:{self.port}/?token={self.state.guard.first_token}"


def application(guard: Guard) -> web.Application:
    """Return the pages of a console, which has nothing under way yet."""
    app = web.Application(middlewares=[explained, guarded], client_max_size=FORM_MAX_BYTES)
    app[STATE] = ConsoleState(guard, ReplaySenders(), OverviewWatch(), environment())
    app.router.add_static("/static", FOLDER / "static")
    for pages in PAGES:
        app.add_routes(pages.ROUTES)
    app.on_response_prepare.append(_secured)
    app.on_cleanup.append(_no_longer_watched)
    return app


async def _no_longer_watched(app: web.Application) -> None:
    await app[STATE].overview.close()


async def _secured(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in only what the guard lets in."""
    guard = request.app[STATE].guard
    if request.method == "GET" and request.path == "/" and "token" in request.query:
        return _opened(request, guard)
    guard.check(request)
    if request.method == "POST":
        await guard.check_form(request)
    return await handler(request)


def _opened(request: web.Request, guard: Guard) -> web.Response:
    """Give the cookie and lead on. A redirect would not do: browsers follow it as the foreign page that led here."""
    check_host(request)
    if not guard.admits(request.query["token"]):
        hint = "oms console, and open the URL that it prints"
        raise CommandError(
            Code.REFUSED,
            "the token is not the one of this console",
            why="it has ended, or was started again",
            hint=hint,
        )
    response = page(request, "opened.html")
    response.set_cookie(guard.cookie_name, guard.cookie, httponly=True, samesite="Strict", path="/")
    return response


@asynccontextmanager
async def serving(port: int, guard: Guard) -> AsyncIterator[RunningConsole]:
    """Serve while the block runs, on this port or, with 0, on a free one. Raises CommandError if it is taken."""
    app = application(guard)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        await _listen(site, port)
        yield RunningConsole(runner.addresses[0][1], app[STATE])
    finally:
        await runner.cleanup()
        for run_id in await app[STATE].senders.close():
            say(f"replay {run_id} has not ended\n  next: oms replays resume {run_id}")


async def _listen(site: web.TCPSite, port: int) -> None:
    try:
        await site.start()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        hint = f"oms console --port {port + 1}, or --port 0 for any free port"
        raise CommandError(Code.FAILED, f"another process listens on port {port}", hint=hint) from None


async def serve_until_interrupted(port: int, guard: Guard, *, open_browser: bool) -> None:
    """Print the address, perhaps open it, and serve until Ctrl-C or SIGTERM."""
    async with serving(port, guard) as console, interrupted() as ended:
        print(console.url, flush=True)
        mode = "dead letters can be decided in it" if guard.operate else "read-only; --operate allows decisions"
        say(f"the console is on this machine's loopback, {mode}; Ctrl-C ends it")
        if open_browser:
            await _open(console.first_url)
        await ended.wait()
    say("the console has ended")


@asynccontextmanager
async def interrupted() -> AsyncIterator[asyncio.Event]:
    """Yield what Ctrl-C and SIGTERM set while the block runs, in place of ending the process."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    try:
        yield ended
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _open(url: str) -> None:
    import webbrowser  # noqa: PLC0415 (only --open needs it)

    if not await asyncio.to_thread(webbrowser.open, url):
        say("no browser was found: open the URL above")
