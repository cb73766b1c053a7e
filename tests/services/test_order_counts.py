"""What becomes of orders is counted once it has committed, as the log and the dashboard count it (S0-44, S0-46)."""

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from random import Random

import pytest
from prometheus_client import REGISTRY

import outbox
from messages.dashboards import DashboardGet, DashboardShown
from tests.handlers.builders import OPERATOR, captured, create
from tests.handlers.day_builders import folded, live, paid, stock_up
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask
from tests.metric_values import metric_value
from workers.domain.order import CancelType

CAUSES = "SELECT cancel_type FROM orders WHERE state = 'cancelled' AND kind <> 'exchange' AND parent_id IS NULL"


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    await stock_up(harness)
    return harness


def count(name: str, **labels: str) -> int:
    return int(metric_value(name, **labels))


def counted() -> Counter[str]:
    """The counters of this process, by the names that the fold of the log has for them."""
    names = {"created": ("create", "success"), "paid": ("pay", "success"), "unpaid": ("pay", "failure")}
    found = Counter({name: count(f"oms_order_{what}_total", result=r) for name, (what, r) in names.items()})
    found |= {f"cancelled {cause}": count("oms_order_cancel_total", cause=cause) for cause in CancelType}
    found["not created"] = count("oms_order_create_total", result="failure")
    found |= {
        f"{saga} {result}": count("oms_sagas_total", saga=saga, result=result)
        for saga in ("placing", "reinstating")
        for result in ("success", "failure", "timeout")
    }
    for what, result in (("create", "success"), ("create", "failure"), ("pay", "success"), ("pay", "failure")):
        found[f"{what} {result} timed"] = count(f"oms_order_{what}_duration_seconds_count", result=result)
    return found


def rejections() -> int:
    """The commands of all types that were rejected."""
    samples = [sample for metric in REGISTRY.collect() for sample in metric.samples]
    return int(sum(sample.value for sample in samples if sample.name == "oms_rejections_total"))


async def test_orders_are_counted_as_the_log_and_the_dashboard_count_them(harness: HandlerHarness) -> None:
    before, rejected_before = counted(), rejections()
    await live(harness, 24, Random(44))
    found = counted() - before
    log = sum((await folded(harness)).values(), start=Counter[str]())
    assert {name: found[name] for name in ("created", "paid", "unpaid")} == {
        name: log[name] for name in ("created", "paid", "unpaid")
    }
    assert sum(found[f"cancelled {cause}"] for cause in CancelType) == log["cancelled"]
    ended = Counter(row[0] for row in await harness.rows(CAUSES))
    late = {"timeout": found["reinstating success"]}  # these live again
    assert {c: n for c in CancelType if (n := found[f"cancelled {c}"] - late.get(c, 0))} == ended
    assert len(ended) >= 4
    assert found["placing success"] == found["created"] == found["create success timed"]
    assert found["create failure timed"] == found["not created"] == log["exceptions"]
    assert found["placing timeout"] > 0 < found["placing failure"]
    assert (found["pay success timed"], found["pay failure timed"]) == (found["paid"], found["unpaid"])
    assert found["reinstating success"] > 0
    [reply] = await ask(harness, DashboardGet(actor=OPERATOR), now=datetime.now(UTC))
    assert isinstance(reply, DashboardShown)
    assert (reply.total_orders, reply.paid_orders) == (found["created"], found["paid"])
    assert (reply.cancelled_orders, reply.exception_count) == (log["cancelled"], found["not created"])
    assert reply.exception_count == rejections() - rejected_before


async def test_a_repeat_and_a_transaction_that_fails_count_nothing(harness: HandlerHarness) -> None:
    order_id = await paid(harness, ("s1", 1))
    waiting = await harness.create_order(create(("s1", 1), request_id="waits", expected_pay_amount=500))
    before = counted()
    await harness.handle(captured(order_id, 500, f"t-{order_id}"), trusted=True)
    with suppress(RuntimeError), outbox.noting_shards():
        async with harness.pool.acquire() as tx, tx.transaction():
            await harness.run_handler(tx, [harness.envelope(captured(waiting, 500, "t-2"), trusted=True)])
            raise RuntimeError("the commit fails")
    assert counted() == before
    await harness.handle(captured(waiting, 500, "t-2"), trusted=True)
    assert (counted() - before)["paid"] == 1
