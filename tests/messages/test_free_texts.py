"""What people write in messages is marked as free text, and what is announced is a coded reason."""

import pytest
from pydantic import TypeAdapter, ValidationError

from messages.base import Command, Event, Fact, FreeText, ReasonCode, as_reason_code, free_text_fields
from messages.registry import MODELS

CODE: TypeAdapter[str] = TypeAdapter(ReasonCode)
PROSE = ("reason", "note", "description", "comment", "text", "why")
"""Names under which people would write sentences."""
KEPT_WITH_THE_ORDER = {"order.change_note.v1": {"note"}, "order.described.v1": {"note"}}
"""Prose that is no free text: it is encrypted in a table of its own for as long as its order, and operators see it."""


@pytest.mark.parametrize(
    "word",
    ["CHANGED_MIND", "changed_mind", "ACQ.TRADE_HAS_CLOSE", "34", "2013.a", "E2013", "x" * 64],
)
def test_a_coded_reason_is_announced(word: str) -> None:
    assert CODE.validate_python(word) == as_reason_code(word) == word


@pytest.mark.parametrize(
    "text",
    [
        "",
        "changed my mind",
        "13812345678",
        "a13812345678",
        "1381_234_56789",
        "Ada-Lovelace",
        "余额不足",
        "x" * 65,
        "a\n",
    ],
)
def test_what_people_write_and_long_numbers_are_no_code(text: str) -> None:
    with pytest.raises(ValidationError):
        CODE.validate_python(text)
    assert as_reason_code(text) is None


def test_a_field_for_prose_is_marked_in_every_message_from_outside() -> None:
    sent = [model for model in MODELS.values() if issubclass(model, Command | Fact)]
    for model in sent:
        named = {name for name in model.model_fields if name in PROSE}
        assert named == set(free_text_fields(model)) | KEPT_WITH_THE_ORDER.get(model.TYPE, set()), model.TYPE
    assert sum(bool(free_text_fields(model)) for model in sent) == 17


def test_no_event_or_message_of_ours_has_a_field_for_prose() -> None:
    ours = [model for model in MODELS.values() if not issubclass(model, Command | Fact)]
    assert len(ours) > 40
    for model in ours:
        assert not free_text_fields(model), model.TYPE
        assert set(PROSE) & set(model.model_fields) == KEPT_WITH_THE_ORDER.get(model.TYPE, set()), model.TYPE
    assert any(issubclass(model, Event) and "reason_code" in model.model_fields for model in ours)


def test_the_mark_is_found_where_the_field_is_optional() -> None:
    class Optional(Command):
        TYPE = "optional.text.v1"
        a: FreeText | None = None
        b: FreeText
        c: str

    assert free_text_fields(Optional) == ("a", "b")
