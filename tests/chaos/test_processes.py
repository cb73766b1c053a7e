"""Processes that die, at any moment and at chosen ones. Every command ends once, and nothing is lost or doubled."""

import signal

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from scripts.servers.ports import free_ports
from tests.chaos.deployment import Deployment
from tests.chaos.order_batch import OrderBatch, assert_history_holds

pytestmark = pytest.mark.chaos


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
    await deployment.stop(role)
    victim = deployment.start(role, OMS_CRASHPOINT=point)
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


SERIES_MAX = 600
LOG = """
SELECT count(*) FILTER (WHERE pre_state = 'placing' AND cur_state = 'awaiting_payment') || ' created, '
    || count(*) FILTER (WHERE pre_state = 'awaiting_payment' AND cur_state = 'paid') || ' paid, '
    || count(*) FILTER (WHERE cur_state = 'cancelled' AND pre_state <> 'cancelled') || ' cancelled'
FROM operate_logs WHERE at > $1
"""


async def test_a_worker_counts_what_the_log_has_and_has_few_series(deployment: Deployment) -> None:
    await deployment.stop()
    since = await deployment.query("SELECT clock_timestamp()")
    (port,) = free_ports(1)
    deployment.start("worker", OMS_OPS_PORT=str(port), OMS_OPS_HOST="127.0.0.1")
    deployment.start("relay")
    orders = OrderBatch(deployment, 30)
    await orders.order()
    await orders.wait_until_decided()
    await orders.pay_and_cancel()
    await orders.assert_ended_well()
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}/metrics") as answer:
        families = list(text_string_to_metric_families(await answer.text()))
    samples = [sample for family in families for sample in family.samples]
    found = {(sample.name, sample.labels.get("result")): sample.value for sample in samples}
    created, paid = found["oms_order_create_total", "success"], found["oms_order_pay_total", "success"]
    cancelled = sum(sample.value for sample in samples if sample.name == "oms_order_cancel_total")
    assert f"{created:.0f} created, {paid:.0f} paid, {cancelled:.0f} cancelled" == await deployment.query(LOG, since)
    assert created > paid > 0 < cancelled
    assert len(samples) < SERIES_MAX, len(samples)
