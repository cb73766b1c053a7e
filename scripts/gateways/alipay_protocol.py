"""Alipay's protocol, from Alipay's side: it verifies what an application signs, and signs what Alipay sends."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

CHINA = timezone(timedelta(hours=8))
BILL_NAMES = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,"
    "商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,"
    "商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)


class AlipayProtocolError(Exception):
    """Alipay would refuse this without a signature, as isv.invalid-signature for example. The message says why."""


@dataclass(frozen=True)
class SignedRequest:
    """A request or link with a valid signature. `fields` has all parameters, `order` the parsed biz_content."""

    method: str
    fields: Mapping[str, str]
    order: Mapping[str, Any]


def check(query: str, form: bytes, *, app_id: str, keys: Iterable[RSAPublicKey], now: datetime) -> SignedRequest:
    """Verify a request: the query of a link (or an app's order string), and the form. Raises AlipayProtocolError."""
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    pairs += parse_qsl(form.decode(), keep_blank_values=True, strict_parsing=bool(form))
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise AlipayProtocolError("a parameter stands twice")
    wanted = {"app_id": app_id, "charset": "utf-8", "sign_type": "RSA2", "version": "1.0"}
    wrong = [name for name, value in wanted.items() if fields.get(name) != value]
    if wrong:
        raise AlipayProtocolError(f"wrong or missing: {', '.join(wrong)}")
    sent = datetime.strptime(fields["timestamp"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)
    if abs(now - sent) > timedelta(days=1):
        raise AlipayProtocolError("isv.invalid-timestamp")
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields) if name != "sign" and fields[name] != "")
    signature = base64.b64decode(fields.get("sign", ""))
    if not any(_fits(key, signature, text.encode()) for key in keys):
        raise AlipayProtocolError("isv.invalid-signature")
    return SignedRequest(fields["method"], fields, json.loads(fields["biz_content"]))


