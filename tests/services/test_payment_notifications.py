"""Notifications that cannot be verified yet, and several that are verified in one batch, on a real database."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY

from messages.cells import Cell, parse_cells
from messages.payments import PaymentCallback
from messages.providers import ProviderCertificates, ProviderQuery, ProviderRefundQuery
from scripts.gateways.wechat_protocol import Platform
from tests.handlers.builders import create, receive, sku
from tests.handlers.harness import HandlerHarness
from tests.handlers.provider_calls import callback, start
from tests.providers import keys, paypal_builders, wechat_builders
from workers import providers
from workers.domain.ids import make_id
from workers.handlers import payment_results
from workers.runtime.batch import Batch
from workers.services.certificate_fetches import CertificateFetchLimiter
from workers.services.payment_notifications import CERTIFICATE_TRIES


@pytest.fixture(autouse=True)
def wechat(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(payment_results, "CERTIFICATE_FETCHES", CertificateFetchLimiter())
    providers.configure({"wechat": wechat_builders.provider()})
    yield
    providers.configure({})


def paid(serial: str = wechat_builders.OTHER_SERIAL, number: str = "P1") -> PaymentCallback:
    """A notification of a payment, signed with the certificate of this serial."""
    platform = Platform(serial, keys.private("wechat, next"), wechat_builders.APIV3_KEY.encode())
    now = datetime.now(UTC)
    return callback(
        "wechat",
        wechat_builders.notification(wechat_builders.transaction(out_trade_no=number), at=now, platform=platform),
    )


async def reasons(batch: Batch[Any]) -> list[tuple[str, bool]]:
    return [(verdict.reason, verdict.retry) for verdict in batch.verdicts.values()]


async def test_what_is_signed_under_an_unknown_serial_waits_for_its_certificate_which_is_fetched_once(
    harness: HandlerHarness,
) -> None:
    batch = await harness.handle(*(paid(number=f"P{n}") for n in range(5)))
    assert await reasons(batch) == [("certificate_unknown", True)] * 5
    assert harness.provider_calls == [
        ("wechat", ProviderCertificates(provider="wechat", serial=wechat_builders.OTHER_SERIAL))
    ]
    assert not harness.events_of("payment.callback_rejected")


async def test_what_a_fetched_certificate_signs_is_believed_beside_what_is_believed_without(
    harness: HandlerHarness,
) -> None:
    pem = wechat_builders.certificate("wechat, next", wechat_builders.OTHER_SERIAL)
    kept = "INSERT INTO provider_certificates (provider, serial, pem) VALUES ('wechat', $1, $2)"
    await harness.pool.execute(kept, wechat_builders.OTHER_SERIAL, pem)
    now = datetime.now(UTC)
    known = wechat_builders.notification(wechat_builders.transaction(out_trade_no="P1"), at=now)
    batch = await harness.handle(paid(number="P2"), callback("wechat", known), paid("5F1E", "P3"), paid(number="P4"))
    believed = ("order_unknown", True)
    assert await reasons(batch) == [believed, believed, ("certificate_unknown", True), believed]
    assert harness.provider_calls == [("wechat", ProviderCertificates(provider="wechat", serial="5F1E"))]


async def test_a_serial_that_the_provider_does_not_name_in_time_is_not_believed(harness: HandlerHarness) -> None:
    item = replace(harness.envelope(paid()), attempt=CERTIFICATE_TRIES)
    batch = await harness.handle_batch([item])
    await harness.relay()
    assert not batch.verdicts
    assert [event["code"] for event in harness.events_of("payment.callback_rejected")] == ["PAY_SIGNATURE_INVALID"]
    assert await harness.rows("SELECT verdict FROM payment_notifications") == [("rejected",)]
    assert harness.provider_calls == []


async def test_a_replayed_notification_with_one_try_is_not_rejected_before_its_certificate_was_fetched(
    harness: HandlerHarness,
) -> None:
    batch = await harness.handle_batch([replace(harness.envelope(paid()), attempt=7, replayed=True)])
    await harness.relay()
    assert await reasons(batch) == [("certificate_unknown", True)]
    assert len(harness.provider_calls) == 1
    assert not harness.events_of("payment.callback_rejected")


async def test_a_provider_of_another_worker_is_left_to_it(harness: HandlerHarness) -> None:
    batch = await harness.handle(callback("paypal", wechat_builders.notification(wechat_builders.transaction())))
    assert await reasons(batch) == [("provider_not_configured", True)]
    await harness.handle(callback("cowrie", wechat_builders.notification(wechat_builders.transaction())))
    assert [event["code"] for event in harness.events_of("payment.callback_rejected")] == ["PAY_METHOD_INVALID"]


async def test_a_paypal_notification_is_polled_because_paypal_signs_only_a_checksum(harness: HandlerHarness) -> None:
    providers.configure({"paypal": paypal_builders.provider()})
    await harness.handle(sku("d1", currency="USD"))
    await harness.handle(receive("d1", 9))
    await harness.handle(create(("d1", 2), currency="USD"))
    [created] = harness.events_of("order.created")
    await harness.handle(start(int(created["order_id"]), "paypal", "page", "pay-1"))
    [(attempt_id, number)] = await harness.rows("SELECT id, out_trade_no FROM payment_attempts")
    harness.provider_calls.clear()
    paid = paypal_builders.capture(custom_id=number)
    batch = await harness.handle(callback("paypal", paypal_builders.notification("PAYMENT.CAPTURE.COMPLETED", paid)))
    assert (batch.verdicts, harness.provider_calls) == ({}, [("paypal", ProviderQuery(attempt_id=attempt_id))])
    assert await harness.states() == ["awaiting_payment"]
    assert await harness.rows("SELECT verdict FROM payment_notifications") == [("believed",)]
    harness.provider_calls.clear()
    back = callback("paypal", paypal_builders.notification("PAYMENT.CAPTURE.REFUNDED", paypal_builders.refund()))
    await harness.handle(back)
    refund_no = paypal_builders.REFUND_ORDER.refund_no
    query = ProviderRefundQuery(
        refund_no=refund_no, trade_no=paypal_builders.CAPTURE, provider_no=paypal_builders.REFUND_ID
    )
    assert harness.provider_calls == [("paypal", query)]


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"oms_payment_callbacks_{name}_total", labels) or 0.0


async def test_believed_and_rejected_notifications_are_counted_with_one_label_for_unknown_providers(
    harness: HandlerHarness,
) -> None:
    known = wechat_builders.notification(wechat_builders.transaction(out_trade_no="P1"), at=datetime.now(UTC))
    strange = {"provider": "unknown", "code": "PAY_METHOD_INVALID"}
    believed, rejected = counted("believed", provider="wechat"), counted("rejected", **strange)
    await harness.handle(callback("wechat", known), *(callback(name, known) for name in ("cowrie", "shell")))
    await harness.handle(paid())
    assert counted("believed", provider="wechat") == believed + 1
    assert counted("rejected", **strange) == rejected + 2


async def test_a_notification_about_another_cells_payment_is_handed_on_and_not_kept(
    harness: HandlerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number shows only when it is read, and the other cell has to read it as if it had come there first."""
    monkeypatch.setattr(Batch, "cell", Cell("a", parse_cells("a:0-31,b:32-63")))
    ours, theirs = (make_id(1_764_460_800_000, shard, 1) for shard in (5, 40))
    notifications = [wechat_builders.transaction(out_trade_no=f"P{key}") for key in (ours, theirs)]
    now = datetime.now(UTC)
    batch = await harness.handle(
        *(callback("wechat", wechat_builders.notification(one, at=now)) for one in notifications)
    )
    assert [(verdict.reason, verdict.cell) for verdict in batch.verdicts.values()] == [
        ("order_unknown", None),
        ("wrong_cell", "b"),
    ]
    assert await harness.rows("SELECT about FROM payment_notifications") == [(f"P{ours}",)]
