"""What the shop submits against a dispute is recorded once, in time, and people are reminded before it is too late."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messages.disputes import DisputeDue, DisputeEvidenceObserved
from messages.payments import DisputeObserved
from messages.providers import ProviderDisputeEvidence
from scripts.commands.audit import check
from tests.handlers.builders import book, captured, update, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.refund_builders import dispute, evidence
from workers import shop
from workers.domain.shop import Policy, Shop
from workers.providers.evidence import DisputeEvidence
from workers.services import dispute_evidence
from workers.services.disputes import SUBMISSIONS_MAX, reminder_at

NOW = datetime.now(UTC)
DUE = NOW + timedelta(days=10)


def opened(due_at: datetime | None = DUE, **changes: Any) -> DisputeObserved:
    return dispute(due_at=due_at, **changes)


def codes(harness: HandlerHarness) -> list[str]:
    return [event["code"] for event in harness.events_of("command.rejected")]


def reminders(harness: HandlerHarness) -> list[dict[str, Any]]:
    return [alert for alert in harness.events_of("alert.raised") if alert["code"] == "PAY_DISPUTE_DUE"]


async def timers(harness: HandlerHarness) -> list[datetime]:
    rows = await harness.rows("SELECT due_at FROM timers WHERE kind = 'dispute'")
    return [due_at for (due_at,) in rows]


async def violations(harness: HandlerHarness) -> list[str]:
    async with harness.pool.acquire() as tx:
        return [found.id for found in await check(tx, grace_seconds=60.0) if found.violations]


GIVEN: dict[str, Any] = {"provider": "paypal", "to_provider": True}


def observed(number: int, state: Any = "accepted", **more: Any) -> DisputeEvidenceObserved:
    """PayPal's answer to a submission against the dispute D1."""
    return DisputeEvidenceObserved(provider="paypal", dispute_no="D1", number=number, state=state, **more)


async def paid_at_paypal(harness: HandlerHarness) -> int:
    """A paid order whose payment at PayPal is disputed."""
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(captured(order_id, 1000).model_copy(update={"provider": "paypal"}), trusted=True)
    await harness.handle(opened(provider="paypal"))
    return order_id


@pytest.fixture
async def order_id(harness: HandlerHarness) -> int:
    """A paid order of 1000."""
    await harness.fill_stock()
    return await harness.place_paid_order(("s1", 2))


async def test_evidence_is_recorded_once_and_announced_without_its_contents(
    harness: HandlerHarness, order_id: int
) -> None:
    await harness.handle(opened())
    await harness.handle(evidence(), evidence(), trusted=True)
    await harness.handle(evidence(), evidence("e2", "a", "b", description=None), trusted=True)
    events = harness.events_of("dispute.evidence_submitted")
    assert [(event["number"], event["references"], event["order_ids"]) for event in events] == [
        (1, 1, [str(order_id)]),
        (2, 2, [str(order_id)]),
    ]
    assert "proof" not in str(events)
    assert await harness.rows("SELECT number, evidence::text, actor_id FROM dispute_evidence ORDER BY number") == [
        (1, '["proof/1.pdf"]', "ops-7"),
        (2, '["a", "b"]', "ops-7"),
    ]
    [(about, key_id, ciphertext)] = await harness.rows(
        "SELECT about, key_id, ciphertext FROM free_texts WHERE type = 'dispute.submit_evidence'"
    )
    assert (about, key_id[:2], b"13812345678" in ciphertext) == (str(order_id), "u:", False)
    assert await violations(harness) == []


async def test_a_dispute_and_the_evidence_against_it_may_come_in_one_batch(
    harness: HandlerHarness, order_id: int
) -> None:
    await harness.handle_batch([harness.envelope(opened()), harness.envelope(evidence(), trusted=True)])
    assert await harness.rows("SELECT number FROM dispute_evidence") == [(1,)]


@pytest.mark.parametrize("state", ["closed", "lost", "won"])
async def test_evidence_after_the_decision_is_rejected(harness: HandlerHarness, order_id: int, state: str) -> None:
    await harness.handle(opened(), dispute(state, days=1))
    await harness.handle(evidence(), trusted=True)
    assert codes(harness) == ["PAY_DISPUTE_ENDED"]
    assert await harness.rows("SELECT number FROM dispute_evidence") == []
    assert await harness.rows("SELECT about FROM free_texts") == []


