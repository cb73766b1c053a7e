"""Processes that die, at any moment and at chosen ones. Every command ends once, and nothing is lost or doubled."""

import signal

import pytest

from tests.chaos.deployment import Deployment
from tests.chaos.order_batch import OrderBatch, assert_history_holds

pytestmark = [pytest.mark.chaos, pytest.mark.asyncio(loop_scope="module")]


async def test_a_worker_and_a_relay_killed_in_the_middle(deployment: Deployment) -> None:
    worker, relay = deployment.start("worker"), deployment.start("relay")
    deployment.start("worker")
    deployment.start("relay")
    orders = OrderBatch(deployment, 300)
    await orders.order()
    await orders.wait_until_decided(0.2)
    for process in (worker, relay):
        process.send_signal(signal.SIGKILL)
        assert await deployment.ended(process) == -signal.SIGKILL
    deployment.start("worker")
    deployment.start("relay")
    await orders.wait_until_decided()
    await orders.pay_and_cancel()
    await orders.assert_ended_well()
    await assert_history_holds(deployment)


async def test_sigterm_finishes_what_was_begun_and_gives_the_rest_back(deployment: Deployment) -> None:
    await deployment.run()
    orders = OrderBatch(deployment, 300)
    await orders.order()
    await orders.wait_until_decided(0.1)
    assert set(await deployment.stop()) == {0}
    assert await deployment.query("SELECT count(*) FROM outbox_shards WHERE owner IS NOT NULL") == 0
    deployment.start("worker")
    deployment.start("relay")
    await orders.wait_until_decided()
    await orders.pay_and_cancel()
    await orders.assert_ended_well()
    await assert_history_holds(deployment)
    assert await deployment.query("SELECT count(*) FROM dead_letters") == 0


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
async def test_a_process_that_is_killed_at_a_named_point(deployment: Deployment, role: str, point: str) -> None:
    await deployment.run()
    await deployment.stop()
    victim = deployment.start(role, OMS_CRASHPOINT=point)
    deployment.start("relay" if role == "worker" else "worker")
    orders = OrderBatch(deployment, 30)
    letters = await deployment.query("SELECT count(*) FROM dead_letters")
    if point == "after_retry_publish":
        await deployment.publish("upstream", [("order.create", {"no": "order"})])
    await orders.order()
    assert await deployment.ended(victim) == 137
    deployment.start(role)
    await orders.wait_until_decided()
    await orders.pay_and_cancel()
    await orders.assert_ended_well()
    await assert_history_holds(deployment)
    again = await deployment.query("SELECT count(*) FROM dead_letters")
    assert again - letters == (point == "after_retry_publish")
