"""The README's map and configuration table are what the code says."""

import pytest

from messages.topology import TAKEN
from scripts import map as house_map
from workers.settings import Settings

REFRESH = "python -m scripts.map --write brings the README up to date"


@pytest.mark.parametrize("marker", ["map", "settings"])
def test_the_readme_says_what_the_code_does(marker: str) -> None:
    readme = house_map.README.read_text("utf-8")
    begin, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    assert readme.count(begin) == readme.count(end) == 1, f"README.md needs one {begin} and one {end}"
    said = readme.partition(begin)[2].partition(end)[0].strip()
    assert said == house_map.sections()[marker], REFRESH


def test_the_map_has_a_row_for_every_message_with_its_queue_and_a_file_that_exists() -> None:
    rows = house_map.message_map().splitlines()
    for queue, models in TAKEN.items():
        for model in models:
            [row] = [row for row in rows if row.startswith(f"| `{model.TYPE}` |")]
            assert f"`oms.{queue}`" in row or f"`oms.{queue.partition('.')[0]}.<provider>`" in row
            path = row.partition("](")[2].partition(")")[0]
            assert (house_map.README.parent / path).is_file()


WHO = {
    "order.create.v1": "anyone; operators: trusted users",
    "shipment.update.v1": "anyone",
    "payment.result.v1": "trusted users",
    "stock.adjust.v1": "trusted users",
    "stock.reserve.v1": "our own users",
}


@pytest.mark.parametrize(("type_", "who"), WHO.items())
def test_the_map_says_whose_word_is_taken(type_: str, who: str) -> None:
    [row] = [row for row in house_map.message_map().splitlines() if f"`{type_}`" in row]
    assert row.endswith(f"| {who} |")


def test_every_setting_says_what_it_means_and_shows_no_secret() -> None:
    rows = house_map.settings_table().splitlines()[2:]
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
        "_connections",
        "_percent",
        "_orders",
        "points_unit",
    )
    numbers = [name for name, field in Settings.model_fields.items() if field.annotation in (int, float)]
    assert [name for name in numbers if not name.endswith(units)] == []


def test_text_around_the_markers_is_left_alone_and_writing_twice_changes_nothing() -> None:
    text = "before\n<!-- map -->\nold\n<!-- /map -->\nafter\n"
    once = house_map.inserted(text, {"map": "new"})
    assert once == "before\n<!-- map -->\nnew\n<!-- /map -->\nafter\n"
    assert house_map.inserted(once, {"map": "new"}) == once
    with pytest.raises(ValueError, match="<!-- settings -->"):
        house_map.inserted(text, {"settings": "new"})
