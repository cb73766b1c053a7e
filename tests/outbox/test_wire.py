"""Any client may publish any header table: decoding it always ends, and never raises."""

import struct
from typing import Any

import pytest
from pamqp import decode

from outbox.wire import DEPTH_MAX, MALFORMED, install_tolerant_decoders


def entry(kind: bytes, content: bytes, key: bytes = b"k") -> bytes:
    return bytes([len(key)]) + key + kind + content


def sized(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def nested(depth: int, innermost: bytes = b"") -> bytes:
    """The content of a table that is nested to this depth."""
    content = innermost
    for _ in range(depth):
        content = entry(b"F", sized(content))
    return content


def nested_arrays(depth: int) -> bytes:
    content = b""
    for _ in range(depth):
        content = b"A" + sized(content)
    return bytes([1]) + b"k" + content if content else b""


def read(content: bytes) -> dict[str, Any]:
    install_tolerant_decoders()
    consumed, table = decode.by_type(sized(content) + b"what follows", "table")
    assert consumed == 4 + len(content)
    assert isinstance(table, dict)
    return table


def depth_of(value: Any) -> int:
    items = list(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
    return 1 + max(map(depth_of, items), default=0) if isinstance(value, dict | list) else 0


SOUND = entry(b"S", sized(b"text"), b"s") + entry(b"I", struct.pack(">i", -7), b"i") + entry(b"V", b"", b"v")


def test_a_sound_table_is_read_as_it_is() -> None:
    array = b"A" + sized(b"t\x01" + b"F" + sized(SOUND))
    assert read(SOUND + b"\x01a" + array) == {
        "s": "text",
        "i": -7,
        "v": None,
        "a": [True, {"s": "text", "i": -7, "v": None}],
    }


@pytest.mark.parametrize("deep", [nested, nested_arrays], ids=["tables", "arrays"])
@pytest.mark.parametrize("depth", [DEPTH_MAX + 1, 600, 15_000])
def test_nesting_beyond_the_limit_is_marked_and_cut_off(deep: Any, depth: int) -> None:
    table = read(deep(depth) + SOUND)
    assert table[MALFORMED] is True
    assert depth_of(table) <= DEPTH_MAX + 1
    assert table["s"] == "text", "what follows is read all the same"


@pytest.mark.parametrize("deep", [nested, nested_arrays], ids=["tables", "arrays"])
def test_nesting_up_to_the_limit_is_sound(deep: Any) -> None:
    table = read(deep(DEPTH_MAX))
    assert MALFORMED not in table
    assert depth_of(table) == DEPTH_MAX + 1


BROKEN = {
    "an unknown kind": entry(b"?", b""),
    "a key without a value": b"\x01k",
    "a key that goes on beyond the end": b"\x09k",
    "a text that goes on beyond the end": entry(b"S", struct.pack(">I", 99) + b"x"),
    "a number cut short": entry(b"l", b"\0\0"),
    "a table that goes on beyond the end": entry(b"F", struct.pack(">I", 99) + SOUND),
    "tables that all go on beyond the end": b"".join(entry(b"F", struct.pack(">I", 1 << 31)) for _ in range(5_000)),
    "an array that goes on beyond the end": entry(b"A", struct.pack(">I", 99)),
    "a length cut short": entry(b"S", b"\0"),
    "a broken table in a sound one": entry(b"F", sized(entry(b"?", b""))),
    "a broken table in an array": entry(b"A", sized(b"F" + sized(entry(b"?", b"")))),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_table_is_marked_and_keeps_what_came_before(content: bytes) -> None:
    table = read(SOUND + content)
    assert table[MALFORMED] is True
    assert table["s"] == "text"
