"""The settings of carriers: which ones, through which service, and for how long a call may take (S0-47)."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError

from workers import app, carriers
from workers.providers.port import UnknownOutcome
from workers.settings import Settings


def settings(**given: Any) -> Settings:
    return Settings(database_url="postgresql://h/db", amqp_url="amqp://worker:x@h/", **given)


def test_the_names_of_the_source_document_are_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (settings().fulfilment_timeout_seconds, settings().carrier_adapters) == (5.0, {})
    monkeypatch.setenv("OMS_CARRIERS", "sf; ups=poll; dhl=push")
    monkeypatch.setenv("FULFILLMENT_SERVICE_URL", "https://ship.test")
    monkeypatch.setenv("FULFILLMENT_TIMEOUT", "2.5")
    read = settings()
    assert read.shop.carriers == {"sf": "push", "ups": "poll", "dhl": "push"}
    assert list(read.carrier_adapters) == ["sf", "ups", "dhl"]
    assert read.carrier_adapters["ups"].track("W7").url == "https://ship.test/ups/waybills/W7"
    assert read.fulfilment_timeout_seconds == 2.5


@pytest.mark.parametrize("text", ["s.f", "sf=fax", "sf=", "sf; sf=poll", "s f"])
def test_a_wrong_carrier_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValidationError, match=r"'sf; ups=poll'|named twice"):
        settings(carriers=text)


def test_a_worker_serves_the_calls_to_carriers_if_it_knows_their_service() -> None:
    alone = settings(carriers="sf")
    served = {route.queue for route in app.all_routes((), alone)}
    assert served & {"carrier-calls.sf", "carrier-calls.sf.dlq"} == {"carrier-calls.sf.dlq"}
    with pytest.raises(app.UnknownQueueError, match="FULFILLMENT_SERVICE_URL"):
        app.all_routes(("carrier-calls.sf",), alone)
    able = settings(carriers="sf", OMS_FULFILMENT_SERVICE_URL="https://ship.test")
    assert {route.queue for route in app.all_routes((), able)} >= {"carrier-calls.sf", "carrier-calls.sf.dlq"}


async def test_a_call_to_a_carrier_ends_after_the_timeout_of_the_settings() -> None:
    async def sleep(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    service = web.Application()
    service.router.add_route("*", "/{path:.*}", sleep)
    async with TestServer(service) as server:
        origin = str(server.make_url("/"))
        app.configure_calls(
            settings(carriers="sf", OMS_FULFILMENT_SERVICE_URL=origin, OMS_FULFILMENT_TIMEOUT_SECONDS="0.2")
        )
        adapter = carriers.adapter("sf")
        assert adapter is not None
        async with asyncio.timeout(4):  # the default is 5 s
            answer = await carriers.caller("sf").call(
                lambda _: adapter.track("W7"), lambda response, _: adapter.read_history(response)
            )
        await carriers.close()
    app.configure_calls(settings())
    assert answer == UnknownOutcome("TimeoutError")
