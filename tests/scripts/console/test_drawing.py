"""Pages write ages as words and draw states by how long they lasted, without a database."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from scripts.commands.letter_views import NESTED_MAX, parsed
from scripts.console.order_drawing import DRAWN_WIDTH, NARROWEST_WIDTH, widths_of
from scripts.console.rendering import age, document, in_words, mood, state
from workers.domain.order import State

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7200, "2 hours"),
        (172_800, "2 days"),
    ],
)
def test_a_duration_is_written_in_its_largest_unit_of_which_there_are_two(seconds: int, words: str) -> None:
    assert in_words(seconds) == words


def test_an_age_is_words_with_the_exact_time_in_its_title() -> None:
    assert ">3 hours ago<" in age(NOW - timedelta(hours=3), NOW)
    assert 'title="2026-11-30 15:00:00Z"' in age(NOW + timedelta(hours=3), NOW)
    assert ">in 3 hours<" in age(NOW + timedelta(hours=3), NOW)


def test_a_state_is_a_word_on_a_colour_and_escaped() -> None:
    assert state("awaiting_payment") == '<span class="state busy">awaiting payment</span>'
    assert "<b>" not in state("<b>")
    assert {one for one in State if mood(one) == "plain"} == {State.CANCELLED}


def test_nothing_in_a_text_hides() -> None:
    assert document("a\x1b[2Jb\u202ec\nd") == "a\\x1b[2Jb\\u202ec\nd"


@pytest.mark.parametrize("seconds", [[0.0], [0.0, 0.0], [1.0, 3600.0, 86_400.0 * 30], [5.0] * 40])
def test_every_state_is_seen_and_none_is_drawn_outside(seconds: list[float]) -> None:
    widths = widths_of(seconds)
    assert min(widths) >= NARROWEST_WIDTH
    assert sum(widths) <= DRAWN_WIDTH
    assert widths == sorted(widths)


@pytest.mark.parametrize("depth", [300, 1000, 100_000])
@pytest.mark.parametrize(("opens", "closes"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_a_body_that_is_nested_too_deeply_is_shown_as_text_and_only_in_clear(
    depth: int, opens: bytes, closes: bytes
) -> None:
    body = opens * depth + b'"Ada"' + closes * depth
    assert "Ada" not in document(parsed(body, reveal=False))
    assert document(parsed(body, reveal=True)) == body.decode()


def test_a_body_is_shown_as_json_up_to_the_depth_that_can_be_written() -> None:
    body = b"[" * NESTED_MAX + b"]" * NESTED_MAX
    assert document(parsed(body, reveal=False)).split() == ["["] * (NESTED_MAX - 1) + ["[]"] + ["]"] * (NESTED_MAX - 1)


def test_what_people_wrote_is_masked_in_a_letter_and_a_reason_that_is_a_word_is_shown() -> None:
    texts = {"description": "ring Ada", "note": "Ada", "remark": "for Ada", "reason": "Ada is angry"}
    body = orjson.dumps(texts | {"lines": [texts], "sku_id": "s1"})
    assert "Ada" not in document(parsed(body, reveal=False))
    assert "s1" in document(parsed(body, reveal=False))
    assert parsed(body, reveal=True)["note"] == "Ada"
    assert parsed(b'{"reason": "CHANGED_MIND"}', reveal=False) == {"reason": "CHANGED_MIND"}
