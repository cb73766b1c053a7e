"""Which conditions a statement of the audit consists of, so that a test can take each of them away."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKENS = re.compile(r"--[^\n]*|'(?:[^']|'')*'|[()]|\b[A-Za-z_]\w*\b")
_STARTS = frozenset({"WHERE", "WHEN", "THEN", "ELSE", "HAVING", "ON", "FILTER"})
_ENDS = frozenset({"WHEN", "THEN", "ELSE", "GROUP", "ORDER", "UNION", "HAVING", "WINDOW", "LEFT", "JOIN", "CROSS"})


@dataclass(frozen=True)
class Clause:
    """One operand of an OR, or one part of a UNION, and the statement as it is without it."""

    text: str
    without: str


@dataclass(frozen=True)
class _Token:
    word: str
    start: int
    end: int
    depth: int
    """How many brackets and CASEs are open around it."""


def clauses(statement: str) -> Iterator[Clause]:
    """Yields each operand of each OR (the statement without it takes it for false) and each part of each UNION."""
    tokens = list(_read(statement))
    for number, token in enumerate(tokens):
        if token.word == "OR":
            if not any(other.word == "OR" for other in _before(tokens, number)):
                yield _without_operand(statement, _left(tokens, number), token.start)
            yield _without_operand(statement, token.end, _right(tokens, number))
        if token.word == "UNION":
            if not any(other.word == "UNION" for other in _before(tokens, number, inner=True)):
                yield _without_part(statement, _opening(tokens, number), token.start)
            yield _without_part(statement, token.end, _closing(tokens, number))


def _read(statement: str) -> Iterator[_Token]:
    depth = 0
    for match in _TOKENS.finditer(statement):
        word = match.group()
        if word.startswith(("--", "'")):
            continue
        depth -= word in (")", "END")
        yield _Token(word, match.start(), match.end(), depth)
        depth += word in ("(", "CASE")


def _before(tokens: list[_Token], number: int, *, inner: bool = False) -> Iterator[_Token]:
    """Yields the tokens on the same level before this one, back to where its operand (inner: its bracket) begins."""
    depth = tokens[number].depth
    for token in reversed(tokens[:number]):
        if token.depth < depth or (not inner and token.depth == depth and token.word in _STARTS):
            return
        if token.depth == depth:
            yield token


def _left(tokens: list[_Token], number: int) -> int:
    """Returns where the operand before this OR begins."""
    depth = tokens[number].depth
    for token in reversed(tokens[:number]):
        if token.depth < depth or (token.depth == depth and token.word in _STARTS):
            return token.end
    raise AssertionError("an OR has an operand before it")


def _right(tokens: list[_Token], number: int) -> int:
    """Returns where the operand after this OR ends."""
    depth = tokens[number].depth
    for token in tokens[number + 1 :]:
        if token.depth < depth or (token.depth == depth and token.word in (_ENDS | {"OR"})):
            return token.start
    raise AssertionError("a clause stands in a bracket")


def _opening(tokens: list[_Token], number: int) -> int:
    return next(token.end for token in reversed(tokens[:number]) if token.depth < tokens[number].depth)


def _closing(tokens: list[_Token], number: int) -> int:
    depth = tokens[number].depth
    return next(
        token.start
        for token in tokens[number + 1 :]
        if token.depth < depth or (token.depth == depth and token.word == "UNION")
    )


def _without_operand(statement: str, start: int, end: int) -> Clause:
    return Clause(
        " ".join(statement[start:end].split()),
        f"{statement[:start]} (false AND ({statement[start:end]})) {statement[end:]}",
    )


def _without_part(statement: str, start: int, end: int) -> Clause:
    part = statement[start:end]
    if part.split()[0] == "ALL":
        part = part.strip().removeprefix("ALL")
        start = end - len(statement[start:end].lstrip().removeprefix("ALL"))
    emptied = f"(SELECT * FROM ({part}) AS emptied WHERE false) "
    return Clause(" ".join(part.split()), f"{statement[:start]} {emptied}{statement[end:]}")
