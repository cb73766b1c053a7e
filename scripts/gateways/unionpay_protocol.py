"""UnionPay's protocol 5.1.0, from UnionPay's side: it verifies what a merchant signs, and signs what UnionPay sends."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qsl, quote_plus

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

CHINA = timezone(timedelta(hours=8))
HOLDER = "041@8310000000083040@中国银联股份有限公司@00016495"
"""The common name in the certificate that UnionPay signs with."""
ECHOED = ("accessType", "bizType", "encoding", "merId", "orderId", "txnSubType", "txnTime", "txnType", "version")
ZM_WIDTHS = [
    3,
    11,
    11,
    6,
    10,
    19,
    12,
    4,
    2,
    21,
    2,
    32,
    2,
    6,
    10,
    13,
    13,
    4,
    15,
    2,
    2,
    6,
    2,
    4,
    32,
    1,
    21,
    15,
    1,
    15,
    32,
    13,
    13,
    8,
    32,
    13,
    13,
    12,
    2,
    1,
    32,
    98,
]


class UnionPayProtocolError(Exception):
    """UnionPay would refuse this with the respCode `code`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message}[{code}]")
        self.code = code


@dataclass(frozen=True)
class UnionPaySigner:
    """UnionPay's key, and the certificate that it sends with each message."""

    key: RSAPrivateKey
    certificate: str


def _to_sign(fields: Mapping[str, str]) -> bytes:
    """Return the text to sign: the hex of the SHA-256, which the signature hashes once more."""
    pairs = sorted(item for item in fields.items() if item[0] != "signature")
    return hashlib.sha256("&".join("=".join(pair) for pair in pairs).encode("utf-8")).hexdigest().encode("ascii")


def check(form: bytes, *, merchant_id: str, keys: Mapping[str, RSAPublicKey]) -> dict[str, str]:
    """Verify a form that a merchant posts, signed by one of its certificates (certId -> key).

    Raises UnionPayProtocolError.
    """
    pairs = parse_qsl(form.decode("ascii"), keep_blank_values=True, strict_parsing=True)
    fields = dict(pairs)
    if len(fields) != len(pairs) or "" in fields.values():
        raise UnionPayProtocolError("10", "报文格式错误")
    if fields.get("merId") != merchant_id:
        raise UnionPayProtocolError("31", "商户状态不正确")
    wanted = {"version": "5.1.0", "signMethod": "01", "encoding": "UTF-8", "accessType": "0"}
    missing = [name for name in ("txnType", "txnSubType", "bizType", "orderId", "txnTime") if name not in fields]
    if missing or any(fields.get(name) != value for name, value in wanted.items()):
        raise UnionPayProtocolError("13", "报文交易要素缺失")
    try:
        signature = base64.b64decode(fields["signature"], validate=True)
        keys[fields["certId"]].verify(signature, _to_sign(fields), padding.PKCS1v15(), hashes.SHA256())
    except (KeyError, ValueError, InvalidSignature):
        raise UnionPayProtocolError("11", "验证签名失败") from None
    return fields


def signed(fields: Mapping[str, str], signer: UnionPaySigner) -> dict[str, str]:
    """Return the fields with UnionPay's certificate and signature."""
    whole = {**fields, "signMethod": "01", "signPubKeyCert": signer.certificate}
    signature = signer.key.sign(_to_sign(whole), padding.PKCS1v15(), hashes.SHA256())
    return {**whole, "signature": base64.b64encode(signature).decode("ascii")}


def notification(fields: Mapping[str, str]) -> bytes:
    """Return the form that is posted to backUrl."""
    return "&".join(f"{name}={quote_plus(value)}" for name, value in fields.items()).encode("ascii")


def answer(fields: Mapping[str, str]) -> bytes:
    """Return the body of a response. It looks like a form, but nothing is escaped."""
    return "&".join("=".join(pair) for pair in fields.items()).encode("utf-8")


def answered(
    request: Mapping[str, str], code: str = "00", message: str = "成功[0000000]", **more: str
) -> dict[str, str]:
    """Return the fields of a response: those of the request that UnionPay repeats, and the result."""
    return {**{name: request[name] for name in ECHOED if name in request}, "respCode": code, "respMsg": message, **more}


def happened(request: Mapping[str, str], query_id: str, at: datetime, code: str = "00") -> dict[str, str]:
    """Return the fields of a notification about a payment or refund that a merchant requested."""
    return {
        **answered(request, code, "success"),
        "currencyCode": "156",
        "txnAmt": request["txnAmt"],
        "queryId": query_id,
        **({"origQryId": request["origQryId"]} if "origQryId" in request else {}),
        **_settled(request, at),
        "accNo": "6216***********0018",
        "exchangeRate": "0",
    }


def found(
    request: Mapping[str, str], original: Mapping[str, str], query_id: str, at: datetime, code: str = "00"
) -> dict[str, str]:
    """Return the fields that answer a query about a transaction; `code` is its result."""
    about = {name: original[name] for name in ("txnType", "txnSubType", "txnAmt", "orderId", "txnTime")}
    more = {"currencyCode": "156", "queryId": query_id, **_settled(original, at)} if code in ("00", "A6") else {}
    return {**answered(request), **about, "origRespCode": code, "origRespMsg": "处理结果", **more}


def absent(request: Mapping[str, str]) -> dict[str, str]:
    """Return the fields that answer a query about an unknown transaction."""
    return answered(request, "34", "查无此交易[2600000]")


def _settled(request: Mapping[str, str], at: datetime) -> dict[str, str]:
    traced = at.astimezone(CHINA).strftime("%m%d%H%M%S")
    return {
        "settleAmt": request["txnAmt"],
        "settleCurrencyCode": "156",
        "settleDate": traced[:4],
        "traceNo": "067402",
        "traceTime": traced,
    }


def statement_line(
    *, merchant_id: str, type_: str, order_id: str, query_id: str, amount: int, at: datetime, original: str = ""
) -> bytes:
    """Return a line of a ZM file. `type_` is 01 for a payment, 04 for a refund of `original` (its queryId)."""
    code, debit, credit = ("S30", "D", "C") if type_ == "04" else ("S22", "C", "D")
    fee = amount * 6 // 1000
    columns = {
        0: code,
        1: "00010000",
        2: "00012900",
        3: "067402",
        4: at.astimezone(CHINA).strftime("%m%d%H%M%S"),
        5: "6216***********0018",
        6: f"{amount:012d}",
        7: "5311",
        8: "07",
        9: query_id,
        11: order_id,
        12: "01",
        15: f"{credit}{fee:012d}",
        16: f"{debit}{amount - fee:012d}",
        17: "0001",
        19: type_,
        20: "01",
        21: "000201",
        22: "01",
        26: original,
        27: merchant_id,
        30: "银联商户",
        32: f"{debit}{amount - fee:012d}",
        35: f"{debit}{0:012d}",
        36: f"{debit}{0:012d}",
    }
    written = [columns.get(column, "").encode("gbk").ljust(width) for column, width in enumerate(ZM_WIDTHS)]
    assert all(len(text) == width for text, width in zip(written, ZM_WIDTHS, strict=True)), "a column is too narrow"
    return b" ".join(written)