async def test_what_the_provider_says_to_evidence_is_recorded_once_and_a_refusal_calls_a_person(
    harness: HandlerHarness,
) -> None:
    order_id = await paid_at_paypal(harness)
    await harness.handle(evidence(**GIVEN), evidence("e2", **GIVEN), trusted=True)
    await harness.handle(evidence("e3", description=None, **GIVEN), trusted=True)
    assert codes(harness) == ["PAY_EVIDENCE_INVALID"], "references alone are nothing that a provider could read"
    [(_, first), (_, second)] = harness.provider_calls
    assert (first, second) == tuple(ProviderDisputeEvidence(dispute_no="D1", number=number) for number in (1, 2))
    accepted, refused = observed(1), observed(2, "refused", reason_code="TOO_LATE")
    await harness.handle(accepted, accepted, refused)
    await harness.handle(observed(1, "refused"), accepted, observed(3))
    events = harness.events_of("dispute.evidence_answered")
    assert [(event["number"], event["state"], event["reason_code"]) for event in events] == [
        (1, "accepted", None),
        (2, "refused", "TOO_LATE"),
    ]
    [alert] = [one for one in harness.events_of("alert.raised") if one["code"] == "PAY_EVIDENCE_REFUSED"]
    assert (alert["order_id"], "submission 2 against D1, TOO_LATE" in alert["content"]) == (str(order_id), True)
    assert await harness.rows("SELECT state FROM dispute_evidence ORDER BY number") == [("accepted",), ("refused",)]
    await harness.sweep("dispute")
    assert ["submitted 1 times" in alert["content"] for alert in reminders(harness)] == [True]


async def test_the_provider_gets_the_words_and_the_parcels_until_it_has_answered(harness: HandlerHarness) -> None:
    order_id = await paid_at_paypal(harness)
    await harness.handle(book(order_id, "T1", ("s1", 1)), book(order_id, "not gone", ("s1", 1)))
    await harness.handle(update(order_id, "T1", "outbound"))
    assert await harness.rows("SELECT count(*) FROM shipments") == [(2,)]
    await harness.handle(evidence(**GIVEN), trusted=True)
    call = harness.envelope(ProviderDisputeEvidence(dispute_no="D1", number=1))
    await harness.handle(update(order_id, "not gone", "outbound", event_id="left later"))
    async with harness.pool.acquire() as tx:
        found = await dispute_evidence.read(tx, "paypal", [call])
        assert found == {("D1", 1): DisputeEvidence("D1", 1, "signed by Ada, 13812345678", (("sf", "T1"),))}
        assert await dispute_evidence.read(tx, "stripe", [call]) == {}
    await harness.pool.execute("UPDATE shipments SET case_id = 7 WHERE tracking_no = 'T1'")
    async with harness.pool.acquire() as tx:
        [words_alone] = (await dispute_evidence.read(tx, "paypal", [call])).values()
        assert words_alone is not None
        assert words_alone.parcels == (), "goods of a case prove no delivery"
    await harness.pool.execute("DELETE FROM free_texts")
    async with harness.pool.acquire() as tx:
        assert await dispute_evidence.read(tx, "paypal", [call]) == {("D1", 1): None}
    await harness.handle(observed(1))
    async with harness.pool.acquire() as tx:
        assert await dispute_evidence.read(tx, "paypal", [call]) == {}


async def test_evidence_after_the_date_is_rejected(harness: HandlerHarness, order_id: int) -> None:
    await harness.handle(opened(NOW - timedelta(seconds=1)))
    await harness.handle(evidence(), trusted=True)
    assert codes(harness) == ["PAY_DISPUTE_OVERDUE"]
    await harness.handle(opened(None, days=1))
    await harness.handle(evidence("e2"), trusted=True)
    assert len(harness.events_of("dispute.evidence_submitted")) == 1, "the provider waits for no answer any more"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"dispute_no": "D404"}, "PAY_DISPUTE_NOT_FOUND"),
        ({"provider": "paypal"}, "PAY_DISPUTE_NOT_FOUND"),
        ({"evidence": (), "description": None}, "PAY_EVIDENCE_INVALID"),
        ({"evidence": tuple(f"photo/{n}" for n in range(10))}, "PAY_EVIDENCE_INVALID"),
        ({"evidence": ("x" * 513,)}, "PAY_EVIDENCE_INVALID"),
        ({"to_provider": True}, "PAY_EVIDENCE_INVALID"),
        ({"actor": user()}, "AUTH_FORBIDDEN"),
    ],
)
async def test_what_is_no_evidence_is_rejected(
    harness: HandlerHarness, order_id: int, changes: dict[str, Any], code: str
) -> None:
    await harness.handle(opened())
    await harness.handle(evidence(**changes), trusted=True)
    assert codes(harness) == [code]
    assert await harness.rows("SELECT number FROM dispute_evidence") == []


