"""The settings of one merchant at UnionPay. Keys and certificates are PEM texts, not the names of files."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from workers.providers.rsa import private_key, public_key

Pem = Annotated[str, Field(max_length=20_000)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s?#]+$", max_length=256)]


class SigningKey(BaseModel):
    """Our private key and its certificate. UnionPay knows the key by the certificate."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    private_key: SecretStr
    certificate: Pem

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        key = private_key(self.private_key.get_secret_value()).public_key()
        if key.public_numbers() != public_key(self.certificate).key.public_numbers():
            raise ValueError("the certificate is not of this private key")
        return self

    @property
    def certificate_id(self) -> str:
        """The certificate's serial number in decimals, for the field certId."""
        return str(int(public_key(self.certificate).serial or "", 16))


class UnionPaySettings(BaseModel):
    """One merchant. The first key signs. While you replace a key, list the new one and the old one."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    merchant_id: str = Field(pattern=r"^[0-9A-Za-z]{15}$", description="Our merId")
    signing_keys: tuple[SigningKey, ...] = Field(min_length=1, max_length=2)
    root_certificates: tuple[Pem, ...] = Field(min_length=1, max_length=4)
    intermediate_certificates: tuple[Pem, ...] = Field(min_length=1, max_length=4)
    certificate_holder: str = Field(
        default="中国银联股份有限公司", description="Third part of the common name of UnionPay's certificates"
    )
    sha1_certificates: bool = Field(
        default=False,
        description="Believe certificates that are signed with SHA-1, as by CFCA OCA1 and in the test environment",
    )
    gateway_url: Url = Field(default="https://gateway.95516.com")
    notify_url: Url = Field(
        description="UnionPay posts notifications here. A query string would be part of their signature"
    )
    grace_seconds: int = Field(
        default=300,
        ge=0,
        le=3600,
        description="An attempt may still turn out to be paid this long after payTimeout, because clocks differ",
    )
    return_url: Url = Field(description="The buyer returns here if the attempt names no other address")
