"""Each alert has a page that says what to do, and the commands on the pages are ones that `oms` takes."""

import re
import shlex
from typing import Any

import pytest
import typer

from scripts.cli import COMMANDS, load
from tests.scripts.alerts import alerts
from tests.scripts.promql import registered
from tests.scripts.runbook_pages import FENCED, PAGES, PROGRAMS, commands, typed

CHAPTERS = ["What it means", "How to see it", "What to do", "When it is over"]


def parse(line: str) -> None:
    """Have the command parse its arguments, without running it. One that only is named needs no arguments."""
    words = shlex.split(line, comments=True)[1:]
    assert words[0] in COMMANDS, line
    command: Any = load(words.pop(0))
    while hasattr(command, "commands"):
        assert (words or [""])[0] in command.commands, line
        command = command.commands[words.pop(0)]
    try:
        command.make_context(command.name, words, resilient_parsing=not words)
    except typer.TyperException as error:
        pytest.fail(f"{line}: {error.format_message()}")


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    names = {f"runbooks/{page.name}" for page in PAGES}
    assert names == {alert.page for alert in alerts()}
    for page in PAGES:
        line = re.findall(r"^Alerts?: (.+)\.$", page.read_text(encoding="utf-8"), re.MULTILINE)[0]
        named = [alert.name for alert in alerts() if alert.page == f"runbooks/{page.name}"]
        assert re.findall(r"`(\w+)`", line) == named, page.name


def test_every_page_says_what_it_means_how_to_see_it_what_to_do_and_when_it_is_over() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == CHAPTERS, page.name
        seen = text.partition("## How to see it")[2].partition("## What to do")[0]
        assert FENCED.search(seen), page.name
        assert {name for name in re.findall(r"\boms_[a-z_]+[a-z]\b(?!_)", text) if not exported(name)} == set(), (
            page.name
        )


def exported(name: str) -> bool:
    """Whether a metric has this name, or begins with it as those do that a page has someone search for."""
    return any(metric.startswith(name) for metric in registered())


def test_every_command_on_a_page_is_one_that_oms_takes_or_of_a_program_that_operators_have() -> None:
    lines = [line for page in PAGES for line in typed(page.read_text(encoding="utf-8"))]
    assert [line for line in lines if not line.startswith(PROGRAMS)] == []
    for line in {line for page in PAGES for line in commands(page)}:
        parse(line)


@pytest.mark.parametrize(
    "line", ["oms outbox retry --reason x", "oms stuck --longer 2h", "oms dead-letters try seventeen"]
)
def test_a_command_that_oms_does_not_take_is_found(line: str) -> None:
    with pytest.raises(pytest.fail.Exception):
        parse(line)
