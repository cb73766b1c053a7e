"""Alerts of what waits too long and of dead letters: each once, again after a time, never many (S3-38, S1-45)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from outbox import announcing_as
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold, release
from tests.handlers.stuck_scenes import PLAIN, age
from workers import shop
from workers.domain.standing_alerts import Watch
from workers.services.standing_alerts import raise_alerts
from workers.store import dead_letters
from workers.store.dead_letters import Letter

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    shop.configure(replace(PLAIN, watch=Watch(stuck_after_seconds={"payment": 300 * 86_400})))
    await harness.fill_stock(100)
    return harness


async def held(harness: HandlerHarness, name: str) -> int:
    order_id = await harness.place_order(("s1", 1))
    await harness.handle(hold(order_id, name), trusted=True)
    return order_id


async def raised(harness: HandlerHarness, after_seconds: float = 60.0) -> list[dict[str, Any]]:
    """Let a worker look so long after the last one that did; the alerts that it raised."""
    turn = "UPDATE progress SET at = at - make_interval(secs => $1) WHERE queue = 'timeouts'"
    await harness.pool.execute(turn, after_seconds)
    async with harness.pool.acquire() as tx, tx.transaction():
        with announcing_as("timeouts"):
            await raise_alerts(tx)
        return [orjson.loads(row["body"]) for row in await tx.fetch("DELETE FROM outbox RETURNING body")]


async def pass_time(harness: HandlerHarness, by: timedelta) -> None:
    await age(harness, by)
    await harness.pool.execute("UPDATE standing_alerts SET raised_at = raised_at - $1::interval", by)
    await harness.pool.execute("UPDATE dead_letters SET died_at = died_at - $1::interval", by)


async def test_all_stuck_things_of_a_kind_share_an_alert_that_is_raised_again(harness: HandlerHarness) -> None:
    first, _ = [await held(harness, f"h{number}") for number in range(2)]
    await pass_time(harness, DAY - HOUR)
    assert await raised(harness) == []
    await pass_time(harness, HOUR)
    [alert] = await raised(harness)
    assert (alert["code"], alert["level"], alert["service"]) == ("ORDER_STUCK", "MEDIUM", "timeouts")
    assert alert["title"] == "stuck: release"
    assert alert["content"].startswith(
        f"2 waiting for release longer than 1 d, 2 of them new; the oldest: order {first}"
    )
    assert alert["content"].endswith("Type: oms stuck --kind release")
    assert await raised(harness) == [], "each thing once"

    for number in range(2, 5):
        await held(harness, f"h{number}")
    await pass_time(harness, DAY - HOUR)
    assert await raised(harness) == []
    await pass_time(harness, HOUR)
    [again] = await raised(harness)
    assert again["content"].startswith("5 waiting for release longer than 1 d, 3 of them new; the oldest: ")
    assert again["content"].count("order ") == 3, "a few examples"
    await pass_time(harness, DAY - HOUR)
    assert await raised(harness) == []
    await pass_time(harness, HOUR)
    [still] = await raised(harness)
    assert still["content"].startswith("5 waiting for release longer than 1 d, 0 of them new")


async def test_new_things_wait_for_the_pause_and_what_is_known_late_is_news(harness: HandlerHarness) -> None:
    order_id = await held(harness, "h1")
    await pass_time(harness, DAY)
    assert [one["order_id"] for one in await raised(harness)] == [str(order_id)]
    await held(harness, "late")
    await harness.pool.execute("UPDATE order_holds SET placed_at = now() - interval '90 d'")
    assert await raised(harness) == [], "ten minutes have not passed"
    await pass_time(harness, timedelta(minutes=10))
    assert [one["content"].partition(";")[0] for one in await raised(harness)] == [
        "2 waiting for release longer than 1 d, 0 of them new"
    ]
    await harness.handle(release(order_id), trusted=True)
    harness.events.clear()
    assert await raised(harness) == []
    assert await harness.rows("SELECT name, count FROM standing_alerts") == [("release", 1)]


async def test_one_worker_at_a_time_has_the_turn(harness: HandlerHarness) -> None:
    await held(harness, "h1")
    await pass_time(harness, DAY)
    async with harness.pool.acquire() as tx, tx.transaction():
        await raise_alerts(tx)
        assert await raised(harness) == [], "another worker does not wait, and raises nothing"
    assert len(await raised(harness)) == 1, "that of the first worker, once it has committed, and no other"


async def test_of_many_workers_one_looks_each_minute(harness: HandlerHarness) -> None:
    assert await raised(harness) == []
    await held(harness, "h1")
    await pass_time(harness, DAY)
    assert await raised(harness, 49.0) == [], "another worker has just looked"
    assert len(await raised(harness, 2.0)) == 1


def letter(name: str, queue: str) -> Letter:
    nothing = dict.fromkeys(Letter.__dataclass_fields__)
    known = {"queue": queue, "message_id": name, "body_hash": name.encode(), "reason": "invalid", "attempts": 1}
    return Letter(**(nothing | known | {"body": b"{}", "headers": b"{}"}))  # type: ignore[arg-type]


async def died(harness: HandlerHarness, *letters: Letter) -> None:
    async with harness.pool.acquire() as tx:
        await dead_letters.keep(tx, letters)


async def test_dead_letters_are_alerted_when_they_come_and_when_they_grow_old(harness: HandlerHarness) -> None:
    await died(harness, letter("a", "stock"), letter("b", "stock"), letter("c", "refunds"))
    [new] = await raised(harness)
    assert (new["code"], new["level"]) == ("DEAD_LETTERS_NEW", "HIGH")
    assert new["content"].startswith("new dead letters: refunds 1, stock 2; 3 wait for a decision")
    assert await raised(harness) == []
    await died(harness, letter("d", "refunds"))
    await pass_time(harness, timedelta(minutes=10))
    [grown] = await raised(harness)
    assert grown["content"].startswith("new dead letters: refunds 1; 4 wait for a decision")
    await pass_time(harness, DAY)
    [old] = await raised(harness)
    assert (old["code"], old["level"]) == ("DEAD_LETTERS_OLD", "HIGH")
    assert old["content"].startswith("no decision for longer than 1 d: refunds 2, stock 2")
    await harness.pool.execute("UPDATE dead_letters SET state = 'discarded'")
    await pass_time(harness, 2 * DAY)
    assert await raised(harness) == []
