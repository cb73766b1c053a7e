"""Test gateways share no code with the adapters that they test, so that each side checks the other."""

import ast
from importlib import import_module

import pytest

from scripts.gateways.startup import GATEWAYS
from tests.house.sources import ROOT, nodes

FILES = sorted(f"scripts/gateways/{path.name}" for path in (ROOT / "scripts" / "gateways").glob("*.py"))


@pytest.mark.parametrize("name", FILES)
def test_no_gateway_imports_code_of_the_product(name: str) -> None:
    modules = [
        alias
        for node in nodes(name)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
    ]
    assert [module for module in modules if module.split(".")[0] in ("workers", "messages", "outbox", "db")] == []


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_gateway_and_its_adapter_have_the_same_retry_schedule(name: str) -> None:
    assert GATEWAYS[name].schedule_seconds == import_module(f"workers.providers.{name}").RETRY_SCHEDULE_SECONDS
