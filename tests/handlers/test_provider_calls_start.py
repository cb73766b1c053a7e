"""The answers of a provider to the start of an attempt and their effects, on a real database."""

from typing import Any

import pytest

from messages.providers import ProviderStart
from tests.handlers.alipay_payments import start
from tests.handlers.harness import HandlerHarness
from tests.handlers.provider_answers import NO_ANSWER, NOT_FOUND, OpenAttempt
from workers.handlers.provider_calls import START_TRIES
from workers.providers.port import ClientAction, ProviderRefusal


@pytest.fixture
async def requested_attempt(harness: HandlerHarness, alipay_configured: None) -> OpenAttempt:
    """An attempt with a QR code, which needs a call to the provider."""
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(start(order_id, 1000, scene="qr"))
    [(_, message)] = harness.provider_calls
    assert isinstance(message, ProviderStart)
    assert not harness.events_of("payment.started")
    [(number,)] = await harness.rows("SELECT out_trade_no FROM payment_attempts")
    return OpenAttempt(harness, message.attempt_id, number)


OPENINGS = [
    (ClientAction("qr", "https://qr.example/1"), 0, "requested", None, True),
    (ProviderRefusal("ACQ.SYSTEM_ERROR", "no"), 0, "failed", "PAY_PROVIDER_ERROR", False),
    (NO_ANSWER, 0, "created", None, True),
    (NO_ANSWER, START_TRIES - 1, "unknown", "PAY_PROVIDER_UNKNOWN", True),
]


@pytest.mark.parametrize(("answer", "attempt", "state", "code", "watched"), OPENINGS)
async def test_a_start_is_answered_once_the_provider_has_answered_or_failed_to_too_often(  # noqa: PLR0917
    requested_attempt: OpenAttempt, answer: Any, attempt: int, state: str, code: str | None, watched: bool
) -> None:
    open_attempt = requested_attempt
    batch = await open_attempt.take_answer(ProviderStart(attempt_id=open_attempt.attempt_id), answer, attempt)
    assert bool(batch.verdicts) == (state == "created")
    assert (await open_attempt.state(), await open_attempt.has_timer()) == (state, watched)
    assert [event["code"] for event in open_attempt.harness.events_of("command.rejected")] == ([code] if code else [])
    assert [event["url"] for event in open_attempt.harness.events_of("payment.started")] == (
        ["https://qr.example/1"] if state == "requested" else []
    )


async def test_a_start_that_is_delivered_again_is_answered_once_and_leaves_the_attempt_open(
    requested_attempt: OpenAttempt,
) -> None:
    open_attempt = requested_attempt
    for _ in range(2):
        await open_attempt.take_answer(
            ProviderStart(attempt_id=open_attempt.attempt_id), ClientAction("qr", "https://qr.example/1")
        )
    assert (
        len(open_attempt.harness.events_of("payment.started")),
        open_attempt.harness.events_of("command.rejected"),
    ) == (1, [])
    assert (await open_attempt.state(), open_attempt.calls) == ("requested", [])


async def test_an_attempt_that_the_provider_opens_too_late_is_closed_and_never_handed_out(
    requested_attempt: OpenAttempt,
) -> None:
    """The provider may have received the close of the attempt before it knew the attempt."""
    open_attempt = requested_attempt
    await open_attempt.harness.pool.execute("UPDATE payment_attempts SET state = 'closing'")
    await open_attempt.take_answer(
        ProviderStart(attempt_id=open_attempt.attempt_id),
        ClientAction("qr", "https://qr.example/1", reference="theirs"),
    )
    assert open_attempt.harness.events_of("payment.started") == []
    assert [event["code"] for event in open_attempt.harness.events_of("command.rejected")] == ["PAY_PROVIDER_ERROR"]
    assert open_attempt.calls == ["close"]
    assert await open_attempt.harness.rows("SELECT state, reference FROM payment_attempts") == [("closing", "theirs")]


@pytest.mark.parametrize("state", ["closed", "captured", "failed"])
@pytest.mark.parametrize("answer", [None, NOT_FOUND, NO_ANSWER], ids=["is not called", "refuses", "does not answer"])
async def test_a_start_whose_attempt_has_ended_meanwhile_is_answered_and_the_end_stays(
    requested_attempt: OpenAttempt, state: str, answer: Any
) -> None:
    """Another attempt replaced it while its provider did not answer, or another poll reported its end."""
    open_attempt = requested_attempt
    await open_attempt.harness.pool.execute("UPDATE payment_attempts SET state = $1", state)
    await open_attempt.take_answer(ProviderStart(attempt_id=open_attempt.attempt_id), answer, START_TRIES - 1)
    [rejected] = open_attempt.harness.events_of("command.rejected")
    unpaid = "PAY_PROVIDER_UNKNOWN" if answer is NO_ANSWER else "PAY_PROVIDER_ERROR"
    assert rejected["code"] == ("PAY_ALREADY_PAID" if state == "captured" else unpaid)
    assert await open_attempt.state() == state
