"""Every requirement id that this project cites is explained on one page, beside a test that shows it."""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.house.sources import PRODUCT, functions, nodes, python, text, tracked

PAGE = "tests/requirements.md"
AUDIT = "scripts/commands/invariants.py"
"""`oms audit` prints each id beside its sentence."""
HERE = "tests/house/test_requirements.py"
SPOKEN = (".py", ".sql", ".md", ".toml", ".yml")
REQUIREMENT = re.compile(r"\b(S[0-4]|C|INV|R)-(\d\d)\b(?: to \1-(\d\d)\b)?")
DEFECT = re.compile(r"\b(MALL|RY) (\d\d?)\b|\btest_(mall|ry)_(\d\d?)_")
ROW = re.compile(r"^\| (?P<id>(?:S[0-4]|C|INV|R)-\d\d|(?:MALL|RY) \d\d?) \| (?P<sentence>.+) \| (?P<shown_by>.+) \|$")
TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


class Row(NamedTuple):
    """One line of the page."""

    id: str
    sentence: str
    shown_by: str


def ids(written: str) -> Iterator[str]:
    """The ids that a text cites, also those between the ends of a range, and the defects that names of tests cite."""
    for group, first, last in REQUIREMENT.findall(written):
        for number in range(int(first), int(last or first) + 1):
            yield f"{group}-{number:02}"
    for upper, number, lower, other in DEFECT.findall(written):
        yield f"{upper or lower.upper()} {number or other}"


def cited() -> dict[str, str]:
    """Id -> a file that cites it."""
    files = [name for name in tracked() if name.endswith(SPOKEN) and name not in (PAGE, HERE)]
    return {one: name for name in files for one in ids(text(name))}


def rows() -> list[Row]:
    """The lines of the page's tables."""
    return [Row(**found.groupdict()) for line in text(PAGE).splitlines() if (found := ROW.match(line))]


def test_every_id_that_is_cited_is_explained() -> None:
    explained = {row.id for row in rows()}
    assert {one: name for one, name in cited().items() if one not in explained} == {}, f"explain them in {PAGE}"


def test_every_id_that_is_explained_is_cited() -> None:
    assert {row.id for row in rows()} - set(cited()) == set(), f"nothing cites them: take them out of {PAGE}"


def test_an_id_is_explained_once_in_a_whole_sentence() -> None:
    listed = [row.id for row in rows()]
    assert sorted(listed) == sorted(set(listed))
    assert [row.id for row in rows() if not (len(row.sentence) > 20 and row.sentence.endswith("."))] == []


def test_every_id_is_shown_by_a_test_that_exists() -> None:
    assert [row.id for row in rows() if not TEST.search(row.shown_by) or TEST.sub("", row.shown_by).strip(" ,")] == []
    files = set(python("tests"))
    gone = [
        f"{row.id}: {file}::{name}"
        for row in rows()
        for file, name in TEST.findall(row.shown_by)
        if file not in files or name not in {function.name for function in functions(file)}
    ]
    assert gone == [], f"a test was moved or renamed: change {PAGE}"


def printable(name: str) -> list[str]:
    """The texts of a file that a program can print. Docstrings are, in scripts/commands: they are its help."""
    helps = name.startswith("scripts/commands/")
    silent = set() if helps else {node.value for node in nodes(name) if isinstance(node, ast.Expr)}
    texts = [node for node in nodes(name) if isinstance(node, ast.Constant) and node not in silent]
    return [node.value for node in texts if isinstance(node.value, str)]


def test_no_program_prints_an_id() -> None:
    files = [name for name in python(*PRODUCT, "scripts") if name != AUDIT]
    assert [f"{name}: {written}" for name in files for written in printable(name) if [*ids(written)]] == []


def test_the_readme_cites_none() -> None:
    assert [*ids(text("README.md"))] == []


def test_nothing_is_cited_by_a_number_that_this_project_does_not_explain() -> None:
    elsewhere = re.compile(r"\brequirements? \d|\bdocuments? 00\d", re.IGNORECASE)
    files = [name for name in tracked() if name.endswith(SPOKEN) and name != HERE]
    assert [name for name in files if elsewhere.search(text(name))] == []


def test_ranges_and_names_of_tests_are_read_as_citations() -> None:
    written = "(S4-04, S4-08 to S4-10), MALL 7, def test_ry_12_x"
    assert ", ".join(ids(written)) == "S4-04, S4-08, S4-09, S4-10, MALL 7, RY 12"
    assert [*ids("UTC-05, C-055, S5-01, RSA-20, small 7, retry_3")] == []
