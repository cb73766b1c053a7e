"""A notification is shown with everything that can decide a dispute, and without names, cards and secrets."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.views.redaction import body_shown, headers_shown

SHOWN = {
    "out_trade_no": "P382808400870244771", "trade_no": "2026112222001468450509133591", "sign": "kOcKeUXeL6ZZ3g==",
    "total_amount": "88.88", "buyer_pay_amount": "88.80", "payer_total": "8888", "payer_currency": "CNY",
    "txnAmt": "8888", "queryId": "782611221059306740028", "seller_id": "2088621956155678", "certId": "68759663125",
    "respCode": "00", "notify_time": "2026-11-22 11:00:00", "merchant_id": "3SQBR4YEWZ4BA",
}  # fmt: skip
HIDDEN = {
    "buyer_id": ("2088102116773037", "208****3037"),
    "buyerUserName": ("王芳", "王****"),
    "buyer_logon_id": ("alice@example.com", "a****"),
    "openid": ("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "o****"),
    "sub_openid": ("oUpF8uMuAJOM2pxb1Q9zNjWeS6o", "oUp****eS6o"),
    "accNo": ("6216261000000000018", "621****0018"),
    "customerInfo": ("e2NlcnRpZklkPTM0MTEyNn0=", "e****"),
    "email_address": ("x@y.z", "x****"),
    "phone_number": ("13812345678", "138****5678"),
    "name": ("Wang Fang", "W****"),
    "given-name": ("Fang", "F****"),
    "address_line_1": ("Nanjing Road 1", "N****"),
    "payer_client_ip": ("203.0.113.9", "2****"),
    "access_token": ("A21AAFEpH4PsADK7qSS7pSRsgz", "A21****Rsgz"),
    "note": ("call 13812345678", "call 138****5678"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_what_settles_a_dispute_is_shown(name: str) -> None:
    assert body_shown(json.dumps({name: SHOWN[name]})) == {name: SHOWN[name]}
    assert headers_shown({name: SHOWN[name]}) == {name: SHOWN[name]}


@pytest.mark.parametrize("name", HIDDEN)
def test_people_and_secrets_are_not(name: str) -> None:
    value, masked = HIDDEN[name]
    assert body_shown(json.dumps({name: value})) == {name: masked}
    assert body_shown(json.dumps({"a": [{"b": json.dumps({name: value})}]})) == {"a": [{"b": {name: masked}}]}
    assert headers_shown({name.title(): value}) == {name.title(): masked}


def test_everything_below_a_person_is_masked() -> None:
    payer = {"payer": {"id": "QYR5Z8XDVJNXQ", "tags": ["vip"], "age": 31, "verified": True, "tax": None}}
    assert body_shown(json.dumps(payer)) == {
        "payer": {"id": "QYR****JNXQ", "tags": ["v****"], "age": "3****", "verified": True, "tax": None}
    }


def test_a_form_reads_like_json() -> None:
    body = "total_amount=88.88&buyer_id=2088102116773037&fund_bill_list=%5B%7B%22buyer_name%22%3A%22Fang%22%7D%5D"
    assert body_shown(body) == {
        "total_amount": "88.88",
        "buyer_id": "208****3037",
        "fund_bill_list": [{"buyer_name": "F****"}],
    }


DEEP = 60_000
NONE_OF_BOTH: list[tuple[str, str]] = [
    ("words", "Wang Fang 13812345678"), ("a bomb of lists", "[" * DEEP), ("a number", "13812345678"),
    ("too many fields", "&".join(f"a{n}=1" for n in range(1000))),
]  # fmt: skip


@pytest.mark.parametrize("body", [body for _, body in NONE_OF_BOTH], ids=[name for name, _ in NONE_OF_BOTH])
def test_of_any_other_body_only_the_size_is_shown(body: str) -> None:
    assert body_shown(body) == {"neither JSON nor form, characters": len(body)}


@pytest.mark.parametrize("body", ['{"a":' * 500 + "1" + "}" * 500, '{"payer":' * 500 + '"Fang"' + "}" * 500])
def test_beyond_some_depth_nothing_is_shown(body: str) -> None:
    assert "Fang" not in json.dumps(body_shown(body))


@given(st.text(alphabet='{}[]"=&:,a%13 \\u', max_size=60))
def test_every_notification_can_be_shown(body: str) -> None:
    shown: Any = body_shown(body)
    assert isinstance(shown, dict | list)
