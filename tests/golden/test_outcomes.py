"""Each command and each query names what ends it, and the codes that may refuse it."""

from messages.base import MessageKind
from messages.registry import MODELS
from scripts.commands.answers import ANSWERS, ANY_COMMAND, ANY_QUERY, QUERIES
from scripts.commands.code_meanings import CODES
from scripts.commands.command_answers import COMMANDS


def of_kind(*kinds: MessageKind) -> set[str]:
    return {type_ for type_, model in MODELS.items() if model.KIND in kinds}


def test_each_command_and_question_has_a_row_in_the_answers_with_types_and_codes_that_exist() -> None:
    ours = {type_ for type_ in of_kind(MessageKind.COMMAND) if not MODELS[type_].SENDERS}
    assert COMMANDS.keys() == of_kind(MessageKind.COMMAND) - ours
    assert QUERIES.keys() == of_kind(MessageKind.QUERY)
    kinds = {**dict.fromkeys(COMMANDS, MessageKind.EVENT), **dict.fromkeys(QUERIES, MessageKind.REPLY)}
    codes = {str(code) for code in CODES}
    for type_, answers in ANSWERS.items():
        assert answers.types, f"{type_}: say in scripts/commands/command_answers.py which event or reply ends it"
        assert set(answers.types) <= of_kind(kinds[type_]), type_
        assert set(answers.codes) <= codes, type_
        assert not set(answers.codes) & {*ANY_COMMAND, *ANY_QUERY}, f"{type_}: these hold for all and need no row"
    assert {*ANY_COMMAND, *ANY_QUERY} <= codes
