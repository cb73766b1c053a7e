"""The benchmarks start: their commands read their options, and the functions that they observe are where they look."""

import pytest
from typer.testing import CliRunner

from tests.bench import traced
from tests.bench.__main__ import app

COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_benchmark_explains_itself(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0, shown.output
    assert command in shown.output


@pytest.mark.parametrize(("owner", "name"), [(owner, name) for owner, name, _ in traced.WRAPPED])
def test_what_the_breakdown_of_costs_observes_is_there(owner: object, name: str) -> None:
    assert callable(getattr(owner, name, None)), f"{owner} has no {name}: adjust tests/bench/traced.py"
