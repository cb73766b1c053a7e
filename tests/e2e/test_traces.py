"""The trace of a client's message has every event, reply and dead letter that follows from it."""

import orjson

from tests.e2e.system import RunningSystem, order_create

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACED = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "tracestate": "shop=buy"}


def raw(headers: dict[str, str]) -> dict[bytes, bytes]:
    return {name.encode(): text.encode() for name, text in headers.items()}


async def test_an_order_stays_in_the_trace_of_its_request(system: RunningSystem) -> None:
    body = order_create()
    await system.publish(body, headers=raw(TRACED))
    key = orjson.loads(body)["request_id"]
    (created,) = await system.upstream.wait_for_events("order.created", request_id=key)
    print(created["headers"])
    assert {name: created["headers"].get(name) for name in TRACED} == TRACED
