"""Which changes of the contract break others, and whom. Pure: it compares two contracts as documents.

Of a message that others send, all that was taken must still be taken. Of a message that we send, all that may come must
have been announced: a new field is no break there, since readers take fields that they do not know.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.commands.contract_documents import ASYNCAPI, CODES, schema_path

Schema = Mapping[str, Any]
Contract = Mapping[str, Any]
SENT_BY_US = {
    "event": "every subscriber of {type}",
    "reply": "everyone who sends queries",
    "instruction": "every warehouse",
}
"""Kind of message -> who reads it."""
UPPER = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
LOWER = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
EQUAL = ("pattern", "format", "multipleOf", "uniqueItems")


@dataclass(frozen=True)
class ContractBreak:
    """One change on which others depend. `path` is the JSON path in the body, or empty; `affects` says whom."""

    type: str
    path: str
    change: str
    affects: str


def breaks(old: Contract, new: Contract) -> list[ContractBreak]:
    """Return the changes from the old contract to the new one that break somebody, by type."""
    messages, now = (contract[ASYNCAPI]["components"]["messages"] for contract in (old, new))
    found: list[ContractBreak] = []
    for type_, message in sorted(messages.items()):
        if type_ not in now:
            found.append(ContractBreak(type_, "", "the type is gone", _affected(type_, message)))
            continue
        found += _of_roles(type_, message, now[type_])
        schemas = old[schema_path(type_)], new[schema_path(type_)]
        changes = [] if schemas[0] == schemas[1] else schema_breaks(*schemas, we_send=message["x-kind"] in SENT_BY_US)
        found += [ContractBreak(type_, path, change, _affected(type_, message)) for path, change in changes]
    return [*found, *_of_codes(old[CODES], new[CODES])]


def _affected(type_: str, message: Schema) -> str:
    readers = SENT_BY_US.get(message["x-kind"])
    return ", ".join(message["x-senders"]) if readers is None else readers.format(type=type_)


def _of_roles(type_: str, old: Schema, new: Schema) -> Iterator[ContractBreak]:
    """The roles that may no longer send a message, and what is now a message of another kind."""
    if old["x-kind"] != new["x-kind"]:
        change = f"it was of the kind {old['x-kind']}, and is of the kind {new['x-kind']}"
        yield ContractBreak(type_, "", change, _affected(type_, old))
        return
    lost = [role for role in old["x-senders"] if role not in new["x-senders"]]
    if lost and "anyone" not in new["x-senders"]:
        yield ContractBreak(type_, "", "they may no longer send it", ", ".join(lost))


def _of_codes(old: Schema, new: Schema) -> Iterator[ContractBreak]:
    for code, meaning in sorted(old.items()):
        if code not in new:
            yield ContractBreak(code, "", "the code is gone", "everyone who reads codes")
        elif meaning["number"] != new[code]["number"]:
            change = f"its number was {meaning['number']}, is {new[code]['number']}"
            yield ContractBreak(code, "", change, "everyone who reads codes")


def schema_breaks(old: Schema, new: Schema, *, we_send: bool) -> list[tuple[str, str]]:
    """Return JSON path and change of all that breaks the readers, if we send it, else the senders of a message."""
    comparison = _Comparison(old.get("$defs", {}), new.get("$defs", {}), we_send)
    return list(dict.fromkeys(comparison.values(old, new, "$")))


def _options(schema: Schema, definitions: Schema) -> list[Schema]:
    """What a value may be: the schema itself, or each of its alternatives, with references resolved."""
    if "$ref" in schema:
        return _options(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
    inner = schema.get("anyOf", schema.get("oneOf"))
    return [schema] if inner is None else [option for one in inner for option in _options(one, definitions)]


def _fits(narrow: Schema, wide: Schema) -> bool:
    """Whether values of one type are values of the other. A schema without a type takes every value."""
    types = narrow.get("type"), wide.get("type")
    return types[1] is None or types[0] == types[1] or types == ("integer", "number")


def _words(schema: Schema) -> Sequence[Any] | None:
    """The values that an enumeration lists."""
    listed = schema.get("enum", [schema["const"]] if "const" in schema else None)
    return listed if listed is None else list(listed)


@dataclass(frozen=True)
class _Comparison:
    """Compares an old schema with a new one, each with its definitions. Every method yields JSON path and change."""

    old_definitions: Schema
    new_definitions: Schema
    we_send: bool

    def narrow_and_wide(self, old: Any, new: Any) -> tuple[Any, Any]:
        """Which of the two must take no value that the other one does not take."""
        return (new, old) if self.we_send else (old, new)

    def values(self, old: Schema, new: Schema, path: str) -> Iterator[tuple[str, str]]:
        """Compare what a value may be. Of several alternatives of a type the one counts that differs least."""
        olds, news = _options(old, self.old_definitions), _options(new, self.new_definitions)
        narrow, wide = self.narrow_and_wide(olds, news)
        for option in narrow:
            matching = [other for other in wide if _fits(option, other)]
            if not matching:
                name = option.get("type", "anything")
                yield path, f"it may now be {name}" if self.we_send else f"it is no longer taken as {name}"
                continue
            pairs = (self.narrow_and_wide(option, other) for other in matching)
            yield from min((list(self.pair(*pair, path)) for pair in pairs), key=len)

    def pair(self, old: Schema, new: Schema, path: str) -> Iterator[tuple[str, str]]:
        """Compare two schemas of one type."""
        _, wide = self.narrow_and_wide(old, new)
        if not wide:
            return
        yield from self.words(old, new, path)
        yield from self.limits(old, new, path)
        yield from self.fields(old, new, path)
        yield from self.names(old, new, path)
        if "items" in old and "items" in new:
            yield from self.values(old["items"], new["items"], f"{path}[]")
        for place, pair in enumerate(zip(old.get("prefixItems", ()), new.get("prefixItems", ()), strict=False)):
            yield from self.values(*pair, f"{path}[{place}]")

    def words(self, old: Schema, new: Schema, path: str) -> Iterator[tuple[str, str]]:
        """Compare enumerations."""
        narrow, wide = (_words(schema) for schema in self.narrow_and_wide(old, new))
        if wide is None:
            return
        listed = ", ".join(map(str, wide))
        if narrow is None:
            yield path, f"it may now be more than {listed}" if self.we_send else f"it is now one of {listed} only"
            return
        lost = ", ".join(str(word) for word in narrow if word not in wide)
        if lost:
            yield path, f"it may now be {lost}" if self.we_send else f"it is no longer taken as {lost}"

    def limits(self, old: Schema, new: Schema, path: str) -> Iterator[tuple[str, str]]:
        """Compare lengths, sizes and patterns. Those of an enumeration are known by its words."""
        narrow, wide = self.narrow_and_wide(old, new)
        if _words(narrow) is not None:
            return
        for name in (*UPPER, *LOWER, *EQUAL):
            inner, outer = narrow.get(name), wide.get(name)
            if outer is None or inner == outer:
                continue
            within = inner is not None and ((name in UPPER and inner < outer) or (name in LOWER and inner > outer))
            if not within:
                yield path, f"{name} was {old.get(name, 'not set')}, is {new.get(name, 'not set')}"

    def fields(self, old: Schema, new: Schema, path: str) -> Iterator[tuple[str, str]]:
        """Compare the fields of objects."""
        before, now = old.get("properties", {}), new.get("properties", {})
        needed_before, needed_now = old.get("required", ()), new.get("required", ())
        for name in before:
            here = f"{path}.{name}"
            if name not in now:
                yield here, "the field is gone"
                continue
            yield from self.values(before[name], now[name], here)
            if self.we_send and name in needed_before and name not in needed_now:
                yield here, "it may now be missing"
            defaults = [side[name]["default"] for side in (before, now) if "default" in side[name]]
            if not self.we_send and len(defaults) == 2 and defaults[0] != defaults[1]:
                yield here, f"left out, it meant {defaults[0]}, and means {defaults[1]}"
        if not self.we_send:
            yield from ((f"{path}.{name}", "it is now required") for name in needed_now if name not in needed_before)

    def names(self, old: Schema, new: Schema, path: str) -> Iterator[tuple[str, str]]:
        """Compare objects whose names are not fields but data."""
        others = [schema.get("additionalProperties", True) for schema in (old, new)]
        if not self.we_send and others[0] is not False and others[1] is False:
            yield path, "it no longer takes other names"
        if all(isinstance(other, Mapping) for other in others):
            yield from self.values(others[0], others[1], f"{path}.*")
        patterns = [schema.get("patternProperties", {}) for schema in (old, new)]
        for pattern, schema in patterns[0].items():
            if pattern in patterns[1]:
                yield from self.values(schema, patterns[1][pattern], f"{path}.*")
            else:
                yield path, f"its names no longer follow {pattern}"
        if "propertyNames" in old or "propertyNames" in new:
            yield from self.values(old.get("propertyNames", {}), new.get("propertyNames", {}), f"names of {path}")
