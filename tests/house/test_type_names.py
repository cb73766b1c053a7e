"""A type has its name to itself: the same name twice is a sign that one of the two says too little."""

import ast
from collections import defaultdict
from collections.abc import Iterator

from tests.house.sources import PRODUCT, nodes, python

EACH_ITS_OWN = {
    "Item",  # the envelopes of a handler's own queue, or of the part of it that a service serves
}


def types(name: str) -> Iterator[str]:
    """The classes of a file and its public type aliases. A name with an underscore is private to its module."""
    for node in nodes(name):
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
            yield ast.unparse(node.target)


def test_each_type_has_a_name_of_its_own() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for file in python(*PRODUCT):
        for name in types(file):
            if not name.startswith("_") and name not in EACH_ITS_OWN:
                places[name].append(file)
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
