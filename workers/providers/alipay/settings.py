"""The settings of one application at Alipay."""

from typing import Annotated, Self

from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator, model_validator

from workers.providers import rsa
from workers.providers.alipay import serials

Url = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]{1,240}$")]


class AlipaySettings(BaseModel):
    """One application. The first of two keys signs and we believe both, so that each side can replace its key."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    gateway_url: Annotated[str, StringConstraints(pattern=r"^https?://[^?#\s]{1,240}$")] = (
        "https://openapi.alipay.com/gateway.do"
    )
    app_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,32}$")]
    seller_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,28}$")] = Field(description="Our PID: 2088...")
    notify_url: Url
    app_private_keys: tuple[SecretStr, ...] = Field(min_length=1, max_length=2, description="应用私钥, PEM")
    alipay_public_keys: tuple[str, ...] = Field(
        min_length=1, max_length=2, description="支付宝公钥, or in 证书模式 alipayCertPublicKey_RSA2, PEM"
    )
    app_certificates: tuple[str, ...] = Field(
        default=(), max_length=2, description="证书模式: appCertPublicKey of each of our keys, in their order, PEM"
    )
    root_certificates: str = Field(default="", description="证书模式: alipayRootCert.crt, all of it")
    qr_product_code: Annotated[str, StringConstraints(pattern=r"^[A-Z_]{1,64}$")] = Field(
        default="QR_CODE_OFFLINE", description="订单码支付; the older 当面付 has FACE_TO_FACE_PAYMENT"
    )

    @field_validator("app_private_keys")
    @classmethod
    def _are_keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for key in value:
            rsa.private_key(key.get_secret_value())
        return value

    @field_validator("alipay_public_keys")
    @classmethod
    def _are_public_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pem in value:
            rsa.public_key(pem)
        return value

    @model_validator(mode="after")
    def _are_certificates_of_our_keys(self) -> Self:
        if bool(self.app_certificates) != bool(self.root_certificates):
            raise ValueError("证书模式 needs app_certificates and root_certificates")
        if self.app_certificates and len(self.app_certificates) != len(self.app_private_keys):
            raise ValueError("app_certificates are not as many as app_private_keys")
        for key, pem in zip(self.app_private_keys, self.app_certificates, strict=False):
            ours = rsa.private_key(key.get_secret_value()).public_key()
            theirs = rsa.public_key(pem)
            if theirs.serial is None:
                raise ValueError("app_certificates has one that is no certificate")
            if theirs.key.public_numbers() != ours.public_numbers():
                raise ValueError("app_certificates has one that is not of our key")
        if self.root_certificates:
            serials.of_roots(self.root_certificates)
        return self

    @property
    def certificate_names(self) -> dict[str, str]:
        """The fields that 证书模式 adds to each request: the names of our certificate and of Alipay's roots."""
        if not self.app_certificates:
            return {}
        ours = x509.load_pem_x509_certificate(self.app_certificates[0].encode())
        return {"app_cert_sn": serials.of(ours), "alipay_root_cert_sn": serials.of_roots(self.root_certificates)}
