"""The fixtures `oms`, which runs the command line in this process, and `promtool`, Prometheus' own tool."""

import os
import shutil
import subprocess

import pytest

from scripts.cli import main
from tests.scripts.oms_command import CommandResult, Oms

PACKAGE = "apt-get download prometheus"


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
    """Prometheus' own tool: an installed one, or that of Debian's package, which is unpacked and not installed."""
    kept = pytestconfig.cache.mkdir("promtool") / "promtool" if pytestconfig.cache else None
    found = shutil.which("promtool") or (str(kept) if kept is not None and kept.exists() else None)
    if found is not None:
        return found
    folder = tmp_path_factory.mktemp("prometheus")
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip("promtool is not installed, and there is no apt-get to get it")
    got = subprocess.run(PACKAGE.split(), cwd=folder, check=False, capture_output=True)
    packages = list(folder.glob("prometheus_*.deb"))
    if got.returncode != 0 or not packages:
        pytest.skip(f"promtool could not be got: {PACKAGE}: {got.stderr[-200:]!r}")
    subprocess.run(["dpkg-deb", "-x", packages[0], folder], check=True)
    unpacked = folder / "usr/bin/promtool"
    return str(shutil.move(unpacked, kept)) if kept is not None else str(unpacked)
