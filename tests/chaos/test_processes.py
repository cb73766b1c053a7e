"""Processes that die, at any moment and at the worst ones. Every command ends once, nothing is lost or doubled."""

import signal

import pytest

from tests.chaos.conftest import HEARD
from tests.chaos.deployment import Plant, Rush, told_once

pytestmark = [pytest.mark.chaos, pytest.mark.asyncio(loop_scope="module")]


async def test_a_worker_and_a_relay_killed_in_the_middle(plant: Plant) -> None:
    worker, relay = plant.start("worker"), plant.start("relay")
    plant.start("worker")
    plant.start("relay")
    rush = Rush(plant, 300)
    await rush.order()
    await rush.decided(0.2)
    for process in (worker, relay):
        process.send_signal(signal.SIGKILL)
        assert await plant.ended(process) == -signal.SIGKILL
    plant.start("worker")
    plant.start("relay")
    await rush.decided()
    await rush.pay_and_cancel()
    await rush.ends_well()
    await told_once(plant, HEARD)


async def test_sigterm_finishes_what_was_begun_and_gives_the_rest_back(plant: Plant) -> None:
    rush = Rush(plant, 300)
    await rush.order()
    await rush.decided(0.1)
    assert set(await plant.stop()) == {0}
    assert await plant.ask("SELECT count(*) FROM outbox_shards WHERE owner IS NOT NULL") == 0
    plant.start("worker")
    plant.start("relay")
    await rush.decided()
    await rush.pay_and_cancel()
    await rush.ends_well()
    await told_once(plant, HEARD)
    assert await plant.ask("SELECT count(*) FROM dead_letters") == 0


@pytest.mark.parametrize(
    ("role", "point"),
    [
        ("worker", "before_commit"),
        ("worker", "after_commit"),
        ("worker", "after_retry_publish"),
        ("relay", "relay.before_publish"),
        ("relay", "relay.after_confirm"),
    ],
)
async def test_a_process_that_dies_at_the_worst_moment(plant: Plant, role: str, point: str) -> None:
    await plant.stop()
    victim = plant.start(role, OMS_CRASHPOINT=point)
    plant.start("relay" if role == "worker" else "worker")
    rush = Rush(plant, 30)
    letters = await plant.ask("SELECT count(*) FROM dead_letters")
    if point == "after_retry_publish":
        await plant.say("upstream", [("order.create", {"no": "order"})])
    await rush.order()
    assert await plant.ended(victim) == 137
    plant.start(role)
    await rush.decided()
    await rush.pay_and_cancel()
    await rush.ends_well()
    await told_once(plant, HEARD)
    again = await plant.ask("SELECT count(*) FROM dead_letters")
    assert again - letters == (point == "after_retry_publish")
