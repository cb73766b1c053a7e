"""The settings of one merchant at WeChat Pay."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator

from workers.providers import rsa

PUBLIC_KEY_ID = "PUB_KEY_ID_"
"""Prefix of the name of a 微信支付公钥, which merchants download by hand. All other names are certificate serials."""
Serial = Annotated[str, StringConstraints(pattern=rf"^([0-9A-Fa-f]{{1,40}}|{PUBLIC_KEY_ID}[0-9A-Za-z]{{1,64}})$")]
AppId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,32}$")]
Origin = Annotated[str, StringConstraints(pattern=r"^https?://[0-9A-Za-z.:\[\]-]{1,200}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]{1,240}$")]


class MerchantKey(BaseModel):
    """One key of ours (商户API证书): the serial of its certificate, and the private key in PEM."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    serial: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{1,40}$")]
    private_key: SecretStr

    @field_validator("private_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        rsa.private_key(value.get_secret_value())
        return value


class WeChatSettings(BaseModel):
    """One merchant. The first of two keys signs and we believe both, so that each side can replace its key."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: Origin = "https://api.mch.weixin.qq.com"
    mchid: Annotated[str, StringConstraints(pattern=r"^[0-9]{6,32}$")]
    appid: AppId
    app_appid: AppId | None = Field(
        default=None, description="The appid of the mobile app, if the app scene has its own"
    )
    notify_url: Url
    merchant_keys: tuple[MerchantKey, ...] = Field(min_length=1, max_length=2)
    apiv3_keys: tuple[SecretStr, ...] = Field(
        min_length=1, max_length=2, description="32 bytes each; they decrypt what WeChat Pay encrypts"
    )
    platform_keys: dict[Serial, str] = Field(
        default={},
        description="WeChat Pay's certificates by serial, its public keys by PUB_KEY_ID_...; PEM. We download others",
    )
    timestamp_window_seconds: int = Field(
        default=300, ge=1, le=3600, description="Maximum age of a notification: WeChat Pay signs each repeat anew"
    )

    @field_validator("apiv3_keys")
    @classmethod
    def _fits_aes_256(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value().encode()) != 32 for key in value):
            raise ValueError("has a key that is not 32 bytes long")
        return value

    @field_validator("platform_keys")
    @classmethod
    def _are_keys(cls, value: dict[str, str]) -> dict[str, str]:
        for serial, pem in value.items():
            named = rsa.public_key(pem).serial
            wrong = not serial.startswith(PUBLIC_KEY_ID) if named is None else named != normal_serial(serial)
            if wrong:
                raise ValueError("has a certificate under another name than its serial")
        return value

    @property
    def appids(self) -> frozenset[str]:
        """The apps through which a buyer may pay this merchant."""
        return frozenset(filter(None, (self.appid, self.app_appid)))


def normal_serial(serial: str) -> str:
    """Spell a serial, which is a number in hex, in one way: upper case without leading zeros."""
    return serial if serial.startswith(PUBLIC_KEY_ID) else serial.upper().lstrip("0")
