"""Money and quantities are integers, in the code and on the wire (C-06)."""

import ast
from collections.abc import Iterator
from functools import cache
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from messages.base import MessageKind
from messages.registry import MODELS
from tests.golden.examples import EXAMPLES, example
from tests.golden.shape import shape
from tests.house.sources import nodes, python

PURE = [name for name in python("messages", "workers") if name.startswith(("messages/", "workers/domain/"))]


def floats(name: str) -> Iterator[str]:
    """Where a file holds, makes or names a number that is no integer."""
    for node in nodes(name):
        literal = isinstance(node, ast.Constant) and isinstance(node.value, float | complex)
        named = isinstance(node, ast.Name) and node.id in ("float", "round", "Decimal")
        divided = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
        if literal or named or divided:
            yield f"{name}:{node.lineno}"  # type: ignore[attr-defined]


def test_the_wire_and_the_domain_know_no_floats() -> None:
    assert [place for name in PURE for place in floats(name)] == []


Path = tuple[str | int, ...]


def integers(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where a JSON value holds integers; free-form details are nobody's numbers."""
    if isinstance(value, int) and not isinstance(value, bool):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if key != "details":
            yield from integers(inner, (*path, key))


def replaced(value: Any, path: Path, new: Any) -> Any:
    """The value with another one at that place."""
    if not path:
        return new
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


def at(value: Any, path: Path) -> Any:
    """What stands there."""
    for key in path:
        value = value[key]
    return value


@cache
def known(type_: str) -> dict[str, Any]:
    """The shape of a message."""
    return shape(MODELS[type_])


def may_be_null(type_: str, path: Path) -> bool:
    """Whether the wire lets the number be left out."""
    name = "".join("[]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")
    return "or null" in known(type_)["fields"].get(name, "")


PLACES = [(type_, path) for type_ in EXAMPLES for path in integers(example(type_))]


def accepts(type_: str, body: bytes) -> bool:
    """Whether the message can be read."""
    try:
        MODELS[type_].model_validate_json(body)
    except ValidationError:
        return False
    return True


def accepted_instead(type_: str, path: Path) -> list[Any]:
    """What is no integer and is accepted in place of one."""
    body = example(type_)
    number = at(body, path)
    nothing = () if may_be_null(type_, path) else (None,)
    wrong = (float(number), number + 0.5, str(number), [number], True, *nothing)
    return [one for one in wrong if accepts(type_, orjson.dumps(replaced(body, path, one)))]


def test_every_integer_of_the_wire_refuses_floats_and_texts() -> None:
    assert len(PLACES) > 600
    found = {place: accepted_instead(*place) for place in PLACES}
    assert {place: accepted for place, accepted in found.items() if accepted} == {}


OURS = (MessageKind.EVENT, MessageKind.REPLY, MessageKind.INSTRUCTION)


def with_number(type_: str, path: Path, number: int) -> bytes:
    """The example of a message with that number in that place; JSON knows numbers that orjson does not write."""
    return orjson.dumps(replaced(example(type_), path, "HUGE")).replace(b'"HUGE"', str(number).encode())


def test_numbers_past_64_bits_are_refused_before_the_database_sees_them() -> None:
    places = [(type_, path) for type_, path in PLACES if MODELS[type_].KIND not in OURS]
    assert len(places) > 100
    huge = (2**63, 2**64, -(2**63) - 1, 10**30)
    assert [(*place, one) for place in places for one in huge if accepts(place[0], with_number(*place, one))] == []


REFUSED = [
    b'{"price": 500.0}', b'{"price": 5e2}', b'{"price": "500"}', b'{"price": 500.5}', b'{"price": -1}',
    b'{"price": true}', b'{"price": null}', b'{"price": NaN}', b'{"price": 1000000000000001}',
    b'{"price": 18446744073709551616}',
]  # fmt: skip


@pytest.mark.parametrize("fields", REFUSED)
def test_a_price_is_a_whole_number_of_minor_units(fields: bytes) -> None:
    body = {key: value for key, value in example("sku.upsert.v1").items() if key != "price"}
    model = MODELS["sku.upsert.v1"]
    model.model_validate_json(orjson.dumps(body | {"price": 500}))
    with pytest.raises(ValidationError, match=r"price|Invalid JSON"):
        model.model_validate_json(orjson.dumps(body)[:-1] + b", " + fields[1:])
