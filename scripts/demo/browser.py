"""The buyer's side at a payment provider: what a browser, a phone or an app sends there."""

from collections.abc import Mapping
from typing import Any, Self

import aiohttp

ANSWER_TIMEOUT_SECONDS = 30.0
CONNECTIONS_MAX = 50


class Browser:
    """Pays at test gateways over HTTP. `urls` is provider -> URL of its gateway. Use it as a context manager."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_SECONDS)
        self._urls = urls
        self._session = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def pay(self, provider: str, brought: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Pay with what payment.started gave the buyer. Returns the HTTP status and the JSON of the response."""
        async with self._session.post(f"{self._urls[provider]}/buyer/pay", json=brought) as answer:
            return answer.status, await answer.json()
