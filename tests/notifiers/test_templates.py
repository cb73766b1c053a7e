"""The texts that buyers get: each template with the example of its event, and what is wrong with a template."""

from pathlib import Path
from typing import Any

import pytest

from messages.base import Event
from messages.buyer_notifications import NOTIFIED
from tests.golden.examples import example
from workers.notifiers.templates import LetterTemplates, LetterTexts, TemplateFault

MORE = {"order_no": "2026-7", "parcels": [{"carrier": "sf", "tracking_no": "SF<1>"}]}
SHOP = LetterTemplates(shop_name="Tea & Co")


def values_of(model: type[Event]) -> dict[str, Any]:
    event: dict[str, Any] = example(model.TYPE)
    return MORE | event


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("model", NOTIFIED, ids=lambda model: model.TYPE)
def test_each_kind_is_rendered_in_each_language_from_its_event(model: type[Event], language: str) -> None:
    texts = SHOP.render(NOTIFIED[model].name, [language], values_of(model))
    assert isinstance(texts, LetterTexts), texts
    assert texts.language == language
    assert texts.subject.startswith("Tea & Co")
    assert "\n" not in texts.subject
    number = str(values_of(model)["order_no"])
    assert number in texts.text
    assert number in texts.short
    assert f'<html lang="{language}">' in texts.html


def test_every_template_is_of_a_kind() -> None:
    folder = Path(__file__).parents[2] / "workers" / "notifiers" / "templates"
    expected = {f"{language}/{kind.name}.j2" for kind in NOTIFIED.values() for language in ("en", "zh")}
    assert {str(file.relative_to(folder)) for file in folder.rglob("*.*")} == expected | {"frame.html"}


def test_values_are_escaped_in_html_and_nowhere_else() -> None:
    texts = SHOP.render("order_shipped", ["en"], MORE)
    assert isinstance(texts, LetterTexts)
    assert "SF<1>" in texts.text
    assert "SF<1>" not in texts.html
    assert "SF&lt;1&gt;" in texts.html
    assert "Tea &amp; Co" in texts.html


def test_a_shop_replaces_templates_and_a_missing_language_falls_back(tmp_path: Path) -> None:
    (tmp_path / "de").mkdir()
    parts = "{% block subject %}Bezahlt{% endblock %}{% block text %}T{% endblock %}{% block short %}S{% endblock %}"
    (tmp_path / "de" / "order_paid.j2").write_text(parts + "{% block html %}<b>{{ text }}</b>{% endblock %}")
    shop = LetterTemplates(str(tmp_path))
    own = shop.render("order_paid", ["de-AT", "de", "en"], MORE)
    assert own == LetterTexts("de", "Bezahlt", "T", "S", "<b>T</b>")
    fallen = shop.render("order_shipped", ["de", "en"], MORE)
    assert isinstance(fallen, LetterTexts)
    assert fallen.language == "en"


BLOCKS = "{% block subject %}s{% endblock %}\n{% block short %}s{% endblock %}\n"
FAULTS = [
    (
        BLOCKS + "{% block text %}{{ order_number }}{% endblock %}",
        "line 3: UndefinedError: 'order_number'",
    ),
    (BLOCKS + "{% block text %}\n{{ order_no / 0 }}{% endblock %}", "line 4: TypeError"),
    (BLOCKS + "{% block text %}{{ ''.__class__.__mro__ }}{% endblock %}", "line 3: SecurityError"),
    (BLOCKS + "{% if %}", "line 3: TemplateSyntaxError"),
    (BLOCKS, "TemplateNotFound: the block text of en/order_paid.j2"),
]


@pytest.mark.parametrize(("source", "expected"), FAULTS)
def test_a_template_that_fails_says_where(tmp_path: Path, source: str, expected: str) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "order_paid.j2").write_text(source)
    fault = LetterTemplates(str(tmp_path)).render("order_paid", ["en"], MORE)
    assert isinstance(fault, TemplateFault)
    assert "order_paid.j2" in fault.why
    assert expected in fault.why
    assert "2026-7" not in fault.why
