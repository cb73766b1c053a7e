"""Calls to providers, against a local HTTP server: they are bounded, follow no redirect, and are not repeated once sent
(S0-10, S0-47, R-14).
"""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from tests.providers import paypal_builders
from workers.providers.calls import IN_FLIGHT_MAX, RESPONSE_BYTES_MAX, TRIES, Caller, ProviderAwayError
from workers.providers.port import HttpRequest, HttpResponse, UnknownOutcome

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
UNREACHABLE_URL = f"http://127.0.0.1:{unused_port()}"


@asynccontextmanager
async def provider(
    answer: Answer, timeout_seconds: float = 5.0
) -> AsyncIterator[tuple[Caller, HttpRequest, list[str]]]:
    """A caller, a request to a provider that answers like this, and the requests that the provider receives."""
    requests: list[str] = []

    async def record(request: web.Request) -> web.StreamResponse:
        requests.append(f"{request.method} {request.path} {(await request.read()).decode()}".strip())
        return await answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", record)
    async with TestServer(app) as server:
        caller = Caller(paypal_builders.provider(api_url=str(server.make_url("/"))), timeout_seconds)
        try:
            yield caller, HttpRequest("POST", str(server.make_url("/refund")), {"x-id": "1"}, b"once"), requests
        finally:
            await caller.close()


async def send(caller: Caller, request: HttpRequest) -> object:
    return await caller.send(lambda at: request)


async def test_an_answer_is_returned_as_the_provider_sent_it() -> None:
    packed = gzip.compress(b"x" * 1000)

    async def answer(request: web.Request) -> web.Response:
        assert "accept-encoding" not in request.headers
        assert request.headers["x-id"] == "1"
        return web.Response(status=418, body=packed, headers={"Content-Encoding": "gzip", "X-Sign": "a B"})

    async with provider(answer) as (caller, request, requests):
        response = await send(caller, request)
    assert isinstance(response, HttpResponse)
    assert (response.status, response.body, response.headers["x-sign"]) == (418, packed, "a B")
    assert requests == ["POST /refund once"]


async def test_redirects_are_never_followed() -> None:
    async def answer(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async with provider(answer) as (caller, request, requests):
        response = await send(caller, request)
    assert isinstance(response, HttpResponse)
    assert response.status == 307
    assert requests == ["POST /refund once"]


async def test_a_call_that_times_out_may_have_succeeded_and_is_not_repeated() -> None:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with provider(answer, timeout_seconds=0.2) as (caller, request, requests):
        assert await send(caller, request) == UnknownOutcome("TimeoutError")
    assert requests == ["POST /refund once"]


async def test_a_call_without_an_answer_may_have_succeeded_and_is_not_repeated() -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with provider(answer) as (caller, request, requests):
        assert isinstance(await send(caller, request), UnknownOutcome)
    assert requests == ["POST /refund once"]


async def test_a_truncated_answer_is_an_unknown_outcome() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"{}")
        assert request.transport is not None
        request.transport.close()
        return response

    async with provider(answer) as (caller, request, _):
        assert isinstance(await send(caller, request), UnknownOutcome)


@pytest.mark.parametrize(
    ("size", "kind"), [(RESPONSE_BYTES_MAX, HttpResponse), (RESPONSE_BYTES_MAX + 1, UnknownOutcome)]
)
async def test_an_answer_is_read_up_to_a_mebibyte(size: int, kind: type[Any]) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=bytes(size))

    async with provider(answer) as (caller, request, _):
        assert isinstance(await send(caller, request), kind)


async def test_an_unreachable_provider_is_called_again_with_a_new_signature_each_time() -> None:
    caller, times = Caller(paypal_builders.provider(), 5.0), list[datetime]()

    def build(at: datetime) -> HttpRequest:
        times.append(at)
        return HttpRequest("POST", UNREACHABLE_URL, {}, b"x")

    with pytest.raises(ProviderAwayError, match="paypal is not reached"):
        await caller.send(build)
    await caller.close()
    assert len(set(times)) == TRIES


