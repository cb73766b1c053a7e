"""The settings of carriers: which ones, through which service, and for how long a call may take (S0-47)."""

from typing import Any

import pytest
from pydantic import ValidationError

from workers import app
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
