"""Talking to providers over HTTPS: bounded in time and size, never redirected, tried again while none is reached."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TypeVar

import aiohttp
from prometheus_client import Histogram
from tenacity import AsyncRetrying, RetryError, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from db.errors import UnavailableError
from workers.providers.port import Provider, Refused, Request, Response, Unknown

ANSWER_BYTES_MAX = 1_048_576  # a day's certificates are 20 KiB; statements come another way
TRIES = 3  # of one request, within the timeout of the whole call
IN_FLIGHT_MAX = 20  # per provider and process: providers limit how often they are asked
TOKEN_EARLY = timedelta(seconds=60)  # a token is renewed so long before it ends
NEVER = datetime.min.replace(tzinfo=UTC)
NOT_REACHED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)  # nothing was sent
CALLS = Histogram(
    "oms_provider_call_seconds",
    "Calls to providers: answered, unknown (no answer in time), or away (not reached)",
    ["provider", "outcome"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
Build = Callable[[datetime], Request | None]
T = TypeVar("T")


class ProviderAwayError(UnavailableError):
    """The provider cannot be reached and nothing was sent. Only the queue of its calls waits."""


class Caller:
    """Calls one provider. A request is built anew for each try, because its signature holds the time."""

    def __init__(self, provider: Provider, timeout_seconds: float) -> None:
        self.provider = provider
        self._timeout_seconds = timeout_seconds
        self._session: aiohttp.ClientSession | None = None
        self._busy = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._renewing = asyncio.Lock()  # so that many calls at once need one token
        self._token = ""
        self._token_until = NEVER

    async def ask(self, build: Build, read: Callable[[Response, datetime], T]) -> T | Refused | Unknown | None:
        """Ask, and read the answer. None where there is nothing to ask. Raises ProviderAwayError."""
        answer = await self.send(build)
        return read(answer, datetime.now(UTC)) if isinstance(answer, Response) else answer

    async def send(self, build: Build) -> Response | Refused | Unknown | None:
        """The answer, or Unknown when none came in time. Raises ProviderAwayError when the provider is not reached."""
        tries = AsyncRetrying(
            retry=retry_if_exception_type(NOT_REACHED),
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
            return Unknown(type(error).__qualname__)
        finally:
            CALLS.labels(self.provider.name, outcome).observe(time.perf_counter() - began)

    async def _once(self, build: Build) -> Response | Refused | Unknown | None:
        request = build(datetime.now(UTC))
        if request is None:
            return None
        headers = dict(request.headers)
        if request.bearer:
            token = await self._bearer()
            if not isinstance(token, str):
                return token
            headers["authorization"] = f"Bearer {token}"
        answer = await self._exchange(request, headers)
        if request.bearer and answer.status == HTTPStatus.UNAUTHORIZED:
            self._token_until = NEVER  # it was revoked: whoever asks next asks for another first
        return answer

    async def _bearer(self) -> str | Refused | Unknown:
        async with self._renewing:
            return await self._current_or_new()

    async def _current_or_new(self) -> str | Refused | Unknown:
        if datetime.now(UTC) < self._token_until:
            return self._token
        request = self.provider.token()
        assert request is not None, f"{self.provider.name} has no tokens"
        answer = self.provider.read_token(await self._exchange(request, dict(request.headers)))
        if not isinstance(answer, tuple):
            return answer
        self._token, lives_seconds = answer
        self._token_until = datetime.now(UTC) + timedelta(seconds=lives_seconds) - TOKEN_EARLY
        return self._token

    async def _exchange(self, request: Request, headers: dict[str, str]) -> Response:
        session = self._open()
        async with session.request(
            request.method, request.url, headers=headers, data=request.body or None, allow_redirects=False
        ) as answer:
            body = await answer.content.read(ANSWER_BYTES_MAX + 1)
            while len(body) <= ANSWER_BYTES_MAX and (
                more := await answer.content.read(ANSWER_BYTES_MAX + 1 - len(body))
            ):
                body += more
            if len(body) > ANSWER_BYTES_MAX:
                raise aiohttp.ClientPayloadError("the answer is too large")
            return Response(answer.status, {name.lower(): value for name, value in answer.headers.items()}, body)

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
        """End the connections."""
        if self._session is not None:
            await self._session.close()
