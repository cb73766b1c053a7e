"""The level of an alert follows from its code (S3-38)."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from messages.alert_levels import SYSTEM_FAULTS, level_of
from messages.base import AlertRaised, MessageCode
from workers.domain.codes import Code

HIGH = {"PAY", "INVENTORY"}
MEDIUM = {"ORDER", "RISK"}
PRODUCT = ("workers", "outbox")


@pytest.mark.parametrize("code", [*Code, *MessageCode])
def test_a_code_has_the_level_of_its_first_word(code: str) -> None:
    word = code.partition("_")[0]
    if code in SYSTEM_FAULTS:
        assert level_of(code) == "HIGH"
    else:
        assert level_of(code) == ("HIGH" if word in HIGH else "MEDIUM" if word in MEDIUM else "LOW")


def test_the_faults_of_the_system_are_codes() -> None:
    assert set(MessageCode) >= SYSTEM_FAULTS


def test_a_code_that_only_begins_with_the_letters_of_a_word_is_low() -> None:
    assert [level_of(code) for code in ("PAYMENTS", "ORDERLY", "SYSTEM_ERRORS")] == ["LOW", "LOW", "LOW"]


def test_an_alert_of_another_level_than_its_code_has_is_refused() -> None:
    with pytest.raises(ValidationError, match="has the level HIGH"):
        AlertRaised(title="t", content="c", level="LOW", code="PAY_EXPIRED")


def test_every_writer_of_an_alert_leaves_the_level_to_the_code() -> None:
    root = Path(__file__).parents[2]
    files = [file for folder in PRODUCT for file in (root / folder).rglob("*.py")]
    assert [str(file) for file in files if re.search(r"\bAlertRaised\((?!\*\*|\))", file.read_text())] == []
