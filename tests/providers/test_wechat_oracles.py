"""Independent oracles for WeChat Pay: published examples of its SDK for Go, and the Python client `wechatpayv3`."""

import base64
import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from pydantic import SecretStr

from scripts.gateways import wechat_protocol as protocol
from tests.providers import keys
from tests.providers import wechat_builders as builders
from tests.providers.wechat_builders import AT, ATTEMPT, PLATFORM, PUBLIC_KEY_ID, SERIAL
from workers.domain.codes import Code
from workers.providers.parsing import FieldError, Fields
from workers.providers.port import (
    ClientAction,
    HttpRequest,
    IrrelevantNotification,
    Notification,
    PaymentReport,
    RejectedNotification,
)
from workers.providers.wechat import signing

PUBLISHED = Path(__file__).parent / "published"
GOLDEN = json.loads((PUBLISHED / "wechat_notification.json").read_text("utf-8"))
GOLDEN_CERTIFICATE = (PUBLISHED / "wechat_certificate.pem").read_text()
GOLDEN_AT = datetime.fromtimestamp(1624523846, UTC)
sdk, sdk_type, sdk_utils = (import_module(f"wechatpayv3{part}") for part in ("", ".type", ".utils"))
WECHAT = builders.provider()


def test_the_published_notification_is_believed_and_an_altered_one_is_not() -> None:
    wechat = builders.provider(platform_keys={"D7CE59D1F522D701": GOLDEN_CERTIFICATE})
    genuine = Notification(builders.lowered(GOLDEN["headers"]), GOLDEN["body"].encode(), GOLDEN_AT)
    assert wechat.verify(genuine) == IrrelevantNotification("PAYSCORE.USER_OPEN_SERVICE")
    other = Notification(genuine.headers, genuine.body.replace(b"PAYSCORE", b"TRANSACT"), GOLDEN_AT)
    assert wechat.verify(other) == RejectedNotification(
        Code.PAY_SIGNATURE_INVALID, "the signature is not that of the key it names, or that key has ended"
    )


def test_the_published_resource_is_decrypted() -> None:
    resource = Fields(json.loads(GOLDEN["body"])["resource"])
    assert json.loads(signing.decrypt(resource, [SecretStr(GOLDEN["apiv3_key"])])) == {
        "mchid": "1234567890",
        "appid": "054aa7d7a2a54ab5898df65bd96f001c",
        "create_time": "2020-06-30T12:12:00+08:00",
        "out_contract_code": "21640bdbd08e473e828f3206a2741c6e",
    }


SEALED = {
    "algorithm": "AEAD_AES_256_GCM", "ciphertext": "FsdXzxryWfKwvLJKf8LG/ToRPTRh8RN9wROC", "nonce": "wCq51qZv4Yfg",
    "associated_data": "Dl56FrqWQJF1t9LtC3vEUsniZKvbqdR8",
}  # fmt: skip
"""The example of the SDK's AES tests."""


def test_the_published_ciphertext_is_decrypted_with_its_key_only() -> None:
    assert (
        signing.decrypt(Fields(SEALED), [SecretStr("testAPIv3Key1111"), SecretStr("testAPIv3Key0000")])
        == b"Hello World"
    )
    with pytest.raises(FieldError):
        signing.decrypt(Fields(SEALED), [SecretStr("testAPIv3Key1111")])


DOCUMENTED = b"GET\n/v3/certificates\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n\n"
"""The text that the documentation page 签名生成 signs."""


def test_the_text_to_sign_is_built_as_documented() -> None:
    built = signing.lines("GET", "/v3/certificates", "1554208460", "593BEC0C930BF1AFEB40B4A08C8FB242", b"")
    assert built == DOCUMENTED
    client = signing.lines("wx8888888888888888", "1414561699", "5K8264ILTKCH16CQ2502SI8ZNMTM67VS", "prepay_id=wx2014")
    assert client == b"wx8888888888888888\n1414561699\n5K8264ILTKCH16CQ2502SI8ZNMTM67VS\nprepay_id=wx2014\n"