def _fits(key: RSAPublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _signature(key: RSAPrivateKey, message: bytes) -> str:
    return base64.b64encode(key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode()


def notification(fields: Mapping[str, str], key: RSAPrivateKey, charset: str = "utf-8") -> bytes:
    """Return the form that Alipay posts. The signature covers empty fields, but neither `sign` nor `sign_type`."""
    signed_fields = {**fields, "charset": charset}
    text = "&".join(f"{name}={signed_fields[name]}" for name in sorted(signed_fields))
    signed = {**signed_fields, "sign_type": "RSA2", "sign": _signature(key, text.encode(charset))}
    return urlencode(signed, encoding=charset).encode()


def answer(method: str, content: Mapping[str, Any], key: RSAPrivateKey) -> bytes:
    """Return the response to a call. Alipay escapes slashes, and signs the text as it is sent."""
    member = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
    name = method.replace(".", "_") + "_response"
    return f'{{"{name}":{member},"sign":"{_signature(key, member.encode())}"}}'.encode()


def ok(**more: Any) -> dict[str, Any]:
    """Return the content of a successful call. Success says little about the money."""
    return {"code": "10000", "msg": "Success", **more}


def failed(sub_code: str, sub_msg: str = "业务处理失败", code: str = "40004") -> dict[str, Any]:
    """Return the content of a failed call."""
    return {"code": code, "msg": "Business Failed", "sub_code": sub_code, "sub_msg": sub_msg}


def trade_notification(
    *,
    app_id: str,
    seller_id: str,
    out_trade_no: str,
    trade_no: str,
    total: int,
    at: datetime,
    notify_id: str,
    status: str = "TRADE_SUCCESS",
    subject: str = "订单 & 100%",
) -> dict[str, str]:
    """Return the fields of a notification about a trade; `total` in fen. Copies share notify_id and notify_time."""
    paid = status in ("TRADE_SUCCESS", "TRADE_FINISHED")
    return {
        "notify_time": moment(at),
        "notify_type": "trade_status_sync",
        "notify_id": notify_id,
        "app_id": app_id,
        "auth_app_id": app_id,
        "version": "1.0",
        "trade_no": trade_no,
        "out_trade_no": out_trade_no,
        "buyer_id": "2088102122524333",
        "seller_id": seller_id,
        "trade_status": status,
        "total_amount": yuan(total),
        **({"receipt_amount": yuan(total), "buyer_pay_amount": yuan(total), "gmt_payment": moment(at)} if paid else {}),
        **({"gmt_close": moment(at)} if status == "TRADE_CLOSED" else {}),
        "subject": subject,
        "gmt_create": moment(at),
        "fund_bill_list": json.dumps([{"amount": yuan(total), "fundChannel": "ALIPAYACCOUNT"}]) if paid else "",
        "passback_params": "",
    }


def refund_notification(
    trade: Mapping[str, str], *, out_request_no: str, refunded_so_far: int, at: datetime
) -> dict[str, str]:
    """Return the fields after a refund. refund_fee is the sum of all refunds; a full refund closes the trade."""
    whole = trade["total_amount"] == yuan(refunded_so_far)
    return {
        **trade,
        "notify_time": moment(at),
        "notify_id": f"{trade['notify_id']}{out_request_no}",
        "trade_status": "TRADE_CLOSED" if whole else trade["trade_status"],
        "out_biz_no": out_request_no,
        "refund_fee": yuan(refunded_so_far),
        "gmt_refund": at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03d}",
        **({"gmt_close": moment(at)} if whole else {}),
    }


def moment(at: datetime) -> str:
    """Format a time: 2015-04-27 15:45:57"""
    return at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


def yuan(fen: int) -> str:
    """Format an amount: 123 -> 1.23"""
    return f"{fen // 100}.{fen % 100:02d}"


@dataclass(frozen=True)
class AlipayBillLine:
    """A payment, or a refund if it has a `refund_no`; in fen."""

    at: datetime
    out_trade_no: str
    trade_no: str
    amount: int
    refund_no: str | None = None
    goods: str = "goods"


def bill(day: date, seller_id: str, lines: Sequence[AlipayBillLine]) -> bytes:
    """Return the detail statement (业务明细) of a day."""
    assert all(line.at.astimezone(CHINA).date() == day for line in lines), "a line of another day"
    paid = [line.amount for line in lines if line.refund_no is None]
    back = [line.amount for line in lines if line.refund_no is not None]
    begin, end = day.strftime("%Y年%m月%d日"), (day + timedelta(days=1)).strftime("%Y年%m月%d日")
    text = [
        "#支付宝业务明细查询",
        f"#账号：[{seller_id}0156]",
        f"#起始日期：[{begin} 00:00:00]   终止日期：[{end} 00:00:00]",
        "#-----------------------------------------业务明细列表----------------------------------------",
        BILL_NAMES,
        *(_bill_row(line) for line in lines),
        "#-----------------------------------------业务明细列表结束------------------------------------",
        f"#交易合计：{len(paid)}笔，商家实收共{yuan(sum(paid))}元，商家优惠共0.00元",
        f"#退款合计：{len(back)}笔，商家实收退款共-{yuan(sum(back))}元，商家优惠退款共0.00元",
        f"#导出时间：[{end} 05:46:49]",
    ]
    return ("\r\n".join(text) + "\r\n").encode("gbk")


def _bill_row(line: AlipayBillLine) -> str:
    back = line.refund_no is not None
    amount = f"-{yuan(line.amount)}" if back else yuan(line.amount)
    goods = '"' + line.goods.replace('"', '""') + '"' if {",", '"'} & set(line.goods) else f"\t{line.goods}"
    values = (
        f"{line.trade_no}\t",
        f"{line.out_trade_no}\t",
        "退款" if back else "交易",
        goods,
        moment(line.at),
        moment(line.at),
        "\t",
        "\t",
        "\t",
        "\t",
        "\t*三(138****5678)",
        amount,
        amount,
        "0.00",
        "0.00",
        "0.00",
        "0.00",
        "0.00",
        "",
        "0.00\t",
        "0.00",
        f"{line.refund_no or ''}\t",
        "0.00",
        "0.00",
        "",
    )
    return ",".join(values)
