"""Amounts, times, forms and JSON of providers are parsed strictly, or rejected (S1-52, C-06)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from tests.providers import keys
from workers.domain.money import render
from workers.providers.parsing import (
    BODY_BYTES_MAX,
    FieldError,
    Fields,
    beijing_moment,
    form_fields,
    json_fields,
    minor,
    moment,
    unreadable,
)
from workers.providers.rsa import private_key, public_key

DECIMALS = [
    ("88.88", "CNY", 8888), ("88.8", "CNY", 8880), ("88", "CNY", 8800), ("0.01", "CNY", 1), ("0", "CNY", 0),
    ("0.00", "CNY", 0), ("100000000.00", "CNY", 10**10), ("88", "JPY", 88), ("1.234", "KWD", 1234),
    ("1.2", "KWD", 1200),
    ("999999999999999.99", "USD", 10**17 - 1), ("0.0001", "CLF", 1),
]  # fmt: skip


@pytest.mark.parametrize(("text", "currency", "amount"), DECIMALS)
def test_decimals_are_minor_units_of_their_currency(text: str, currency: str, amount: int) -> None:
    assert minor(text, currency) == amount


@given(st.integers(0, 10**15 - 1), st.sampled_from(["CNY", "JPY", "KWD", "CLF"]))
def test_an_amount_that_we_render_is_parsed_as_the_same_amount(amount: int, currency: str) -> None:
    assert minor(render(amount, currency), currency) == amount


MALFORMED_AMOUNTS: list[tuple[Any, str]] = [
    ("88.888", "CNY"), ("88.880", "CNY"), ("88.0", "JPY"), ("1e3", "CNY"), (" 88", "CNY"), ("88 ", "CNY"),
    ("-1", "CNY"),
    ("+1", "CNY"), ("-0", "CNY"), ("", "CNY"), (".5", "CNY"), ("5.", "CNY"), ("1,000.00", "CNY"), ("1_000", "CNY"),
    ("00.50", "CNY"), ("0x10", "CNY"), ("８８", "CNY"), ("٨٨", "CNY"), ("88.88\n", "CNY"), ("NaN", "CNY"),
    ("Infinity", "CNY"), ("1" * 16, "CNY"), ("9" * 10_000, "CNY"), (88.88, "CNY"), (88, "CNY"), (None, "CNY"),
    (b"88", "CNY"), (True, "CNY"), (["88"], "CNY"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "currency"), MALFORMED_AMOUNTS, ids=lambda value: repr(value)[:20])
def test_a_malformed_amount_is_rejected(text: Any, currency: str) -> None:
    with pytest.raises(FieldError):
        minor(text, currency)


def test_times_have_an_offset_or_are_in_beijing_time() -> None:
    noon = datetime(2026, 11, 22, 4, 0, 1, tzinfo=UTC)
    for text in ("2026-11-22T12:00:01+08:00", "2026-11-22T04:00:01Z", "2026-11-21T23:00:01-05:00"):
        assert moment(text) == noon
    assert beijing_moment("2026-11-22 12:00:01") == noon
    assert beijing_moment("2026-11-22 12:00:01.250") == noon.replace(microsecond=250_000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22",
        "2026-11-22T12:00:01",
        "20261122T120001Z",
        "2026-11-31T12:00:01Z",
        "2026-11-22T25:00:00Z",
        "2026-11-22T12:00:01+99:00",
        "2026-W47-7T12:00:01Z",
        "2026-11-22 12:00:01 ",
        "２026-11-22 12:00:01",
    ],
)
def test_a_malformed_time_is_rejected(text: str) -> None:
    for read in (moment, beijing_moment):
        with pytest.raises(FieldError):
            read(text)


def test_a_form_is_decoded_to_the_bytes_that_were_signed() -> None:
    assert form_fields(b"a=1+2%2B&b=&%63=%E8%8C%B6%FF") == {b"a": b"1 2+", b"b": b"", b"c": b"\xe8\x8c\xb6\xff"}


@pytest.mark.parametrize("body", [b"", b"a", b"=1", b"a=1&", b"&a=1", b"a=1&a=2", b"a=1&%61=1", b"a&a=1"])
def test_a_form_with_a_missing_or_doubled_name_is_rejected(body: bytes) -> None:
    with pytest.raises(FieldError):
        form_fields(body)


def test_a_form_has_at_most_100_fields() -> None:
    pairs = [b"f%d=" % number for number in range(101)]
    assert len(form_fields(b"&".join(pairs[:100]))) == 100
    with pytest.raises(FieldError, match="100"):
        form_fields(b"&".join(pairs))


DOUBLED = [
    b'{"a":1,"a":1}', b'{"a":1,"\\u0061":2}', b'{"b":{"a":1,"c":2,"a":3}}', b'{"b":[1,{"a":{},"a":{}}]}',
    b'{"b":"x","c":{"":1,"":2}}',
]  # fmt: skip


@pytest.mark.parametrize("body", DOUBLED)
def test_an_object_with_a_name_twice_is_rejected_because_parsers_differ_on_which_counts(body: bytes) -> None:
    with pytest.raises(FieldError, match="twice"):
        json_fields(body)


def test_the_same_name_in_two_objects_is_accepted() -> None:
    assert json_fields(b'{"a":{"a":1},"b":[{"a":1},{"a":2}]}').part("a").whole("a") == 1


@pytest.mark.parametrize("depth", [500, 900, 1000, 1020, 1030, 20_000])
def test_deeply_nested_json_is_parsed_or_rejected(depth: int) -> None:
    body = b'{"a":' * depth + b"1" + b"}" * depth
    try:
        assert json_fields(body).part("a")
    except FieldError:
        assert depth > 500


@given(st.binary())
def test_arbitrary_bytes_are_parsed_or_rejected(body: bytes) -> None:
    for read in (form_fields, json_fields):
        try:
            assert isinstance(read(body), dict | Fields)
        except FieldError:
            continue


def test_a_compressed_or_too_large_body_is_not_read() -> None:
    assert unreadable({}, b"x" * BODY_BYTES_MAX) is None
    assert unreadable({"content-encoding": " Identity "}, b"") is None
    assert unreadable({}, b"x" * (BODY_BYTES_MAX + 1)) == "the body is larger than 65536 bytes"
    assert unreadable({"content-encoding": "deflate"}, b"") == "the body is encoded"


FIELDS = Fields(
    {
        "text": "x",
        "empty": "",
        "nothing": None,
        "part": {"a": 1},
        "list": [{"a": 1}],
        "mixed": [{"a": 1}, 2],
        "one": 1,
        "long": "x" * 300,
        "odd": "a\x00b\u202ec\nd",
        "amount": "0.00",
        "more": "10000000000000.01",
    }
)


@pytest.mark.parametrize(
    "read",
    [
        lambda f: f.text("empty"),
        lambda f: f.text("one"),
        lambda f: f.text("missing"),
        lambda f: f.text("long"),
        lambda f: f.number("long"),
        lambda f: f.whole("text"),
        lambda f: f.part("list"),
        lambda f: f.parts("part"),
        lambda f: f.parts("mixed"),
        lambda f: f.amount("amount", "CNY"),
        lambda f: f.amount("text", "CNY"),
        lambda f: f.amount("more", "CNY"),
        lambda f: f.moment("text"),
        lambda f: f.beijing_moment("text"),
    ],
)
def test_the_error_about_a_malformed_field_names_the_field_and_not_its_value(read: Any) -> None:
    with pytest.raises(FieldError, match=r"^(empty|one|missing|long|text|list|part|mixed|amount|more) ") as error:
        read(FIELDS)
    assert "xx" not in str(error.value)


def test_a_field_exists_only_if_it_is_a_nonempty_text() -> None:
    assert [name for name in ("text", "empty", "nothing", "missing", "one") if FIELDS.has(name)] == ["text", "one"]
    assert FIELDS.excerpt("odd") == "abcd"
    assert (FIELDS.excerpt("long"), FIELDS.excerpt("one"), FIELDS.excerpt("missing")) == ("x" * 255, "", "")
    assert FIELDS.part("part").whole("a") == FIELDS.parts("list")[0].whole("a") == 1


def pems(key: Any) -> tuple[str, str]:
    return (
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    )


WEAK = [
    pems(rsa.generate_private_key(65537, 1024)),
    pems(ec.generate_private_key(ec.SECP256R1())),
    ("x", "x"),
    ("", ""),
]


@pytest.mark.parametrize(("private", "public"), WEAK, ids=["1024 bits", "no RSA", "no PEM", "empty"])
def test_only_rsa_keys_of_at_least_2048_bits_are_accepted(private: str, public: str) -> None:
    with pytest.raises(ValueError, match="is no "):
        private_key(private)
    with pytest.raises(ValueError, match="is no "):
        public_key(public)


def test_a_certificate_has_its_serial_and_its_validity() -> None:
    key = public_key(keys.certificate_pem("holder", 0xAB12, days=1))
    assert key.serial == "AB12"
    assert [key.valid_at(keys.BEGINNING.replace(day=day, hour=1)) for day in (1, 2)] == [True, False]
    bare = public_key(keys.public_pem("holder"))
    assert bare.serial is None
    assert bare.valid_at(datetime.min.replace(tzinfo=UTC))
