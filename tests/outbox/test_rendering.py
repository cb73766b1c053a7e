"""How the renderer turns a row into a publish, tested without a broker."""

from datetime import UTC, datetime
from typing import Any

import pytest

from messages.topology import Names
from outbox.rendering import Renderer

NAMES = Names("shop")
ROW: dict[str, Any] = {
    "message_id": "m",
    "type": "t.v1",
    "routing_key": "k",
    "correlation_id": "c",
    "headers": b"{}",
    "body": b"{}",
    "key_id": None,
    "must_route": True,
    "created_at": datetime(2026, 5, 4, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("destination", "routing_key", "exchange", "key"),
    [
        ("internal", "stock.commit", "shop.internal", "stock.commit"),
        ("events", "order.paid", "shop.events", "order.paid"),
        ("delay", "30s.timeouts", "shop.delay", "30s.shop.timeouts"),
        ("delay", "30s.provider-calls.wechat", "shop.delay", "30s.shop.provider-calls.wechat"),
        ("queue", "stock", "", "shop.stock"),
        ("dead", "stock", "shop.dlx", "shop.stock"),
        ("reply", "client.7", "", "client.7"),
    ],
)
def test_each_destination_has_its_exchange_and_key(destination: str, routing_key: str, exchange: str, key: str) -> None:
    one = Renderer(NAMES, user="relay").render(ROW | {"destination": destination, "routing_key": routing_key})  # type: ignore[arg-type]
    assert (one.exchange, one.routing_key, one.mandatory) == (exchange, key, True)
    assert one.properties.user_id == "relay"


def test_the_plugin_gets_the_delay_in_milliseconds_and_messages_are_never_returned() -> None:
    row = ROW | {"destination": "delay", "routing_key": "1800s.timeouts"}
    one = Renderer(NAMES, user="relay", delay_plugin=True).render(row)  # type: ignore[arg-type]
    assert (one.exchange, one.routing_key, one.mandatory) == ("shop.delay-plugin", "1800s.shop.timeouts", False)
    assert one.properties.headers == {"x-delay": 1_800_000}
