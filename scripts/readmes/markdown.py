"""Tables in Markdown, sentences out of docstrings, and parts of a page between two markers."""

import re
from collections.abc import Iterable, Mapping, Sequence

SUMMARY_CHARS_MAX = 130
_REQUIREMENT_IDS = re.compile(r" ?\((?:(?:S[0-4]|C|INV|R)-\d\d|to|,| )+\)")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. A vertical bar within a cell is escaped."""
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def summary(docstring: str | None) -> str:
    """The first sentences of a docstring, at least one, without the requirement ids."""
    text = _REQUIREMENT_IDS.sub("", " ".join((docstring or "").split("\n\n")[0].split()))
    first, *others = re.split(r"(?<=[.?!]) (?=[A-Z`])", text)
    for sentence in others:
        if len(first) + len(sentence) >= SUMMARY_CHARS_MAX:
            break
        first = f"{first} {sentence}"
    return first


def inserted(text: str, parts: Mapping[str, str]) -> str:
    """The text with each part between its markers. Raises ValueError that names the marker that is missing."""
    for marker, part in parts.items():
        begin, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"the text has no {begin} ... {end}")
        text = f"{before}{begin}\n{part}\n{end}{after}"
    return text
