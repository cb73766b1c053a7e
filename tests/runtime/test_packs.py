"""Packs of items on a real broker: each item has a fate of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from yarl import URL

from outbox.relay import Relay
from outbox.settings import RelaySettings
from tests.runtime.builders import TIMER, pack
from tests.runtime.conftest import Shop, write_effects
from workers.runtime.route import Route


async def test_items_of_a_pack_are_handled_as_messages(shop: Shop) -> None:
    async with shop.running(Route("timeouts", write_effects)):
        sent = await shop.own.publish(TIMER, pack(1, 2, 3), exchange=shop.broker.names.internal)
        assert await shop.handled(3) == [f"{sent}/{index}" for index in range(3)]


async def test_one_unreadable_item_of_a_pack_is_a_dead_letter_and_the_others_are_handled(shop: Shop) -> None:
    body = pack(1, 2, 3)
    body["items"][1]["body"]["kind"] = 7
    async with (
        shop.running(Route("timeouts", write_effects), own_users=f"{relay_user(shop)},{shop.own.user}"),
        relaying(shop),
    ):
        sent = await shop.own.publish(TIMER, body, exchange=shop.broker.names.internal)
        letter = await shop.client.dead_letter("timeouts")
        assert sorted(await shop.handled(2)) == [f"{sent}/0/0", f"{sent}/2/0"]
    assert (letter["message_id"], letter["reason"], letter["error-type"]) == (f"{sent}/1", "invalid", "string_type")
    assert letter["error-path"] == "$.items[0].body.kind"
    assert orjson.loads(letter["body"]) == {"items": [body["items"][1]]}
    assert await shop.client.depth("timeouts") == 0


@asynccontextmanager
async def relaying(shop: Shop) -> AsyncIterator[None]:
    """What the outbox holds is published while the block runs."""
    stop = asyncio.Event()
    given: dict[str, Any] = {
        "database_url": shop.database_url,
        "amqp_url": shop.broker["relay"],
        "prefix": shop.broker.names.prefix,
    }
    async with asyncio.TaskGroup() as group:
        group.create_task(Relay(RelaySettings(**given)).run(stop))
        try:
            yield
        finally:
            stop.set()


def relay_user(shop: Shop) -> str:
    return str(URL(shop.broker["relay"]).user)
