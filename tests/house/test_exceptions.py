"""The exceptions of the product are one tree."""

import inspect
from importlib import import_module

from db.errors import OmsError
from tests.house.sources import MIGRATIONS, PRODUCT, python


def test_every_exception_of_the_product_descends_from_one_root() -> None:
    names = [name for name in python(*PRODUCT) if not name.startswith(MIGRATIONS) and "__main__" not in name]
    modules = [import_module(name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")) for name in names]
    found = {
        kind
        for module in modules
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__ == module.__name__ and issubclass(kind, BaseException)
    }
    assert len(found) > 10
    assert [kind.__qualname__ for kind in found if not issubclass(kind, OmsError)] == []
