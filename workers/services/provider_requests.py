"""What is asked of a provider before the transaction of its answers: how each call is put, and how it is read."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from db.pool import Transaction
from messages.envelope import Envelope
from messages.providers import (
    AttemptCall,
    ProviderCapture,
    ProviderCertificates,
    ProviderClose,
    ProviderRefund,
    ProviderStart,
    RefundCall,
)
from workers.providers import caller, configured
from workers.providers.calls import Caller, ProviderAwayError
from workers.providers.port import (
    Approved,
    Paid,
    Provider,
    Ready,
    RefundAsk,
    Refunded,
    Refused,
    Request,
    Response,
    Unknown,
)
from workers.providers.port import Attempt as PortAttempt
from workers.services.attempts import refunds_of_attempts, to_collect
from workers.store import attempts, notifications
from workers.store.attempts import DONE, LIVE, Attempt

Item: TypeAlias = Envelope[Any]
Answer: TypeAlias = Ready | Paid | Approved | Refunded | Refused | Unknown | Mapping[str, str]
NOTHING_TO_ASK = Refused("NOTHING_TO_ASK", "the provider has no such question")


@dataclass(frozen=True)
class Question:
    """One item, how it is asked and how the answer is read.

    With `alone`, a provider that is not reached holds up nobody else: the address may be a stranger's invention.
    """

    item_id: str
    build: Callable[[datetime], Request | None]
    read: Callable[[Response, datetime], Answer]
    alone: bool = False


@dataclass(frozen=True)
class Questions:
    """What one batch asks of one provider."""

    provider: str
    questions: Sequence[Question]


async def prepare(tx: Transaction, items: Sequence[Item], *, provider: str) -> Questions:
    """What the questions need to know; one statement per table.

    Raises ProviderAwayError where the provider is not configured: whoever speaks with it will ask.
    """
    speaks = configured().get(provider)
    if speaks is None:
        raise ProviderAwayError(f"this process does not speak with {provider}: set OMS_{provider.upper()}")
    known = await notifications.certificates(tx, [provider])
    speaks = speaks.with_certificates(known[provider]) if known else speaks
    found = await attempts.read(tx, [item.body.attempt_id for item in items if isinstance(item.body, AttemptCall)])
    asked = await refunds_of_attempts(tx, [i.body.refund_no for i in items if isinstance(i.body, RefundCall)])
    asks = {refund_no: ask for refund_no, (_, ask) in asked.items()}
    made = (question(speaks, item, found, asks) for item in items)
    return Questions(provider, [one for one in made if one is not None])


def question(
    provider: Provider, item: Item, found: Mapping[int, Attempt], refunds: Mapping[str, RefundAsk]
) -> Question | None:
    """How one message is put to the provider; None where there is nothing to ask."""
    body = item.body
    if isinstance(body, ProviderCertificates):
        return certificates_question(provider, item, body.serial)
    if isinstance(body, RefundCall):
        ask = refunds.get(body.refund_no)
        return refund_question(provider, item, ask) if ask else None
    attempt = found.get(body.attempt_id)
    if attempt is None or attempt.state == "captured":
        return None
    ended = attempt.state in DONE and isinstance(body, ProviderStart | ProviderClose)
    return None if ended else attempt_question(provider, item, attempt)


def certificates_question(provider: Provider, item: Item, serial: str) -> Question:
    """Which certificates does it have, this one among them?"""
    return Question(
        item.id,
        lambda at: provider.certificates(at, serial),
        lambda r, at: provider.read_certificates(r, at, serial),
        alone=True,
    )


def refund_question(provider: Provider, item: Item, ask: RefundAsk) -> Question:
    """Give back, or how does it stand."""
    if isinstance(item.body, ProviderRefund):
        return Question(item.id, lambda at: provider.refund(ask, at), lambda r, at: provider.refunded(ask, r, at))
    return Question(item.id, lambda at: provider.query_refund(ask, at), lambda r, at: provider.refund_found(ask, r, at))


def attempt_question(provider: Provider, item: Item, attempt: Attempt) -> Question | None:
    """Open, take, close, or how does it stand. What is being closed is neither opened nor captured any more."""
    asked = to_collect(attempt)
    match item.body:
        case ProviderStart() if attempt.state != "created":
            return None
        case ProviderStart():
            return Question(
                item.id, lambda at: opening(provider, attempt, at), lambda r, at: provider.started(asked, r, at)
            )
        case ProviderCapture() if attempt.state in LIVE:
            return Question(item.id, lambda at: provider.capture(asked, at), lambda r, at: provider.paid(asked, r, at))
        case ProviderClose() if not provider.captures:
            return Question(item.id, lambda at: provider.close(asked, at), lambda r, at: provider.closed(asked, r, at))
        case ProviderClose():
            return Question(
                item.id,
                lambda at: provider.query(asked, at),
                lambda r, at: uncaptured(provider.paid(asked, r, at), asked, at),
            )
    return Question(item.id, lambda at: provider.query(asked, at), lambda r, at: provider.paid(asked, r, at))


def uncaptured(answer: Answer, asked: PortAttempt, at: datetime) -> Answer:
    """Where the money comes only when we ask for it, an attempt that has brought none is closed by not asking.

    A capture that is under way has its number.
    """
    waits = isinstance(answer, Approved | Refused)
    waits |= isinstance(answer, Paid) and answer.status == "pending" and not answer.trade_no
    number = asked.out_trade_no
    return Paid(number, number, "closed", asked.amount, asked.currency, at, "not captured") if waits else answer


def opening(provider: Provider, attempt: Attempt, at: datetime) -> Request | None:
    """The call that opens an attempt, where the provider wants one."""
    request = provider.start(to_collect(attempt), at)
    return request if isinstance(request, Request) else None


async def ask(questions: Questions) -> Mapping[str, Answer]:
    """Ask side by side. Raises ProviderAwayError when the provider cannot be reached."""
    if not questions.questions:
        return {}
    speaks = caller(questions.provider)
    answers = await asyncio.gather(*(answer_to(speaks, one) for one in questions.questions))
    pairs = zip(questions.questions, answers, strict=True)
    return {one.item_id: answer or NOTHING_TO_ASK for one, answer in pairs}


async def answer_to(speaks: Caller, one: Question) -> Answer | None:
    """One answer; None where the provider has no such question. Raises ProviderAwayError."""
    try:
        return await speaks.ask(one.build, one.read)
    except ProviderAwayError as error:
        if not one.alone:
            raise
        return Unknown(str(error))
