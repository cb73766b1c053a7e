"""What a channel answers, and what follows: the table of gateway_calls on a real database."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messages.base import Message
from messages.gateway import (
    GatewayCapture,
    GatewayCertificates,
    GatewayClose,
    GatewayQuery,
    GatewayRefund,
    GatewayRefundQuery,
    GatewayStart,
)
from messages.payments import PaymentObserved
from messages.refunds import RefundRequest
from messages.timers import TimerDue
from tests.handlers.calling import callback
from tests.handlers.floor import OPERATOR, Floor, cancel
from tests.handlers.test_paying import MERCHANT, opened, start
from workers import channels
from workers.channels.alipay import Alipay, AlipaySettings
from workers.channels.calls import ChannelAwayError
from workers.channels.port import Approved, Notice, Paid, Ready, Refunded, Refused, Unknown
from workers.channels.port import Attempt as Asked
from workers.handlers.gateway_calls import START_TRIES, take_answers
from workers.runtime.batch import Batch
from workers.store import attempts, shop
from workers.store.asking import Question, answer_to, prepare, question, uncaptured

AT = datetime(2026, 1, 21, 2, 0, tzinfo=UTC)
SILENCE, NO = Unknown("TimeoutError"), Refused("ACQ.TRADE_NOT_EXIST", "there is no such trade")


@pytest.fixture(autouse=True)
def alipay() -> Iterator[None]:
    channels.configure({"alipay": Alipay(AlipaySettings.model_validate(MERCHANT))})
    yield
    channels.configure({})


@dataclass
class Line:
    """The line to a channel: `told` hands an answer to the handler as if the channel had been asked."""

    floor: Floor
    attempt_id: int
    number: str

    async def told(self, body: Message, answer: Any, attempt: int = 0) -> Batch[Any]:
        item = replace(self.floor.wrap(body), attempt=attempt)
        async with self.floor.pool.acquire() as tx, tx.transaction():
            batch = Batch[Any]([item], await tx.fetchval("SELECT clock_timestamp()"), {item.id: answer})
            await take_answers(tx, batch, channel="alipay")
        self.floor.asked.clear()
        await self.floor.pump()
        return batch

    def paid(self, status: Any, amount: int = 1000) -> Paid:
        return Paid(self.number, "t1", status, amount, "CNY", AT)

    async def over(self, just: bool = False) -> None:
        """The time to pay has passed, by any clock."""
        ago = timedelta(seconds=1) + (timedelta() if just else timedelta(seconds=shop.current().payment_grace_seconds))
        await self.floor.pool.execute("UPDATE payment_attempts SET expire_at = now() - $1::interval", ago)

    @property
    def asked(self) -> list[str]:
        return [message.routing_key().removeprefix("gateway.") for _, message in self.floor.asked]

    async def state(self) -> str:
        state: str = await self.floor.pool.fetchval("SELECT state FROM payment_attempts WHERE id = $1", self.attempt_id)
        return state

    async def is_watched(self, kind: str = "attempt") -> bool:
        watched: bool = await self.floor.pool.fetchval("SELECT EXISTS (SELECT FROM timers WHERE kind = $1)", kind)
        return watched


@pytest.fixture
async def line(floor: Floor) -> Line:
    """An attempt that is open at the channel."""
    _, started = await opened(floor)
    return Line(floor, int(started["attempt_id"]), started["out_trade_no"])


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
    ("approved", Approved("P1", "the channel's"), False, "requested", ["capture"], [], True),
    ("approved when the window has ended", Approved("P1", "the channel's"), True, "closing", ["close"], [], True),
]


@pytest.mark.parametrize(("answer", "over", "state", "asked", "events", "watched"), [row[1:] for row in QUERIES],
                         ids=[row[0] for row in QUERIES])  # fmt: skip
async def test_an_attempt_is_asked_about_until_its_end_is_known(  # noqa: PLR0917 (a row of the table)
    line: Line, answer: Any, over: bool | str, state: str, asked: list[str], events: list[str], watched: bool
) -> None:
    if over:
        await line.over(over == "just")
    line.floor.events.clear()
    answer = line.paid(answer) if isinstance(answer, str) else answer
    batch = await line.told(GatewayQuery(attempt_id=line.attempt_id), answer)
    assert not batch.verdicts
    assert (await line.state(), line.asked, await line.is_watched()) == (state, asked, watched)
    assert [event["type"].rsplit(".", 1)[0] for event in line.floor.events] == events


async def test_an_approval_of_an_attempt_that_is_being_closed_costs_the_buyer_nothing(line: Line) -> None:
    await line.floor.pool.execute("UPDATE payment_attempts SET state = 'closing'")
    await line.told(GatewayQuery(attempt_id=line.attempt_id), Approved(line.number, "the channel's"))
    assert (line.asked, await line.is_watched()) == ([], True)


async def test_a_capture_whose_answer_was_lost_counts_although_the_attempt_was_closed_meanwhile(line: Line) -> None:
    await line.told(GatewayQuery(attempt_id=line.attempt_id), line.paid("closed"))
    await line.told(GatewayCapture(attempt_id=line.attempt_id), line.paid("captured"))
    assert (await line.state(), await line.floor.states()) == ("captured", ["paid"])


# ---------------------------------------------------------------- what it tells by itself


class Teller(Alipay):
    """Whoever writes, this is what it says."""

    said: Any = None

    def verify(self, notice: Notice) -> Any:
        return self.said


async def tells(line: Line, said: Any, channel: str = "alipay") -> Batch[Any]:
    teller = Teller(AlipaySettings.model_validate(MERCHANT))
    teller.said = said
    channels.configure({"alipay": teller, "wechat": teller})
    line.floor.events.clear()
    line.floor.asked.clear()
    return await line.floor.say(callback(channel, Notice({}, repr(said).encode(), AT)))


APPROVED = Approved("P1", "the channel's")
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
async def test_what_a_channel_tells_of_an_attempt_is_taken_once_and_only_while_it_means_something(  # noqa: PLR0917
    line: Line, before: str, said: Any, state: str, asked: list[str], events: list[str], watched: bool
) -> None:
    await line.floor.pool.execute("UPDATE payment_attempts SET state = $1", before)
    said = line.paid(said) if isinstance(said, str) else replace(said, out_trade_no=line.number)
    assert not (await tells(line, said)).verdicts
    assert (await line.state(), line.asked, await line.is_watched()) == (state, asked, watched)
    assert [event["type"].rsplit(".", 1)[0] for event in line.floor.events] == events
    reference = "the channel's" if asked else None
    assert await line.floor.rows("SELECT reference FROM payment_attempts") == [(reference,)]


async def test_a_number_that_another_channel_was_given_is_nobodys_here(line: Line) -> None:
    batch = await tells(line, line.paid("captured"), "wechat")
    assert [(verdict.reason, verdict.retry) for verdict in batch.verdicts.values()] == [("order_unknown", True)]
    assert await line.floor.states() == ["awaiting_payment"]


async def test_an_approval_that_we_are_told_when_we_ask_keeps_the_channels_own_number(line: Line) -> None:
    await line.told(GatewayQuery(attempt_id=line.attempt_id), Approved(line.number, "the channel's"))
    assert await line.floor.rows("SELECT reference FROM payment_attempts") == [("the channel's",)]


# ---------------------------------------------------------------- how it is asked


class Labels:
    """A channel whose requests are the names of its questions."""

    name = "alipay"

    def __init__(self, captures: bool) -> None:
        self.captures = captures

    def __getattr__(self, name: str) -> Any:
        return lambda *_: name


QUESTIONS = [
    ("created", {GatewayQuery: "query", GatewayCapture: "capture", GatewayClose: "close"}),
    ("requested", {GatewayStart: None, GatewayQuery: "query", GatewayCapture: "capture", GatewayClose: "close"}),
    ("unknown", {GatewayStart: None, GatewayQuery: "query", GatewayCapture: "capture", GatewayClose: "close"}),
    ("closing", {GatewayStart: None, GatewayQuery: "query", GatewayCapture: "query", GatewayClose: "close"}),
    ("closed", {GatewayStart: None, GatewayQuery: "query", GatewayCapture: "query", GatewayClose: None}),
    ("failed", {GatewayStart: None, GatewayQuery: "query", GatewayCapture: "query", GatewayClose: None}),
    ("captured", {GatewayStart: None, GatewayQuery: None, GatewayCapture: None, GatewayClose: None}),
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
        raise ChannelAwayError("alipay is not reached")


async def test_only_an_address_that_a_stranger_may_have_invented_holds_up_nobody(line: Line) -> None:
    away: Any = Away()
    ours = Question("m1", lambda _: None, lambda *_: SILENCE)
    assert await answer_to(away, replace(ours, alone=True)) == Unknown("alipay is not reached")
    with pytest.raises(ChannelAwayError):
        await answer_to(away, ours)


async def test_certificates_that_another_process_fetched_verify_answers_here(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    await line.told(GatewayCertificates(channel="alipay", serial="5F1E"), {"5F1E": "PEM"})
    seen: list[Any] = []

    def with_certificates(self: Alipay, known: Any) -> Alipay:
        seen.append(known)
        return self

    monkeypatch.setattr(Alipay, "with_certificates", with_certificates)
    item = line.floor.wrap(GatewayQuery(attempt_id=line.attempt_id))
    async with line.floor.pool.acquire() as tx:
        await prepare(tx, [item], channel="alipay")
    assert seen == [{"5F1E": "PEM"}]


AS_IT_STANDS = [
    (Approved("P1", "the channel's"), "closed"),
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


async def test_a_worker_that_does_not_speak_with_the_channel_leaves_its_calls_to_those_that_do(line: Line) -> None:
    item = line.floor.wrap(GatewayQuery(attempt_id=line.attempt_id))
    async with line.floor.pool.acquire() as tx:
        with pytest.raises(ChannelAwayError, match="OMS_WECHAT"):
            await prepare(tx, [item], channel="wechat")
        assert [one.item_id for one in (await prepare(tx, [item], channel="alipay")).questions] == [item.id]


ORDERS: list[tuple[Any, ...]] = [
    (GatewayClose, "closed", "closed", [], None),
    (GatewayClose, "captured", "captured", [], None),
    (GatewayClose, "pending", "requested", [], None),
    (GatewayClose, NO, "requested", [], None),
    (GatewayClose, SILENCE, "requested", [], "channel_unknown"),
    (GatewayCapture, "captured", "captured", [], None),
    (GatewayCapture, "failed", "failed", [], None),
    (GatewayCapture, "pending", "requested", [], None),
    (GatewayCapture, NO, "requested", [], None),
    (GatewayCapture, SILENCE, "requested", [], "channel_unknown"),
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
    await line.told(GatewayClose(attempt_id=line.attempt_id), line.paid("pending"))
    [(waits,)] = await line.floor.rows("SELECT due_at - now() < '11 s' FROM timers WHERE kind = 'attempt'")
    assert waits
    await line.over()
    await line.told(GatewayQuery(attempt_id=line.attempt_id), line.paid("pending"))
    assert line.asked == ["close"]


async def test_what_is_told_of_an_attempt_after_its_end_changes_nothing(line: Line) -> None:
    await line.told(GatewayQuery(attempt_id=line.attempt_id), line.paid("captured"))
    told = len(line.floor.events)
    for message in (GatewayQuery, GatewayClose, GatewayCapture):
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


async def test_the_channel_is_asked_before_the_window_ends_and_a_lost_notification_costs_nobody_the_order(
    line: Line,
) -> None:
    due_before_the_end = await line.floor.pool.fetchval(
        "SELECT bool_and(t.due_at < a.expire_at) FROM timers t JOIN payment_attempts a ON a.id = t.key"
        " WHERE t.kind = 'attempt'"
    )
    assert due_before_the_end
    await line.floor.sweep("attempt")
    assert line.asked == ["query"]
    await line.told(GatewayQuery(attempt_id=line.attempt_id), line.paid("captured"))
    assert await line.floor.states() == ["paid"]


SIGNED_BY_ANOTHER = [GatewayQuery, GatewayClose, GatewayCapture]


@pytest.mark.parametrize("message", SIGNED_BY_ANOTHER)
async def test_a_certificate_that_would_say_whether_an_answer_is_sound_is_fetched(line: Line, message: Any) -> None:
    await line.told(message(attempt_id=line.attempt_id), Unknown("its certificate is not known", "5F1E"))
    assert line.floor.asked == [("alipay", GatewayCertificates(channel="alipay", serial="5F1E"))]


async def test_fetched_certificates_are_kept_for_every_process(line: Line) -> None:
    await line.told(GatewayCertificates(channel="alipay", serial="5F1E"), {"5F1E": "PEM"})
    assert await line.floor.rows("SELECT channel, serial, pem FROM channel_certificates") == [("alipay", "5F1E", "PEM")]


async def test_a_certificate_that_does_not_come_is_asked_for_again_only_by_what_needs_it(line: Line) -> None:
    batch = await line.told(GatewayCertificates(channel="alipay", serial="5F1E"), Unknown("TimeoutError", "5F1F"))
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
    await line.told(GatewayClose(attempt_id=line.attempt_id), line.paid("pending"))
    assert 60 * minutes - 20 < await waits_seconds(line) < 60 * minutes + 20


async def test_what_the_channel_never_heard_of_is_asked_about_once_more_when_its_clock_must_have_reached_the_end(
    line: Line,
) -> None:
    await line.over(just=True)
    await line.told(GatewayQuery(attempt_id=line.attempt_id), NO)
    again = "SELECT due_at = expire_at + $1 FROM timers, payment_attempts WHERE kind = 'attempt'"
    grace = timedelta(seconds=shop.current().payment_grace_seconds)
    assert await line.floor.rows(again, grace) == [(True,)]


async def test_a_window_that_ends_unpaid_closes_the_attempt(line: Line) -> None:
    line.floor.asked.clear()
    await line.floor.sweep("payment")
    assert await line.floor.states() == ["cancelled"]
    assert (await line.state(), line.asked) == ("closing", ["close"])


# ---------------------------------------------------------------- refunds


async def test_a_refund_that_no_attempt_of_ours_brought_is_tried_again(line: Line) -> None:
    batch = await line.told(GatewayRefund(refund_no="R404"), None)
    assert [(verdict.reason, verdict.retry) for verdict in batch.verdicts.values()] == [("refund_unknown", True)]


async def test_a_part_goes_back_of_a_whole_that_is_named(line: Line) -> None:
    await line.told(GatewayQuery(attempt_id=line.attempt_id), line.paid("captured"))
    declined = PaymentObserved(
        attempt_id=line.attempt_id, trade_no="t1", kind="failed", amount=999, currency="CNY",
        occurred_at=AT - timedelta(hours=1),
    )  # fmt: skip
    await line.floor.say(declined)
    [(order_id,)] = await line.floor.rows("SELECT id FROM orders")
    part = RefundRequest(request_id="a", actor=OPERATOR, order_id=order_id, amount=300, reason="a scratch")
    await line.floor.say(part, trusted=True)
    [refund] = line.floor.heard("refund.requested")
    async with line.floor.pool.acquire() as tx:
        [(channel, _, ask)] = (await attempts.refunds_asked(tx, [refund["refund_no"]])).values()
    assert (channel, ask.out_trade_no, ask.trade_no) == ("alipay", line.number, "t1")
    assert (ask.amount, ask.total, ask.captured_at) == (300, 1000, AT)


@pytest.fixture
async def refund_no(line: Line) -> str:
    """A paid order was cancelled, and its money is to go back."""
    await line.told(GatewayQuery(attempt_id=line.attempt_id), line.paid("captured"))
    [order_id] = await line.floor.rows("SELECT id FROM orders")
    await line.floor.say(cancel(order_id[0]))
    [refund] = line.floor.heard("refund.requested")
    assert line.asked == ["refund"]
    return str(refund["refund_no"])


async def test_a_refund_that_the_channel_tells_of_has_its_end(line: Line, refund_no: str) -> None:
    assert not (await tells(line, gave(refund_no, "succeeded"))).verdicts
    assert await line.floor.rows("SELECT state FROM refunds") == [("succeeded",)]


def gave(refund_no: str, status: Any) -> Refunded:
    return Refunded(refund_no, status, 1000, "CNY", AT)


REFUNDS = [
    (GatewayRefund, "succeeded", "succeeded", [], False),
    (GatewayRefund, "failed", "failed", [], False),
    (GatewayRefund, "processing", "submitted", [], True),
    (GatewayRefund, SILENCE, "unknown", [], True),
    (GatewayRefund, NO, "failed", [], False),
    (GatewayRefundQuery, "succeeded", "succeeded", [], False),
    (GatewayRefundQuery, "failed", "failed", [], False),
    (GatewayRefundQuery, "processing", "submitted", [], True),
    (GatewayRefundQuery, SILENCE, "unknown", [], True),
    (GatewayRefundQuery, NO, "requested", ["refund"], True),
]


@pytest.mark.parametrize(("message", "answer", "state", "asked", "watched"), REFUNDS)
async def test_a_refund_is_asked_about_until_its_end_is_known(  # noqa: PLR0917 (a row of the table)
    line: Line, refund_no: str, message: Any, answer: Any, state: str, asked: list[str], watched: bool
) -> None:
    answer = gave(refund_no, answer) if isinstance(answer, str) else answer
    await line.told(message(refund_no=refund_no), answer)
    assert await line.floor.rows("SELECT state, finished_at IS NULL FROM refunds") == [(state, watched)]
    assert (line.asked, await line.is_watched("refund")) == (asked, watched)
    ends = [
        event["type"] for event in line.floor.events if event["type"] in ("refund.succeeded.v1", "refund.failed.v1")
    ]
    assert ends == ([f"refund.{state}.v1"] if state in ("succeeded", "failed") else [])


async def test_a_refund_without_an_answer_is_asked_for_again_under_its_number_once_the_channel_knows_of_none(
    line: Line, refund_no: str
) -> None:
    await line.told(GatewayRefund(refund_no=refund_no), SILENCE)
    await line.floor.sweep("refund")
    assert line.asked == ["refund_query"]
    await line.told(GatewayRefundQuery(refund_no=refund_no), NO)
    assert line.floor.asked == [("alipay", GatewayRefund(refund_no=refund_no))]
    await line.told(GatewayRefund(refund_no=refund_no), gave(refund_no, "succeeded"))
    await line.told(GatewayRefund(refund_no=refund_no), gave(refund_no, "succeeded"))
    assert len(line.floor.heard("refund.succeeded")) == 1
    assert await line.floor.rows("SELECT captured_amount, refunded_amount FROM orders") == [(1000, 1000)]


# ---------------------------------------------------------------- opening


@pytest.fixture
async def asked_first(floor: Floor) -> Line:
    """A QR code is wanted, which the channel has to make."""
    await floor.open_shop()
    order_id = await floor.placed(("s1", 2))
    await floor.say(start(order_id, 1000, scene="qr"))
    [(_, message)] = floor.asked
    assert isinstance(message, GatewayStart)
    assert not floor.heard("payment.started")
    [(number,)] = await floor.rows("SELECT out_trade_no FROM payment_attempts")
    return Line(floor, message.attempt_id, number)


OPENINGS = [
    (Ready("qr", "https://qr.example/1"), 0, "requested", None, True),
    (Refused("ACQ.SYSTEM_ERROR", "no"), 0, "failed", "PAY_CHANNEL_ERROR", False),
    (SILENCE, 0, "created", None, True),
    (SILENCE, START_TRIES - 1, "unknown", "PAY_CHANNEL_UNKNOWN", True),
]


@pytest.mark.parametrize(("answer", "attempt", "state", "code", "watched"), OPENINGS)
async def test_a_start_is_answered_once_the_channel_has_answered_or_kept_silent_too_often(  # noqa: PLR0917
    asked_first: Line, answer: Any, attempt: int, state: str, code: str | None, watched: bool
) -> None:
    line = asked_first
    batch = await line.told(GatewayStart(attempt_id=line.attempt_id), answer, attempt)
    assert bool(batch.verdicts) == (state == "created")
    assert (await line.state(), await line.is_watched()) == (state, watched)
    assert [event["code"] for event in line.floor.heard("command.rejected")] == ([code] if code else [])
    assert [event["url"] for event in line.floor.heard("payment.started")] == (
        ["https://qr.example/1"] if state == "requested" else []
    )


async def test_a_start_that_is_delivered_again_is_answered_once_and_leaves_the_attempt_open(asked_first: Line) -> None:
    line = asked_first
    for _ in range(2):
        await line.told(GatewayStart(attempt_id=line.attempt_id), Ready("qr", "https://qr.example/1"))
    assert (len(line.floor.heard("payment.started")), line.floor.heard("command.rejected")) == (1, [])
    assert (await line.state(), line.asked) == ("requested", [])


async def test_what_the_channel_opens_after_all_is_closed_there_and_given_to_nobody(asked_first: Line) -> None:
    """Its own close may have come when the channel did not know it yet."""
    line = asked_first
    await line.floor.pool.execute("UPDATE payment_attempts SET state = 'closing'")
    await line.told(GatewayStart(attempt_id=line.attempt_id), Ready("qr", "https://qr.example/1", reference="theirs"))
    assert line.floor.heard("payment.started") == []
    assert [event["code"] for event in line.floor.heard("command.rejected")] == ["PAY_CHANNEL_ERROR"]
    assert line.asked == ["close"]
    assert await line.floor.rows("SELECT state, reference FROM payment_attempts") == [("closing", "theirs")]


@pytest.mark.parametrize("state", ["closed", "captured", "failed"])
@pytest.mark.parametrize("answer", [None, NO, SILENCE], ids=["is not asked", "says no", "is silent"])
async def test_a_start_whose_attempt_has_ended_meanwhile_is_answered_and_the_end_stays(
    asked_first: Line, state: str, answer: Any
) -> None:
    """Another attempt replaced it while its channel was silent, or the answer to another question said more."""
    line = asked_first
    await line.floor.pool.execute("UPDATE payment_attempts SET state = $1", state)
    await line.told(GatewayStart(attempt_id=line.attempt_id), answer, START_TRIES - 1)
    [rejected] = line.floor.heard("command.rejected")
    unpaid = "PAY_CHANNEL_UNKNOWN" if answer is SILENCE else "PAY_CHANNEL_ERROR"
    assert rejected["code"] == ("PAY_ALREADY_PAID" if state == "captured" else unpaid)
    assert await line.state() == state


@pytest.mark.parametrize("answer", [NO, None], ids=["asked", "not asked"])
async def test_a_woken_timer_of_an_attempt_that_has_ended_is_dropped(line: Line, answer: Any) -> None:
    await line.floor.pool.execute("UPDATE payment_attempts SET state = 'failed'")
    await line.floor.say(TimerDue(kind="attempt", key=line.attempt_id, due_at=AT))
    await line.told(GatewayQuery(attempt_id=line.attempt_id), answer)
    assert not await line.is_watched()
