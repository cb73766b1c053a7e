"""Upstream's HTTP edge: hands notifications to the order system as they came, and acknowledges what the broker has.

It verifies nothing and parses nothing. What is not confirmed in time is not acknowledged: the provider sends it again.
"""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from aiohttp import web

from scripts.amqp_client import AmqpClient, OutgoingMessage, now

BODY_BYTES_MAX = 65_536
HEADERS_MAX = 64
CONFIRM_SECONDS = 4.0  # WeChat Pay waits for five
ACKNOWLEDGEMENTS: Mapping[str, tuple[int, str | None]] = {
    "alipay": (200, "success"),
    "wechat": (204, None),
    "unionpay": (200, "ok"),
    "paypal": (200, None),
}
"""Provider -> (status, text) that it takes for an acknowledgement."""
Publish: TypeAlias = Callable[[OutgoingMessage], Awaitable[None]]
"""Returns once the broker has confirmed."""
_NAME, _VALUE = re.compile(rb"[!-~]{1,128}"), re.compile(rb"[\t -~]{0,4096}")


class Edge:
    """POST /notify/<provider>."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._runner: web.AppRunner | None = None
        self.origin = ""

    async def start(self, port: int = 0) -> None:
        """Listen on loopback, on a free port if none is given."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        providers = "|".join(ACKNOWLEDGEMENTS)
        app.add_routes([web.post(f"/notify/{{provider:{providers}}}", self._receive)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CONFIRM_SECONDS, auto_decompress=False)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Answer what is under way, stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        received_at, body, headers = now(), await request.read(), _headers(request)
        if headers is None:
            return web.Response(status=400, text="these headers are not HTTP's")
        provider = request.match_info["provider"]
        told: dict[str, Any] = {
            "provider": provider,
            "headers": headers,
            "body": base64.b64encode(body).decode(),
            "received_at": received_at,
        }
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await self._publish(OutgoingMessage("payment.callback.v1", told))
        except TimeoutError:
            return web.Response(status=503, text="try again")
        status, text = ACKNOWLEDGEMENTS[provider]
        return web.Response(status=status, text=text)


def _headers(request: web.Request) -> dict[str, str] | None:
    """As they came; what came several times is joined, as HTTP allows. None where they are none."""
    found: dict[str, str] = {}
    for name, value in request.raw_headers:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            return None
        key, text = name.decode("ascii").lower(), value.decode("ascii")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found if len(found) <= HEADERS_MAX else None


def linked(url: str, prefix: str) -> AmqpClient:
    """The edge's own connection: `run` keeps it, `send` publishes until it is confirmed."""
    return AmqpClient(url, "edge", prefix)
