"""What holds for every statement that changes rows."""

import re
from collections.abc import Iterator

from db.statements import SQL

TOKENS = re.compile(r"--[^\n]*|'(?:[^']|'')*'|[()]|\w+")
CHANGES = re.compile(r"(?<!FOR )(?<!DO )\bUPDATE\b|\bDELETE FROM\b")
CHOSEN_AGAIN = frozenset({"IN", "FROM", "USING", "JOIN", "AS"})
"""What stands before a subquery that the planner may run again for each row that is joined: then a limit is none."""


def limited_subqueries(statement: str) -> Iterator[str]:
    """The word before each subquery that has a LIMIT of its own."""
    before, word = list[str](), ""
    for token in TOKENS.findall(statement):
        if token.startswith(("--", "'")):
            continue
        if token == "(":
            before.append(word)
        elif token == ")":
            before.pop()
        elif token.upper() == "LIMIT" and before:
            yield before[-1].upper()
        word = token


def test_rows_to_change_are_chosen_once_where_their_number_is_limited() -> None:
    found = {
        name: set(words) & CHOSEN_AGAIN
        for name, statement in SQL.items()
        if CHANGES.search(statement) and (words := list(limited_subqueries(statement)))
    }
    assert {name for name, words in found.items() if words} == set()
    assert "timers.sweep" in found
    assert "retention.commands" in found


def test_a_limit_in_a_plain_subquery_is_seen() -> None:
    seen = {
        "UPDATE t SET a = 1 WHERE k IN (SELECT k FROM t LIMIT 9 FOR UPDATE)": ["IN"],
        "WITH c AS (SELECT k FROM t LIMIT 9) DELETE FROM t USING c": ["AS"],
        "DELETE FROM t USING (SELECT k FROM t WHERE f(k) LIMIT 9) c": ["USING"],
        "WITH c AS MATERIALIZED (SELECT k FROM t LIMIT 9) DELETE FROM t USING c": ["MATERIALIZED"],
        "DELETE FROM t WHERE ctid = ANY (ARRAY(SELECT ctid FROM t LIMIT 9))": ["ARRAY"],
    }
    assert {statement: list(limited_subqueries(statement)) for statement in seen} == seen
