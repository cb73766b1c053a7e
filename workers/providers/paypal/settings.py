"""The settings of one app of one merchant at PayPal. Certificates are PEM texts, not the names of files."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

Pem = Annotated[str, Field(max_length=20_000)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=256)]
Id = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,128}$")]
CERTIFICATES = r"https://api(-m)?\.paypal\.com/v1/notifications/certs/[0-9A-Za-z-]{1,100}"
APPROVALS = r"https://www\.paypal\.com/[!-~]{1,500}"


class PayPalSettings(BaseModel):
    """One app of one merchant. While you replace a secret, a webhook or a root, list the old one and the new one.

    We use the first secret.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    merchant_id: str = Field(pattern=r"^[0-9A-Z]{5,20}$", description="The payee in orders and captures")
    client_id: Id
    client_secrets: tuple[SecretStr, ...] = Field(min_length=1, max_length=2)
    webhook_ids: tuple[Id, ...] = Field(
        min_length=1, max_length=2, description="PayPal signs the webhook's id with each notification"
    )
    root_certificates: tuple[Pem, ...] = Field(min_length=1, max_length=8)
    intermediate_certificates: tuple[Pem, ...] = Field(
        default=(), max_length=8, description="PayPal's address offers only the leaf certificate of the chain"
    )
    certificates: Mapping[str, Pem] = Field(default={}, description="Address -> certificate. We download others")
    certificate_names: tuple[str, ...] = Field(
        default=("messageverificationcerts.paypal.com",),
        min_length=1,
        description="The sandbox has messageverificationcerts.sandbox.paypal.com",
    )
    certificate_url_pattern: str = Field(
        default=CERTIFICATES,
        description="The only addresses from which we download certificates; the sandbox has its own",
    )
    approval_url_pattern: str = Field(
        default=APPROVALS, description="The only addresses to which we send buyers; the sandbox has its own"
    )
    api_url: Url = Field(default="https://api-m.paypal.com")
    return_url: Url = Field(description="The buyer returns here if the attempt names no other address")
    cancel_url: Url = Field(description="A buyer who does not want to pay returns here")
    transmission_window_seconds: int = Field(
        default=4 * 86_400,
        ge=300,
        le=30 * 86_400,
        description="Maximum age of a notification: PayPal repeats it for three days",
    )

    @field_validator("certificate_url_pattern", "approval_url_pattern")
    @classmethod
    def _pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error:
            raise ValueError("is no regular expression") from None
        return value
