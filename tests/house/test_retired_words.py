"""Retired words stay retired: one word stands for one thing (the glossary is in workers/README.md).

CHANGELOG.md lists the old words beside the new ones, and is the only place that may still have them.
"""

import re

import pytest

from tests.house.sources import text, tracked

EXEMPT = (
    "CHANGELOG.md",
    "LICENSE",
    "requirements.lock",
    "requirements-runtime.lock",
    "tests/house/test_retired_words.py",
)
RETIRED_MODULES = frozenset(
    [
        "hearing",
        "asking",
        "announce",
        "placing",
        "making",
        "reading",
        "stocking",
        "creating",
        "changing",
        "issuing",
        "promoting",
        "disclosing",
        "seals",
        "trust",
        "words",
        "facts",
        "garbage",
        "revisions",
        "floor",
        "storm",
        "hall",
        "till",
        "plant",
        "strangers",
        "world",
    ]
)
FROZEN = 'b"channel_notice"'
"""Stored ciphertexts are bound to this name, so it cannot change."""
RETIRED_WORDS = {
    "told, said, heard, asked: say what happens": re.compile(r"(?i)(?<![a-z])(told|said|heard|asked)(?![a-z])"),
    "notice: a provider posts a notification": re.compile(r"(?i)(?<![a-z])notices?(?![a-z])"),
    "gateway.*: a call to a provider is provider.*": re.compile(
        r"gateway\.(start|capture|query|close|refund|refund_query|certificates)\.v1|gateway[-_]calls"
    ),
    "payment channel: a provider": re.compile(r"(?i)payment[ _-]channels?|channel_(call|notice|certificate)s?"),
    "Desk, Yard, Heard: a context with its subject's name": re.compile(r"\b(Desk|Yard|Heard|Told)\b"),
}


def test_no_module_has_a_retired_name() -> None:
    stems = {name: name.rpartition("/")[2].removesuffix(".py") for name in tracked() if name.endswith(".py")}
    retired = [
        name
        for name, stem in stems.items()
        if stem.removeprefix("test_") in RETIRED_MODULES or stem.endswith(("_world", "_facts"))
    ]
    assert retired == []


@pytest.mark.parametrize("what", RETIRED_WORDS)
def test_nothing_uses_a_retired_word(what: str) -> None:
    pattern = RETIRED_WORDS[what]
    uses = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name in tracked()
        if name not in EXEMPT and not name.startswith(("db/migrations/", "tests/providers/published/"))
        for number, line in enumerate(text(name).splitlines(), start=1)
        if pattern.search(line.replace(FROZEN, ""))
    ]
    assert uses == []
