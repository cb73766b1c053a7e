"""The fixtures `oms`, which runs the command line in this process, and `promtool`, Prometheus' own tool."""

import os

import pytest

from scripts.cli import main
from tests.prometheus_package import program
from tests.scripts.oms_command import CommandResult, Oms


@pytest.fixture
def oms(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, logging_as_before: None) -> Oms:
    """Runs `oms ARGUMENTS` with OMS_* variables given as keywords, and no others."""
    for name in [name for name in os.environ if name.startswith("OMS_") and name != "OMS_ENCRYPTION_KEYS"]:
        monkeypatch.delenv(name)

    def run(*arguments: str, **variables: str) -> CommandResult:
        for name, value in variables.items():
            monkeypatch.setenv(f"OMS_{name.upper()}", value)
        capsys.readouterr()
        code = main(arguments)
        output = capsys.readouterr()
        assert "Traceback" not in output.out + output.err
        return CommandResult(code, output.out, output.err)

    return run


@pytest.fixture(scope="session")
def promtool(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> str:
    """Prometheus' own tool."""
    return program("promtool", pytestconfig, tmp_path_factory)
