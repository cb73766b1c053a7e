"""What keeps the house small, dated nowhere and bound to no machine."""

import ast
import re
from collections import defaultdict
from functools import cache
from statistics import median

import pytest

from tests.house.sources import MIGRATIONS, PRODUCT, functions, nodes, python, text, tracked, tree

LINE_MAX = 120
PRAGMA = re.compile(r"\s+# (noqa|type: ignore|pragma).*$")  # says something to a tool, not to a reader
FILE_LINES_MAX = 350
TEST_LINES_MAX = 450  # tests are read one at a time
FUNCTION_LINES_MAX = 50
FUNCTION_LINES_MEDIAN_MAX = 12
CODE = (*PRODUCT, "scripts")
EVERYWHERE = (*CODE, "tests")


def lines_of(function: ast.AST) -> int:
    """From its first line to its last."""
    return function.end_lineno - function.lineno + 1  # type: ignore[attr-defined, no-any-return]


def test_no_line_of_python_is_longer_than_120_characters() -> None:
    long = [
        f"{name}:{number}"
        for name in python(*EVERYWHERE)
        for number, line in enumerate(text(name).splitlines(), start=1)
        if len(PRAGMA.sub("", line)) > LINE_MAX and " " in line.strip()
    ]
    assert long == []


@pytest.mark.parametrize(("folders", "lines_max"), [(CODE, FILE_LINES_MAX), (("tests",), TEST_LINES_MAX)])
def test_no_file_is_longer_than_what_one_reads_in_one_go(folders: tuple[str, ...], lines_max: int) -> None:
    counts = {name: len(text(name).splitlines()) for name in python(*folders)}
    assert {name: count for name, count in counts.items() if count > lines_max} == {}


def test_no_function_is_longer_than_50_lines() -> None:
    long = {
        f"{name}:{function.name}": lines_of(function)
        for name in python(*EVERYWHERE)
        for function in functions(name)
        if lines_of(function) > FUNCTION_LINES_MAX
    }
    assert long == {}


def test_half_of_all_functions_have_less_than_12_lines() -> None:
    lengths = [lines_of(function) for name in python(*PRODUCT) for function in functions(name)]
    assert median(lengths) < FUNCTION_LINES_MEDIAN_MAX


def test_nothing_is_left_for_somebody_to_do() -> None:
    left = re.compile(r"#.*\b(T[O]DO|F[I]XME|X[X]X|H[A]CK)\b")
    found = [(name, line) for name in python(*EVERYWHERE) for line in text(name).splitlines() if left.search(line)]
    assert found == []


def test_the_product_prints_nothing_but_why_it_ended() -> None:
    prints = [
        (name, node.lineno)
        for name in python(*PRODUCT)
        for node in nodes(name)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("print", "pprint", "breakpoint")
        and not any(keyword.arg == "file" for keyword in node.keywords)
    ]
    assert prints == []


ELSEWHERE = {
    "a path of somebody's machine": re.compile(r"(?<![\w.-])/(?:work|home|root|Users)/\w"),
    "the host of a package registry": re.compile(
        r"https?://[^/\s\"']*(?:py[p]i|pythonhoste[d]|artifactor[y]|nexu[s]|mirro[r]|registr[y])", re.IGNORECASE
    ),
    "a package index": re.compile(r"(?<!no-emit-)index[-_]url\b", re.IGNORECASE),
}


@pytest.mark.parametrize("what", ELSEWHERE)
def test_no_tracked_file_names(what: str) -> None:
    pattern = ELSEWHERE[what]
    named = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name in tracked()
        for number, line in enumerate(text(name).splitlines(), start=1)
        if pattern.search(line)
    ]
    assert named == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a path of somebody's machine", "see %shome/alice/oms"),
        ("the host of a package registry", "--find-links https:/%spypi.example.com/simple"),
        ("a package index", "pip install --extra-index%surl X"),
    ],
)
def test_the_search_would_find_it(what: str, line: str) -> None:
    assert ELSEWHERE[what].search(line % ("-" if what == "a package index" else "/"))


def package(name: str) -> str:
    """The folder that holds the file: what other folders use of it is public."""
    return name.rpartition("/")[0]


@cache
def used_elsewhere() -> dict[str, set[str]]:
    """Each identifier -> the packages whose code has it."""
    users = defaultdict[str, set[str]](set)
    for name in python(*CODE):
        for node in nodes(name):
            if isinstance(node, ast.Attribute):
                users[node.attr].add(package(name))
            elif isinstance(node, ast.alias):
                users[node.name].add(package(name))
    return users


def must_say_what_it_is(node: ast.stmt, name: str) -> bool:
    """Public classes must, and public functions that another package uses. A name that says it all is enough else."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
        return False
    return isinstance(node, ast.ClassDef) or bool(used_elsewhere()[node.name] - {package(name)})


def silent_in(name: str) -> list[str]:
    """What has no docstring in a file, of what must have one."""
    module = tree(name)
    silent = [
        f"{name}: {node.name}"  # type: ignore[attr-defined]
        for node in module.body
        if must_say_what_it_is(node, name) and not ast.get_docstring(node)  # type: ignore[arg-type]
    ]
    if text(name).strip() and not ast.get_docstring(module):
        silent.append(f"{name}: the module")
    return silent


def test_modules_classes_and_what_other_packages_use_say_what_they_are() -> None:
    files = [name for name in python(*CODE) if not name.startswith(MIGRATIONS)]
    assert [silent for name in files for silent in silent_in(name)] == []
