"""Money and quantities are integers, in the code and on the wire (C-06)."""

import ast
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from messages.base import MessageKind
from messages.registry import MODELS
from tests.golden.examples import EXAMPLES, example
from tests.golden.shape import shape
from tests.house.sources import python, tree

PURE = [name for name in python("messages", "workers") if name.startswith(("messages/", "workers/domain/"))]


@pytest.mark.parametrize("name", PURE)
def test_the_wire_and_the_domain_know_no_floats(name: str) -> None:
    found = []
    for node in ast.walk(tree(name)):
        literal = isinstance(node, ast.Constant) and isinstance(node.value, float | complex)
        named = isinstance(node, ast.Name) and node.id in ("float", "round", "Decimal")
        divided = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
        if literal or named or divided:
            found.append(f"{name}:{node.lineno}")  # type: ignore[attr-defined]
    assert found == []


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


def may_be_null(type_: str, path: Path) -> bool:
    """Whether the wire lets the number be left out."""
    name = "".join("[]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")
    return "or null" in shape(MODELS[type_])["fields"].get(name, "")


PLACES = [(type_, path) for type_ in EXAMPLES for path in integers(example(type_))]


@pytest.mark.parametrize(("type_", "path"), PLACES, ids=lambda v: v if isinstance(v, str) else ".".join(map(str, v)))
def test_every_integer_of_the_wire_refuses_floats_and_texts(type_: str, path: Path) -> None:
    model, body = MODELS[type_], example(type_)
    number = at(body, path)
    nothing = () if may_be_null(type_, path) else (None,)
    for wrong in (float(number), number + 0.5, str(number), [number], True, *nothing):
        with pytest.raises(ValidationError):
            model.model_validate_json(orjson.dumps(replaced(body, path, wrong)))


OURS = (MessageKind.EVENT, MessageKind.REPLY, MessageKind.INSTRUCTION)


@pytest.mark.parametrize(("type_", "path"), [(t, p) for t, p in PLACES if MODELS[t].KIND not in OURS], ids=str)
def test_numbers_past_64_bits_are_refused_before_the_database_sees_them(type_: str, path: Path) -> None:
    body = orjson.dumps(replaced(example(type_), path, "HUGE"))
    for huge in (2**63, 2**64, -(2**63) - 1, 10**30):
        with pytest.raises(ValidationError):
            MODELS[type_].model_validate_json(body.replace(b'"HUGE"', str(huge).encode()))


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
