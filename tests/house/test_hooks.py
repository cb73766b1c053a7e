"""The git hooks of .pre-commit-config.yaml make the checks that scripts/test makes."""

import re
import shlex

import pytest

from tests.house.sources import text

HOOKS = text(".pre-commit-config.yaml")
STEPS = re.compile(r'^ *step "(?P<name>[^"]+)" (?P<command>.+)$', re.MULTILINE)
ENTRIES = re.compile(r"^ +name: (?P<name>.+)\n +entry: (?P<command>.+)$", re.MULTILINE)
SUBJECT = "the commit's subject has fewer than 72 characters"


def commands(pattern: re.Pattern[str], source: str) -> dict[str, list[str]]:
    """Name of a check -> its words."""
    return {found["name"]: shlex.split(found["command"]) for found in pattern.finditer(source)}


def test_every_check_of_scripts_test_is_a_hook_with_the_same_command() -> None:
    checks = {name: words for name, words in commands(STEPS, text("scripts/test")).items() if "pytest" not in words}
    hooks = commands(ENTRIES, HOOKS)
    assert len(checks) >= 4
    assert {name: hooks.get(name) for name in checks} == checks


def test_the_quick_tests_run_before_a_push() -> None:
    hook = HOOKS.partition("- id: quick\n")[2].partition("- id:")[0]
    [words] = commands(ENTRIES, hook).values()
    assert words[0] == "scripts/test"
    assert set(words[1:]) == {"--only-tests", "--quick"}
    assert all(f"\n    {option})" in text("scripts/test") for option in words[1:])
    assert "stages: [pre-push]" in hook


@pytest.mark.parametrize(("characters", "refused"), [(71, False), (72, True)])
def test_a_subject_of_72_characters_or_more_is_refused(characters: int, refused: bool) -> None:
    [pattern] = commands(ENTRIES, HOOKS)[SUBJECT]
    message = "x" * characters + "\n\n" + "a body may have longer lines " * 5
    assert bool(re.search(pattern, message, re.MULTILINE | re.DOTALL)) is refused
