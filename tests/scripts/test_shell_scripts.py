"""The scripts `scripts/test` and `scripts/up`, and the lock files that they install."""

import os
import subprocess
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def run(command: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **variables}
    return subprocess.run(
        [str(ROOT / "scripts" / command)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_help_works_from_any_folder_without_making_an_environment(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(ROOT / "scripts" / "test"), "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "usage: scripts/test" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_error_without_a_recent_python_explains_what_to_type(tmp_path: Path) -> None:
    for command in ("test", "up"):
        done = run(command, tmp_path, OMS_PYTHON="/bin/false", OMS_VENV=str(tmp_path / "venv"))
        assert done.returncode == 1
        assert "error: no Python 3.11 or newer was found" in done.stderr
        assert "sudo apt-get install python3" in done.stderr


def test_the_lock_files_have_hashes_and_name_no_package_index() -> None:
    for name in ("requirements.lock", "requirements-runtime.lock"):
        lock = (ROOT / name).read_text()
        pinned = [line for line in lock.splitlines() if "==" in line]
        assert len(pinned) > 30
        assert all(line.endswith("\\") for line in pinned), "a hash follows every version"
        assert "://" not in lock
        assert "--find-links" not in lock


def locked(name: str) -> dict[str, str]:
    """Package -> version. If a version depends on the platform, this is the last one in the file."""
    lines = [line.split(" ")[0] for line in (ROOT / name).read_text().splitlines() if "==" in line]
    return dict(line.split("==") for line in lines)


def test_the_image_has_the_same_versions_as_the_tests() -> None:
    assert locked("requirements-runtime.lock").items() <= locked("requirements.lock").items()


def test_the_lock_files_satisfy_the_requirements_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime = project["project"]["dependencies"]
    installed = (group for name, group in project["dependency-groups"].items() if name != "bench")  # that draws plots
    groups = [entry for group in installed for entry in group if isinstance(entry, str)]
    for lock, wanted in (("requirements-runtime.lock", runtime), ("requirements.lock", runtime + groups)):
        versions = locked(lock)
        for requirement in map(Requirement, wanted):
            assert requirement.specifier.contains(versions[requirement.name]), f"{lock} lags: {requirement}"
