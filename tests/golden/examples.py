"""One example of every message, as its JSON crosses the wire: wire/<type>.json. It has every field.

Of messages that have many fields minimal/<type>.json has the fewest that do something: newcomers begin with it.
"""

from functools import cache
from pathlib import Path
from typing import Any

import orjson

FOLDER = Path(__file__).parent / "wire"
EXAMPLES: dict[str, Path] = {path.name.removesuffix(".json"): path for path in sorted(FOLDER.glob("*.json"))}
MINIMAL: dict[str, Path] = {
    path.name.removesuffix(".json"): path for path in sorted(FOLDER.with_name("minimal").glob("*.json"))
}


@cache
def raw(type_: str) -> bytes:
    """The path of the example."""
    return EXAMPLES[type_].read_bytes()


def example(type_: str) -> Any:
    """The body of the example."""
    return orjson.loads(raw(type_))


def minimal(type_: str) -> Any:
    """The body of the example with the fewest fields."""
    return orjson.loads(MINIMAL[type_].read_bytes())
