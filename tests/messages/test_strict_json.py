"""A body is read strictly: a name that occurs twice is refused, and every fault is named at once."""

import orjson
import pytest

from messages.base import Part
from messages.strict_json import FAULTS_MAX, REPEATED_NAME, read


class Line(Part):
    sku: str
    qty: int


class Order(Part):
    note: str
    lines: list[Line] = []


TWICE = [
    ("at the top", b'{"note":"a","note":"b"}', "$.note"),
    ("with the same value", b'{"note":"a","note":"a"}', "$.note"),
    ("with blanks", b'{ "note" : "a" , "note" : "b" }', "$.note"),
    ("in a line", b'{"note":"a","lines":[{"sku":"s","qty":1},{"sku":"s","qty":1,"qty":1000}]}', "$.lines[1].qty"),
    ("written with an escape", rb'{"note":"a","n\u006fte":"b"}', "$.note"),
    ("beside an escaped colon", rb'{"note":"a\u003a","note":"b"}', "$.note"),
    ("hidden by an escaped colon", rb'{"note":"a","note":"\u003A"}', "$.note"),
    ("with colons in its text", b'{"note":"a:::b","note":"c"}', "$.note"),
    ("around a list", b'{"note":"a","lines":[],"lines":[{"sku":"s","qty":1}]}', "$.lines"),
]
ONCE = [
    ("colons in a text", b'{"note":"\\":a\\":b"}'),
    ("an escaped colon", rb'{"note":"\u003a\u003a"}'),
    ("an escaped backslash before the code of a colon", rb'{"note":"\\u003a"}'),
    ("the same name in two objects", b'{"note":"a","lines":[{"sku":"s","qty":1},{"sku":"s","qty":1}]}'),
    ("a name as a value", b'{"note":"note"}'),
]


@pytest.mark.parametrize(("case", "body", "path"), TWICE, ids=[row[0] for row in TWICE])
def test_a_name_that_occurs_twice_is_refused_with_its_path(case: str, body: bytes, path: str) -> None:
    assert [(fault.path, fault.error) for fault in read(Order, body).faults] == [(path, REPEATED_NAME)]


@pytest.mark.parametrize(("case", "body"), ONCE, ids=[row[0] for row in ONCE])
def test_names_that_occur_once_are_read(case: str, body: bytes) -> None:
    reading = read(Order, body)
    assert reading.faults == ()
    assert reading.message == Order.model_validate_json(reading.canonical_body)


def test_every_fault_is_named_at_once() -> None:
    faults = read(Order, b'{"lines":[{"sku":7,"qty":1,"qty":2,"price":1}],"13812345678":1}').faults
    found = {(fault.path, fault.error) for fault in faults}
    assert found == {
        ("$.lines[0].qty", REPEATED_NAME),
        ("$.note", "missing"),
        ("$.lines[0].sku", "string_type"),
        ("$.lines[0].price", "extra_forbidden"),
        ("$.…", "extra_forbidden"),
    }


def test_who_writes_null_for_what_was_never_set_reads_what_to_do() -> None:
    faults = read(Order, b'{"note":null,"lines":[{"sku":"s","qty":null}]}').faults
    assert {fault.path: fault.message.rpartition(", ")[2] for fault in faults} == {
        "$.note": "not null: leave out a field that is not set",
        "$.lines[0].qty": "not null: leave out a field that is not set",
    }
    (wrong,) = read(Order, b'{"note":7}').faults
    assert "null" not in wrong.message


def test_the_faults_are_bounded_in_number_and_length() -> None:
    names = {"x" * 100_000: 1} | {f"x{number}": 1 for number in range(1000)}
    faults = read(Order, orjson.dumps(names)).faults
    assert len(faults) == FAULTS_MAX
    assert max(len(fault.path) for fault in faults) <= 200


def test_a_body_that_is_nothing_but_faults_is_refused_without_reading_them() -> None:
    [fault] = read(Order, orjson.dumps({f"name{number}": 1 for number in range(10_001)})).faults
    assert (fault.path, fault.error) == ("$", "too_many_faults")
    assert "10,0" in fault.message


def test_the_same_message_has_one_form_however_it_is_written() -> None:
    ways = (
        b'{"note":"a","lines":[{"sku":"s","qty":1}]}',
        b'{ "lines" : [ {"qty": 1, "sku": "\\u0073"} ],\n "note": "a" }',
    )
    forms = {read(Order, body).canonical_body for body in ways}
    assert len(forms) == 1
    assert read(Order, b'{"note":"b","lines":[{"sku":"s","qty":1}]}').canonical_body not in forms


def test_common_mistakes_are_answered_with_what_to_write_and_without_the_value() -> None:
    lines = [{"sku": "s", "qty": 14.99}, {"sku": "s", "qty": "77"}, {"sku": "s", "qty": 1, "qyt": 5}]
    body = orjson.dumps({"note": "a", "notes": "secret", "colour": 1, "lines": lines})
    assert {fault.path: fault.message for fault in read(Order, body).faults} == {
        "$.notes": "Extra inputs are not permitted; near it is note",
        "$.colour": "Extra inputs are not permitted",
        "$.lines[0].qty": "Input should be a valid integer, without a point: amounts are in minor units, such as cents",
        "$.lines[1].qty": "Input should be a valid integer, not a text",
        "$.lines[2].qyt": "Extra inputs are not permitted; near it is qty",
    }
