"""What a provider answers when an attempt is to be opened, and what follows, on a real database."""

from typing import Any

import pytest

from messages.providers import ProviderStart
from tests.handlers.harness import Floor
from tests.handlers.provider_answers import NO, SILENCE, Line
from tests.handlers.test_payment_attempts import start
from workers.handlers.provider_calls import START_TRIES
from workers.providers.port import Ready, Refused


@pytest.fixture
async def asked_first(floor: Floor, speaking: None) -> Line:
    """A QR code is wanted, which the provider has to make."""
    await floor.open_shop()
    order_id = await floor.placed(("s1", 2))
    await floor.say(start(order_id, 1000, scene="qr"))
    [(_, message)] = floor.asked
    assert isinstance(message, ProviderStart)
    assert not floor.heard("payment.started")
    [(number,)] = await floor.rows("SELECT out_trade_no FROM payment_attempts")
    return Line(floor, message.attempt_id, number)


OPENINGS = [
    (Ready("qr", "https://qr.example/1"), 0, "requested", None, True),
    (Refused("ACQ.SYSTEM_ERROR", "no"), 0, "failed", "PAY_PROVIDER_ERROR", False),
    (SILENCE, 0, "created", None, True),
    (SILENCE, START_TRIES - 1, "unknown", "PAY_PROVIDER_UNKNOWN", True),
]


@pytest.mark.parametrize(("answer", "attempt", "state", "code", "watched"), OPENINGS)
async def test_a_start_is_answered_once_the_provider_has_answered_or_kept_silent_too_often(  # noqa: PLR0917
    asked_first: Line, answer: Any, attempt: int, state: str, code: str | None, watched: bool
) -> None:
    line = asked_first
    batch = await line.told(ProviderStart(attempt_id=line.attempt_id), answer, attempt)
    assert bool(batch.verdicts) == (state == "created")
    assert (await line.state(), await line.is_watched()) == (state, watched)
    assert [event["code"] for event in line.floor.heard("command.rejected")] == ([code] if code else [])
    assert [event["url"] for event in line.floor.heard("payment.started")] == (
        ["https://qr.example/1"] if state == "requested" else []
    )


async def test_a_start_that_is_delivered_again_is_answered_once_and_leaves_the_attempt_open(asked_first: Line) -> None:
    line = asked_first
    for _ in range(2):
        await line.told(ProviderStart(attempt_id=line.attempt_id), Ready("qr", "https://qr.example/1"))
    assert (len(line.floor.heard("payment.started")), line.floor.heard("command.rejected")) == (1, [])
    assert (await line.state(), line.asked) == ("requested", [])


async def test_what_the_provider_opens_after_all_is_closed_there_and_given_to_nobody(asked_first: Line) -> None:
    """Its own close may have come when the provider did not know it yet."""
    line = asked_first
    await line.floor.pool.execute("UPDATE payment_attempts SET state = 'closing'")
    await line.told(ProviderStart(attempt_id=line.attempt_id), Ready("qr", "https://qr.example/1", reference="theirs"))
    assert line.floor.heard("payment.started") == []
    assert [event["code"] for event in line.floor.heard("command.rejected")] == ["PAY_PROVIDER_ERROR"]
    assert line.asked == ["close"]
    assert await line.floor.rows("SELECT state, reference FROM payment_attempts") == [("closing", "theirs")]


@pytest.mark.parametrize("state", ["closed", "captured", "failed"])
@pytest.mark.parametrize("answer", [None, NO, SILENCE], ids=["is not asked", "says no", "is silent"])
async def test_a_start_whose_attempt_has_ended_meanwhile_is_answered_and_the_end_stays(
    asked_first: Line, state: str, answer: Any
) -> None:
    """Another attempt replaced it while its provider was silent, or the answer to another question said more."""
    line = asked_first
    await line.floor.pool.execute("UPDATE payment_attempts SET state = $1", state)
    await line.told(ProviderStart(attempt_id=line.attempt_id), answer, START_TRIES - 1)
    [rejected] = line.floor.heard("command.rejected")
    unpaid = "PAY_PROVIDER_UNKNOWN" if answer is SILENCE else "PAY_PROVIDER_ERROR"
    assert rejected["code"] == ("PAY_ALREADY_PAID" if state == "captured" else unpaid)
    assert await line.state() == state
