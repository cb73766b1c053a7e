"""The overview counts messages and consumers, and says how long the oldest message has waited at most that is known."""

import asyncio
import socket
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from scripts.commands.problems import CommandError
from scripts.console import queue_depths
from scripts.console.queue_depths import QueueDepth, QueueWatch
from tests.broker import TIERS_SECONDS, Broker, declare_some

ANSWER = [
    {"name": "oms.stock", "messages_ready": 30, "messages_unacknowledged": 10, "consumers": 2,
     "message_stats": {"ack_details": {"rate": 8.0}}},
    {"name": "oms.stock.dlq", "messages_ready": 3, "messages_unacknowledged": 0, "consumers": 0, "message_stats": []},
    {"name": "oms.refunds", "messages_ready": 0, "messages_unacknowledged": 0, "consumers": 0},
    {"name": "oms.delay.1s", "messages_ready": 4, "messages_unacknowledged": 0, "consumers": 0},
    {"name": "of.another.program", "messages_ready": 4, "messages_unacknowledged": 0, "consumers": 0},
    {"name": "oms.carts"},
]  # fmt: skip


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment of a console without a broker."""
    monkeypatch.setenv("OMS_DATABASE_URL", "postgresql://localhost/none")
    for name in ("OMS_AMQP_URL", "OMS_MANAGEMENT_URL", "OMS_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


async def test_the_management_interface_says_how_deep_queues_are(variables: pytest.MonkeyPatch) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.raw_path.startswith("/api/queues/shop%20a?columns=name,")
        return web.json_response(ANSWER)

    app = web.Application()
    app.router.add_get("/api/queues/{vhost}", answer)
    async with TestServer(app) as server:
        variables.setenv("OMS_MANAGEMENT_URL", f"http://ana:secret@127.0.0.1:{server.port}")
        variables.setenv("OMS_AMQP_URL", "amqp://ana:secret@127.0.0.1/shop%20a")
        found = {one.name: one for one in await QueueWatch().read()}
    stock = found["stock"]
    assert (stock.ready, stock.under_way, stock.consumers, stock.dead, stock.oldest) == (30, 10, 2, 3, (5.0, "about"))
    assert {name: (one.in_use, one.unserved) for name, one in found.items()} == {
        "stock": (True, False),
        "refunds": (False, True),
        "delay.1s": (False, False),  # its messages wait for their time
    }
    with pytest.raises(CommandError, match="not looked at") as gone:
        await QueueWatch().read()
    assert "secret" not in gone.value.text


async def test_an_interface_that_says_nothing_keeps_the_page_waiting_for_seconds_only(
    variables: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        variables.setattr(queue_depths, "ANSWER_SECONDS", 0.1)
        variables.setenv("OMS_MANAGEMENT_URL", f"http://ana:secret@127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(CommandError, match="not looked at"):
            await asyncio.wait_for(QueueWatch().read(), 20)


async def test_without_it_the_broker_itself_counts(variables: pytest.MonkeyPatch, broker: Broker) -> None:
    with pytest.raises(CommandError) as unknown:
        await QueueWatch().read()
    assert "export OMS_MANAGEMENT_URL=" in unknown.value.text
    await declare_some(broker, TIERS_SECONDS, "stock")
    variables.setenv("OMS_AMQP_URL", broker["worker"])
    variables.setenv("OMS_PREFIX", broker.names.prefix)
    [stock] = [one for one in await QueueWatch().read() if one.name == "stock"]
    assert (stock.ready, stock.consumers, stock.unserved, stock.oldest) == (0, 0, True, (0.0, ""))


@pytest.mark.parametrize(
    ("about", "oldest"),
    [
        ({"ready": 0}, (0.0, "")),
        ({"ready": 4, "filled_seconds": 7.0}, (7.0, "at least")),
        ({"ready": 4, "filled_seconds": 7.0, "handled_per_second": 2.0}, (2.0, "about")),
    ],
)
def test_the_age_of_the_oldest_message_is_a_guess_that_says_so(about: Mapping[str, Any], oldest: Any) -> None:
    empty: dict[str, Any] = {"name": "stock", "under_way": 0, "consumers": 0, "dead": 0}
    assert QueueDepth(**empty, **about).oldest == oldest
