"""What people do over HTTP: buyers pay at a payment provider, and warehouses print the labels of carriers."""

from collections.abc import Mapping
from typing import Any, Self

import aiohttp

ANSWER_TIMEOUT_SECONDS = 30.0
CONNECTIONS_MAX = 50


class Browser:
    """Pays at test gateways and prints labels over HTTP. Use it as a context manager.

    `urls` is provider -> URL of its gateway, and `carriers_url` that of the carriers.
    """

    def __init__(self, urls: Mapping[str, str], carriers_url: str) -> None:
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_SECONDS)
        self._urls, self._carriers_url = urls, carriers_url
        self._session = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def pay(self, provider: str, brought: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Pay with what payment.started gave the buyer. Returns the HTTP status and the JSON of the response."""
        async with self._session.post(f"{self._urls[provider]}/buyer/pay", json=brought) as answer:
            return answer.status, await answer.json()

    async def label(self, carrier: str, tracking_no: str) -> dict[str, Any]:
        """Return the address on the label that the carrier made for a parcel."""
        async with self._session.get(f"{self._carriers_url}/{carrier}/labels/{tracking_no}") as answer:
            label: dict[str, Any] = await answer.json()
            return label["ship_to"] or {}
