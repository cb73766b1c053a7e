"""The decoder makes envelopes of valid deliveries, and failures of all others."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from messages.roles import Role
from outbox.wire import MALFORMED, TIME_OUT_OF_RANGE
from tests.golden.examples import example
from tests.runtime.builders import DELETE, PAYMENT, TIMER, delete, delivery, pack, payment, read

TRACED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NAME_TWICE = orjson.dumps(pack(1, 2)).replace(b'"key"', b'"key":"9","key"', 1)
PAID: dict[str, Any] = {"type": "order.paid.v1", "body": example("order.paid.v1")}
INVALID: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("not JSON", "order-changes", {"body": b"{"}, "json_invalid", "$"),
    ("no JSON at all", "order-changes", {"body": b""}, "json_invalid", "$"),
    ("bytes that are no text", "order-changes", {"body": b"\xff\xfe"}, "json_invalid", "$"),
    ("nested too deep", "order-changes", {"body": b"[" * 5000 + b"]" * 5000}, "json_invalid", "$"),
    ("not an object", "order-changes", {"body": b"[1]"}, "model_type", "$"),
    ("a field is missing", "order-changes", {"body": {}}, "missing", "$.request_id"),
    ("an unknown field", "order-changes", {"body": delete(extra=1)}, "extra_forbidden", "$.extra"),
    ("a number for a text", "order-changes", {"body": delete(request_id=7)}, "string_type", "$.request_id"),
    ("an id as a number", "order-changes", {"body": delete(order_ids=[1])}, "string_type", "$.order_ids[0]"),
    (
        "an id past 64 bits",
        "order-changes",
        {"body": delete(order_ids=["9" * 19])},
        "less_than_equal",
        "$.order_ids[0]",
    ),
    ("a NUL in a text", "order-changes", {"body": delete("r\0")}, "string_pattern_mismatch", "$.request_id"),
    (
        "a path inside",
        "order-changes",
        {"body": delete(actor={"type": "dog", "id": "u"})},
        "literal_error",
        "$.actor.type",
    ),
    ("half a character", "order-changes", {"body": b'{"request_id":"\\ud800"}'}, "json_invalid", "$"),
    (
        "digits for a time",
        "payment-results",
        {"type": PAYMENT, "body": payment(occurred_at="20270101"), "user_id": "payments"},
        "time_format",
        "$.occurred_at",
    ),
    (
        "a name twice",
        "order-changes",
        {"body": b'{"request_id":"r","order_ids":["1"],"actor":{"type":"user","id":"a","id":"b"}}'},
        "repeated_name",
        "$.actor.id",
    ),
    ("too large", "order-changes", {"body": delete("r" * 2000)}, "too_large", "$"),
    ("no type", "order-changes", {"type": None, "routing_key": "order.delete"}, "missing_type", "$"),
    ("an unknown type", "order-changes", {"type": "order.eat.v1"}, "unknown_type", "$"),
    ("another queue's type", "order-changes", {"type": PAYMENT}, "unknown_type", "$"),
    ("a version to come", "order-changes", {"type": "order.delete.v9"}, "unknown_version", "$"),
    ("no message id", "order-changes", {"message_id": None}, "missing_message_id", "$"),
    ("an empty message id", "order-changes", {"message_id": ""}, "missing_message_id", "$"),
    ("a message id of 129 characters", "order-changes", {"message_id": "x" * 129}, "malformed_frame", "$"),
    ("a message id of more than 255 bytes", "order-changes", {"message_id": "字" * 90}, "malformed_frame", "$"),
    ("a NUL in the message id", "order-changes", {"message_id": "a\0"}, "malformed_frame", "$"),
    ("a message id that is not UTF-8", "order-changes", {"message_id": "a\udcff"}, "malformed_frame", "$"),
    ("a type that is not UTF-8", "order-changes", {"type": "order.\udcff"}, "malformed_frame", "$"),
    ("a correlation id that is not UTF-8", "order-changes", {"correlation_id": "\udcff"}, "malformed_frame", "$"),
    ("a header key that is not UTF-8", "order-changes", {"headers": {"\udcff": 1}}, "malformed_frame", "$"),
    ("headers that end early", "order-changes", {"headers": {MALFORMED: True}}, "malformed_frame", "$"),
    ("a time out of range", "order-changes", {"timestamp": TIME_OUT_OF_RANGE}, "malformed_frame", "$"),
    ("delivery mode 9", "order-changes", {"delivery_mode": 9}, "malformed_frame", "$"),
    ("another routing key", "order-changes", {"routing_key": "order.cancel"}, "wrong_routing_key", "$"),
    ("a command by the internal exchange", "order-changes", {"exchange": "oms.internal"}, "forbidden_exchange", "$"),
    ("a command by a strange exchange", "order-changes", {"exchange": "amq.topic"}, "forbidden_exchange", "$"),
    ("straight to the queue by an untrusted user", "order-changes", {"exchange": ""}, "forbidden_exchange", "$"),
    (
        "by the delay exchange from an untrusted user",
        "order-changes",
        {"exchange": "oms.delayed"},
        "forbidden_exchange",
        "$",
    ),
    ("an event by the commands", "buyer-notifications", PAID, "forbidden_exchange", "$"),
    ("an event of a stranger", "buyer-notifications", PAID | {"exchange": "oms.events"}, "forbidden_exchange", "$"),
    (
        "an event that a stranger had and we replay",
        "buyer-notifications",
        PAID | {"exchange": "", "user_id": "relay", "headers": {"origin-user": "checkout"}},
        "forbidden_exchange",
        "$",
    ),
    (
        "an event that nobody is notified of",
        "buyer-notifications",
        {"type": "order.completed.v1", "exchange": "oms.events", "user_id": "relay"},
        "unknown_type",
        "$",
    ),
    ("an internal type by the commands", "timeouts", {"type": TIMER, "body": pack(1)}, "forbidden_exchange", "$"),
    (
        "an internal type of an untrusted user that is replayed",
        "timeouts",
        {"type": TIMER, "exchange": "", "body": pack(1), "user_id": "relay", "headers": {"origin-user": "upstream"}},
        "forbidden_exchange",
        "$",
    ),
    (
        "a pack without items",
        "timeouts",
        {"type": TIMER, "exchange": "oms.internal", "body": {"items": []}},
        "too_short",
        "$.items",
    ),
    (
        "a bad item in a pack",
        "timeouts",
        {"type": TIMER, "exchange": "oms.internal", "body": pack(1, 2, kind=7)},
        "string_type",
        "$.items[0].body.kind",
    ),
    (
        "a name twice in a pack",
        "timeouts",
        {
            "type": TIMER,
            "exchange": "oms.internal",
            "body": NAME_TWICE,
        },
        "repeated_name",
        "$.items[0].body.key",
    ),
    ("a fact without a known sender", "payment-results", {"type": PAYMENT, "body": payment()}, "untrusted_user", "$"),
    (
        "a fact from someone else",
        "payment-results",
        {"type": PAYMENT, "body": payment(), "user_id": "upstream"},
        "untrusted_user",
        "$",
    ),
]


@pytest.mark.parametrize(("case", "queue", "given", "error_type", "path"), INVALID, ids=[row[0] for row in INVALID])
def test_an_invalid_delivery_becomes_a_failure(
    case: str, queue: str, given: dict[str, Any], error_type: str, path: str
) -> None:
    properties = dict(given)
    one = delivery(properties.pop("type", DELETE), properties.pop("body", None), **properties)
    work = read(queue, one, body_max_bytes=1500) if case == "too large" else read(queue, one)
    assert work.failure is not None
    assert (work.failure.error_type, work.failure.path) == (error_type, path)
    assert work.failure.reason == ("untrusted_user" if error_type == "untrusted_user" else "invalid")
    assert not work.failure.retry
    assert not work.envelopes


def test_a_failure_names_every_fault_of_frame_and_body() -> None:
    one = delivery(message_id=None, routing_key="order.cancel", body={"request_id": 7, "order_ids": []})
    failure = read("order-changes", one).failure
    assert failure is not None
    assert [(fault.error, fault.path) for fault in failure.faults] == [
        ("missing_message_id", "$"),
        ("wrong_routing_key", "$"),
        ("string_type", "$.request_id"),
        ("missing", "$.actor"),
        ("too_short", "$.order_ids"),
    ]


def test_a_pack_with_a_name_twice_is_not_taken_apart() -> None:
    work = read("timeouts", delivery(TIMER, NAME_TWICE, exchange="oms.internal", user_id="relay"))
    assert work.packed
    assert work.pieces == ()


def test_a_message_id_is_bounded_in_bytes() -> None:
    assert read("order-changes", delivery(message_id="字" * 42)).failure is None
    assert read("order-changes", delivery(message_id="字" * 43)).failure is not None


def test_a_failure_never_quotes_the_body() -> None:
    for body in (
        delete("13812345678\0"),
        delete(actor={"type": "13812345678", "id": "u"}),
        delete(order_ids=["13812345678x"]),
    ):
        failure = read("order-changes", delivery(DELETE, body)).failure
        assert failure is not None
        assert "13812345678" not in failure.message


def test_a_command_is_decoded_with_its_properties() -> None:
    work = read(
        "order-changes",
        delivery(
            message_id="m",
            correlation_id="c",
            reply_to="client.storefront.1",
            user_id="upstream",
            headers={"causation-id": "x", "occurred-at": "2026-02-03T04:05:06.000007Z", "traceparent": TRACED},
        ),
    )
    (envelope,) = work.envelopes
    assert (envelope.id, envelope.correlation_id, envelope.reply_to, envelope.causation_id) == (
        "m",
        "c",
        "client.storefront.1",
        "x",
    )
    assert (envelope.user, envelope.roles, envelope.attempt, envelope.traceparent) == (
        "upstream",
        STOREFRONT,
        0,
        TRACED,
    )
    assert envelope.occurred_at == datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_a_client_that_cannot_set_properties_may_use_headers() -> None:
    headers = {"message-id": "m", "type": DELETE, "reply-to": "client.storefront.1"}
    (envelope,) = read(
        "order-changes",
        delivery(None, message_id=None, routing_key="order.delete", headers=headers, user_id="upstream"),
    ).envelopes
    assert (envelope.message_id, envelope.reply_to) == ("m", "client.storefront.1")


@pytest.mark.parametrize(
    "given", ["yesterday", "20270101", "", "2026-01-01T00:00:00", "0001-01-01T00:00:00+23:59", 1, datetime(2026, 1, 1)]
)
def test_a_header_that_names_no_time_is_refused(given: Any) -> None:
    failure = read("order-changes", delivery(headers={"occurred-at": given})).failure
    assert failure is not None
    assert (failure.error_type, failure.path) == ("time_format", "headers.occurred-at")


def test_a_timestamp_that_cannot_be_stored_is_replaced_by_now() -> None:
    (envelope,) = read("order-changes", delivery(timestamp=datetime(9999, 12, 31, tzinfo=UTC))).envelopes
    assert 2025 < envelope.occurred_at.year < 2200


@pytest.mark.parametrize("reply_to", ["oms.stock", "client.payments.1", "amq.rabbitmq.reply-to.AAAA.B"])
def test_a_command_that_wants_its_answer_elsewhere_is_refused(reply_to: str) -> None:
    work = read("order-changes", delivery(reply_to=reply_to, user_id="upstream"))
    assert work.failure is not None
    assert (work.failure.error_type, work.failure.path) == ("forbidden_reply_to", "properties.reply_to")
    assert work.reply_to is None


def test_a_fact_needs_no_reply_address_and_loses_a_forbidden_one() -> None:
    work = read("payment-results", delivery(PAYMENT, payment(), user_id="payments", reply_to="oms.stock"))
    assert (work.failure, work.reply_to) == (None, None)


def test_the_address_of_a_retried_command_is_that_of_its_sender() -> None:
    given: dict[str, Any] = {"exchange": "oms.delayed", "user_id": "relay", "reply_to": "client.storefront.1"}
    assert read("order-changes", delivery(headers={"origin-user": "upstream"}, **given)).failure is None
    assert read("order-changes", delivery(headers={"origin-user": "payments"}, **given)).failure is not None


def test_a_pack_of_a_newer_version_is_read_but_for_its_bodies() -> None:
    newer = pack(1)
    newer["items"][0]["priority"] = 7
    ours: dict[str, Any] = {"exchange": "oms.internal", "user_id": "relay"}
    assert [item.body.key for item in read("timeouts", delivery(TIMER, newer, **ours)).envelopes] == [1]
    strange = read("timeouts", delivery(TIMER, pack(1, priority=7), **ours))
    assert strange.failure is not None
    assert strange.failure.path == "$.items[0].body.priority"


def test_every_item_of_a_pack_is_a_message_with_its_own_cause() -> None:
    one = delivery(TIMER, pack(5, 6), message_id="p", exchange="oms.internal", user_id="relay")
    first, second = read("timeouts", one).envelopes
    assert [first.id, second.id] == ["p/0", "p/1"]
    assert [first.correlation_id, second.correlation_id] == ["c5", "c6"]
    assert [first.body.key, second.body.key] == [5, 6]


NONE: frozenset[Role] = frozenset()
STOREFRONT, PAYMENTS = frozenset({Role.STOREFRONT}), frozenset({Role.PAYMENTS})
USERS: list[tuple[str, dict[str, Any], tuple[str | None, frozenset[Role], int]]] = [
    ("the sender is not given", {}, (None, NONE, 0)),
    ("the broker vouches for it", {"user_id": "upstream"}, ("upstream", STOREFRONT, 0)),
    ("another one", {"user_id": "payments"}, ("payments", PAYMENTS, 0)),
    ("it has no role", {"user_id": "stranger"}, ("stranger", NONE, 0)),
    (
        "its headers are not believed",
        {"headers": {"origin-user": "payments", "attempt": "5"}},
        (None, NONE, 0),
    ),
    (
        "ours are",
        {"exchange": "oms.delayed", "user_id": "relay", "headers": {"origin-user": "payments", "attempt": "5"}},
        ("payments", PAYMENTS, 5),
    ),
    (
        "an unknown sender stays unknown when we send the message again",
        {"exchange": "oms.delayed", "user_id": "relay", "headers": {"origin-user": "", "attempt": "1"}},
        (None, NONE, 1),
    ),
    ("nor do we vouch by silence", {"exchange": "", "user_id": "relay"}, (None, NONE, 0)),
]


@pytest.mark.parametrize(("case", "given", "expected"), USERS, ids=[row[0] for row in USERS])
def test_the_user_of_a_message_is_its_sender(
    case: str, given: dict[str, Any], expected: tuple[str | None, frozenset[Role], int]
) -> None:
    (envelope,) = read("order-changes", delivery(**given)).envelopes
    assert (envelope.user, envelope.roles, envelope.attempt) == expected


def test_our_own_user_has_every_role() -> None:
    one = delivery(TIMER, pack(1), exchange="oms.internal", user_id="relay")
    (envelope,) = read("timeouts", one).envelopes
    assert envelope.roles == frozenset(Role)


def test_a_fact_from_a_user_with_its_role_is_read() -> None:
    assert read("payment-results", delivery(PAYMENT, payment(), user_id="payments")).failure is None


@pytest.mark.parametrize("exchange", ["oms.events", "", "oms.delayed"])
def test_an_event_of_ours_comes_to_a_queue_that_subscribes_and_comes_again_for_a_retry(exchange: str) -> None:
    work = read("buyer-notifications", delivery(PAID["type"], PAID["body"], exchange=exchange, user_id="relay"))
    assert work.failure is None
    assert (work.sender, work.user) == ("*", "relay")


@pytest.mark.parametrize(
    ("queue", "given", "words"),
    [
        ("order-changes", PAYMENT, ": publish it to oms.commands, with the routing key payment.result"),
        ("order-changes", "order.get.v1", ": publish it to oms.queries, with the routing key order.get"),
        ("queries", DELETE, ": publish it to oms.commands, with the routing key order.delete"),
        ("order-changes", TIMER, ""),
        ("order-changes", "order.eat.v1", ""),
    ],
)
def test_a_type_that_came_to_a_wrong_queue_is_answered_with_where_to_publish_it(
    queue: str, given: str, words: str
) -> None:
    failure = read(queue, delivery(given, {})).failure
    assert failure is not None
    (fault,) = failure.faults
    assert fault.message == f"{queue} does not take this type{words}"
