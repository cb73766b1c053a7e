"""A real HTTP service that sends SMS or push messages, and can misbehave.

`once` says how for the next letter alone: error (503, and it keeps nothing), secret (401, and it keeps nothing), drop
(it takes the letter and disconnects before it answers). `letters` has what it took, by Idempotency-Key; a known key is
answered with 409.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from scripts.servers.ports import free_ports

REFUSALS = {"error": 503, "secret": 401}


class FakeLetterService:
    """What the service has seen."""

    def __init__(self, port: int) -> None:
        self.once = ""
        self.letters: dict[str, dict[str, Any]] = {}
        self.url = f"http://127.0.0.1:{port}/letters"

    async def take(self, request: web.Request) -> web.Response:
        """Answer one POST."""
        habit, self.once = self.once, ""
        key, letter = request.headers["idempotency-key"], await request.json()
        if habit in REFUSALS:
            return web.Response(status=REFUSALS[habit])
        known = key in self.letters
        self.letters[key] = letter
        if habit == "drop":
            assert request.transport is not None, "the client has not left"
            request.transport.abort()
        return web.Response(status=409 if known else 202)


@asynccontextmanager
async def open_letter_service() -> AsyncIterator[FakeLetterService]:
    """Run the service."""
    [port] = free_ports(1)
    service, application = FakeLetterService(port), web.Application()
    application.router.add_post("/letters", service.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield service
    finally:
        await runner.cleanup()
