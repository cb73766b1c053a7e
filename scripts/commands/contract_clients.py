"""The clients for other teams: types of every message in Python and TypeScript, made from the contract's documents."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from scripts.commands.contract_documents import ASYNCAPI, schema_path

Document = Mapping[str, Any]
Schema = Mapping[str, Any]
PYTHON, TYPESCRIPT = "python/oms_client/messages.py", "typescript/messages.ts"
DOCSTRING_CHARS_MAX = 110
MADE = "Made from the contract by `oms contracts export`. Do not edit it."
SCALARS = {"string": ("str", "string"), "integer": ("int", "number"), "number": ("float", "number")}
SCALARS |= {"boolean": ("bool", "boolean"), "null": ("None", "null")}
OBJECTS = "dict[str, Any]", "Record<string, unknown>"
SENT_BY_US = ("event", "reply", "instruction")


def client_files(documents: Document) -> dict[str, str]:
    """Return the files of the clients that are made, by path in messages/clients."""
    messages = documents[ASYNCAPI]["components"]["messages"]
    types = {type_: documents[schema_path(type_)] for type_ in sorted(messages)}
    return {PYTHON: _python(types, messages), TYPESCRIPT: _typescript(types, messages)}


def class_name(type_: str) -> str:
    """`order.create.v1` -> OrderCreate; a later version has its number."""
    name, version = type_.rsplit(".v", 1)
    words = "".join(part.title() for part in re.split(r"[._]", name))
    return words if version == "1" else f"{words}V{version}"


class _Types:
    """The types of one message in one language (0 Python, 1 TypeScript): its own, and one for each part of it."""

    def __init__(self, type_: str, schema: Schema, language: int, *, is_sent_by_us: bool) -> None:
        self.name, self.schema, self.language = class_name(type_), schema, language
        self.is_sent_by_us = is_sent_by_us

    def objects(self) -> Iterator[tuple[str, Schema]]:
        """Yield the name and the schema of each object, parts first."""
        for part, schema in sorted(self.schema.get("$defs", {}).items()):
            if "properties" in schema:
                yield f"{self.name}{part}", schema
        yield self.name, self.schema

    def fields(self, schema: Schema) -> Iterator[tuple[str, str, bool]]:
        """Yield (name, type, whether it is always there) of each field. What oms sends has every field."""
        required = schema.get("required", ())
        for name, field in sorted(schema.get("properties", {}).items()):
            yield name, self.of(field), name in required or self.is_sent_by_us

    def of(self, schema: Schema) -> str:
        """The type of a value."""
        if "$ref" in schema:
            part = str(schema["$ref"]).rpartition("/")[2]
            target = self.schema["$defs"][part]
            return f"{self.name}{part}" if "properties" in target else self.of(target)
        choices = schema.get("anyOf", schema.get("oneOf"))
        if choices is not None:
            return " | ".join(dict.fromkeys(map(self.of, choices)))
        if "enum" in schema or "const" in schema:
            values = [_quoted(value) for value in schema.get("enum", [schema.get("const")])]
            return " | ".join(values) if self.language else f"Literal[{', '.join(values)}]"
        return self._of_type(schema)

    def _of_type(self, schema: Schema) -> str:
        match schema.get("type"):
            case "array":
                each = self.of(schema.get("items", {}))
                return f"Array<{each}>" if self.language else f"list[{each}]"
            case "object":
                return OBJECTS[self.language]
            case str() as scalar if scalar in SCALARS:
                return SCALARS[scalar][self.language]
        return "unknown" if self.language else "Any"


def _types(types: Mapping[str, Schema], messages: Document, language: int) -> Iterator[tuple[str, _Types]]:
    for type_, schema in types.items():
        is_sent_by_us = messages[type_]["x-kind"] in SENT_BY_US
        yield type_, _Types(type_, schema, language, is_sent_by_us=is_sent_by_us)


def _python(types: Mapping[str, Schema], messages: Document) -> str:
    lines = [f'"""The types of every message. {MADE}"""', "", "from __future__ import annotations", ""]
    lines += ["from typing import Any, Literal, NotRequired, TypedDict", ""]
    for _, made in _types(types, messages, 0):
        for name, schema in made.objects():
            fields = [
                f"    {field}: {type_ if always else f'NotRequired[{type_}]'}"
                for field, type_, always in made.fields(schema)
            ]
            lines += ["", f"class {name}(TypedDict):", f'    """{_summary(schema)}"""', "", *fields, ""]
    return "\n".join(lines)


def _typescript(types: Mapping[str, Schema], messages: Document) -> str:
    lines = [f"// The types of every message. {MADE}", ""]
    for _, made in _types(types, messages, 1):
        for name, schema in made.objects():
            lines += [f"/** {_summary(schema)} */", f"export interface {name} {{"]
            lines += [f"  {field}{'' if always else '?'}: {type_};" for field, type_, always in made.fields(schema)]
            lines += ["}", ""]
    for kind, name in (("command", "Commands"), ("fact", "Facts"), ("query", "Queries"), ("event", "Events")):
        lines.append(f"/** Type of a message -> its body. */\nexport interface {name} {{")
        found = [type_ for type_ in types if messages[type_]["x-kind"] == kind]
        lines += [f'  "{type_.rsplit(".", 1)[0]}": {class_name(type_)};' for type_ in found]
        lines += ["}", ""]
    lines.append("/** Type of a command or query -> what ends it, with its body. Refusals are thrown. */")
    lines.append("export interface Answers {")
    for type_ in types:
        if "x-answers" in messages[type_]:
            ends = [end for end in messages[type_]["x-answers"] if "code" not in types[end]["properties"]]
            shapes = [f'{{ type: "{end}"; body: {class_name(end)} }}' for end in ends]
            lines.append(f'  "{type_.rsplit(".", 1)[0]}": {" | ".join(shapes)};')
    return "\n".join([*lines, "}", ""])


def _summary(schema: Schema) -> str:
    text = " ".join(str(schema.get("description", "One part of it.")).split("\n\n")[0].split())
    first = re.split(r"(?<=[.?!]) (?=[A-Z`])", text)[0].replace("*/", "")
    return first if len(first) <= DOCSTRING_CHARS_MAX else f"{first[: DOCSTRING_CHARS_MAX - 1]}…"


def _quoted(text: str) -> str:
    return f'"{text}"'
