"""risk.*: another system checks an order before stock is reserved for it (S3-10)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from messages.base import Amount, Currency, Event, Fact, FreeText, Moment, OrderId, Part
from messages.roles import Role

CaptchaToken = Annotated[str, StringConstraints(max_length=4096, pattern=r"^[!-~]+$")]
"""What a captcha gives to a client that solved it. Only the risk check can tell whether it is right."""
Pseudonym = Annotated[str, StringConstraints(min_length=16, max_length=128, pattern=r"^[A-Za-z0-9_-]+$")]
"""A name that only its maker can trace back, such as a keyed hash. No IP address, email or phone number fits."""


class ClientFacts(Part):
    """What the client knows about the device and the behaviour of the buyer, for the risk check alone.

    It is announced, so it names no person: devices and networks have pseudonyms. `device_known_seconds` is how long ago
    the device was first seen, `behaviour_score` what the client's own analysis says, from 0 (as a machine) to 100.
    """

    device_ref: Pseudonym | None = None
    network_ref: Pseudonym | None = None
    device_kind: Literal["computer", "phone", "tablet", "other"] | None = None
    device_known_seconds: Annotated[int, Field(ge=0, le=2**32)] | None = None
    behaviour_score: Annotated[int, Field(ge=0, le=100)] | None = None


class RiskRequested(Event):
    """An order needs a risk check. Answer with risk.result before `answer_before`.

    The `client` facts and a `captcha_token` are those of order.create. It comes again with the token of each captcha
    that the buyer answers later; `captcha_answers` counts these.
    """

    TYPE: ClassVar[str] = "risk.requested.v1"
    order_id: OrderId
    user_id: str
    channel: str
    business_type: str
    amount: Amount
    currency: Currency
    units: int
    country: str | None
    answer_before: Moment
    client: ClientFacts | None = None
    captcha_token: CaptchaToken | None = None
    captcha_answers: int = 0


class RiskResult(Fact):
    """The risk check's verdict about one order. The first verdict counts.

    `held` lets the order be placed and paid, and holds its goods until an operator releases them (order.release).
    `captcha_required` is no verdict yet: the order waits for the buyer's answer. A result that names fewer
    `captcha_answers` than there are is late, and means nothing.
    """

    TYPE: ClassVar[str] = "risk.result.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    order_id: OrderId
    verdict: Literal["passed", "held", "rejected", "captcha_required"]
    captcha_answers: Annotated[int, Field(ge=0, le=100)] | None = None
    reason: FreeText | None = None
