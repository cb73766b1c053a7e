"""The fields of a message as rows for a person, from its schema: path, type with unit and limits, default, meaning."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from messages.base import AMOUNT_MAX, ID_MAX
from scripts.commands.field_meanings import MEANINGS, PATTERNS, UNITS

Schema = Mapping[str, Any]
DEPTH_MAX = 6  # no message nests deeper; a schema that contains itself would never end
NULL = "null"


@dataclass(frozen=True)
class FieldRow:
    """One field. `path` is its JSON path without the dollar sign; `default` is empty for a field without one."""

    path: str
    type: str
    required: bool
    default: str
    meaning: str
    depth: int


def rows(schema: Schema) -> list[FieldRow]:
    """Return the fields of a message's schema, in the order of the message, each before the fields in it."""
    return list(_of_object(schema, schema.get("$defs", {}), "", 0))


def _of_object(schema: Schema, parts: Schema, at: str, depth: int) -> Iterator[FieldRow]:
    required = schema.get("required", ())
    for name, given in schema.get("properties", {}).items():
        field, can_be_null = _without_null(_resolved(given, parts), parts)
        inner, brackets = field, ""
        while inner.get("type") == "array":
            inner, brackets = _resolved(inner.get("items", {}), parts), f"{brackets}[]"
        path = f"{at}{name}"
        about = MEANINGS.get(".".join(path.split(".")[-2:])) or MEANINGS.get(name)
        words = described(field, parts, name) + (" or null" if can_be_null else "")
        yield FieldRow(path, words, name in required, _default(given), meaning(field, about, inner), depth)
        if depth < DEPTH_MAX:
            for one in (inner, *(_resolved(part, parts) for part in inner.get("oneOf", ()))):
                yield from _of_object(one, parts, f"{path}{brackets}.", depth + 1)


def allowed_at(schema: Schema, path: str) -> str:
    """Say what is allowed at a JSON path; of a field that does not exist, which fields there are."""
    parts, at = schema.get("$defs", {}), schema
    for name, index in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path):
        at, _ = _without_null(_resolved(at, parts), parts)
        fields = at.get("properties", {})
        if index:
            at = at.get("items", {})
        elif name in fields:
            at = fields[name]
        elif isinstance(at.get("additionalProperties"), Mapping):
            at = at["additionalProperties"]
        else:
            return f"one of {', '.join(fields)}" if fields else ""
    found, can_be_null = _without_null(_resolved(at, parts), parts)
    return described(found, parts, path.rpartition(".")[2]) + (" or null" if can_be_null else "")


def meaning(field: Schema, by_name: str | None, inner: Schema) -> str:
    """Return what a field means: what its name means everywhere, else what its schema or its part says."""
    return str(by_name or field.get("description") or inner.get("description") or "").split("\n\n")[0].rstrip(".")


def _resolved(schema: Schema, parts: Schema) -> Schema:
    """The schema, or the part that it refers to, with its own words beside it."""
    if "$ref" not in schema:
        return schema
    part = parts[str(schema["$ref"]).rpartition("/")[2]]
    return {**part, **{name: value for name, value in schema.items() if name != "$ref"}}


def _without_null(schema: Schema, parts: Schema) -> tuple[Schema, bool]:
    """The schema of what is not null, and whether null is taken as well."""
    choices = schema.get("anyOf", ())
    others = [choice for choice in choices if choice.get("type") != NULL]
    if len(others) == len(choices) or len(others) != 1:
        return schema, len(others) < len(choices)
    return {**_resolved(others[0], parts), **{name: value for name, value in schema.items() if name != "anyOf"}}, True


def _default(schema: Schema) -> str:
    value = schema.get("default")
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value) if value != "" else '""'


def described(schema: Schema, parts: Schema, name: str = "") -> str:
    """Say in words what a value may be, with its unit and its limits."""
    schema = _resolved(schema, parts)
    if "enum" in schema or "const" in schema:
        return " | ".join(map(str, schema.get("enum", [schema.get("const")])))
    if "anyOf" in schema:
        return " or ".join(described(choice, parts, name) for choice in schema["anyOf"] if choice.get("type") != NULL)
    match schema.get("type"):
        case "string":
            words = _text(schema, name)
        case "integer" | "number":
            words = _number(schema, name)
        case "array":
            each = described(schema.get("items", {}), parts, name)
            words = f"list of {each}{'s' if each == 'object' else ''}{_count(schema, 'Items', 'entries')}"
        case "boolean":
            words = "true | false"
        case "object":
            words = "object" if "properties" in schema or "oneOf" in schema else "object, names are data"
        case _:
            words = "one of several objects" if "oneOf" in schema else "any value"
    return words


def _text(schema: Schema, name: str) -> str:
    if (known := PATTERNS.get(schema.get("pattern", ""))) is not None:
        return known + _count(schema, "Length", "characters")
    if (form := schema.get("format")) is not None:
        return "time, RFC 3339" if form == "date-time" else form
    words = next((words for end, words in UNITS.items() if name.endswith(end) and end.endswith("_id")), "text")
    odd = "" if "pattern" not in schema else f" like {schema['pattern']}"
    return words + _count(schema, "Length", "characters") + odd


def _number(schema: Schema, name: str) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if high == AMOUNT_MAX:
        return "amount in minor units" + ("" if low == 0 else f", from {low}")
    unit = next((words for end, words in UNITS.items() if name.endswith(end) and not end.endswith("_id")), "")
    if low == -ID_MAX:
        low = high = None
    return f"integer{unit and f' ({unit})'}{_range(low, None if high == ID_MAX else high)}"


def _count(schema: Schema, what: str, noun: str) -> str:
    low, high = schema.get(f"min{what}"), schema.get(f"max{what}")
    limits = _range(low if low else None, high)
    return f"{limits} {noun}" if limits else ""


def _range(low: int | None, high: int | None) -> str:
    if low is None or high is None:
        return f", from {low:,}" if low is not None else f", at most {high:,}" if high is not None else ""
    return f", {low:,} to {high:,}"
