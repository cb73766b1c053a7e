"""A buyer's browser, phone and apps: what they do at a payment provider."""

from collections.abc import Mapping
from typing import Any, Self

import aiohttp

ANSWER_TIMEOUT_SECONDS = 30.0
CONNECTIONS_MAX = 50


class Browser:
    """`urls` is provider -> where its buyer's side is. A context manager, for a running loop."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_SECONDS)
        self._urls = urls
        self._session = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def pay(self, provider: str, brought: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """With what the buyer's client was given; HTTP status and what the buyer is told."""
        async with self._session.post(f"{self._urls[provider]}/buyer/pay", json=brought) as answer:
            return answer.status, await answer.json()
