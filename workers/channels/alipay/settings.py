"""What a merchant is at Alipay."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator

from workers.channels import rsa

Url = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]{1,240}$")]


class AlipaySettings(BaseModel):
    """One application. Of two keys the first is used; both are believed, so each side can change its own at leisure."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    gateway_url: Annotated[str, StringConstraints(pattern=r"^https?://[^?#\s]{1,240}$")] = (
        "https://openapi.alipay.com/gateway.do"
    )
    app_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,32}$")]
    seller_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,28}$")] = Field(description="Our PID: 2088...")
    notify_url: Url
    app_private_keys: tuple[SecretStr, ...] = Field(min_length=1, max_length=2, description="应用私钥, PEM")
    alipay_public_keys: tuple[str, ...] = Field(min_length=1, max_length=2, description="支付宝公钥, PEM")
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
