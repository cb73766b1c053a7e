"""The shape of a message as lines of text, so that a change of the wire is seen in review."""

from collections.abc import Iterator, Mapping
from typing import Any

from messages.base import Message

Fields = dict[str, str]
NOISE = ("title", "description", "$defs", "additionalProperties", "default", "ge", "le")
"""Not part of the wire; ge and le are what is left of an integer's limits where it is written as a string."""


def shape(model: type[Message]) -> dict[str, Any]:
    """Kind, packing, and every field by its path: its type and limits, with `?` where it may be left out."""
    schema = model.model_json_schema(mode="serialization")  # as it is written: ids are strings
    fields = dict(sorted(_fields(schema, schema.get("$defs", {}), "")))
    return {"kind": model.KIND.value, "packable": model.PACKABLE, "fields": fields}


def _fields(schema: Mapping[str, Any], defs: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """The fields of an object, and of the objects in them."""
    required = schema.get("required", [])
    for name, raw in schema.get("properties", {}).items():
        field = _resolved(raw, defs)
        here = f"{path}{name}"
        yield here, ("" if name in required else "? ") + _words(field)
        yield from _inner(field, defs, here)


def _inner(field: Mapping[str, Any], defs: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for option in (field, *(_resolved(o, defs) for o in field.get("anyOf", ()))):
        if "properties" in option:
            yield from _fields(option, defs, f"{path}.")
        if "items" in option:
            item = _resolved(option["items"], defs)
            yield f"{path}[]", _words(item)
            yield from _inner(item, defs, f"{path}[]")


def _resolved(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    return _resolved(defs[schema["$ref"].rsplit("/", 1)[1]], defs) if "$ref" in schema else schema


def _words(field: Mapping[str, Any]) -> str:
    """`string, maxLength=64`; alternatives with `or`."""
    if "anyOf" in field:
        return " or ".join(_words(option) if "$ref" not in option else "object" for option in field["anyOf"])
    limits = (f"{key}={_limit(value)}" for key, value in sorted(field.items()) if key not in (*NOISE, *_STRUCTURE))
    return ", ".join([field.get("type", "anything"), *limits])


_STRUCTURE = ("type", "properties", "required", "items", "anyOf")


def _limit(value: Any) -> str:
    return _words(value) if isinstance(value, dict) else str(value)


def breaks(approved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The approved fields that a reader may rely on and that changed."""
    found = []
    for type_, old in approved.items():
        new = now.get(type_)
        if new is None:
            found.append(f"{type_} is gone")
            continue
        found += [f"{type_}: {key} changed" for key in ("kind", "packable") if old[key] != new[key]]
        found += [f"{type_}: {name} is gone" for name in old["fields"] if name not in new["fields"]]
        found += [
            f"{type_}: {name} was {old['fields'][name]!r}, is {text!r}"
            for name, text in new["fields"].items()
            if name in old["fields"] and old["fields"][name] != text
        ]
        found += [f"{type_}: {name} is new and required" for name in _demanded(old, new)]
    return found


def _demanded(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """New fields that those who send the message today leave out. Events and replies only we send."""
    if new["kind"] in ("event", "reply"):
        return []
    added = [name for name in new["fields"] if name not in old["fields"] and not name.endswith("[]")]
    optional = [name for name in added if new["fields"][name].startswith("? ")]
    inside = tuple(f"{name}{mark}" for name in optional for mark in (".", "[]"))
    return [name for name in added if name not in optional and not (inside and name.startswith(inside))]