async def test_without_a_request_no_call_is_made() -> None:
    caller = Caller(paypal_builders.provider(), 5.0)
    assert await caller.call(lambda at: None, lambda response, at: response) is None


async def test_an_answer_is_passed_to_the_reader_of_its_call() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=b"yes")

    async with provider(answer) as (caller, request, _):
        assert await caller.call(lambda at: request, lambda response, at: (response.body, at.tzinfo is not None)) == (
            b"yes",
            True,
        )


async def test_concurrent_calls_to_one_provider_are_limited() -> None:
    now, most = 0, 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        return web.Response()

    async with provider(answer) as (caller, request, requests):
        await asyncio.gather(*(send(caller, request) for _ in range(2 * IN_FLIGHT_MAX + 1)))
    assert (most, len(requests)) == (IN_FLIGHT_MAX, 2 * IN_FLIGHT_MAX + 1)


class Tokens:
    """A provider that issues tokens and accepts only the newest."""

    def __init__(self, lives_seconds: int = 3600, status: int = 200) -> None:
        self.given, self._lives, self._status = 0, lives_seconds, status

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/v1/oauth2/token":
            self.given += 1
            token = {"access_token": f"token-{self.given}", "expires_in": self._lives}
            return web.json_response(token, status=self._status)
        return web.Response(status=200 if request.headers["authorization"] == f"Bearer token-{self.given}" else 401)


async def send_with_token(caller: Caller, request: HttpRequest) -> object:
    response = await send(caller, HttpRequest(request.method, request.url, request.headers, request.body, bearer=True))
    return response.status if isinstance(response, HttpResponse) else response


async def test_a_token_is_used_until_a_minute_before_it_ends() -> None:
    for lives_seconds, given in ((3600, 1), (60, 3)):
        tokens = Tokens(lives_seconds)
        async with provider(tokens.answer) as (caller, request, _):
            assert [await send_with_token(caller, request) for _ in range(3)] == [200] * 3
        assert tokens.given == given


async def test_many_concurrent_calls_share_one_token() -> None:
    tokens = Tokens()
    async with provider(tokens.answer) as (caller, request, _):
        statuses = await asyncio.gather(*(send_with_token(caller, request) for _ in range(10)))
    assert (statuses, tokens.given) == ([200] * 10, 1)


async def test_a_token_that_was_revoked_is_not_used_again() -> None:
    tokens = Tokens()
    async with provider(tokens.answer) as (caller, request, _):
        assert await send_with_token(caller, request) == 200
        tokens.given += 1
        assert [await send_with_token(caller, request) for _ in range(2)] == [401, 200]


@pytest.mark.parametrize("status", [400, 401, 403, 429, 503])
async def test_without_a_token_no_call_is_made_and_the_result_is_unknown(status: int) -> None:
    """A refusal here would be read as a refusal of the refund or payment, although perhaps only our secret is wrong."""
    async with provider(Tokens(status=status).answer) as (caller, request, requests):
        assert await send_with_token(caller, request) == UnknownOutcome(f"no token: HTTP {status}")
        assert requests == ["POST /v1/oauth2/token grant_type=client_credentials"]


async def test_a_provider_that_accepts_no_connection_is_reported_as_away_and_not_as_an_unknown_outcome() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        queued = [socket.socket() for _ in range(3)]
        for one in queued:  # the accept queue is full, so the kernel answers no further connection
            one.setblocking(False)
            one.connect_ex(address)
        caller = Caller(paypal_builders.provider(), 2.0)
        request = HttpRequest("GET", f"http://127.0.0.1:{address[1]}/", {})
        try:
            with pytest.raises(ProviderAwayError):
                await caller.send(lambda at: request)
        finally:
            await caller.close()
            for one in queued:
                one.close()
