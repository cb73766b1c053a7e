"""What a provider answers, and what follows: the table of provider_calls on a real database."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from messages.payments import PaymentObserved
from messages.providers import ProviderCapture, ProviderCertificates, ProviderClose, ProviderQuery, ProviderStart
from messages.timers import TimerDue
from tests.handlers.provider_answers import AT, NO, SILENCE, Line, tells
from workers import shop
from workers.providers.alipay import Alipay
from workers.providers.calls import ProviderAwayError
from workers.providers.port import Approved, Paid, Refused, Unknown
from workers.providers.port import Attempt as Asked
from workers.services.provider_requests import Question, answer_to, prepare, question, uncaptured
from workers.store import attempts

QUERIES = [
    ("captured", "captured", False, "captured", [], ["payment.captured", "order.paid"], False),
    ("failed", "failed", False, "failed", [], ["payment.failed"], False),
    ("closed", "closed", False, "closed", [], ["payment.attempt_closed"], False),
    ("not paid yet", "pending", False, "requested", [], [], True),
    ("not paid when the window has ended", "pending", True, "closing", ["close"], [], True),
    ("never heard of", NO, False, "requested", [], [], True),
    ("never heard of when the window has ended", NO, True, "closed", [], ["payment.attempt_closed"], False),
    ("never heard of, and clocks may differ", NO, "just", "requested", [], [], True),
    ("nothing", SILENCE, False, "requested", [], [], True),
    ("nothing when the window has ended", SILENCE, True, "requested", [], [], True),
    ("approved", Approved("P1", "the provider's"), False, "requested", ["capture"], [], True),
    ("approved when the window has ended", Approved("P1", "the provider's"), True, "closing", ["close"], [], True),
]


@pytest.mark.parametrize(
    ("answer", "over", "state", "asked", "events", "watched"),
    [row[1:] for row in QUERIES],
    ids=[row[0] for row in QUERIES],
)
async def test_an_attempt_is_asked_about_until_its_end_is_known(  # noqa: PLR0917 (a row of the table)
    line: Line, answer: Any, over: bool | str, state: str, asked: list[str], events: list[str], watched: bool
) -> None:
    if over:
        await line.over(over == "just")
    line.floor.events.clear()
    answer = line.paid(answer) if isinstance(answer, str) else answer
    batch = await line.told(ProviderQuery(attempt_id=line.attempt_id), answer)
    assert not batch.verdicts
    assert (await line.state(), line.asked, await line.is_watched()) == (state, asked, watched)
    assert [event["type"].rsplit(".", 1)[0] for event in line.floor.events] == events


async def test_an_approval_of_an_attempt_that_is_being_closed_costs_the_buyer_nothing(line: Line) -> None:
    await line.floor.pool.execute("UPDATE payment_attempts SET state = 'closing'")
    await line.told(ProviderQuery(attempt_id=line.attempt_id), Approved(line.number, "the provider's"))
    assert (line.asked, await line.is_watched()) == ([], True)


async def test_a_capture_whose_answer_was_lost_counts_although_the_attempt_was_closed_meanwhile(line: Line) -> None:
    await line.told(ProviderQuery(attempt_id=line.attempt_id), line.paid("closed"))
    await line.told(ProviderCapture(attempt_id=line.attempt_id), line.paid("captured"))
    assert (await line.state(), await line.floor.states()) == ("captured", ["paid"])


# ---------------------------------------------------------------- what it tells by itself


APPROVED = Approved("P1", "the provider's")
TOLD = [
    ("requested", APPROVED, "requested", ["capture"], [], True),
    ("unknown", APPROVED, "unknown", ["capture"], [], True),
    ("closing", APPROVED, "closing", [], [], True),
    ("closed", APPROVED, "closed", [], [], True),
    ("requested", "closed", "closed", [], ["payment.attempt_closed"], False),
    ("closing", "closed", "closed", [], ["payment.attempt_closed"], False),
    ("closed", "closed", "closed", [], [], True),
    ("captured", "closed", "captured", [], [], True),
    ("requested", "failed", "failed", [], ["payment.failed"], False),
    ("requested", "pending", "requested", [], [], True),
]


@pytest.mark.parametrize(("before", "said", "state", "asked", "events", "watched"), TOLD)
async def test_what_a_provider_tells_of_an_attempt_is_taken_once_and_only_while_it_means_something(  # noqa: PLR0917
    line: Line, before: str, said: Any, state: str, asked: list[str], events: list[str], watched: bool
) -> None:
    await line.floor.pool.execute("UPDATE payment_attempts SET state = $1", before)
    said = line.paid(said) if isinstance(said, str) else replace(said, out_trade_no=line.number)
    assert not (await tells(line, said)).verdicts
    assert (await line.state(), line.asked, await line.is_watched()) == (state, asked, watched)
    assert [event["type"].rsplit(".", 1)[0] for event in line.floor.events] == events
    reference = "the provider's" if asked else None
    assert await line.floor.rows("SELECT reference FROM payment_attempts") == [(reference,)]


async def test_a_number_that_another_provider_was_given_is_nobodys_here(line: Line) -> None:
    batch = await tells(line, line.paid("captured"), "wechat")
    assert [(verdict.reason, verdict.retry) for verdict in batch.verdicts.values()] == [("order_unknown", True)]
    assert await line.floor.states() == ["awaiting_payment"]


async def test_an_approval_that_we_are_told_when_we_ask_keeps_the_providers_own_number(line: Line) -> None:
    await line.told(ProviderQuery(attempt_id=line.attempt_id), Approved(line.number, "the provider's"))
    assert await line.floor.rows("SELECT reference FROM payment_attempts") == [("the provider's",)]


# ---------------------------------------------------------------- how it is asked


class Labels:
    """A provider whose requests are the names of its questions."""

    name = "alipay"

    def __init__(self, captures: bool) -> None:
        self.captures = captures

    def __getattr__(self, name: str) -> Any:
        return lambda *_: name


QUESTIONS = [
    ("created", {ProviderQuery: "query", ProviderCapture: "capture", ProviderClose: "close"}),
    ("requested", {ProviderStart: None, ProviderQuery: "query", ProviderCapture: "capture", ProviderClose: "close"}),
    ("unknown", {ProviderStart: None, ProviderQuery: "query", ProviderCapture: "capture", ProviderClose: "close"}),
    ("closing", {ProviderStart: None, ProviderQuery: "query", ProviderCapture: "query", ProviderClose: "close"}),
    ("closed", {ProviderStart: None, ProviderQuery: "query", ProviderCapture: "query", ProviderClose: None}),
    ("failed", {ProviderStart: None, ProviderQuery: "query", ProviderCapture: "query", ProviderClose: None}),
    ("captured", {ProviderStart: None, ProviderQuery: None, ProviderCapture: None, ProviderClose: None}),
]


@pytest.mark.parametrize(("state", "questions"), QUESTIONS, ids=[state for state, _ in QUESTIONS])
@pytest.mark.parametrize("captures", [False, True])
async def test_what_is_asked_depends_on_how_the_attempt_stands(
    line: Line, captures: bool, state: str, questions: dict[Any, str | None]
) -> None:
    await line.floor.pool.execute("UPDATE payment_attempts SET state = $1", state)
    async with line.floor.pool.acquire() as tx:
        found = await attempts.read(tx, [line.attempt_id])
    labels: Any = Labels(captures)
    for message, expected in questions.items():
        item = line.floor.wrap(message(attempt_id=line.attempt_id))
        asked = question(labels, item, found, {})
        assert (asked is None) == (expected is None), message
        if asked is not None:
            name: Any = asked.build(AT)
            assert name == ("query" if captures and expected == "close" else expected), message


class Away:
    async def ask(self, build: Any, read: Any) -> Any:
        raise ProviderAwayError("alipay is not reached")


async def test_only_an_address_that_a_stranger_may_have_invented_holds_up_nobody(line: Line) -> None:
    away: Any = Away()
    ours = Question("m1", lambda _: None, lambda *_: SILENCE)
    assert await answer_to(away, replace(ours, alone=True)) == Unknown("alipay is not reached")
    with pytest.raises(ProviderAwayError):
        await answer_to(away, ours)


async def test_certificates_that_another_process_fetched_verify_answers_here(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    await line.told(ProviderCertificates(provider="alipay", serial="5F1E"), {"5F1E": "PEM"})
    seen: list[Any] = []

    def with_certificates(self: Alipay, known: Any) -> Alipay:
        seen.append(known)
        return self

    monkeypatch.setattr(Alipay, "with_certificates", with_certificates)
    item = line.floor.wrap(ProviderQuery(attempt_id=line.attempt_id))
    async with line.floor.pool.acquire() as tx:
        await prepare(tx, [item], provider="alipay")
    assert seen == [{"5F1E": "PEM"}]


AS_IT_STANDS = [
    (Approved("P1", "the provider's"), "closed"),
    (Refused("RESOURCE_NOT_FOUND", "no such order"), "closed"),
    (Paid("P1", "", "pending", 1000, "CNY", AT), "closed"),
    (Paid("P1", "t1", "pending", 1000, "CNY", AT), "pending"),
    (Paid("P1", "t1", "captured", 1000, "CNY", AT), "captured"),
    (Paid("P1", "t1", "failed", 1000, "CNY", AT), "failed"),
]


@pytest.mark.parametrize(("answer", "status"), AS_IT_STANDS)
def test_where_the_money_comes_only_when_we_ask_for_it_an_attempt_is_closed_by_not_asking(
    answer: Any, status: str
) -> None:
    asked = Asked("P1", 1000, "CNY", "an order", "page", AT, AT)
    said = uncaptured(answer, asked, AT)
    assert isinstance(said, Paid)
    assert said.status == status
    assert uncaptured(SILENCE, asked, AT) is SILENCE


async def test_a_worker_that_does_not_speak_with_the_provider_leaves_its_calls_to_those_that_do(line: Line) -> None:
    item = line.floor.wrap(ProviderQuery(attempt_id=line.attempt_id))
    async with line.floor.pool.acquire() as tx:
        with pytest.raises(ProviderAwayError, match="OMS_WECHAT"):
            await prepare(tx, [item], provider="wechat")
        assert [one.item_id for one in (await prepare(tx, [item], provider="alipay")).questions] == [item.id]


ORDERS: list[tuple[Any, ...]] = [
    (ProviderClose, "closed", "closed", [], None),
    (ProviderClose, "captured", "captured", [], None),
    (ProviderClose, "pending", "requested", [], None),
    (ProviderClose, NO, "requested", [], None),
    (ProviderClose, SILENCE, "requested", [], "provider_unknown"),
    (ProviderCapture, "captured", "captured", [], None),
    (ProviderCapture, "failed", "failed", [], None),
    (ProviderCapture, "pending", "requested", [], None),
    (ProviderCapture, NO, "requested", [], None),
    (ProviderCapture, SILENCE, "requested", [], "provider_unknown"),
]


@pytest.mark.parametrize(("message", "answer", "state", "asked", "retried"), ORDERS)
async def test_captures_and_closings_are_tried_again_only_where_that_may_help(  # noqa: PLR0917 (a row of the table)
    line: Line, message: Any, answer: Any, state: str, asked: list[str], retried: str | None
) -> None:
    answer = line.paid(answer) if isinstance(answer, str) else answer
    batch = await line.told(message(attempt_id=line.attempt_id), answer)
    assert (await line.state(), line.asked) == (state, asked)
    assert [verdict.reason for verdict in batch.verdicts.values()] == ([retried] if retried else [])


async def test_an_attempt_that_cannot_be_closed_any_more_is_asked_about_in_a_moment(line: Line) -> None:
    await line.told(ProviderClose(attempt_id=line.attempt_id), line.paid("pending"))
    [(waits,)] = await line.floor.rows("SELECT due_at - now() < '11 s' FROM timers WHERE kind = 'attempt'")
    assert waits
    await line.over()
    await line.told(ProviderQuery(attempt_id=line.attempt_id), line.paid("pending"))
    assert line.asked == ["close"]


async def test_what_is_told_of_an_attempt_after_its_end_changes_nothing(line: Line) -> None:
    await line.told(ProviderQuery(attempt_id=line.attempt_id), line.paid("captured"))
    told = len(line.floor.events)
    for message in (ProviderQuery, ProviderClose, ProviderCapture):
        for answer in (line.paid("failed"), line.paid("closed"), line.paid("pending"), NO, SILENCE):
            assert not (await line.told(message(attempt_id=line.attempt_id), answer)).verdicts
    assert (await line.state(), len(line.floor.events), line.asked) == ("captured", told, [])


async def test_a_failure_that_is_told_after_a_capture_leaves_the_attempt_captured(line: Line) -> None:
    for kind in ("captured", "failed"):
        observed = PaymentObserved(
            attempt_id=line.attempt_id, trade_no="t1", kind=kind, amount=1000, currency="CNY", occurred_at=AT
        )
        await line.floor.say(observed)
    assert (await line.state(), await line.floor.states()) == ("captured", ["paid"])


async def test_the_provider_is_asked_before_the_window_ends_and_a_lost_notification_costs_nobody_the_order(
    line: Line,
) -> None:
    due_before_the_end = await line.floor.pool.fetchval(
        "SELECT bool_and(t.due_at < a.expire_at) FROM timers t JOIN payment_attempts a ON a.id = t.key"
        " WHERE t.kind = 'attempt'"
    )
    assert due_before_the_end
    await line.floor.sweep("attempt")
    assert line.asked == ["query"]
    await line.told(ProviderQuery(attempt_id=line.attempt_id), line.paid("captured"))
    assert await line.floor.states() == ["paid"]


SIGNED_BY_ANOTHER = [ProviderQuery, ProviderClose, ProviderCapture]


@pytest.mark.parametrize("message", SIGNED_BY_ANOTHER)
async def test_a_certificate_that_would_say_whether_an_answer_is_sound_is_fetched(line: Line, message: Any) -> None:
    await line.told(message(attempt_id=line.attempt_id), Unknown("its certificate is not known", "5F1E"))
    assert line.floor.asked == [("alipay", ProviderCertificates(provider="alipay", serial="5F1E"))]


async def test_fetched_certificates_are_kept_for_every_process(line: Line) -> None:
    await line.told(ProviderCertificates(provider="alipay", serial="5F1E"), {"5F1E": "PEM"})
    assert await line.floor.rows("SELECT provider, serial, pem FROM provider_certificates") == [
        ("alipay", "5F1E", "PEM")
    ]


async def test_a_certificate_that_does_not_come_is_asked_for_again_only_by_what_needs_it(line: Line) -> None:
    batch = await line.told(ProviderCertificates(provider="alipay", serial="5F1E"), Unknown("TimeoutError", "5F1F"))
    assert (batch.verdicts, line.floor.asked) == ({}, [])


async def waits_seconds(line: Line) -> float:
    [(seconds,)] = await line.floor.rows(
        "SELECT extract(epoch FROM due_at - now())::float8 FROM timers WHERE kind = 'attempt'"
    )
    return float(seconds)


@pytest.mark.parametrize(("minutes_old", "minutes"), [(40, 10), (600, 60)])
async def test_an_attempt_that_cannot_be_closed_is_asked_about_rarer_the_older_it_is(
    line: Line, minutes_old: int, minutes: int
) -> None:
    await line.floor.pool.execute(
        "UPDATE payment_attempts SET started_at = now() - make_interval(mins => $1)", minutes_old
    )
    await line.told(ProviderClose(attempt_id=line.attempt_id), line.paid("pending"))
    assert 60 * minutes - 20 < await waits_seconds(line) < 60 * minutes + 20


async def test_what_the_provider_never_heard_of_is_asked_about_once_more_when_its_clock_must_have_reached_the_end(
    line: Line,
) -> None:
    await line.over(just=True)
    await line.told(ProviderQuery(attempt_id=line.attempt_id), NO)
    again = "SELECT due_at = expire_at + $1 FROM timers, payment_attempts WHERE kind = 'attempt'"
    grace = timedelta(seconds=shop.current().payment_grace_seconds)
    assert await line.floor.rows(again, grace) == [(True,)]


async def test_a_window_that_ends_unpaid_closes_the_attempt(line: Line) -> None:
    line.floor.asked.clear()
    await line.floor.sweep("payment")
    assert await line.floor.states() == ["cancelled"]
    assert (await line.state(), line.asked) == ("closing", ["close"])


@pytest.mark.parametrize("answer", [NO, None], ids=["asked", "not asked"])
async def test_a_woken_timer_of_an_attempt_that_has_ended_is_dropped(line: Line, answer: Any) -> None:
    await line.floor.pool.execute("UPDATE payment_attempts SET state = 'failed'")
    await line.floor.say(TimerDue(kind="attempt", key=line.attempt_id, due_at=AT))
    await line.told(ProviderQuery(attempt_id=line.attempt_id), answer)
    assert not await line.is_watched()
