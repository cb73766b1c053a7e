"""A provider is made from its configuration, with keys in it or in files; no error shows a key."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import BaseModel, SecretStr

from scripts.gateways.authorities import pem
from tests.providers import alipay_builders, keys, paypal_builders, stripe_builders, unionpay_builders, wechat_builders
from workers.providers.configuration import ProviderConfigError, make
from workers.providers.port import Notification, PaymentReport

GENUINE: Mapping[str, Notification] = {
    "alipay": alipay_builders.notification(alipay_builders.trade()),
    "wechat": wechat_builders.notification(wechat_builders.transaction()),
    "unionpay": unionpay_builders.notification(unionpay_builders.payment()),
    "paypal": paypal_builders.completed(),
    "stripe": stripe_builders.succeeded(),
}


def plain(value: Any) -> Any:
    """Settings as a person writes them."""
    match value:
        case SecretStr():
            return value.get_secret_value()
        case BaseModel():
            return {name: plain(getattr(value, name)) for name in type(value).model_fields}
        case Mapping():
            return {name: plain(item) for name, item in value.items()}
        case tuple():
            return [plain(item) for item in value]
    return value


CONFIGURED: Mapping[str, dict[str, Any]] = {
    "alipay": plain(alipay_builders.settings()),
    "wechat": plain(wechat_builders.settings()),
    "unionpay": plain(unionpay_builders.settings()),
    "paypal": plain(paypal_builders.settings()),
    "stripe": plain(stripe_builders.settings()),
}
each = pytest.mark.parametrize("name", CONFIGURED)


def as_json(configured: Mapping[str, Any]) -> str:
    return orjson.dumps(configured).decode()


@each
def test_a_provider_is_made_from_json(name: str) -> None:
    provider = make(name, as_json(CONFIGURED[name]))
    assert provider.name == name
    assert isinstance(provider.verify(GENUINE[name]), PaymentReport)


@each
def test_keys_may_be_in_files_beside_the_configuration_file(name: str, tmp_path: Path) -> None:
    def filed(value: Any) -> Any:
        match value:
            case str() if "BEGIN" in value:
                path = tmp_path / f"{len(list(tmp_path.iterdir()))}.pem"
                path.write_text(value + "\n")
                return f"file:{path.name}"
            case dict():
                return {key: filed(item) for key, item in value.items()}
            case list():
                return [filed(item) for item in value]
        return value

    config = tmp_path / "provider.json"
    config.write_text(as_json(filed(CONFIGURED[name])))
    assert "BEGIN" not in config.read_text()
    assert isinstance(make(name, f"file:{config}").verify(GENUINE[name]), PaymentReport)


MARK = "SECRET-MARK"


@each
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MARK, "no JSON"),
        ("[]", ""),
        ("{}", "required"),
        (f'{{"{MARK}"', "no JSON"),
        ("file:/nowhere/at/all", "cannot be read"),
    ],
)
def test_a_malformed_configuration_is_rejected(name: str, text: str, message: str) -> None:
    with pytest.raises(ProviderConfigError, match=f"OMS_{name.upper()}.*{message}") as error:
        make(name, text)
    assert MARK not in str(error.value)


@each
def test_the_error_about_a_wrong_or_unknown_field_names_the_field_and_not_its_value(name: str) -> None:
    for field in (*CONFIGURED[name], "unknown_field"):
        with pytest.raises(ProviderConfigError, match=field) as error:
            make(name, as_json(CONFIGURED[name] | {field: {"a": [MARK]}}))
        assert MARK not in str(error.value)
        assert keys.private_pem("ours").splitlines()[1] not in str(error.value)


def test_a_missing_or_binary_key_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "missing", tmp_path / "binary", tmp_path, "a\0b"):
        with pytest.raises(ProviderConfigError, match="cannot be read"):
            make("alipay", as_json(CONFIGURED["alipay"] | {"alipay_public_keys": [f"file:{path}"]}))


def test_certificates_that_do_not_belong_together_are_a_configuration_error() -> None:
    forged = pem(unionpay_builders.authority("forged").issuer)
    with pytest.raises(ProviderConfigError, match=r"OMS_UNIONPAY: .*not issued by one that is pinned"):
        make("unionpay", as_json(CONFIGURED["unionpay"] | {"intermediate_certificates": [forged]}))
    with pytest.raises(ProviderConfigError, match=r"OMS_PAYPAL: .*no certificate in PEM"):
        make("paypal", as_json(CONFIGURED["paypal"] | {"root_certificates": ["no PEM"]}))
