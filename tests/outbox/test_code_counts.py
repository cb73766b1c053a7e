"""Alerts and rejections are counted by code when their transaction has committed (S3-38)."""

from contextlib import suppress

import pytest
from prometheus_client import REGISTRY

import outbox
from db.pool import Pool
from messages.base import AlertRaised, CommandRejected, Event
from outbox import code_counts
from outbox.bounded_label import BoundedLabel
from outbox.code_counts import CODES_MAX


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def alert(code: str = "RISK_BLOCKED") -> AlertRaised:
    return AlertRaised.of(code=code, title="t", content="c")


def rejection(type_: str, code: str = "ORDER_HELD") -> CommandRejected:
    return CommandRejected(command_id="c", type=type_, code=code, message="m")


async def append(pool: Pool, *events: Event) -> None:
    async with pool.acquire() as tx, tx.transaction():
        await outbox.append(tx, [outbox.event(event, because=None) for event in events])


async def test_what_a_transaction_announced_is_counted_once_it_has_committed(pool: Pool) -> None:
    def counts() -> tuple[float, float]:
        rejected = value("oms_rejections_total", message_type="order.cancel.v1", code="ORDER_HELD")
        return value("oms_alerts_total", code="RISK_BLOCKED", level="MEDIUM"), rejected

    alerts, rejections = counts()
    with outbox.noting_shards() as shards:
        await append(pool, alert(), alert(), rejection("order.cancel.v1"))
        assert counts() == (alerts, rejections)
    assert counts() == (alerts + 2, rejections + 1)
    assert shards
    with suppress(RuntimeError), outbox.noting_shards():
        await append(pool, alert())
        raise RuntimeError("rolled back")
    assert counts() == (alerts + 2, rejections + 1)


async def test_an_alert_names_the_queue_whose_handler_raised_it(pool: Pool) -> None:
    with outbox.announcing_as("refunds"):
        with outbox.collecting() as collected:
            await append(pool, alert())
        await append(pool, alert())
    await append(pool, AlertRaised.of(code="SYSTEM_ERROR", title="t", content="c", service="relay"))
    [inner] = [one.body for one in collected]
    assert isinstance(inner, AlertRaised)
    assert inner.service == "refunds"
    bodies = [bytes(row["body"]) for row in await pool.fetch("SELECT body FROM outbox ORDER BY id")]
    assert [AlertRaised.model_validate_json(body).service for body in bodies] == ["refunds", "relay"]


async def test_codes_of_others_take_no_label_from_an_alert(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_counts, "_CODES", BoundedLabel(CODES_MAX))
    name, labels = "oms_alerts_total", {"code": "PAY_STUCK", "level": "HIGH"}
    for number in range(CODES_MAX):
        code_counts.rejected("order.create.v1", f"NO_STOCK_OF_{number}")
    before = value(name, **labels)
    with outbox.noting_shards():
        await append(pool, alert("PAY_STUCK"))
    assert value(name, **labels) == before + 1


def test_labels_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_counts, "_CODES", BoundedLabel(1))
    assert code_counts._CODES.of("KNOWN") == "KNOWN"
    before = value("oms_rejections_total", message_type="other", code="other")
    code_counts.rejected("a.type.of.a.stranger", "A_NEW_CODE")
    code_counts.rejected("another.one", "ANOTHER_CODE", 2)
    assert value("oms_rejections_total", message_type="other", code="other") == before + 3
