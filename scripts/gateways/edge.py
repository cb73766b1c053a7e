"""The HTTP edge of a shop: it passes notifications on to the order system unchanged.

The demo, the end-to-end tests and `python -m scripts.gateways` run it in place of a shop's own endpoint. It verifies
and parses nothing, and acknowledges a notification once the broker has confirmed it. Without a confirm in time it
answers 503, and the provider sends the notification again.
"""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from aiohttp import web

from scripts.amqp_client import AmqpClient, OutgoingMessage, now
from scripts.gateways.server import LoopbackServer

HEADERS_MAX = 64
CONFIRM_SECONDS = 4.0  # WeChat Pay waits five seconds for the acknowledgement
ACKNOWLEDGEMENTS: Mapping[str, tuple[int, str | None]] = {
    "alipay": (200, "success"),
    "wechat": (204, None),
    "unionpay": (200, "ok"),
    "paypal": (200, None),
    "stripe": (200, None),
}
"""Provider -> the (status, text) that it accepts as an acknowledgement."""
Publish: TypeAlias = Callable[[OutgoingMessage], Awaitable[None]]
"""Publishes a message and returns once the broker has confirmed it."""
_NAME, _VALUE = re.compile(rb"[!-~]{1,128}"), re.compile(rb"[\t -~]{0,4096}")


class Edge(LoopbackServer):
    """Serves POST /notify/<provider>."""

    def __init__(self, publish: Publish) -> None:
        super().__init__()
        self._publish = publish

    async def start(self, port: int = 0) -> None:
        """Listen on loopback, on a free port if none is given."""
        providers = "|".join(ACKNOWLEDGEMENTS)
        routes = [web.post(f"/notify/{{provider:{providers}}}", self._receive)]
        await self.listen(routes, port, shutdown_seconds=CONFIRM_SECONDS, auto_decompress=False)

    async def _receive(self, request: web.Request) -> web.Response:
        received_at, body, headers = now(), await request.read(), _headers(request)
        if headers is None:
            return web.Response(status=400, text="invalid headers")
        provider = request.match_info["provider"]
        notification: dict[str, Any] = {
            "provider": provider,
            "headers": headers,
            "body": base64.b64encode(body).decode(),
            "received_at": received_at,
        }
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await self._publish(OutgoingMessage("payment.callback.v1", notification))
        except TimeoutError:
            return web.Response(status=503, text="try again")
        status, text = ACKNOWLEDGEMENTS[provider]
        return web.Response(status=status, text=text)


def _headers(request: web.Request) -> dict[str, str] | None:
    """Return the headers as they came; repeated ones are joined, as HTTP allows.

    Returns None if one is not valid HTTP.
    """
    found: dict[str, str] = {}
    for name, value in request.raw_headers:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            return None
        key, text = name.decode("ascii").lower(), value.decode("ascii")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found if len(found) <= HEADERS_MAX else None


def broker_client(url: str, prefix: str) -> AmqpClient:
    """Return the edge's own broker connection: run its `run` as a task, and pass its `send` to Edge."""
    return AmqpClient(url, "edge", prefix)
