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
