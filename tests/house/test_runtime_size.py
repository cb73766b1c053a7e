"""The runtime stays small enough to be read in an hour. The limit only ever goes down."""

import ast
import io
import tokenize

from tests.house.sources import python, text, tree

RUNTIME = "workers/runtime/"
CODE_LINES_MAX = 1665
SAYS_NOTHING = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def code_lines(source: str, module: ast.Module) -> int:
    """Lines that are neither blank nor comment nor docstring."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SAYS_NOTHING:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(module):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def test_the_runtime_does_not_grow() -> None:
    counts = {name: code_lines(text(name), tree(name)) for name in python("workers") if name.startswith(RUNTIME)}
    assert len(counts) > 10
    assert sum(counts.values()) <= CODE_LINES_MAX, counts


def test_comments_and_docstrings_are_free() -> None:
    source = '"""What it is.\n\nIn two lines."""\n\nA = 1  # why\n# how\n\n\n'
    source += 'def f() -> str:\n    """Says."""\n    return """a\nb"""\n'
    assert code_lines(source, ast.parse(source)) == 4
