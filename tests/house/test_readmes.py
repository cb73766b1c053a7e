"""The pages in Markdown: what they name exists, their links lead somewhere, and the first one is short."""

import os
import re
from functools import cache
from pathlib import PurePosixPath

import pytest

from messages.registry import MODELS
from messages.topology import TAKEN
from scripts.cli import COMMANDS, load
from scripts.map import ROOT
from tests.house.sources import python, text, tracked
from workers.domain.order import TRANSITIONS, State
from workers.settings import Settings

README_LINES_MAX = 160
PAGES = [name for name in tracked() if name.endswith(".md")]
READMES = [name for name in PAGES if name.endswith("README.md")]
FOLDERS = ("messages", "workers", "outbox", "db", "scripts", "tests")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
PATH = re.compile(r"`((?:\.\./)*(?:[\w.-]+/)+(?:[\w.-]+)?|[\w-]+\.(?:py|sql|md|toml|yml)|requirements[\w-]*\.lock)`")
METRIC = re.compile(r"\boms_(?!(?:stub|client)\b)[a-z_]+")  # oms_stub is a fixture, oms_client a package
VARIABLE = re.compile(r"\bOMS_[A-Z_]+\b")
EXAMPLE = re.compile(r"^### Worked example.*?(?=^## )|`[^`]*NNNN[^`]*`", re.MULTILINE | re.DOTALL)
"""Files that a reader is to make."""
REQUIREMENT = re.compile(r"\b(?:S[0-4]|C|INV|R)-\d\d\b")
COMMAND = re.compile(r"`oms ([a-z][a-z -]*)")


def test_the_first_page_has_less_than_160_lines() -> None:
    assert len(text("README.md").splitlines()) < README_LINES_MAX


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_has_a_readme_that_the_first_page_links_to(folder: str) -> None:
    assert f"{folder}/README.md" in READMES
    assert f"]({folder}/README.md" in text("README.md")


def anchors(name: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = HEADING.findall(FENCED.sub("", text(name)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_every_relative_link_leads_to_a_file_and_a_heading(name: str) -> None:
    broken = []
    for link in LINK.findall(FENCED.sub("", text(name))):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = os.path.normpath(PurePosixPath(name).parent / path) if path else name
        if not (ROOT / target).exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@cache
def basenames() -> frozenset[str]:
    """The names of all files."""
    return frozenset(PurePosixPath(name).name for name in tracked())


def ours(path: str, page: str) -> bool:
    """Whether a path begins with a folder of the checkout or of the page, so that it means a file of ours."""
    first = path.removeprefix("../").partition("/")[0]
    return first in ("", *FOLDERS, ".ci") or "/" not in path or (ROOT / PurePosixPath(page).parent / first).is_dir()


def exists(path: str, page: str) -> bool:
    """Whether a path is one of the checkout, seen from its root or from the page's folder."""
    if "/" not in path:
        return path in basenames()
    return (ROOT / path).exists() or (ROOT / PurePosixPath(page).parent / path).exists()


@pytest.mark.parametrize("name", READMES)
def test_every_path_that_a_readme_names_exists(name: str) -> None:
    page = EXAMPLE.sub("", text(name))
    assert [path for path in PATH.findall(page) if ours(path, name) and not exists(path, name)] == []


@cache
def source() -> str:
    """All that is program or configuration."""
    files = (*python("workers", "outbox", "db", "scripts"), "docker-compose.yml", "scripts/test", "scripts/_setup.sh")
    return "\n".join(text(name) for name in files)


@pytest.mark.parametrize("name", READMES)
def test_every_metric_that_a_readme_names_exists(name: str) -> None:
    metrics = {metric.removesuffix("_total").removesuffix("_bucket") for metric in METRIC.findall(text(name))}
    assert [metric for metric in sorted(metrics) if f'"{metric}' not in source()] == []


@pytest.mark.parametrize("name", READMES)
def test_every_variable_that_a_readme_names_exists(name: str) -> None:
    settings = {f"OMS_{field.upper()}" for field in Settings.model_fields}
    variables = set(VARIABLE.findall(text(name))) - settings
    tests = "\n".join(text(file) for file in python("tests"))
    assert [one for one in sorted(variables) if one not in source() and one not in tests] == []


def test_every_command_of_oms_that_a_readme_names_exists() -> None:
    named = {command for name in READMES for command in COMMAND.findall(text(name))}
    assert len(named) > 10
    assert [command for command in sorted(named) if not known(command.split())] == []


def known(words: list[str]) -> bool:
    """Whether `oms` has the command: a command of its own, or one of a group."""
    if words[0] not in COMMANDS:
        return False
    commands = getattr(load(words[0]), "commands", None)
    return not commands or words[1:2] == [] or words[1] in commands


@pytest.mark.parametrize("name", [name for name in READMES if not name.startswith("tests/")])
def test_no_readme_cites_a_requirement_by_its_id(name: str) -> None:
    assert REQUIREMENT.findall(text(name)) == []


def stuck() -> dict[str, str]:
    """State -> its row in the table of what a stuck order waits for."""
    table = text("scripts/README.md").partition("## A stuck order")[2].partition("## ")[0]
    rows = [
        line for line in table.splitlines() if re.match(r"\| [a-z_, ]+ \|", line) and not line.startswith("| state")
    ]
    return {state: row for row in rows for state in row.split(" | ")[0].strip("| ").split(", ")}


def test_the_table_of_stuck_orders_has_every_state_that_an_order_can_reach() -> None:
    assert set(stuck()) == {State.PLACING} | {transition.to for transition in TRANSITIONS.values()}


def test_the_table_of_stuck_orders_names_queues_and_messages_that_exist() -> None:
    queues = {*TAKEN, "provider-calls.<provider>"}
    messages = {model.routing_key() for model in MODELS.values()}
    for state, row in stuck().items():
        named = [set(re.findall(r"`([a-z][a-z._<>-]+)`", cell)) for cell in row.split(" | ")]
        assert {one for one in named[1] if "." in one} <= messages, state
        assert named[2] <= queues, state


GLOSSARY = """provider channel notification attempt intent capture refund settlement context rejected retried
dead-lettered poll lease shard stream hold pack inbox outbox relay lane epoch doorbell fence saga
tombstone careful widen Book Step Trigger Effect announcement because envelope conversation verdict
claim outcome batch tier chore ledger benefits policy parcel"""


@pytest.mark.parametrize("word", GLOSSARY.split())
def test_the_glossary_explains(word: str) -> None:
    glossary = text("workers/README.md").partition("## Glossary")[2]
    words = [line.split(" | ")[0] for line in glossary.splitlines() if line.startswith("| ")]
    assert [line for line in words if re.search(rf"\b{word}\b", line)] != []


def test_the_database_page_says_of_every_table_how_it_grows() -> None:
    tables = re.findall(r"^CREATE TABLE (\w+)", text("db/schema.sql"), re.MULTILINE)
    page = text("db/README.md").partition("## How tables grow")[2].partition("\n## ")[0]
    first_column = re.findall(r"^\| (.+?) \|", page, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(first_column))) == sorted(tables)
