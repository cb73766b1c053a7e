"""Captchas: the risk check wants one before it judges an order, and the buyer answers it (S1-49, S3-10)."""

from typing import ClassVar

from messages.base import Event, Moment, OrderId
from messages.orders import OrderCommand
from messages.risk import CaptchaToken, RiskResult


class OrderCaptchaAnswer(OrderCommand):
    """Answer the captcha that the order waits for. The risk check gets the token, and judges the order."""

    TYPE: ClassVar[str] = "order.captcha.answer.v1"
    captcha_token: CaptchaToken


class OrderCaptcha(Event):
    """A captcha that the risk check wants. `captcha_answers` counts those that the order has had."""

    order_id: OrderId
    user_id: str
    captcha_answers: int


class OrderCaptchaRequired(OrderCaptcha):
    """The order of this `request_id` waits: send order.captcha.answer before `until`, else it is rejected."""

    TYPE: ClassVar[str] = "order_captcha.required.v1"
    request_id: str
    until: Moment


class OrderCaptchaAnswered(OrderCaptcha):
    """The answer is at the risk check, which has not judged it yet."""

    TYPE: ClassVar[str] = "order_captcha.answered.v1"


TO_US = (RiskResult, OrderCaptchaAnswer)
"""What the queue of the risk check takes."""
