"""The parts of the READMEs that are made from the code are what the code says."""

import pytest

from messages.base import MessageCode, MessageKind
from messages.registry import MODELS
from messages.topology import TAKEN
from scripts.commands.code_meanings import CODES
from scripts.commands.reason_meanings import REASONS
from scripts.map import PARTS, ROOT
from scripts.readmes.code_tables import ALL_REASONS
from scripts.readmes.event_table import event_table, instruction_table, reply_table
from scripts.readmes.markdown import inserted, summary
from scripts.readmes.message_map import message_map
from scripts.readmes.settings_table import settings_table
from scripts.readmes.state_diagram import WORDS, state_diagram
from workers.domain.codes import Code
from workers.domain.order import TRANSITIONS, Trigger
from workers.settings import Settings

REFRESH = "python -m scripts.map --write brings the READMEs up to date"
GENERATED = [(name, marker) for name, parts in PARTS.items() for marker in parts]


@pytest.mark.parametrize(("name", "marker"), GENERATED)
def test_a_readme_says_what_the_code_does(name: str, marker: str) -> None:
    readme = (ROOT / name).read_text("utf-8")
    begin, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    assert readme.count(begin) == readme.count(end) == 1, f"{name} needs one {begin} and one {end}"
    shown = readme.partition(begin)[2].partition(end)[0].strip()
    assert shown == PARTS[name][marker](), REFRESH


def test_the_map_has_a_row_for_every_message_with_its_queue_and_a_file_that_exists() -> None:
    rows = message_map().splitlines()
    for queue, models in TAKEN.items():
        for model in models:
            [row] = [row for row in rows if row.startswith(f"| `{model.TYPE}` |")]
            assert f"`oms.{queue}`" in row or f"`oms.{queue.partition('.')[0]}.<provider>`" in row
            path = row.partition("](")[2].partition(")")[0]
            assert (ROOT / "messages" / path).is_file()


WHO = {
    "order.create.v1": "`storefront`, `operator`",
    "shipment.update.v1": "`carrier`",
    "payment.result.v1": "`payments`",
    "payment.callback.v1": "anyone",
    "stock.adjust.v1": "`warehouse`",
    "stock.reserve.v1": "our own users",
}


@pytest.mark.parametrize(("type_", "who"), WHO.items())
def test_the_map_says_who_may_send_a_message(type_: str, who: str) -> None:
    [row] = [row for row in message_map().splitlines() if f"`{type_}`" in row]
    assert row.endswith(f"| {who} |")


def test_every_setting_says_what_it_means_and_shows_no_secret() -> None:
    rows = settings_table().splitlines()[2:]
    assert len(rows) == len(Settings.model_fields)
    for row in rows:
        variable, default, meaning = (cell.strip() for cell in row.strip("|").split(" | "))
        assert variable.startswith("`OMS_")
        assert default
        assert len(meaning) > 10, f"{variable} does not say what it means"


def test_numbers_have_their_unit_in_their_name() -> None:
    units = (
        "_seconds",
        "_bytes",
        "_rows",
        "_lanes",
        "_units",
        "_port",
        "_max",
        "_items",
        "_messages",
        "_days",
        "_connections",
        "_percent",
        "_orders",
        "points_unit",
    )
    numbers = [name for name, field in Settings.model_fields.items() if field.annotation in (int, float)]
    assert [name for name in numbers if not name.endswith(units)] == []


def test_everything_that_we_send_outside_has_a_row_with_a_meaning_and_its_fields() -> None:
    rows = "\n".join((event_table(), reply_table(), instruction_table())).splitlines()
    for model in MODELS.values():
        if model.KIND in (MessageKind.EVENT, MessageKind.REPLY, MessageKind.INSTRUCTION):
            [row] = [row for row in rows if row.startswith(f"| `{model.TYPE}` |")]
            _, _, meaning, fields, _ = row.split(" | ") if row.count(" | ") == 4 else ("", *row.split(" | "), "")
            assert len(meaning) > 10
            assert all(f"`{name}`" in fields or "*order fields*" in fields for name in model.model_fields)


def test_every_code_and_every_reason_has_its_meaning_and_no_other_has() -> None:
    assert list(CODES) == list(dict.fromkeys([*Code, *MessageCode]))  # one of them is in both
    assert list(REASONS) == list(ALL_REASONS)


def test_the_diagram_shows_every_step_that_changes_the_state_and_no_other() -> None:
    lines = state_diagram().splitlines()
    for (source, trigger), transition in TRANSITIONS.items():
        arrows = [line for line in lines if line.startswith(f"    {source} --> {transition.to}: ")]
        if transition.to is source:
            assert arrows == []
            assert WORDS[trigger], f"the step {trigger} has no words"
        else:
            assert WORDS[trigger] in arrows[0]
            assert len(arrows) == 1
    shown = sum(line.count(",<br>") + 1 for line in lines if " --> " in line)
    moves = sum(transition.to is not source for (source, _), transition in TRANSITIONS.items())
    assert shown == moves + 1, "one arrow more, from the start"


def test_the_diagram_has_words_for_every_trigger() -> None:
    assert set(WORDS) == set(Trigger)


def test_text_around_the_markers_is_left_alone_and_writing_twice_changes_nothing() -> None:
    text = "before\n<!-- map -->\nold\n<!-- /map -->\nafter\n"
    once = inserted(text, {"map": "new"})
    assert once == "before\n<!-- map -->\nnew\n<!-- /map -->\nafter\n"
    assert inserted(once, {"map": "new"}) == once
    with pytest.raises(ValueError, match="<!-- settings -->"):
        inserted(text, {"settings": "new"})


def test_a_summary_has_the_first_sentences_and_no_requirement_ids() -> None:
    assert summary("Money came in (S1-16, C-03 to C-05). More.\n\nAnd this.") == "Money came in. More."
    assert summary(f"First. {'Second ' * 30}.") == "First."
