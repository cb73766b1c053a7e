"""Whom a stored message names, whatever it is."""

from base64 import b64encode

import orjson

from workers.domain.subjects import NAMES_MAX, subjects_of

OURS = "P385768700443557909"


def notification(raw: str) -> bytes:
    return orjson.dumps({"provider": "alipay", "headers": {}, "body": b64encode(raw.encode()).decode()})


def test_a_notification_names_our_numbers_in_whatever_form_its_provider_writes_it() -> None:
    for raw in (
        f"buyer_logon_id=a%40b&out_trade_no={OURS}&total=1",
        f"orderId={OURS}&accNo=6222&sign=x{OURS}",
        f'{{"resource": {{"custom_id": "{OURS}", "payer": {{"email_address": "a@b"}}}}}}',
        f'{{"data": {{"object": {{"client_reference_id":"{OURS}"}}}}}}',
        f"passback_params=%7B%22no%22%3A%22{OURS}%22%7D",
    ):
        assert subjects_of(notification(raw)) == (f"number:{OURS}",), raw


def test_what_names_nobody_or_is_nonsense_names_nobody() -> None:
    for body in (
        *(b"", b"[1", b"null", b'"user_id"', b'{"user_id": null, "order": 1, "refund_no": 7}'),
        orjson.dumps({"provider": "alipay", "headers": {}, "body": "no base64!"}),
        orjson.dumps({"provider": {"user": []}, "trade_no": "t"}),
        b'{"a":' * 20_000,
    ):
        assert subjects_of(body) == (), body[:40]


def test_users_orders_and_payments_are_named_however_deep_and_no_message_names_too_many() -> None:
    body = {
        "items": [{"body": {"user_id": "u1", "order_ids": ["1", 2]}}, {"actor": {"type": "user", "id": "u2"}}],
        "refund": {"refund_no": "R7", "provider": "stripe", "trade_no": "pi_1", "dispute_no": "dp_1"},
    }
    assert subjects_of(orjson.dumps(body)) == (
        *("dispute:stripe/dp_1", "number:R7", "order:1", "order:2", "payment:stripe/pi_1", "user:u1", "user:u2"),
    )
    many = subjects_of(orjson.dumps({"order_ids": list(range(1000)), "user_id": "u1"}))
    assert (len(many), many[-1]) == (NAMES_MAX, "user:u1")
