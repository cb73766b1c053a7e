"""Names places in the body of a message: conditions on what is there, and assignments that change it.

items.0.qty          the quantity of the first line
items.*.sku_id       the SKU of any line
items.*.qty > 5      a condition; also = != < >= <= and ~ (contains the text)
address.country      a condition without an operator: it is there, and not null
qty=2                an assignment; the value is JSON, else a text
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

_CONDITION = re.compile(r"\s*(?P<path>[$\w.*-]+)\s*(?:(?P<sign>!=|>=|<=|==|=|<|>|~)\s*(?P<value>.*?)\s*)?", re.DOTALL)
_COMPARISONS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "<": lambda one, other: one < other,
    ">": lambda one, other: one > other,
    "<=": lambda one, other: one <= other,
    ">=": lambda one, other: one >= other,
}

NOTHING = object()
"""What an object has under a name that it does not have."""


class BodyPathError(Exception):
    """A path, a condition or an assignment that says nothing, or that does not fit the body. It quotes no value."""


@dataclass(frozen=True)
class BodyCondition:
    """A condition on a body. Without a sign it asks whether something is there."""

    path: tuple[str, ...]
    sign: str = ""
    value: str = ""

    def holds(self, body: Any) -> bool:
        """True if it holds for the value at one of the places that the path names."""
        return any(self._holds_for(found) for found in _found(body, self.path))

    def _holds_for(self, found: Any) -> bool:
        if not self.sign:
            return found is not None
        if self.sign in ("=", "!="):
            return (_text(found) == self.value) is (self.sign == "=")
        if self.sign == "~":
            return self.value.casefold() in _text(found).casefold()
        one, other = _number(found), _number(self.value)
        return one is not None and other is not None and _COMPARISONS[self.sign](one, other)


def parse_condition(text: str) -> BodyCondition:
    """Read a condition such as `items.*.qty > 5`. Raises BodyPathError."""
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise BodyPathError("a condition is such as address.country=GB, items.*.qty>5, remark~gift, or coupon_id")
    sign, value = match["sign"] or "", (match["value"] or "").strip("\"'")
    if sign in _COMPARISONS and _number(value) is None:
        raise BodyPathError(f"{sign} compares with a number")
    return BodyCondition(_steps(match["path"]), "=" if sign == "==" else sign, value)


def assign(body: Any, text: str) -> str:
    """Change a body as an assignment such as `items.0.qty=2` says, and return the path. `path=` alone removes it.

    Raises BodyPathError if the path leads nowhere. The last name may be new in an object, not in a list.
    """
    path, sign, value = text.partition("=")
    if not sign:
        raise BodyPathError("an assignment is such as items.0.qty=2, or coupon_id= to remove it")
    steps = _steps(path.strip())
    target = body
    for step in steps[:-1]:
        target = _step(target, step, path)
    last: Any = steps[-1]
    if isinstance(target, list):
        _step(target, last, path)
        last = int(last)
    elif not isinstance(target, dict):
        raise BodyPathError(f"there is nothing at {path}")
    if value:
        target[last] = _parsed(value)
    elif last in target or isinstance(target, list):
        del target[last]
    return path.strip()


def changed_paths(before: Any, after: Any, path: str = "") -> list[str]:
    """Return where two bodies differ. What JSON writes in two ways differs, such as 1 and 1.0, or null and nothing."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = [*before, *(name for name in after if name not in before)]
        parts = [(str(name), before.get(name, NOTHING), after.get(name, NOTHING)) for name in names]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        parts = [(str(place), *pair) for place, pair in enumerate(zip(before, after, strict=True))]
    else:
        same = type(before) is type(after) and before == after
        return [] if same else [path or "the whole body"]
    return [found for name, one, other in parts for found in changed_paths(one, other, f"{path}.{name}".lstrip("."))]


def _steps(path: str) -> tuple[str, ...]:
    steps = tuple(path.removeprefix("$.").split("."))
    if not all(steps):
        raise BodyPathError(f"{path or 'nothing'} is no path")
    return steps


def _found(value: Any, path: Sequence[str]) -> Iterator[Any]:
    if not path:
        yield value
    elif isinstance(value, dict):
        parts = value.values() if path[0] == "*" else [value[path[0]]] if path[0] in value else []
        for part in parts:
            yield from _found(part, path[1:])
    elif isinstance(value, list):
        places = range(len(value)) if path[0] == "*" else [int(path[0])] if path[0].isdecimal() else []
        for place in places:
            if place < len(value):
                yield from _found(value[place], path[1:])


def _step(value: Any, step: str, path: str) -> Any:
    if isinstance(value, dict) and step in value:
        return value[step]
    if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
        return value[int(step)]
    raise BodyPathError(f"there is nothing at {path}")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_float=str)
    except ValueError:
        return text
