"""scripts/up and scripts/test make the virtual environment first, and delete only what is one."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def make(venv: Path, tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    """Run `make_venv` of a copy of the script, with a fake `uv` that only creates a file."""
    checkout = tmp_path / "checkout"
    (checkout / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "_setup.sh", checkout / "scripts")
    (checkout / "requirements.lock").write_text("")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").write_text('#!/bin/sh\nmkdir -p "$OMS_VENV"; touch "$OMS_VENV/made"\n')
    (tools / "uv").chmod(0o755)
    return subprocess.run(
        ["bash", "-c", '. "$0"; log=/dev/null; make_venv python3', str(checkout / "scripts" / "_setup.sh")],
        env={"PATH": f"{tools}:{os.environ['PATH']}", "OMS_VENV": str(venv)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("file", ["thesis.txt", ".hidden", "bin/python"])
def test_a_folder_that_is_not_a_virtual_environment_is_not_changed(tmp_path: Path, file: str) -> None:
    foreign = tmp_path / "venv" / file
    foreign.parent.mkdir(parents=True)
    foreign.write_text("years of work")
    result = make(tmp_path / "venv", tmp_path)
    assert result.returncode == 1
    assert "is no virtual environment" in result.stderr
    assert "next:" in result.stderr
    assert foreign.read_text() == "years of work"


@pytest.mark.parametrize("file", ["pyvenv.cfg", ".oms-stamp", None])
def test_an_old_environment_and_an_empty_folder_are_replaced(tmp_path: Path, file: str | None) -> None:
    venv = tmp_path / "venv"
    venv.mkdir()
    if file:
        (venv / file).write_text("")
    assert make(venv, tmp_path).returncode == 0
    assert [path.name for path in venv.iterdir()] == ["made"]


def test_a_file_at_the_path_of_the_environment_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "venv").write_text("a file")
    assert make(tmp_path / "venv", tmp_path).returncode == 1
    assert (tmp_path / "venv").read_text() == "a file"


INDEX = "https://packages.example/simple"
SETTING = "global.{}-url='{}'".format("index", INDEX)


def install(tmp_path: Path, uv: str) -> "tuple[subprocess.CompletedProcess[str], list[str]]":
    """Run `install_locked` with a fake uv and a fake pip. Returns what it did and how these were called."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "_setup.sh", tmp_path / "scripts")
    (tmp_path / "requirements.lock").write_text("")
    calls = tmp_path / "calls"
    pip = f'[ $1 != config ] || echo "{SETTING}"'
    for tool, does in ((tmp_path / "tools" / "uv", uv), (tmp_path / "venv" / "bin" / "pip", pip)):
        tool.parent.mkdir(parents=True)
        tool.write_text(f'#!/bin/sh\necho "{tool.name} $*" >>{calls}\n{does}\n')
        tool.chmod(0o755)
    done = subprocess.run(
        ["bash", "-euc", '. "$0"; log=/dev/null; install_locked python3', str(tmp_path / "scripts" / "_setup.sh")],
        env={"PATH": f"{tmp_path / 'tools'}:{os.environ['PATH']}", "OMS_VENV": str(tmp_path / "venv")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done, calls.read_text().splitlines()


def test_pip_installs_what_uv_cannot(tmp_path: Path) -> None:
    done, calls = install(tmp_path, "exit 2")
    assert done.returncode == 0
    assert calls[-1].startswith("pip install -q --no-compile --disable-pip-version-check --require-hashes -r ")


def test_uv_takes_the_packages_from_the_index_of_pip(tmp_path: Path) -> None:
    done, calls = install(tmp_path, "exit 0")
    assert done.returncode == 0
    assert [call.split()[:2] for call in calls] == [["pip", "config"], ["uv", "pip"]]
    assert f"--default-index {INDEX} --require-hashes" in calls[-1]
