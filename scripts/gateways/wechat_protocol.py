"""WeChat Pay's protocol APIv3, from WeChat Pay's side: it verifies requests, signs and encrypts what it sends."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SCHEMA = "WECHATPAY2-SHA256-RSA2048"
CHINA = timezone(timedelta(hours=8))
BILL_NAMES = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,"
    "手续费,费率,订单金额,申请退款金额,费率备注"
)
BILL_SUMS = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"


class WeChatProtocolError(Exception):
    """WeChat Pay would answer 401 SIGN_ERROR. The message says what is wrong with the client."""


def check_request(
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    merchants: Mapping[str, RSAPublicKey],
    now: datetime,
) -> str:
    """Verify a request and return the mchid that signed it. Raises WeChatProtocolError.

    `target` is the path and query as they were sent; `merchants` has the public keys by certificate serial.
    """
    named = {name.lower(): value for name, value in headers.items()}
    schema, _, rest = named.get("authorization", "").partition(" ")
    if schema != SCHEMA:
        raise WeChatProtocolError(f"Authorization does not begin with {SCHEMA}")
    parts = dict(part.split("=", 1) for part in rest.split(","))
    try:
        token = {name: value[1:-1] for name, value in parts.items() if value[0] == value[-1] == '"'}
        mchid, nonce, seconds, serial = (token[n] for n in ("mchid", "nonce_str", "timestamp", "serial_no"))
        signature = base64.b64decode(token["signature"], validate=True)
    except (KeyError, ValueError, IndexError) as error:
        raise WeChatProtocolError("Authorization is malformed") from error
    if abs(now.timestamp() - int(seconds)) > 300:
        raise WeChatProtocolError("the timestamp is more than five minutes away")
    for wanted in ("accept", "user-agent", *(("content-type",) if body else ())):
        if wanted not in named:
            raise WeChatProtocolError(f"the header {wanted} is missing")
    text = "\n".join([method, target, seconds, nonce, body.decode(), ""])
    _check(merchants.get(serial), signature, text.encode(), f"the request, by certificate {serial}")
    return mchid


def check_client(fields: Mapping[str, str], key: RSAPublicKey) -> None:
    """Verify the fields that open the cashier in WeChat (paySign) or in an app (sign). Raises WeChatProtocolError."""
    if "paySign" in fields:
        names, signature = ("appId", "timeStamp", "nonceStr", "package"), fields["paySign"]
    else:
        names, signature = ("appid", "timestamp", "noncestr", "prepayid"), fields["sign"]
    text = "".join(fields[name] + "\n" for name in names)
    _check(key, base64.b64decode(signature), text.encode(), "the client's fields")


def _check(key: RSAPublicKey | None, signature: bytes, message: bytes, what: str) -> None:
    if key is None:
        raise WeChatProtocolError(f"{what}: unknown")
    try:
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature as error:
        raise WeChatProtocolError(f"{what}: the signature does not fit") from error


@dataclass(frozen=True, repr=False)
class Platform:
    """WeChat Pay as one merchant sees it: its certificate serial, its signing key, and the APIv3 key that encrypts."""

    serial: str
    key: RSAPrivateKey
    apiv3_key: bytes

    def headers(self, body: bytes, at: datetime, nonce: str) -> dict[str, str]:
        """Return the headers of a notification or a response."""
        seconds = str(int(at.timestamp()))
        message = b"\n".join([seconds.encode(), nonce.encode(), body, b""])
        signature = self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return {
            "Content-Type": "application/json",
            "Wechatpay-Timestamp": seconds,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Serial": self.serial,
            "Wechatpay-Signature": base64.b64encode(signature).decode(),
            "Wechatpay-Signature-Type": SCHEMA,
        }

    def seal(self, plaintext: bytes, nonce: str, associated_data: str) -> dict[str, str]:
        """Encrypt a resource. A nonce must never be used twice."""
        sealed = AESGCM(self.apiv3_key).encrypt(nonce.encode(), plaintext, associated_data.encode())
        return {
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": base64.b64encode(sealed).decode(),
            "nonce": nonce,
            "associated_data": associated_data,
        }

    def notification(
        self, event: str, resource: Mapping[str, Any], at: datetime, notification_id: str, nonce: str
    ) -> bytes:
        """Return the body of a notification. `event` is such as TRANSACTION.SUCCESS; `nonce` has 12 characters."""
        kind = "refund" if event.startswith("REFUND.") else "transaction"
        sealed = self.seal(_json(resource), nonce, kind)
        return _json(
            {
                "id": notification_id,
                "create_time": moment(at),
                "resource_type": "encrypt-resource",
                "event_type": event,
                "summary": "支付成功" if kind == "transaction" else "退款结果",
                "resource": {"original_type": kind, **sealed},
            }
        )

    def certificates(self, pems: Mapping[str, str], at: datetime) -> bytes:
        """Return the response of /v3/certificates; `pems` is serial -> PEM."""
        entries = [
            {
                "serial_no": serial,
                "effective_time": moment(at),
                "expire_time": moment(at + timedelta(days=1825)),
                "encrypt_certificate": self.seal(pem.encode(), f"{number:012d}", "certificate"),
            }
            for number, (serial, pem) in enumerate(pems.items(), start=int(at.timestamp()))
        ]
        return _json({"data": entries})


def moment(at: datetime) -> str:
    """Format a time: 2018-06-08T10:34:56+08:00"""
    return at.astimezone(CHINA).isoformat(timespec="seconds")


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def transaction(
    *, mchid: str, appid: str, out_trade_no: str, transaction_id: str, total: int, at: datetime, state: str = "SUCCESS"
) -> dict[str, Any]:
    """Return a transaction, for notifications and queries. One that is not paid has neither number nor time."""
    paid = state in ("SUCCESS", "REFUND")
    return {
        "mchid": mchid,
        "appid": appid,
        "out_trade_no": out_trade_no,
        **({"transaction_id": transaction_id, "success_time": moment(at), "bank_type": "OTHERS"} if paid else {}),
        "trade_type": "NATIVE",
        "trade_state": state,
        "trade_state_desc": "支付成功" if paid else state,
        "attach": "",
        "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
        "amount": {"total": total, "payer_total": total, "currency": "CNY", "payer_currency": "CNY"},
    }


def refund_notification(
    *,
    mchid: str,
    out_trade_no: str,
    transaction_id: str,
    out_refund_no: str,
    refund_id: str,
    refund: int,
    total: int,
    at: datetime,
    state: str = "SUCCESS",
) -> dict[str, Any]:
    """Return a refund for a notification."""
    return {
        "mchid": mchid,
        "out_trade_no": out_trade_no,
        "transaction_id": transaction_id,
        "out_refund_no": out_refund_no,
        "refund_id": refund_id,
        "refund_status": state,
        **({"success_time": moment(at)} if state == "SUCCESS" else {}),
        "user_received_account": "支付用户零钱",
        "amount": {"total": total, "refund": refund, "payer_total": total, "payer_refund": refund},
    }


def refund_answer(
    *,
    out_trade_no: str,
    transaction_id: str,
    out_refund_no: str,
    refund_id: str,
    refund: int,
    total: int,
    at: datetime,
    state: str = "PROCESSING",
) -> dict[str, Any]:
    """Return a refund for the response of its request or query."""
    return {
        "refund_id": refund_id,
        "out_refund_no": out_refund_no,
        "transaction_id": transaction_id,
        "out_trade_no": out_trade_no,
        "channel": "ORIGINAL",
        "user_received_account": "支付用户零钱",
        **({"success_time": moment(at)} if state == "SUCCESS" else {}),
        "create_time": moment(at),
        "status": state,
        "funds_account": "UNSETTLED",
        "amount": {
            "total": total,
            "refund": refund,
            "payer_total": total,
            "payer_refund": refund,
            "settlement_refund": refund,
            "settlement_total": total,
            "discount_refund": 0,
            "currency": "CNY",
        },
    }


@dataclass(frozen=True)
class WeChatBillLine:
    """A payment, or a refund if it has a `refund_no`; in fen."""

    at: datetime
    out_trade_no: str
    transaction_id: str
    amount: int
    refund_no: str | None = None
    goods: str = "goods"


def bill(day: date, mchid: str, appid: str, lines: Sequence[WeChatBillLine]) -> bytes:
    """Return the trade statement (交易账单) of a day, of type ALL."""
    rows = [BILL_NAMES, *(_bill_row(line, mchid, appid) for line in lines)]
    assert all(line.at.astimezone(CHINA).date() == day for line in lines), "a line of another day"
    paid = sum(line.amount for line in lines if line.refund_no is None)
    back = sum(line.amount for line in lines if line.refund_no is not None)
    sums = (str(len(lines)), yuan(paid), yuan(back), "0.00", "0.00000", yuan(paid), yuan(back))
    return ("\ufeff" + "\r\n".join([*rows, BILL_SUMS, _ticked(sums)]) + "\r\n").encode()


def _bill_row(line: WeChatBillLine, mchid: str, appid: str) -> str:
    back = line.refund_no is not None
    paid_amount, back_amount = ("0.00", yuan(line.amount)) if back else (yuan(line.amount), "0.00")
    return _ticked(
        (
            line.at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S"),
            appid,
            mchid,
            "0",
            "",
            line.transaction_id,
            line.out_trade_no,
            "openid",
            "NATIVE",
            "REFUND" if back else "SUCCESS",
            "OTHERS",
            "CNY",
            paid_amount,
            "0.00",
            f"5{line.transaction_id}" if back else "0",
            line.refund_no or "0",
            back_amount,
            "0.00",
            "ORIGINAL" if back else "",
            "PROCESSING" if back else "",
            line.goods,
            "",
            "0.00000",
            "0.60%",
            paid_amount,
            back_amount,
            "",
        )
    )


def _ticked(values: Sequence[str]) -> str:
    return ",".join(f"`{value}" for value in values)


def yuan(fen: int) -> str:
    """Format an amount: 123 -> 1.23"""
    return f"{fen // 100}.{fen % 100:02d}"
