"""Sends requests to providers and carriers over HTTPS.

Time and size are bounded. A call follows no redirect, and it repeats a request only if that was not sent. No other
module of workers uses the network; an import contract checks that.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Protocol, TypeVar

import aiohttp
import structlog
from prometheus_client import Histogram
from tenacity import AsyncRetrying, RetryError, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from db.errors import UnavailableError
from workers.providers.abilities import TokenSource
from workers.providers.port import (
    HttpRequest,
    HttpResponse,
    UnknownOutcome,
)

log = structlog.get_logger(__name__)

RESPONSE_BYTES_MAX = 1_048_576  # a list of certificates has 20 KiB; statements come as messages
TRIES = 3  # tries to send one request, all within the timeout of the call
IN_FLIGHT_MAX = 20  # calls per provider and process: providers limit the rate
TOKEN_RENEWED_BEFORE_END = timedelta(seconds=60)  # so that a token does not end on the way
NEVER = datetime.min.replace(tzinfo=UTC)
NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
CALLS = Histogram(
    "oms_provider_call_seconds",
    "Calls to providers and carriers by outcome: answered, unknown (no response in time), away (not reached)",
    ["provider", "outcome"],
    buckets=(0.1, 0.5, 2, 10, 30),
)
Build = Callable[[datetime], HttpRequest | None]
T = TypeVar("T")


class ProviderAwayError(UnavailableError):
    """The provider cannot be reached, and nothing was sent. Only the queue of its own calls waits for it."""


class Callee(Protocol):
    """What a Caller calls: a provider, or a carrier."""

    name: str


class Caller:
    """Calls one provider or carrier. Each try builds the request anew, because its signature holds the time."""

    def __init__(self, provider: Callee, timeout_seconds: float) -> None:
        self.provider = provider
        self._timeout_seconds = timeout_seconds
        self._session: aiohttp.ClientSession | None = None
        self._busy = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._renewing = asyncio.Lock()  # so that many calls at once fetch one token
        self._token = ""
        self._token_until = NEVER

    async def call(self, build: Build, read: Callable[[HttpResponse, datetime], T]) -> T | UnknownOutcome | None:
        """Send a request and read the response; None if `build` makes no request. Raises ProviderAwayError."""
        response = await self.send(build)
        return read(response, datetime.now(UTC)) if isinstance(response, HttpResponse) else response

    async def send(self, build: Build) -> HttpResponse | UnknownOutcome | None:
        """Send a request. The outcome is unknown if no response came in time. Raises ProviderAwayError."""
        tries = AsyncRetrying(
            retry=retry_if_exception_type(NOT_SENT),
            stop=stop_after_attempt(TRIES),
            wait=wait_random_exponential(0.1, 1.0),
        )
        began, outcome = time.perf_counter(), "answered"
        try:
            async with asyncio.timeout(self._timeout_seconds), self._busy:
                return await tries(self._once, build)
        except RetryError as error:
            outcome = "away"
            raise ProviderAwayError(f"{self.provider.name} is not reached") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            outcome = "unknown"
            log.warning("no answer to a call", provider=self.provider.name, error=type(error).__qualname__)
            return UnknownOutcome(type(error).__qualname__)
        finally:
            CALLS.labels(self.provider.name, outcome).observe(time.perf_counter() - began)

    async def _once(self, build: Build) -> HttpResponse | UnknownOutcome | None:
        request = build(datetime.now(UTC))
        if request is None:
            return None
        headers = dict(request.headers)
        if request.bearer:
            token = await self._bearer()
            if not isinstance(token, str):
                return token
            headers["authorization"] = f"Bearer {token}"
        response = await self._exchange(request, headers)
        if request.bearer and response.status == HTTPStatus.UNAUTHORIZED:
            self._token_until = NEVER  # the token was revoked: the next call fetches another first
        return response

    async def _bearer(self) -> str | UnknownOutcome:
        async with self._renewing:
            return await self._current_or_new()

    async def _current_or_new(self) -> str | UnknownOutcome:
        if datetime.now(UTC) < self._token_until:
            return self._token
        assert isinstance(self.provider, TokenSource), f"{self.provider.name} has no tokens"
        request = self.provider.token()
        token = self.provider.read_token(await self._exchange(request, dict(request.headers)))
        if isinstance(token, UnknownOutcome):
            return token
        self._token, lives_seconds = token
        self._token_until = datetime.now(UTC) + timedelta(seconds=lives_seconds) - TOKEN_RENEWED_BEFORE_END
        return self._token

    async def _exchange(self, request: HttpRequest, headers: dict[str, str]) -> HttpResponse:
        session = self._open()
        async with session.request(
            request.method, request.url, headers=headers, data=request.body or None, allow_redirects=False
        ) as response:
            body = await response.content.read(RESPONSE_BYTES_MAX + 1)
            while len(body) <= RESPONSE_BYTES_MAX and (
                more := await response.content.read(RESPONSE_BYTES_MAX + 1 - len(body))
            ):
                body += more
            if len(body) > RESPONSE_BYTES_MAX:
                raise aiohttp.ClientPayloadError("the answer is too large")
            return HttpResponse(
                response.status, {name.lower(): value for name, value in response.headers.items()}, body
            )

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeout_seconds / (TRIES + 1)),
                auto_decompress=False,
                trust_env=False,
                skip_auto_headers=("User-Agent", "Accept-Encoding"),
            )
        return self._session

    async def close(self) -> None:
        """Close the connections to the provider."""
        if self._session is not None:
            await self._session.close()
