"""Each rejection code and each dead-letter reason stands in one list, and the code uses the list."""

import ast
import os
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import orjson
import pytest

from messages.base import MessageCode
from messages.reasons import Reason
from tests.house.sources import PRODUCT, nodes, python
from workers.domain.codes import Code

APPROVED = Path(__file__).parent.parent / "golden" / "codes.approved.json"
LOOKS_LIKE_A_CODE = re.compile(r"[A-Z]+(_[A-Z]+)+")
TAKE_A_CODE = ("Refusal", "RejectedNotification")
TAKE_A_REASON = {"retry": 1, "dead": 1, "RetryLater": 0}  # function -> place of the reason
PASSED_ON = "decision.retry.reason"  # of a RetryLater, which took a listed one
LISTS = {"Code", "MessageCode", "Reason"}


def literals(name: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each string in a file, but for the lists themselves."""
    lists = [node for node in nodes(name) if isinstance(node, ast.ClassDef) and node.name in LISTS]
    listed = {id(child) for node in lists for child in ast.walk(node)}
    for node in nodes(name):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in listed:
            yield node.lineno, node.value


def calls(name: str) -> Iterator[tuple[str, ast.Call]]:
    """(name of the function, call) of each call in a file."""
    for node in nodes(name):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield node.func.id if isinstance(node.func, ast.Name) else node.func.attr, node


def test_a_rejection_code_is_written_in_its_list_only() -> None:
    again = [f"{file}:{line}" for file in python(*PRODUCT) for line, text in literals(file) if text in set(Code)]
    assert again == []


def test_no_code_outside_the_lists_is_given_to_a_rejection() -> None:
    for file in python(*PRODUCT):
        for function, call in calls(file):
            given = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
            given += call.args[:1] if function in TAKE_A_CODE else []
            for value in given:
                literal = isinstance(value, ast.Constant) and LOOKS_LIKE_A_CODE.fullmatch(str(value.value))
                assert not literal, f"{file}:{call.lineno}: {ast.unparse(value)} belongs into a list of codes"


def test_messages_are_retried_and_dead_lettered_for_a_listed_reason() -> None:
    found = 0
    for file in python("workers"):
        for function, call in calls(file):
            place = TAKE_A_REASON.get(function)
            if place is not None and len(call.args) == place + 2:
                found += 1
                reason = ast.unparse(call.args[place])
                assert reason.startswith("Reason.") or reason == PASSED_ON, f"{file}:{call.lineno}"
    assert found > 10


@pytest.mark.parametrize("codes", [Code, MessageCode, Reason])
def test_each_listed_code_and_reason_is_used(codes: type[StrEnum]) -> None:
    used = {
        node.attr
        for file in python(*PRODUCT)
        for node in nodes(file)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == codes.__name__
    }
    assert {code.name for code in codes} == used
    assert all(code.name.lower() == code.value.lower() for code in codes)


def test_every_code_has_a_number_of_its_own_in_the_range_of_its_family() -> None:
    numbers = {str(code): code.number for code in (*Code, *MessageCode)}
    assert len(set(numbers.values())) == len(numbers)
    assert {code.number // 1000 for code in Code} == {*range(101, 112), 113, 114}
    assert {code.number // 1000 for code in MessageCode} == {101, 112}
    assert Code.AUTH_REQUIRED.number == MessageCode.AUTH_REQUIRED.number


def test_a_number_never_changes_and_is_never_used_again() -> None:
    """The approved list also keeps the numbers of codes that are no more. OMS_UPDATE_GOLDEN=1 adds new codes."""
    approved: dict[str, int] = orjson.loads(APPROVED.read_bytes())
    now = {str(code): code.number for code in (*Code, *MessageCode)}
    if os.environ.get("OMS_UPDATE_GOLDEN") == "1":
        approved = dict(sorted((now | approved).items(), key=lambda entry: entry[1]))
        APPROVED.write_bytes(orjson.dumps(approved, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    assert {code: number for code, number in now.items() if approved.get(code) != number} == {}
    assert len(set(approved.values())) == len(approved), "a number of a code that is no more is used again"


def test_the_lists_have_nothing_in_common_but_that_nobody_is_named() -> None:
    """No handler sees a message without an actor; one without a broker user is refused by its handler."""
    assert set(map(str, Code)) & set(map(str, MessageCode)) == {"AUTH_REQUIRED"}
