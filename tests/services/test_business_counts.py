"""Payments, cases and parcels are counted once it has committed, as the tables have them (S0-44, S0-46)."""

from collections import Counter
from contextlib import suppress
from random import Random

import pytest
from prometheus_client import REGISTRY

import outbox
from outbox.bounded_label import BoundedLabel
from tests.handlers.builders import book, captured, update
from tests.handlers.case_builders import apply, end_refund, last, open_case, reopen, review
from tests.handlers.case_stories import PRICES, Story
from tests.handlers.harness import HandlerHarness
from tests.handlers.statement_builders import configure_fake_statements, reconcile, statement_of
from tests.metric_values import metric_value
from workers import providers
from workers.handlers.reconciliations import prepare_counts

COUNTED = ("oms_payments", "oms_after_sales", "oms_after_sale_refunds_failed", "oms_parcels")
ENDED = "('completed', 'rejected', 'revoked', 'closed', 'unreturned')"
TABLES = {
    "oms_payments_total": "SELECT provider, CASE kind WHEN 'failed' THEN 'failure' ELSE 'success' END, count(*)"
    " FROM payment_facts GROUP BY 1, 2",
    "oms_after_sales_total": f"SELECT c.type, s.cur_state, count(*) FROM after_sale_steps s JOIN after_sales c"
    f" ON c.id = s.case_id WHERE s.cur_state IN {ENDED} AND s.pre_state NOT IN {ENDED} GROUP BY 1, 2",
    "oms_after_sale_refunds_failed_total": "SELECT c.type, count(*) FROM after_sale_steps s JOIN after_sales c"
    " ON c.id = s.case_id WHERE s.trigger = 'refund_failed' GROUP BY 1",
    "oms_parcels_total": "SELECT f.carrier, replace(f.status, 'loss_confirmed', 'lost'), count(DISTINCT f.shipment_id)"
    " FROM shipment_facts f JOIN shipments s ON s.id = f.shipment_id WHERE s.case_id IS NULL AND f.status IN"
    " ('delivered', 'delayed', 'lost', 'loss_confirmed', 'refused', 'undeliverable') GROUP BY 1, 2",
}
DURATIONS = "SELECT sum(extract(epoch FROM at - requested_at))::float8 FROM after_sale_steps s JOIN after_sales c"
DURATIONS += f" ON c.id = s.case_id WHERE s.cur_state IN {ENDED} AND s.pre_state NOT IN {ENDED}"


def counted() -> Counter[tuple[str, ...]]:
    """(name, the values of its labels in the order of the statements above) -> the counter of this process."""
    samples = [sample for metric in REGISTRY.collect() if metric.name in COUNTED for sample in metric.samples]
    order = ("provider", "type", "carrier", "result", "event")
    return Counter({(s.name, *(s.labels[n] for n in order if n in s.labels)): int(s.value) for s in samples})


def seconds() -> float:
    """How long the cases of this process took, in all."""
    samples = [sample for metric in REGISTRY.collect() for sample in metric.samples]
    return sum(sample.value for sample in samples if sample.name == "oms_after_sale_duration_seconds_sum")


async def test_payments_cases_and_parcels_are_counted_as_the_tables_have_them(harness: HandlerHarness) -> None:
    for sku_id, price in PRICES.items():
        await harness.fill_stock(100, price, [sku_id])
    before, seconds_before = counted(), seconds()
    order_id = await harness.place_order(("s1", 3), ("s2", 2))
    await harness.handle(captured(order_id, 2500, "f", kind="failed"), trusted=True)
    await harness.pay(order_id)
    story = Story(harness, Random(7), order_id)
    await story.begin(exchanges=True)
    for _ in range(30):
        await story.step()
    await story.end()
    order_id = await harness.place_another_paid_order(("s1", 1))
    await harness.deliver(order_id)
    await harness.handle(review(await open_case(harness, apply(order_id, (1, 1)))), trusted=True)
    await end_refund(harness, "failed")
    order_id = await harness.place_another_paid_order(("s1", 1))
    await harness.deliver(order_id)
    opened = await open_case(harness, apply(order_id, (1, 1), type="return_refund"))
    await harness.handle(review(opened, "reject"), trusted=True)
    await harness.handle(reopen(last(harness)))
    await harness.handle(review(last(harness), "reject"), trusted=True)
    order_id = await harness.place_another_paid_order(("s1", 1))
    await harness.handle(book(order_id, "lost"))
    await harness.handle(*(update(order_id, "lost", status) for status in ("delayed", "lost", "loss_confirmed")))
    found = counted() - before
    tables = [(name, row) for name, query in TABLES.items() for row in await harness.rows(query)]
    assert found == {(name, *labels): number for name, (*labels, number) in tables}
    assert {name for name, *_ in found} == set(TABLES)
    assert found["oms_after_sales_total", "return_refund", "rejected"] == 2
    assert (found["oms_parcels_total", "sf", "lost"], found["oms_parcels_total", "sf", "delayed"]) == (1, 1)
    [(duration,)] = await harness.rows(DURATIONS)
    assert seconds() - seconds_before == pytest.approx(duration, abs=0.5)


async def test_differences_of_a_statement_are_counted_from_nothing_once_they_are_committed(
    harness: HandlerHarness,
) -> None:
    configure_fake_statements("alipay")
    prepare_counts(providers.configured())
    name, about = "oms_reconciliation_differences_total", {"provider": "alipay", "kind": "missing_here"}
    item = harness.envelope(reconcile(statement_of("capture X9 t9 5 CNY")), trusted=True)
    before = REGISTRY.get_sample_value(name, about)
    assert before is not None, "an increase from nothing is none for Prometheus"
    with suppress(RuntimeError), outbox.noting_shards():
        async with harness.pool.acquire() as tx, tx.transaction():
            await harness.run_handler(tx, [item])
            raise RuntimeError("the commit fails")
    assert metric_value(name, **about) == before
    await harness.handle_batch([item])
    assert metric_value(name, **about) == before + 1
    providers.configure({})


def test_a_label_takes_so_many_values_and_then_other() -> None:
    label = BoundedLabel(2)
    assert [label.of(name) for name in ("sf", "ups", "dhl", "sf")] == ["sf", "ups", "other", "sf"]
