"""Captchas that the risk check wants before it judges an order (S1-49).

the risk check wants one, and the order            then
-------------------------------------------------  ---------------------------------------------------------------
has none yet, or its answer was not enough         the order waits for an answer, as long as it was created with
waits for an answer                                nothing: the buyer knows already
has had more answers than the result speaks of     nothing: the result is late
has had CAPTCHA_ANSWERS_MAX, or was created with   it is rejected
no time for captchas
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from workers.domain.codes import Code
from workers.domain.order import Order, State
from workers.domain.refusal import Refusal

CAPTCHA_ANSWERS_MAX = 3
NOT_PASSED = Refusal(Code.RISK_CAPTCHA_REQUIRED, "the order needs a captcha")
NOT_ANSWERED = Refusal(Code.RISK_CAPTCHA_REQUIRED, "the captcha was not answered in time")
NOT_RESERVED = Refusal(Code.ORDER_SAGA_TIMEOUT, "not everything could be reserved in time")


@dataclass(frozen=True)
class CaptchaChallenge:
    """A captcha that the buyer of an order has to answer `until` then, or has answered at `answered_at`.

    `answers` counts all that the buyer has given.
    """

    order_id: int
    required_at: datetime
    until: datetime
    answers: int = 0
    answered_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.answered_at is None


class Unneeded(Enum):
    """The risk check's wish for a captcha means nothing: it is known already, or late."""

    CAPTCHA = auto()


def require(
    order: Order, found: CaptchaChallenge | None, window_seconds: int, based_on: int | None, now: datetime
) -> CaptchaChallenge | Unneeded | Refusal:
    """Return the captcha that the order waits for now, or why it does not. `based_on`: the answers that were judged."""
    if found is not None and (found.is_open or (based_on is not None and based_on < found.answers)):
        return Unneeded.CAPTCHA
    answers = 0 if found is None else found.answers
    if not window_seconds or answers >= CAPTCHA_ANSWERS_MAX:
        return NOT_PASSED
    return CaptchaChallenge(order.id, now, now + timedelta(seconds=window_seconds), answers)


def answer(order: Order, found: CaptchaChallenge | None, now: datetime) -> CaptchaChallenge | Refusal:
    """Return the captcha as the buyer's answer leaves it, or why the buyer cannot answer one of this order."""
    if order.state is not State.PLACING or found is None or not found.is_open:
        return Refusal(Code.ORDER_STATE_INVALID, "the order waits for no captcha", {"order_id": str(order.id)})
    if found.until <= now:
        return Refusal(Code.ORDER_STATE_INVALID, "the time for the captcha is over", {"order_id": str(order.id)})
    return replace(found, answers=found.answers + 1, answered_at=now)


def why_not_placed(found: CaptchaChallenge | None) -> Refusal:
    """Return why an order is rejected whose saga timer is due."""
    return NOT_ANSWERED if found is not None and found.is_open else NOT_RESERVED
