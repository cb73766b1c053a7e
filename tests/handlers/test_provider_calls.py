"""The answers of a provider and their effects: the table of provider_calls on a real database."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from messages.payments import PaymentObserved
from messages.providers import ProviderCapture, ProviderCertificates, ProviderClose, ProviderQuery, ProviderStart
from messages.timers import TimerDue
from tests.handlers.provider_answers import AT, NO_ANSWER, NOT_FOUND, OpenAttempt, notify
from workers import shop
from workers.providers.alipay import Alipay
from workers.providers.calls import ProviderAwayError
from workers.providers.port import (
    ApprovalReport,
    HttpRequest,
    PaymentOrder,
    PaymentReport,
    ProviderRefusal,
    ReportedPayment,
    UnknownOutcome,
)
from workers.services import provider_requests
from workers.services.provider_requests import ProviderRequest, prepare, request_for, send_one, uncaptured
from workers.store import attempts

QUERIES = [
    ("captured", "captured", False, "captured", [], ["payment.captured", "order.paid"], False),
    ("failed", "failed", False, "failed", [], ["payment.failed"], False),
    ("closed", "closed", False, "closed", [], ["payment.attempt_closed"], False),
    ("not paid yet", "pending", False, "requested", [], [], True),
    ("not paid when the window has ended", "pending", True, "closing", ["close"], [], True),
    ("not found", NOT_FOUND, False, "requested", [], [], True),
    ("not found when the window has ended", NOT_FOUND, True, "closed", [], ["payment.attempt_closed"], False),
    ("not found, and clocks may differ", NOT_FOUND, "just", "requested", [], [], True),
    ("nothing", NO_ANSWER, False, "requested", [], [], True),
    ("nothing when the window has ended", NO_ANSWER, True, "requested", [], [], True),
    ("approved", ApprovalReport("P1", "the provider's"), False, "requested", ["capture"], [], True),
    (
        "approved when the window has ended",
        ApprovalReport("P1", "the provider's"),
        True,
        "closing",
        ["close"],
        [],
        True,
    ),
]


@pytest.mark.parametrize(
    ("answer", "over", "state", "calls", "events", "watched"),
    [row[1:] for row in QUERIES],
    ids=[row[0] for row in QUERIES],
)
async def test_an_attempt_is_polled_until_its_end_is_known(  # noqa: PLR0917 (a row of the table)
    open_attempt: OpenAttempt,
    answer: Any,
    over: bool | str,
    state: str,
    calls: list[str],
    events: list[str],
    watched: bool,
) -> None:
    if over:
        await open_attempt.expire(over == "just")
    open_attempt.harness.events.clear()
    answer = open_attempt.paid(answer) if isinstance(answer, str) else answer
    batch = await open_attempt.take_answer(ProviderQuery(attempt_id=open_attempt.attempt_id), answer)
    assert not batch.verdicts
    assert (await open_attempt.state(), open_attempt.calls, await open_attempt.has_timer()) == (state, calls, watched)
    assert [event["type"].rsplit(".", 1)[0] for event in open_attempt.harness.events] == events


async def test_an_approval_of_an_attempt_that_is_being_closed_costs_the_buyer_nothing(
    open_attempt: OpenAttempt,
) -> None:
    await open_attempt.harness.pool.execute("UPDATE payment_attempts SET state = 'closing'")
    await open_attempt.take_answer(
        ProviderQuery(attempt_id=open_attempt.attempt_id), ApprovalReport(open_attempt.out_trade_no, "the provider's")
    )
    assert (open_attempt.calls, await open_attempt.has_timer()) == ([], True)


async def test_a_capture_whose_answer_was_lost_counts_although_the_attempt_was_closed_meanwhile(
    open_attempt: OpenAttempt,
) -> None:
    await open_attempt.take_answer(ProviderQuery(attempt_id=open_attempt.attempt_id), open_attempt.paid("closed"))
    await open_attempt.take_answer(ProviderCapture(attempt_id=open_attempt.attempt_id), open_attempt.paid("captured"))
    assert (await open_attempt.state(), await open_attempt.harness.states()) == ("captured", ["paid"])


# ---------------------------------------------------------------- notifications


APPROVED = ApprovalReport("P1", "the provider's")
NOTIFIED = [
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


@pytest.mark.parametrize(("before", "report", "state", "calls", "events", "watched"), NOTIFIED)
async def test_a_notification_is_applied_once_and_only_while_its_attempt_is_open(  # noqa: PLR0917
    open_attempt: OpenAttempt, before: str, report: Any, state: str, calls: list[str], events: list[str], watched: bool
) -> None:
    await open_attempt.harness.pool.execute("UPDATE payment_attempts SET state = $1", before)
    report = (
        open_attempt.paid(report)
        if isinstance(report, str)
        else replace(report, out_trade_no=open_attempt.out_trade_no)
    )
    assert not (await notify(open_attempt, report)).verdicts
    assert (await open_attempt.state(), open_attempt.calls, await open_attempt.has_timer()) == (state, calls, watched)
    assert [event["type"].rsplit(".", 1)[0] for event in open_attempt.harness.events] == events
    reference = "the provider's" if calls else None
    assert await open_attempt.harness.rows("SELECT reference FROM payment_attempts") == [(reference,)]


async def test_a_number_that_was_given_to_another_provider_is_unknown_here(open_attempt: OpenAttempt) -> None:
    batch = await notify(open_attempt, open_attempt.paid("captured"), "wechat")
    assert [(verdict.reason, verdict.retry) for verdict in batch.verdicts.values()] == [("order_unknown", True)]
    assert await open_attempt.harness.states() == ["awaiting_payment"]


async def test_an_approval_found_by_a_query_keeps_the_providers_own_number(
    open_attempt: OpenAttempt,
) -> None:
    await open_attempt.take_answer(
        ProviderQuery(attempt_id=open_attempt.attempt_id), ApprovalReport(open_attempt.out_trade_no, "the provider's")
    )
    assert await open_attempt.harness.rows("SELECT reference FROM payment_attempts") == [("the provider's",)]


# ---------------------------------------------------------------- requests


def request(name: str) -> HttpRequest:
    return HttpRequest("POST", name, {})


class LabelledProvider:
    """A provider that makes requests with the names of its methods."""

    name = "alipay"

    def read_start(self, *_: object) -> None: ...
    def read_payment(self, *_: object) -> None: ...
    def read_close(self, *_: object) -> None: ...

    def start(self, *_: object) -> HttpRequest:
        return request("start")

    def query(self, *_: object) -> HttpRequest:
        return request("query")


class Closes(LabelledProvider):
    def close(self, *_: object) -> HttpRequest:
        return request("close")


class Captures(LabelledProvider):
    def capture(self, *_: object) -> HttpRequest:
        return request("capture")


CALLS = [
    ("created", {ProviderQuery: "query", ProviderCapture: "capture", ProviderClose: "close"}),
    ("requested", {ProviderStart: None, ProviderQuery: "query", ProviderCapture: "capture", ProviderClose: "close"}),
    ("unknown", {ProviderStart: None, ProviderQuery: "query", ProviderCapture: "capture", ProviderClose: "close"}),
    ("closing", {ProviderStart: None, ProviderQuery: "query", ProviderCapture: "query", ProviderClose: "close"}),
    ("closed", {ProviderStart: None, ProviderQuery: "query", ProviderCapture: "query", ProviderClose: None}),
    ("failed", {ProviderStart: None, ProviderQuery: "query", ProviderCapture: "query", ProviderClose: None}),
    ("captured", {ProviderStart: None, ProviderQuery: None, ProviderCapture: None, ProviderClose: None}),
]


@pytest.mark.parametrize(("state", "calls"), CALLS, ids=[state for state, _ in CALLS])
@pytest.mark.parametrize("captures", [False, True])
async def test_the_next_call_depends_on_the_state_of_the_attempt(
    open_attempt: OpenAttempt, captures: bool, state: str, calls: dict[Any, str | None]
) -> None:
    await open_attempt.harness.pool.execute("UPDATE payment_attempts SET state = $1", state)
    async with open_attempt.harness.pool.acquire() as tx:
        found = await attempts.read(tx, [open_attempt.attempt_id])
    provider: Any = Captures() if captures else Closes()
    for message, expected in calls.items():
        item = open_attempt.harness.envelope(message(attempt_id=open_attempt.attempt_id))
        made = request_for(provider, item, found, {}, {})
        assert (made is None) == (expected is None), message
        if made is not None:
            sent = made.build(AT)
            offered = {"close": "query" if captures else "close", "capture": "capture" if captures else None}
            assert (sent and sent.url) == offered.get(expected or "", expected), message


class Away:
    async def call(self, build: Any, read: Any) -> Any:
        raise ProviderAwayError("alipay is not reached")


async def test_a_certificate_address_that_may_be_invented_delays_no_notification(open_attempt: OpenAttempt) -> None:
    away: Any = Away()
    ours = ProviderRequest("m1", lambda _: None, lambda *_: NO_ANSWER)
    assert await send_one(away, replace(ours, tolerates_absence=True)) == UnknownOutcome("alipay is not reached")
    with pytest.raises(ProviderAwayError):
        await send_one(away, ours)


async def test_certificates_that_another_process_fetched_verify_answers_here(
    open_attempt: OpenAttempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_attempt.take_answer(ProviderCertificates(provider="alipay", serial="5F1E"), {"5F1E": "PEM"})
    seen: list[Any] = []

    def with_certificates(provider: Alipay, known: Any) -> Alipay:
        seen.append(known)
        return provider

    monkeypatch.setattr(provider_requests, "with_certificates", with_certificates)
    item = open_attempt.harness.envelope(ProviderQuery(attempt_id=open_attempt.attempt_id))
    async with open_attempt.harness.pool.acquire() as tx:
        await prepare(tx, [item], provider="alipay")
    assert seen == [{"5F1E": "PEM"}]


AS_IT_STANDS = [
    (ApprovalReport("P1", "the provider's"), "closed"),
    (ProviderRefusal("RESOURCE_NOT_FOUND", "no such order"), "closed"),
    (PaymentReport("P1", "", ReportedPayment.PENDING, 1000, "CNY", AT), "closed"),
    (PaymentReport("P1", "t1", ReportedPayment.PENDING, 1000, "CNY", AT), "pending"),
    (PaymentReport("P1", "t1", ReportedPayment.CAPTURED, 1000, "CNY", AT), "captured"),
    (PaymentReport("P1", "t1", ReportedPayment.FAILED, 1000, "CNY", AT), "failed"),
]


@pytest.mark.parametrize(("answer", "status"), AS_IT_STANDS)
def test_where_money_comes_only_with_a_capture_an_attempt_is_closed_by_not_capturing(answer: Any, status: str) -> None:
    order = PaymentOrder("P1", 1000, "CNY", "an order", "page", AT, AT)
    report = uncaptured(answer, order, AT)
    assert isinstance(report, PaymentReport)
    assert report.status == status
    assert uncaptured(NO_ANSWER, order, AT) is NO_ANSWER


async def test_a_worker_that_does_not_call_the_provider_leaves_its_calls_to_those_that_do(
    open_attempt: OpenAttempt,
) -> None:
    item = open_attempt.harness.envelope(ProviderQuery(attempt_id=open_attempt.attempt_id))
    async with open_attempt.harness.pool.acquire() as tx:
        with pytest.raises(ProviderAwayError, match="OMS_WECHAT"):
            await prepare(tx, [item], provider="wechat")
        assert [one.item_id for one in (await prepare(tx, [item], provider="alipay")).requests] == [item.id]


ORDERS: list[tuple[Any, ...]] = [
    (ProviderClose, "closed", "closed", [], None),
    (ProviderClose, "captured", "captured", [], None),
    (ProviderClose, "pending", "requested", [], None),
    (ProviderClose, NOT_FOUND, "requested", [], None),
    (ProviderClose, NO_ANSWER, "requested", [], "provider_unknown"),
    (ProviderCapture, "captured", "captured", [], None),
    (ProviderCapture, "failed", "failed", [], None),
    (ProviderCapture, "pending", "requested", [], None),
    (ProviderCapture, NOT_FOUND, "requested", [], None),
    (ProviderCapture, NO_ANSWER, "requested", [], "provider_unknown"),
]


@pytest.mark.parametrize(("message", "answer", "state", "calls", "retried"), ORDERS)
async def test_captures_and_closings_are_tried_again_only_where_that_may_help(  # noqa: PLR0917 (a row of the table)
    open_attempt: OpenAttempt, message: Any, answer: Any, state: str, calls: list[str], retried: str | None
) -> None:
    answer = open_attempt.paid(answer) if isinstance(answer, str) else answer
    batch = await open_attempt.take_answer(message(attempt_id=open_attempt.attempt_id), answer)
    assert (await open_attempt.state(), open_attempt.calls) == (state, calls)
    assert [verdict.reason for verdict in batch.verdicts.values()] == ([retried] if retried else [])


async def test_an_attempt_that_cannot_be_closed_any_more_is_polled_within_seconds(open_attempt: OpenAttempt) -> None:
    await open_attempt.take_answer(ProviderClose(attempt_id=open_attempt.attempt_id), open_attempt.paid("pending"))
    [(waits,)] = await open_attempt.harness.rows("SELECT due_at - now() < '11 s' FROM timers WHERE kind = 'attempt'")
    assert waits
    await open_attempt.expire()
    await open_attempt.take_answer(ProviderQuery(attempt_id=open_attempt.attempt_id), open_attempt.paid("pending"))
    assert open_attempt.calls == ["close"]


async def test_a_notification_after_the_end_of_its_attempt_changes_nothing(open_attempt: OpenAttempt) -> None:
    await open_attempt.take_answer(ProviderQuery(attempt_id=open_attempt.attempt_id), open_attempt.paid("captured"))
    count_before = len(open_attempt.harness.events)
    for message in (ProviderQuery, ProviderClose, ProviderCapture):
        for answer in (
            open_attempt.paid("failed"),
            open_attempt.paid("closed"),
            open_attempt.paid("pending"),
            NOT_FOUND,
            NO_ANSWER,
        ):
            assert not (await open_attempt.take_answer(message(attempt_id=open_attempt.attempt_id), answer)).verdicts
    assert (await open_attempt.state(), len(open_attempt.harness.events), open_attempt.calls) == (
        "captured",
        count_before,
        [],
    )


async def test_a_failure_reported_after_a_capture_leaves_the_attempt_captured(open_attempt: OpenAttempt) -> None:
    for kind in ("captured", "failed"):
        observed = PaymentObserved(
            attempt_id=open_attempt.attempt_id, trade_no="t1", kind=kind, amount=1000, currency="CNY", occurred_at=AT
        )
        await open_attempt.harness.handle(observed)
    assert (await open_attempt.state(), await open_attempt.harness.states()) == ("captured", ["paid"])


async def test_the_attempt_is_polled_before_the_window_ends_so_a_lost_notification_does_not_cancel_the_order(
    open_attempt: OpenAttempt,
) -> None:
    due_before_the_end = await open_attempt.harness.pool.fetchval(
        "SELECT bool_and(t.due_at < a.expire_at) FROM timers t JOIN payment_attempts a ON a.id = t.key"
        " WHERE t.kind = 'attempt'"
    )
    assert due_before_the_end
    await open_attempt.harness.sweep("attempt")
    assert open_attempt.calls == ["query"]
    await open_attempt.take_answer(ProviderQuery(attempt_id=open_attempt.attempt_id), open_attempt.paid("captured"))
    assert await open_attempt.harness.states() == ["paid"]


SIGNED_BY_ANOTHER = [ProviderQuery, ProviderClose, ProviderCapture]


@pytest.mark.parametrize("message", SIGNED_BY_ANOTHER)
async def test_a_certificate_that_verifies_an_answer_is_fetched(open_attempt: OpenAttempt, message: Any) -> None:
    await open_attempt.take_answer(
        message(attempt_id=open_attempt.attempt_id), UnknownOutcome("its certificate is not known", "5F1E")
    )
    assert open_attempt.harness.provider_calls == [("alipay", ProviderCertificates(provider="alipay", serial="5F1E"))]


async def test_fetched_certificates_are_kept_for_every_process(open_attempt: OpenAttempt) -> None:
    await open_attempt.take_answer(ProviderCertificates(provider="alipay", serial="5F1E"), {"5F1E": "PEM"})
    assert await open_attempt.harness.rows("SELECT provider, serial, pem FROM provider_certificates") == [
        ("alipay", "5F1E", "PEM")
    ]


async def test_a_certificate_that_does_not_come_is_requested_again_only_by_notifications_that_need_it(
    open_attempt: OpenAttempt,
) -> None:
    batch = await open_attempt.take_answer(
        ProviderCertificates(provider="alipay", serial="5F1E"), UnknownOutcome("TimeoutError", "5F1F")
    )
    assert (batch.verdicts, open_attempt.harness.provider_calls) == ({}, [])


async def waits_seconds(open_attempt: OpenAttempt) -> float:
    [(seconds,)] = await open_attempt.harness.rows(
        "SELECT extract(epoch FROM due_at - now())::float8 FROM timers WHERE kind = 'attempt'"
    )
    return float(seconds)


@pytest.mark.parametrize(("minutes_old", "minutes"), [(40, 10), (600, 60)])
async def test_an_attempt_that_cannot_be_closed_is_polled_rarer_the_older_it_is(
    open_attempt: OpenAttempt, minutes_old: int, minutes: int
) -> None:
    await open_attempt.harness.pool.execute(
        "UPDATE payment_attempts SET started_at = now() - make_interval(mins => $1)", minutes_old
    )
    await open_attempt.take_answer(ProviderClose(attempt_id=open_attempt.attempt_id), open_attempt.paid("pending"))
    assert 60 * minutes - 20 < await waits_seconds(open_attempt) < 60 * minutes + 20


async def test_an_attempt_unknown_to_the_provider_is_polled_once_more_after_the_clock_skew(
    open_attempt: OpenAttempt,
) -> None:
    await open_attempt.expire(just=True)
    await open_attempt.take_answer(ProviderQuery(attempt_id=open_attempt.attempt_id), NOT_FOUND)
    again = "SELECT due_at = expire_at + $1 FROM timers, payment_attempts WHERE kind = 'attempt'"
    grace = timedelta(seconds=shop.current().payment_grace_seconds)
    assert await open_attempt.harness.rows(again, grace) == [(True,)]


async def test_a_window_that_ends_unpaid_closes_the_attempt(open_attempt: OpenAttempt) -> None:
    open_attempt.harness.provider_calls.clear()
    await open_attempt.harness.sweep("payment")
    assert await open_attempt.harness.states() == ["cancelled"]
    assert (await open_attempt.state(), open_attempt.calls) == ("closing", ["close"])


@pytest.mark.parametrize("answer", [NOT_FOUND, None], ids=["polled", "not polled"])
async def test_a_woken_timer_of_an_attempt_that_has_ended_is_dropped(open_attempt: OpenAttempt, answer: Any) -> None:
    await open_attempt.harness.pool.execute("UPDATE payment_attempts SET state = 'failed'")
    await open_attempt.harness.handle(TimerDue(kind="attempt", key=open_attempt.attempt_id, due_at=AT))
    await open_attempt.take_answer(ProviderQuery(attempt_id=open_attempt.attempt_id), answer)
    assert not await open_attempt.has_timer()
