"""What a public project has at its root."""

import re
import tomllib

import pytest

from tests.house.sources import ROOT, text, tracked

PROJECT = tomllib.loads(text("pyproject.toml"))["project"]


@pytest.mark.parametrize("file", ["LICENSE", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"])
def test_the_root_has(file: str) -> None:
    assert file in tracked()


def test_the_licence_of_the_metadata_is_the_one_at_the_root() -> None:
    assert (PROJECT["license"], PROJECT["license-files"]) == ("Apache-2.0", ["LICENSE"])
    assert re.search(r"Apache License\s+Version 2\.0", text("LICENSE"))


def test_the_changelog_has_a_section_for_the_version_of_the_project() -> None:
    assert re.search(rf"^## .*\b{re.escape(PROJECT['version'])}\b", text("CHANGELOG.md"), re.MULTILINE)


@pytest.mark.parametrize("file", ["CONTRIBUTING.md", "SECURITY.md"])
def test_what_a_page_names_exists(file: str) -> None:
    named = re.findall(r"`((?:scripts|tests|workers|db|\.ci)/[\w./-]+|[\w-]+\.(?:md|yml|toml|lock))", text(file))
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
