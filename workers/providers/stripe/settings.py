"""The settings of one account at Stripe."""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=256)]
PAGES = r"https://checkout\.stripe\.com/[!-~]{1,1900}"
_KEY = re.compile(r"(?:sk|rk)_(?:test|live)_[0-9A-Za-z_]{1,240}")
_SECRET = re.compile(r"whsec_[0-9A-Za-z+/=_-]{1,240}")


class StripeSettings(BaseModel):
    """One account. While Stripe replaces the secret of the webhook, list the old one and the new one."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    secret_key: SecretStr = Field(
        description="sk_... or a restricted rk_..., which writes sessions, payment intents and refunds, and reads "
        "disputes. It decides whether money is real"
    )
    webhook_secrets: tuple[SecretStr, ...] = Field(min_length=1, max_length=2, description="whsec_...")
    checkout_url_pattern: str = Field(
        default=PAGES, description="The only addresses to which we send buyers; a domain of your own has another"
    )
    api_url: Url = Field(default="https://api.stripe.com")
    return_url: Url = Field(description="The buyer returns here if the attempt names no other address")
    cancel_url: Url = Field(description="A buyer who does not want to pay returns here")
    signature_window_seconds: int = Field(
        default=300, ge=1, le=3600, description="Maximum age of a notification: Stripe signs each repeat anew"
    )

    @property
    def live(self) -> bool:
        """True if the key moves real money."""
        return "_live_" in self.secret_key.get_secret_value()[:9]

    @field_validator("secret_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        if not _KEY.fullmatch(value.get_secret_value()):
            raise ValueError("is no secret key of Stripe")
        return value

    @field_validator("webhook_secrets")
    @classmethod
    def _are_secrets(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(_SECRET.fullmatch(one.get_secret_value()) for one in value):
            raise ValueError("is no signing secret of a webhook")
        return value

    @field_validator("checkout_url_pattern")
    @classmethod
    def _pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error:
            raise ValueError("is no regular expression") from None
        return value
