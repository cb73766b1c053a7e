"""The version that dead letters carry."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from outbox import version as module
from outbox.version import version

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def outside_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMS_VERSION", raising=False)


def test_a_checkout_has_the_version_of_its_project() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert version() == wanted != "0"


def test_an_image_has_the_version_it_was_built_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMS_VERSION", "2.7.1-rc3")
    assert version() == "2.7.1-rc3"


def test_another_installed_package_called_oms_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", {"oms": "3.0"}.__getitem__)
    assert version() != "3.0"


def test_an_unknown_version_is_reported_as_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "PROJECT", tmp_path / "none.toml")
    assert version() == "0"


def test_the_project_is_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (project := tmp_path / "pyproject.toml").write_text('[project]\nversion = "4.2"\n')
    monkeypatch.setattr(module, "PROJECT", project)
    assert version() == "4.2"
    project.unlink()
    assert version() == "4.2", "a plan of many letters asks for each of them"
