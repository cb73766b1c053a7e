"""aio-pika speaks with the broker. Only outbox/amqp.py reaches below it, and each of its places has a test."""

import ast

from outbox import amqp
from tests.house.sources import PRODUCT, python, text, tree

BELOW = ("aiormq", "pamqp")
MODULE = "outbox/amqp.py"
REACHES = ("get_underlay_channel", "transport.connection")


def imported(module: ast.Module) -> set[str]:
    """The top-level packages that a module imports, anywhere in it."""
    packages: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            packages |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            packages.add(node.module.partition(".")[0])
    return packages


def test_one_module_reaches_below_aio_pika() -> None:
    sources = python(*PRODUCT, "scripts")
    assert [name for name in sources if imported(tree(name)) & set(BELOW)] == [MODULE]
    assert [name for name in sources if any(reach in text(name) for reach in REACHES)] == [MODULE]


def test_an_import_is_found_wherever_it_stands() -> None:
    source = (
        "import aio_pika\n\n\ndef f() -> None:\n    from pamqp.commands import Basic\n    import aiormq.abc as abc\n"
    )
    assert imported(ast.parse(source)) == {"aio_pika", "pamqp", "aiormq"}


def test_each_place_has_a_test() -> None:
    tested = text("tests/outbox/test_amqp.py")
    assert [name for name in amqp.__all__ if name not in tested] == []
