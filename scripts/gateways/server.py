"""The HTTP servers on loopback that the gateways are, and the habits with which they answer a merchant's calls."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

from aiohttp import web

from scripts.gateways.habits import Dice
from scripts.gateways.ledger import FullError

REQUEST_BYTES_MAX = 65_536
SHUTDOWN_SECONDS = 1.0
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LoopbackServer:
    """Serves HTTP on loopback. `origin` is where, once it listens."""

    def __init__(self) -> None:
        self.origin = ""
        self._runner: web.AppRunner | None = None

    async def listen(
        self,
        routes: Iterable[web.RouteDef],
        port: int = 0,
        *,
        shutdown_seconds: float = SHUTDOWN_SECONDS,
        auto_decompress: bool = True,
    ) -> None:
        """Listen, on a free port if none is given."""
        app = web.Application(client_max_size=REQUEST_BYTES_MAX)
        app.add_routes(routes)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=shutdown_seconds, auto_decompress=auto_decompress
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Answer the requests under way, then stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()


class MisbehavingServer(LoopbackServer):
    """A server that answers a merchant's calls with the habits that `dice` decide."""

    def __init__(self, dice: Dice) -> None:
        super().__init__()
        self.dice = dice

    def call(self, handler: Handler) -> Handler:
        """Wrap a handler of the merchant's calls with the habits: failed, done without an answer, or answered late."""

        async def answer(request: web.Request) -> web.StreamResponse:
            if self.dice("error"):
                return web.Response(status=500, text="system error")
            try:
                response = await handler(request)
            except FullError:
                return web.Response(status=503, text="the ledger is full")
            if self.dice("lost"):
                assert request.transport is not None
                request.transport.abort()
            elif self.dice("slow"):
                await asyncio.sleep(self.dice.habits.slow_seconds)
            return response

        return answer