async def test_evidence_is_recorded_a_limited_number_of_times(harness: HandlerHarness, order_id: int) -> None:
    await harness.handle(opened())
    await harness.handle(*(evidence(f"e{n}") for n in range(SUBMISSIONS_MAX + 1)), trusted=True)
    assert codes(harness) == ["PAY_EVIDENCE_INVALID"]
    assert len(harness.events_of("dispute.evidence_submitted")) == SUBMISSIONS_MAX


async def test_people_are_reminded_once_before_the_date(harness: HandlerHarness, order_id: int) -> None:
    await harness.handle(opened())
    assert await timers(harness) == [DUE - timedelta(hours=48)]
    await harness.sweep("none")
    assert reminders(harness) == [], "it is early"
    await harness.sweep("dispute")
    [alert] = reminders(harness)
    assert (alert["order_id"], alert["level"]) == (str(order_id), "HIGH")
    assert DUE.isoformat(timespec="minutes") in alert["content"]
    assert "D1" in alert["content"]
    await harness.sweep("dispute")
    assert (len(reminders(harness)), await timers(harness)) == (1, [])
    assert await violations(harness) == []


async def test_another_date_is_another_reminder(harness: HandlerHarness, order_id: int) -> None:
    later = DUE + timedelta(days=5)
    await harness.handle(opened())
    await harness.sweep("dispute")
    await harness.handle(opened(later, days=1))
    assert await timers(harness) == [later - timedelta(hours=48)]
    await harness.handle(evidence(), trusted=True)
    await harness.sweep("dispute")
    assert [alert["level"] for alert in reminders(harness)] == ["HIGH", "HIGH"]
    assert "submitted 1 times" in reminders(harness)[-1]["content"]


@pytest.mark.parametrize("news", [dispute("won", days=1), dispute("lost", days=1), opened(None, days=1)])
async def test_a_dispute_that_needs_no_answer_has_no_timer(
    harness: HandlerHarness, order_id: int, news: DisputeObserved
) -> None:
    await harness.handle(opened())
    await harness.handle(news)
    assert await timers(harness) == []
    assert await violations(harness) == []


async def test_the_time_of_the_reminder_is_a_setting(harness: HandlerHarness, order_id: int) -> None:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0), dispute_reminder_seconds=60))
    await harness.handle(opened())
    assert await timers(harness) == [DUE - timedelta(seconds=60)]


@pytest.mark.parametrize(
    ("state", "due_at", "before_seconds", "at"),
    [
        ("opened", DUE, 3600, DUE - timedelta(hours=1)),
        ("opened", DUE, 0, None),
        ("opened", None, 3600, None),
        ("opened", NOW + timedelta(minutes=59), 3600, None),
        ("lost", DUE, 3600, None),
    ],
)
def test_when_people_are_reminded(
    state: str, due_at: datetime | None, before_seconds: int, at: datetime | None
) -> None:
    assert reminder_at(state, due_at, before_seconds, NOW) == at


async def test_a_reminder_that_is_early_doubled_or_overtaken_by_another_date_is_none(
    harness: HandlerHarness, order_id: int
) -> None:
    later = DUE + timedelta(days=5)
    await harness.handle(opened())
    [(key,)] = await harness.rows("SELECT id FROM payment_disputes")
    await harness.handle(DisputeDue(dispute_id=key))
    assert (reminders(harness), len(await timers(harness))) == ([], 1), "it is early"
    await harness.make_timers_due("dispute")
    await harness.handle(opened(later, days=1), DisputeDue(dispute_id=key))
    assert (reminders(harness), await timers(harness)) == ([], [later - timedelta(hours=48)]), "there is time again"
    await harness.make_timers_due("dispute")
    await harness.handle(DisputeDue(dispute_id=key), DisputeDue(dispute_id=key))
    assert (len(reminders(harness)), await timers(harness)) == (1, [])
