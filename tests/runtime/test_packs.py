"""Packs of items on a real broker: each item has its own outcome."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from yarl import URL

from outbox.relay import Relay
from outbox.settings import RelaySettings
from tests.runtime.builders import TIMER, pack, timers
from tests.runtime.harness import WorkerHarness, write_effects
from workers.runtime.batch import Verdict
from workers.runtime.errors import Failure
from workers.runtime.policy import fail
from workers.runtime.republish import explode_pack, take_out
from workers.runtime.route import Route


async def test_items_of_a_pack_are_handled_as_messages(harness: WorkerHarness) -> None:
    async with harness.running(Route("timeouts", write_effects)):
        sent = await harness.own_client.publish(TIMER, pack(1, 2, 3), exchange=harness.broker.names.internal)
        assert await harness.wait_for_effects(3) == [f"{sent}/{index}" for index in range(3)]


async def test_one_unreadable_item_of_a_pack_is_a_dead_letter_and_the_others_are_handled(
    harness: WorkerHarness,
) -> None:
    body = pack(1, 2, 3)
    body["items"][1]["body"]["kind"] = 7
    async with (
        harness.running(Route("timeouts", write_effects), own_users=f"{relay_user(harness)},{harness.own_client.user}"),
        relaying(harness),
    ):
        sent = await harness.own_client.publish(TIMER, body, exchange=harness.broker.names.internal)
        letter = await harness.client.dead_letter("timeouts")
        assert sorted(await harness.wait_for_effects(2)) == [f"{sent}/0/0", f"{sent}/2/0"]
    assert (letter["message_id"], letter["reason"], letter["error-type"]) == (f"{sent}/1", "invalid", "string_type")
    assert letter["error-path"] == "$.items[0].body.kind"
    assert orjson.loads(letter["body"]) == {"items": [body["items"][1]]}
    assert await harness.client.depth("timeouts") == 0


def test_an_item_that_leaves_a_replayed_pack_gets_a_letter_of_its_own() -> None:
    """The letter of the pack is done: if it were opened again, a replay would be a duplicate, and the item lost."""
    work = timers("m-1", 1, 2, **{"origin-user": "relay", "replay-of": "17"})
    assert work.replay_of == "17"
    left = [
        take_out("timeouts", 1, fail(work, Failure.of_verdict(Verdict("failed", "why", retry), b"{}"), 7))
        for retry in (True, False)
    ]
    left += explode_pack("timeouts", work, aside=False) + explode_pack("timeouts", work, aside=True)
    assert [(one.destination, "replay-of" in one.headers) for one in left] == [
        ("delay", False),
        ("dead", False),
        *[("queue", False)] * 4,
    ]


@asynccontextmanager
async def relaying(harness: WorkerHarness) -> AsyncIterator[None]:
    """Run a relay while the block runs."""
    stop = asyncio.Event()
    given: dict[str, Any] = {
        "database_url": harness.database_url,
        "amqp_url": harness.broker["relay"],
        "prefix": harness.broker.names.prefix,
    }
    async with asyncio.TaskGroup() as group:
        group.create_task(Relay(RelaySettings(**given)).run(stop))
        try:
            yield
        finally:
            stop.set()


def relay_user(harness: WorkerHarness) -> str:
    return str(URL(harness.broker["relay"]).user)