def client(**more: Any) -> Any:
    """The client of wechatpayv3. With a public key it makes no HTTP request for certificates."""
    given: dict[str, Any] = {
        "wechatpay_type": sdk_type.WeChatPayType.NATIVE,
        "mchid": builders.MCHID,
        "private_key": keys.private_pem("ours"),
        "cert_serial_no": builders.OUR_SERIAL,
        "appid": builders.APPID,
        "apiv3_key": builders.APIV3_KEY,
        "public_key": keys.public_pem("wechat"),
        "public_key_id": PUBLIC_KEY_ID,
    }
    return sdk.WeChatPay(**given | more)


REQUESTS = [
    WECHAT.start(ATTEMPT, AT),
    WECHAT.query(ATTEMPT, AT),
    WECHAT.close(ATTEMPT, AT),
    WECHAT.refund(builders.REFUND_ORDER, AT),
    WECHAT.query_refund(builders.REFUND_ORDER, AT),
    WECHAT.certificates(AT, SERIAL),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.url.rpartition("/")[2][:20])
def test_our_authorization_header_is_byte_for_byte_that_of_the_sdk(
    request_: HttpRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = request_.headers["authorization"]
    nonce = re.findall(r'nonce_str="([^"]+)"', ours)[0]
    monkeypatch.setattr(time, "time", AT.timestamp)
    theirs = sdk_utils.build_authorization(
        request_.url.removeprefix("https://api.mch.weixin.qq.com"),
        request_.method,
        builders.MCHID,
        builders.OUR_SERIAL,
        keys.private("ours"),
        data=request_.body.decode(),
        nonce_str=nonce,
    )
    assert ours == theirs


def test_our_signature_for_the_client_is_byte_for_byte_that_of_the_sdk() -> None:
    ready = WECHAT.read_start(builders.attempt(scene="jsapi"), builders.answer({"prepay_id": "wx2014"}), AT)
    assert isinstance(ready, ClientAction)
    fields = ready.fields
    theirs = client().sign([fields["appId"], fields["timeStamp"], fields["nonceStr"], fields["package"]])
    assert fields["paySign"] == theirs


def headers(notification: Notification) -> Mapping[str, str]:
    return dict(notification.headers)


def test_the_sdk_believes_the_notifications_of_our_test_gateway(tmp_path: Path) -> None:
    named = protocol.Platform(PUBLIC_KEY_ID, keys.private("wechat"), PLATFORM.apiv3_key)
    notification = builders.notification(builders.transaction(), platform=named)
    assert client().callback(headers(notification), notification.body)["resource"] == builders.transaction()
    (tmp_path / "platform.pem").write_text(builders.certificate())
    notification = builders.notification(builders.refund(), "REFUND.SUCCESS")
    by_certificate = client(public_key=None, public_key_id=None, cert_dir=str(tmp_path))
    assert by_certificate.callback(headers(notification), notification.body)["resource"] == builders.refund()
    assert by_certificate.callback(headers(notification), notification.body.replace(b"EV-", b"EW-")) is None


def test_we_believe_the_same_signatures_as_the_sdk() -> None:
    resource = json.dumps(builders.transaction()).encode()
    body = PLATFORM.notification("TRANSACTION.SUCCESS", builders.transaction(), AT, "EV-1", "fdasflkja484")
    notification = builders.signed_notification(body)
    sealed = json.loads(body)["resource"]
    opened = sdk_utils.aes_decrypt(sealed["nonce"], sealed["ciphertext"], sealed["associated_data"], builders.APIV3_KEY)
    assert json.loads(opened) == json.loads(resource)
    certificate = x509.load_pem_x509_certificate(builders.certificate().encode())
    times = notification.headers["wechatpay-timestamp"], notification.headers["wechatpay-nonce"]
    for signature in (notification.headers["wechatpay-signature"], base64.b64encode(b"x" * 256).decode()):
        theirs = sdk_utils.rsa_verify(*times, body.decode(), signature, certificate.public_key())
        ours = WECHAT.verify(Notification({**notification.headers, "wechatpay-signature": signature}, body, AT))
        assert isinstance(ours, PaymentReport) is theirs
